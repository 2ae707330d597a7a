"""Parts that every page has: notes, what was left out, how to repeat it; and links that stay local."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from whorl.records import Quarantined

LISTED = 100
# Shown in places of their own, so not among "also recorded".
PLACED = {"command", "seed", "versions", "digests", "counts", "patients_known", "rule", "name"}


def left_out(files: Sequence[Quarantined]) -> dict[str, Any]:
    """Return the quarantined files a page lists, how many more there are, and a count by reason."""
    reasons = Counter(file.reason for file in files).most_common(8)
    return {"listed": files[:LISTED], "count": len(files), "reasons": reasons}


def repetition(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page says about repeating a result, whatever of it was recorded."""
    others = [
        (str(key), value)
        for key, value in provenance.items()
        if key not in PLACED and isinstance(value, str | int | float | bool)
    ]
    return {
        "command": str(provenance.get("command", "not recorded")),
        "seed": str(provenance.get("seed", "not recorded")),
        "versions": _pairs(provenance.get("versions")),
        "digests": _pairs(provenance.get("digests")),
        "others": others,
    }


def local_link(address: object) -> str:
    """Return a relative address that no browser can read as another host or scheme."""
    text = str(address)
    if text.startswith("/") or "\\" in text:
        raise ValueError(f"report: a link to a report is relative, not {text!r}")
    return quote(text, safe="/.-_~#", errors="surrogateescape")


def _pairs(value: object) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping):
        return []
    return [(str(key), str(content)) for key, content in value.items()]
