"""What several benchmarks do with pictures and results: save as JPEG, show and keep a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from whorl.records import Array
from whorl.store import write_text


def jpeg(stack: Array, quality: int) -> Array:
    """Save every picture as JPEG and read it again."""
    made = []
    for picture in stack:
        buffer = BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
        made.append(np.asarray(Image.open(buffer)))
    return np.stack(made)


def keep(content: Mapping[str, Any], results: Path | None) -> None:
    """Print a document and, where a place is given, write it there."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    print(text)
    if results:
        write_text(results, text)
