"""Counts of local binary patterns, sixteen places at a time, with the arithmetic of scikit-image.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

from whorl.kernels.compiling import compiled
from whorl.kernels.lanes import LANES, every, load, mark, store


@compiled
def count(
    padded: Any, margin: Any, corners: Any, down: Any, across: Any, classes: Any, size: Any, out: Any
) -> None:
    """Add to `out` how often each class of patterns occurs.

    `padded` (rows × pitch) has LANES places more than the picture and its margins; `corners` (4, points)
    are the steps to the pixels around each point, `down` (points, h) and `across` (points + 1 × pitch) its
    place between them; the last row of `across` is room for codes.
    """
    height, width, pitch = size
    points = corners.shape[1]
    codes = across[points * pitch :]
    one, nothing = every(1.0), every(0.0)
    for y in range(height):
        for x in range(0, width, LANES):
            middle = load(padded, (y + margin) * pitch + margin + x)
            code = nothing
            for point in range(points):
                up, low = corners[0, point], corners[1, point]
                left, right = corners[2, point], corners[3, point]
                upper = (y + margin + up) * pitch + margin + x
                value = load(padded, upper + left)
                if up != low or left != right:
                    lower = (y + margin + low) * pitch + margin + x
                    share, part = load(across, point * pitch + x), every(down[point, y])
                    top = (one - share) * value + share * load(padded, upper + right)
                    bottom = (one - share) * load(padded, lower + left) + share * load(padded, lower + right)
                    value = (one - part) * top + part * bottom
                value = value - middle
                code = code + mark(value, every(float(1 << point)))
            store(codes, x, code)
        for x in range(width):
            out[classes[int(codes[x])]] += 1
