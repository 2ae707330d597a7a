"""Features that are the pixels themselves."""

from __future__ import annotations

import numpy as np
from PIL import Image

from whorl.kernels.cells import means
from whorl.records import Array, Count, Floats

VERSION = 1


def grey(images: Array) -> Array:
    """The grey pictures as they are.

    (n, h, w) -> (n, h, w).
    """
    return images


def thumbnail(images: Array, size: Count = 32) -> Floats:
    """Mean grey over the cells of a size × size grid.

    (n, h, w) -> (n, size * size).
    """
    count, height, width = images.shape
    if height % size == 0 and width % size == 0:
        return means(images, height // size, width // size).reshape(count, -1)
    small = [
        np.asarray(Image.fromarray(np.asarray(image, np.float32)).resize((size, size), Image.Resampling.BOX))
        for image in images
    ]
    return np.asarray(small, np.float32).reshape(count, -1)
