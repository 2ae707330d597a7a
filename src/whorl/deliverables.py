"""What a question gives back: its record and its pictures, to look at, to tabulate, to save as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whorl import exports
from whorl.confounders import content, marks
from whorl.outcomes import Attack, Attribution, Audit, Exposed, NearCopy
from whorl.records import ImageSet, Result, Scores, Verdicts
from whorl.report import page
from whorl.report.people_view import COPIES
from whorl.report.public_view import public_content
from whorl.store import sweep, write_text
from whorl.untrained import MARK, effort_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class AuditReport:
    """An audit with its pictures at hand: look at `record`, `save()` it, or take `to_frame()`."""

    record: Audit
    real: tuple[ImageSet, ImageSet]
    generated: ImageSet

    @property
    def verdict(self) -> str:
        """The verdict: leak, no evidence or cannot tell."""
        return self.record.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return what `audit.json` holds."""
        return _audit_content(self.record)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per real picture: file, role, patient and the score of every attack."""
        import pandas as pd

        header, rows = _score_rows(self.record)
        return pd.DataFrame(rows, columns=header)

    def save(self, folder: str | Path, *, with_images: bool = False, public: bool = False) -> Path:
        """Write audit.json, scores.csv and report.html; pictures enter the report only when asked for.

        `public` adds public.html and public.json, which show no real picture and name nobody; without it
        those of an earlier audit in the same folder are taken away.
        """
        out = _folder(folder, "audit.json", "scores.csv", "report.html", "public.html", "public.json")
        exports.write_csv(out / "scores.csv", *_score_rows(self.record))
        exports.write_json(out / "audit.json", self.to_dict())
        if public:
            exports.write_json(out / "public.json", public_content(self.record))
            write_text(out / "public.html", page.public_page(self.record))
        else:
            for name in ("public.json", "public.html"):
                (out / name).unlink(missing_ok=True)
        write_text(
            out / "report.html", page.audit_page(self.record, self._pictures() if with_images else None)
        )
        return out / "report.html"

    def _pictures(self) -> dict[str, dict[int, Any]]:
        members, holdout = self.real
        shown = [(entry.row, entry.twin) for entry in self.record.near_copies[:COPIES]]
        shown += [(entry.row, entry.twin) for entry in self.record.exposed]
        real = {
            row: members.pixels[row] if row < len(members) else holdout.pixels[row - len(members)]
            for row, _ in shown
        }
        twins = {twin: self.generated.pixels[twin] for _, twin in shown if twin >= 0}
        return {"real": real, "generated": twins}


@dataclass(frozen=True, eq=False)
class AttributionReport:
    """An attribution with its pictures at hand."""

    record: Attribution
    images: ImageSet

    def to_dict(self) -> dict[str, Any]:
        """Return what `attribution.json` holds."""
        return _attribution_content(self.record)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per picture: file, label, confidence."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=["file", "label", "confidence"])

    def save(self, folder: str | Path) -> Path:
        """Write attribution.json, labels.csv and report.html."""
        out = _folder(folder, "attribution.json", "labels.csv", "report.html")
        exports.write_csv(out / "labels.csv", ["file", "label", "confidence"], self._rows())
        exports.write_json(out / "attribution.json", self.to_dict())
        shown = {row for cluster in self.record.clusters for row in cluster.examples}
        pictures = {row: self.images.pixels[row] for row in sorted(shown)}
        write_text(out / "report.html", page.attribution_page(self.record, pictures))
        return out / "report.html"

    def _rows(self) -> list[tuple[str, str, float]]:
        record = self.record
        return [
            (name, label, float(sure))
            for name, label, sure in zip(record.ids, record.labels, record.confidence, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class RunReport:
    """One recipe on one edition: scores, verdicts and, where answers are there, the result."""

    scores: Scores
    verdicts: Verdicts
    result: Result | None
    about: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what `result.json` holds."""
        return {"schema": "whorl.result/1", **self.about, "evaluation": self.result}

    def to_frame(self) -> pd.DataFrame:
        """Return one row per query: file, score, label."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=self._header())

    def save(self, folder: str | Path) -> Path:
        """Write result.json and verdicts.csv."""
        out = _folder(folder, "result.json", "verdicts.csv")
        exports.write_csv(out / "verdicts.csv", self._header(), self._rows())
        exports.write_json(out / "result.json", self.to_dict())
        return out / "result.json"

    def _header(self) -> list[str]:
        """The columns; more of them in every row where features are untrained, or trained in haste."""
        return ["file", "score", "label", *self._marks()]

    def _rows(self) -> list[tuple[object, ...]]:
        best = self.scores.values.max(axis=1)
        more = tuple(self._marks().values())
        return [
            (name, float(value), label, *more)
            for name, value, label in zip(self.scores.ids, best, self.verdicts.labels, strict=True)
        ]

    def _marks(self) -> dict[str, str]:
        name = str(self.about["recipe"])
        marks = {"features": "untrained" if name.endswith(MARK) else "", "effort": effort_of(name)}
        return {column: said for column, said in marks.items() if said}


def _folder(folder: str | Path, *names: str) -> Path:
    """The folder for the results, without what a killed run left half-written of these files."""
    out = Path(folder)
    sweep(out, names)
    return out


def _score_rows(record: Audit) -> tuple[list[str], list[list[object]]]:
    together = [record.combined.recipe] if record.combined else []
    header = ["file", "role", "patient", *(attack.recipe for attack in record.attacks), *together]
    values = np.column_stack([record.values, record.combined_scores]) if together else record.values
    facts = zip(record.ids, record.roles, record.patients, values, strict=True)
    return header, [[name, role, patient, *scores] for name, role, patient, scores in facts]


def _whom(record: Audit, entry: Exposed | NearCopy) -> dict[str, Any]:
    """Whose picture an entry is about, and the generated picture most like it."""
    return {
        "file": record.ids[entry.row],
        "patient": record.patients[entry.row],
        "generated": record.generated_ids[entry.twin] if entry.twin >= 0 else None,
    }


def _audit_content(record: Audit) -> dict[str, Any]:
    exposed = [
        {**_whom(record, entry), "recipe": entry.recipe, "rarity": entry.rarity} for entry in record.exposed
    ]
    copies = [
        {**_whom(record, entry), "likeness": entry.likeness, "q_value": entry.q_value}
        for entry in record.near_copies
    ]
    return {
        "schema": "whorl.audit/2",
        "verdict": record.verdict,
        "sentence": record.sentence,
        "decision": record.decision,
        "alpha": record.alpha,
        "detectable_auc": record.detectable_auc,
        "chance": {"auc": 0.5, "tpr_at_1_percent_fpr": 0.01},
        "attacks": [_attack_content(attack) for attack in record.attacks],
        "combined": _attack_content(record.combined) if record.combined else None,
        "whole_set": record.whole_set,
        "near_copies": copies,
        "remembered": record.remembrance,
        "privacy_loss": record.privacy_loss,
        "planted": record.planted,
        "blind": None
        if record.blind is None
        else {"families": record.blind.families, "margin": record.margin},
        "per_patient": record.per_patient,
        "subgroups": record.subgroups,
        "hygiene": record.hygiene,
        "exposed": exposed,
        "quarantined": record.quarantined,
        "notes": record.notes,
        "provenance": record.provenance,
    }


def _attack_content(attack: Attack) -> dict[str, Any]:
    return {
        "recipe": attack.recipe,
        "title": attack.title,
        "auc": attack.auc,
        "tpr_at_1_percent_fpr": attack.tpr,
        "tpr_at_0.1_percent_fpr": attack.tpr_rare,
        "p_value": attack.p_value,
        "p_adjusted": attack.p_adjusted,
        "detectable_auc": attack.detectable_auc,
        "weight": attack.weight,
    }


def _attribution_content(record: Attribution) -> dict[str, Any]:
    total, explained = len(record.ids), marks(record.confounders)
    return {
        "schema": "whorl.attribution/2",
        "count": record.count,
        "count_given": record.count_given,
        "at_least": record.at_least,
        "why": record.why,
        "choices": record.choices,
        "clusters": [
            {
                "label": cluster.label,
                "size": cluster.size,
                "share": cluster.size / total,
                "explained_by": explained.get(cluster.label, ()),
                "peaks": cluster.peaks,
            }
            for cluster in record.clusters
        ],
        "separations": [
            {
                "groups": [pair.one, pair.other],
                "spreads": dict(pair.blocks),
                "intervals": {
                    name: list(ends) for (name, _), ends in zip(pair.blocks, pair.intervals, strict=False)
                },
            }
            for pair in record.separations
        ],
        "confounders": content(record.confounders),
        "measures": record.measures,
        "quarantined": record.quarantined,
        "notes": record.notes,
        "provenance": record.provenance,
    }
