"""What the page says of the pictures themselves: doubles, patients on both sides, names left in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whorl.hygiene import Finding
from whorl.report import wording

EXAMPLES = 5
SEVERITIES = {"stop": ("Stop", "no"), "warn": ("Warning", "unsure"), "note": ("Note", "yes")}
# What the public edition may call by name; a finding's sentence names files.
KINDS = (
    "generated identical to real",
    "exact duplicates",
    "near duplicates",
    "patient on both sides",
    "patient under two names",
    "metadata",
    "unreadable",
)


@dataclass(frozen=True)
class Line:
    """One finding: how grave in a word and a class, its sentence, count and first examples."""

    severity: str
    kind: str
    sentence: str
    count: str
    examples: tuple[str, ...]


def hygiene_view(found: Sequence[Finding]) -> list[Line]:
    """Return the findings as the page lists them, in their order."""
    return [_line(one) for one in found]


def _line(one: Finding) -> Line:
    word, kind = SEVERITIES[one.severity]
    shown = [f"{first} · {second}" if second else first for first, second in one.examples[:EXAMPLES]]
    rest = max(one.count, len(one.examples)) - len(shown)
    more = [f"and {wording.whole(rest)} more"] if rest > 0 and shown else []
    return Line(word, kind, one.sentence, wording.whole(one.count), (*shown, *more))
