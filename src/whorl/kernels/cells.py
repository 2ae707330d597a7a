"""Mean grey of the cells of a grid: strips added to strips, exact on 8-bit pictures."""

from __future__ import annotations

import numpy as np

from whorl.records import Array, Floats


def means(images: Array, down: int, across: int) -> Floats:
    """Mean of every cell of `down` × `across` pixels, rounded once to float32 on 8-bit pictures.

    (n, h, w) -> (n, h / down, w / across); what is left of a cell at the lower and right border is left out.
    """
    count, height, width = images.shape
    rows, columns = height // down, width // across
    strips = images[:, : rows * down, : columns * across].reshape(count, rows, down, columns * across)
    tall = _kind(images, down)
    added = strips[:, :, 0].astype(tall)
    for row in range(1, down):
        added += strips[:, :, row]
    cells = added.reshape(count, rows, columns, across)
    sums = cells[..., 0].astype(_kind(images, down * across))
    for column in range(1, across):
        sums += cells[..., column]
    return np.asarray(np.asarray(sums, np.float64) / (down * across), np.float32)


def _kind(images: Array, pixels: int) -> np.dtype[np.generic]:
    """The narrowest numbers that hold the sum of so many pixels: whole ones for 8 bits, else float64."""
    return np.min_scalar_type(255 * pixels) if images.dtype == np.uint8 else np.dtype(np.float64)
