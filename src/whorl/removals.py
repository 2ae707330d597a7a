"""What a scrub hands over: copies of the pictures to keep, a table of those to remove, audits in short."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whorl import arrays, exports
from whorl.compare import Progress, silent
from whorl.evidence.tails import FEWEST
from whorl.folders import shown
from whorl.outcomes import Audit, pseudonyms
from whorl.records import BadInput, ImageSet
from whorl.scrubbing import Scrub
from whorl.store import sweep, whole

FOLDER, ARRAY, TABLE, SUMMARY = "kept", "kept.npy", "removed.csv", "scrub.json"
CHUNK = 256


@dataclass(frozen=True, eq=False)
class ScrubReport:
    """A scrub with its pictures at hand: look at `record`, or `save()` it.

    `files` says where each generated picture lies; where they are one array, `array` does.
    """

    record: Scrub
    generated: ImageSet
    members: ImageSet
    files: Mapping[str, Path]
    array: Path | None
    provenance: Mapping[str, Any]
    progress: Progress = silent

    def to_dict(self) -> dict[str, Any]:
        """Return what `scrub.json` holds: no member is named in it."""
        record = self.record
        return {
            "schema": "whorl.scrub/1",
            "sentence": record.sentence,
            "threshold": record.threshold,
            "pictures": {
                "generated": len(self.generated),
                "removed": len(record.removed),
                "kept": len(record.kept),
                "left_out_of_the_second_audit_alone": record.beside,
            },
            "patients": {
                half: {"members": members, "holdout": holdout}
                for half, (members, holdout) in (("choosing", record.choosing), ("judging", record.judging))
            },
            "before": _short(record.before),
            "after": _short(record.after) if record.after else None,
            "removed": [self.generated.ids[entry.row] for entry in record.removed],
            "quarantined": self.generated.quarantined,
            "notes": self.notes,
            "provenance": self.provenance,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the kept pictures and of the audits."""
        found = []
        if self.generated.quarantined:
            count = len(self.generated.quarantined)
            found.append(f"{count} generated files could not be read: not judged, not among the kept")
        judging = self.record.before.roles.count("holdout")
        if judging < FEWEST:
            few = f"the patients without a say have {judging} holdout pictures"
            found.append(f"{few}: a list of near copies needs {FEWEST}, so theirs says nothing")
        return tuple(found)

    def kept(self, folder: Path) -> Path:
        """Return where `save` puts the kept pictures."""
        return folder / (ARRAY if self.array is not None else FOLDER)

    def save(self, folder: str | Path, *, with_names: bool = False) -> Path:
        """Write removed.csv, scrub.json and, last, the kept pictures; originals stay as they are.

        The table names no member but gives the pseudonym that the report of the audit gives its patient;
        `with_names` puts the member's file in its place.
        """
        out = Path(folder)
        check_free(out, [*self.files.values(), *([self.array] if self.array else [])])
        sweep(out, [TABLE, SUMMARY, FOLDER, ARRAY])
        exports.write_csv(out / TABLE, *self._rows(with_names))
        exports.write_json(out / SUMMARY, self.to_dict())
        self._keep(out)
        return out / TABLE

    def _rows(self, with_names: bool) -> tuple[list[str], list[list[object]]]:
        names = self.members.ids if with_names else self._pseudonyms()
        return ["generated", "likeness", "q_value", "member"], [
            [self.generated.ids[entry.row], entry.likeness, entry.q_value, names[entry.member]]
            for entry in self.record.removed
        ]

    def _pseudonyms(self) -> list[str]:
        """A neutral name of each member's patient, the one that an audit of all members gives."""
        known = self.record.before.provenance.get("patients_known", False)
        owners = (self.members.patients if known else None) or self.members.ids
        names = pseudonyms(owners)
        return [names[owner] for owner in owners]

    def _keep(self, out: Path) -> None:
        ids = [self.generated.ids[row] for row in self.record.kept]
        with whole(self.kept(out)) as place:
            if self.array is not None:
                _write_rows(place, arrays.opened(self.array), [int(name) for name in ids])
                return
            place.mkdir()
            for done, name in enumerate(ids):
                self.progress("copying", done, len(ids))
                _copy(self.files[name], place / name)
            self.progress("copying", len(ids), len(ids))


def check_free(out: Path, sources: Sequence[Path]) -> None:
    """Refuse a place that holds kept pictures already, or where they would mix with what was read."""
    for place in (out / FOLDER, out / ARRAY):
        if place.exists() and not (place.is_dir() and not any(place.iterdir())):
            raise BadInput(f"--out {shown(out)}: has '{place.name}' already; delete that or choose another")
    real = (out / FOLDER).resolve()
    for source in sources:
        other = source.resolve()
        inside = real.is_relative_to(other) and other.is_dir()
        if inside or other.is_relative_to(real):
            raise BadInput(f"--out {shown(out)}: lies in {shown(source)}, which is read; choose another")


def _short(audit: Audit) -> dict[str, Any]:
    strongest = audit.combined or audit.attacks[0]
    return {
        "verdict": audit.verdict,
        "sentence": audit.sentence,
        "near_copies": len(audit.near_copies),
        "attack": strongest.recipe,
        "auc": strongest.auc,
        "tpr_at_1_percent_fpr": strongest.tpr,
        "p_adjusted": strongest.p_adjusted,
        "detectable_auc": audit.detectable_auc,
        "generated": len(audit.generated_ids),
    }


def _write_rows(place: Path, source: np.ndarray[Any, Any], rows: Sequence[int]) -> None:
    """Write some rows of an array as a .npy file, a few at a time."""
    shape = (len(rows), *source.shape[1:])
    with place.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(source.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), CHUNK):
            file.write(np.ascontiguousarray(source[list(rows[start : start + CHUNK])]).tobytes())
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        read = source.open("rb")
    except OSError as error:
        raise BadInput(f"{shown(source)}: {(error.strerror or 'cannot be read').lower()}") from None
    with read, target.open("xb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
