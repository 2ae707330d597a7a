"""The answer to "which of the enrolled generators made these pictures, if any?", to look at and to save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whorl import exports
from whorl.records import Array, Quarantined
from whorl.store import sweep

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN, MIXED, CANNOT_TELL = "unknown", "mixed", "cannot tell"


@dataclass(frozen=True, eq=False)
class Identification:
    """Pictures (n,) against enrolled sources (s,), one by one and all together.

    `p_values` are (n, s); `p_value` (n,) belongs to the answer, or to the best of what was refused.
    `folder_p_values` (s,) ask whether the source made every picture.
    """

    ids: tuple[str, ...]
    sources: tuple[str, ...]
    answers: tuple[str, ...]
    p_value: Array
    nearest: tuple[str, ...]
    reasons: tuple[str, ...]
    p_values: Array
    folder_answer: str
    folder_p_value: float
    folder_p_values: Array
    why: str
    alpha: float
    quarantined: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] | None = None

    def shares(self) -> dict[str, int]:
        """Return how many pictures got each answer, the most frequent first."""
        order = [*self.sources, UNKNOWN, CANNOT_TELL]
        found = {name: self.answers.count(name) for name in order if name in self.answers}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return what `identify.json` holds."""
        total = len(self.ids)
        return {
            "schema": "whorl.identification/1",
            "answer": self.folder_answer,
            "p_value": self.folder_p_value,
            "why": self.why,
            "alpha": self.alpha,
            "p_values": dict(zip(self.sources, map(float, self.folder_p_values), strict=True)),
            "answers": [
                {"answer": name, "pictures": count, "share": count / total}
                for name, count in self.shares().items()
            ],
            "pictures": [
                {
                    "file": self.ids[row],
                    "answer": self.answers[row],
                    "p_value": float(self.p_value[row]),
                    "nearest": self.nearest[row],
                    "reason": self.reasons[row],
                }
                for row in range(total)
            ],
            "quarantined": self.quarantined,
            "notes": self.notes,
            "provenance": self.provenance or {},
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per picture: file, answer, p-value, nearest source, reason, p-value per source."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=self._header())

    def save(self, folder: str | Path) -> Path:
        """Write identify.json and identify.csv."""
        out = Path(folder)
        sweep(out, ["identify.json", "identify.csv"])
        exports.write_csv(out / "identify.csv", self._header(), self._rows())
        exports.write_json(out / "identify.json", self.to_dict())
        return out / "identify.json"

    def _header(self) -> list[str]:
        return [
            "file",
            "answer",
            "p_value",
            "nearest",
            "reason",
            *(f"p_value:{name}" for name in self.sources),
        ]

    def _rows(self) -> list[list[object]]:
        facts = zip(
            self.ids, self.answers, self.p_value, self.nearest, self.reasons, self.p_values, strict=True
        )
        return [
            [name, answer, float(p_value), nearest, reason, *map(float, each)]
            for name, answer, p_value, nearest, reason, each in facts
        ]
