"""Key points and their descriptors."""

from __future__ import annotations

import numpy as np

from whorl.records import Array, Count, Floats

VERSION = 1
LENGTH = 128


def sift(images: Array, most: Count = 200) -> Floats:
    """Descriptors of the first `most` scale-invariant key points (scikit-image): unit rows, then zero rows.

    (n, h, w) -> (n, most, 128).
    """
    from skimage.feature import SIFT

    found = np.zeros((len(images), most, LENGTH), np.float32)
    for place, image in enumerate(images):
        grey = np.asarray(image, np.float64) / 255
        detector = SIFT(upsampling=1)
        try:
            detector.detect_and_extract(grey)
        except (RuntimeError, IndexError, ValueError):
            continue  # no key points: a picture too flat or too small
        rows = np.asarray(detector.descriptors[:most], np.float32)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        found[place, : len(rows)] = rows / np.maximum(length, 1e-9)
    return found
