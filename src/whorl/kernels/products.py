"""Products of chosen pairs of vectors in float64. Import this module inside functions: it loads numba."""

from __future__ import annotations

from typing import Any

from whorl.kernels.compiling import compiled


@compiled
def chosen(
    mine: Any, theirs: Any, places: Any, own_means: Any, means: Any, first: Any, last: Any, out: Any
) -> None:
    """Write the products, about their means, of the vectors from first to last and those at their places."""
    width = mine.shape[1]
    whole = width - width % 4
    for row in range(first, last):
        for column in range(places.shape[1]):
            place = places[row, column]
            middle, other = own_means[row], means[place]
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for x in range(0, whole, 4):
                s0 += (mine[row, x] - middle) * (theirs[place, x] - other)
                s1 += (mine[row, x + 1] - middle) * (theirs[place, x + 1] - other)
                s2 += (mine[row, x + 2] - middle) * (theirs[place, x + 2] - other)
                s3 += (mine[row, x + 3] - middle) * (theirs[place, x + 3] - other)
            for x in range(whole, width):
                s0 += (mine[row, x] - middle) * (theirs[place, x] - other)
            out[row, column] = (s0 + s1) + (s2 + s3)
