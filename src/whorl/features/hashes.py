"""Perceptual hashes as rows of bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whorl.records import Array

VERSION = 1


def phash(images: Array, hash_size: int = 8) -> NDArray[np.uint8]:
    """Perceptual hash from the low cosine frequencies (ImageHash).

    (n, h, w) -> (n, hash_size * hash_size) of 0 and 1.
    """
    import imagehash

    rows = [imagehash.phash(Image.fromarray(_grey(image)), hash_size).hash for image in images]
    return np.asarray(rows, np.uint8).reshape(len(images), -1)


def _grey(image: Array) -> NDArray[np.uint8]:
    """The picture in 8 bits; rounding one that has them takes longer than its hash."""
    return image if image.dtype == np.uint8 else np.clip(np.rint(image), 0, 255).astype(np.uint8)
