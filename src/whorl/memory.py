"""How much memory a run may take: read from a text or from the machine, and shared out."""

from __future__ import annotations

import re
from pathlib import Path

from whorl.arrays import SPILL_BYTES
from whorl.compare import DEFAULT_BLOCK_BYTES
from whorl.records import BadInput
from whorl.store import SHELF_BYTES, Shelf

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LEAST = 2**26  # 64 MB; a picture and a block need some room
AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?\s*", re.ASCII | re.IGNORECASE)
FREE = re.compile(r"^MemAvailable:\s*(\d+) kB$", re.MULTILINE)
# Where a container keeps how much it may take and what it takes, by version.
LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def read(text: str) -> int:
    """Return the bytes of a text such as 4GB, 500 MB or 1.5G."""
    found = AMOUNT.fullmatch(text)
    amount = float(found[1]) * UNITS[found[2].upper()] if found else 0.0
    if not LEAST <= amount < 2**60:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise BadInput(f"--memory {shown!r}: give an amount of 64MB or more, such as 4GB or 500MB")
    return int(amount)


def half_of_free() -> int:
    """Return half of the bytes that are free now; 2 GB where the machine does not tell."""
    found = FREE.search(_content("/proc/meminfo"))
    free = [int(found[1]) * 1024] if found else []
    for most, taken in LIMITS:
        limit, used = _content(most).strip(), _content(taken).strip()
        if limit.isdigit() and used.isdigit():
            free.append(int(limit) - int(used))
    return max(LEAST, min(free) // 2) if free else 2**31


def block(total: int, wanted: int = DEFAULT_BLOCK_BYTES) -> int:
    """Bytes of one block of similarities: a search and a few tables of that size live at a time."""
    return min(wanted, total // 16)


def shelf(total: int) -> Shelf:
    """Room for features that the next recipe may want again."""
    return Shelf(min(SHELF_BYTES, total // 4))


def spill(total: int) -> int:
    """Bytes of pictures or features of one set, above which they lie in a temporary file."""
    return min(SPILL_BYTES, total // 16)


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
