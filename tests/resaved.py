"""Pictures after a passage through a JPEG file."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image


def as_jpeg(stack: np.ndarray, quality: int) -> np.ndarray:
    """Save every picture of a stack and read it again."""
    made = []
    for picture in stack:
        file = BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        made.append(np.asarray(Image.open(file)))
    return np.stack(made)
