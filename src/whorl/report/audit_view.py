"""What the page of an audit shows, worked out before the template lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whorl.outcomes import Audit
from whorl.records import Array
from whorl.report.evidence_view import evidence_view
from whorl.report.hygiene_view import hygiene_view
from whorl.report.people_view import people_view
from whorl.report.release_view import release_view
from whorl.report.sections import left_out, repetition


def audit_view(audit: Audit, images: Mapping[str, Mapping[int, Array]] | None) -> dict[str, Any]:
    """Return everything the template `audit.html` names."""
    parts = (release_view(audit), evidence_view(audit), people_view(audit, images))
    view = {key: value for part in parts for key, value in part.items()}
    return view | {
        "audit": audit,
        "name": audit.provenance.get("name"),
        "hygiene": hygiene_view(audit.hygiene),
        "quarantine": left_out(audit.quarantined),
        "repeat": repetition(audit.provenance),
    }
