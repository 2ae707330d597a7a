"""What several benchmarks do with results: show and keep a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whorl.store import write_text


def keep(content: Mapping[str, Any], results: Path | None) -> None:
    """Print a document and, where a place is given, write it there."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    print(text)
    if results:
        write_text(results, text)
