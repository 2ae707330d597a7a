"""The cure in one call: a finished audit is followed back to its pictures, and those are scrubbed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from whorl import api, headers, images, recipes, removals, scrubbing, sources
from whorl.api import Running
from whorl.cohort import cohort
from whorl.conclusions import Rules
from whorl.executors import executor as executor_named
from whorl.exposure import copies_column
from whorl.folders import shown
from whorl.records import BadInput, ImageSet, Recipe
from whorl.removals import ScrubReport
from whorl.sources import Audited, Place

COPIES = "whorl.copies"


def scrub(audit: str | Path, *, running: Running | None = None, exclude: Path | None = None) -> ScrubReport:
    """Propose which generated pictures of a finished audit to remove, so that no near copy is left.

    `audit` is the folder that holds its audit.json. `exclude` is where results will go: it must be free, and
    is passed over when pictures are read.
    """
    running = running or Running()
    audited = sources.read(Path(audit))
    if exclude is not None:
        removals.check_free(exclude, audited.places())
    load = _Loader(audited, running, exclude)
    made = load(audited.generated, "generated")
    used, unused = load(audited.members, "members"), load(audited.holdout, "holdout")
    beside = None if audited.reference is None else load(audited.reference, "reference")
    _check_patients(audited, used, unused)
    places = {"generated": audited.generated, "members": audited.members, "holdout": audited.holdout}
    found = scrubbing.scrub(
        generated=made,
        members=used,
        holdout=unused,
        reference=beside,
        recipes=_recipes(audited),
        settings=running.settings(),
        rules=Rules(audited.alpha, audited.permutations),
        executor=executor_named(running.executor, running.workers),
        files={role: headers.paths(place, exclude) for role, place in places.items()},
    )
    files = headers.paths(audited.generated, exclude)
    array = None if files else Path(str(audited.generated))
    return ScrubReport(found, made, used, files, array, _provenance(audited, running), running.progress)


@dataclass(frozen=True)
class _Loader:
    """Reads one source after another as the audit did, and sees that the pictures are the same."""

    audited: Audited
    running: Running
    exclude: Path | None

    def __call__(self, place: Place, name: str) -> ImageSet:
        label, real = f"reading {name}", name in ("members", "holdout")
        owners = self.audited.patients
        found = images.load(
            place,
            name=name,
            size=self.audited.size,
            patients=Path(owners) if real and owners is not None else None,
            patient_from=self.audited.patient_from if real else None,
            progress=lambda done, total: self.running.progress(label, done, total),
            exclude=self.exclude,
        )
        self.audited.check(found)
        return found


def _check_patients(audited: Audited, members: ImageSet, holdout: ImageSet) -> None:
    known = (audited.counts.get("member_patients"), audited.counts.get("holdout_patients"))
    if cohort(members, holdout).sides != known:
        raise BadInput(f"{shown(audited.folder)}: the patients are not those of the audit; audit again")


def _recipes(audited: Audited) -> list[Recipe]:
    """Return the attacks of the audit, and one that looks for near copies if none of them does."""
    found = [recipes.load(name) for name in audited.recipes]
    return found if copies_column(found) is not None else [*found, recipes.load(COPIES)]


def _provenance(audited: Audited, running: Running) -> dict[str, object]:
    return {
        "command": running.command,
        "versions": api.versions(),
        "seed": running.seed,
        "audit": str(audited.folder.absolute()),
        "audit_sha256": hashlib.sha256((audited.folder / "audit.json").read_bytes()).hexdigest(),
        "audit_verdict": audited.verdict,
        "recipes": [recipe.name for recipe in _recipes(audited)],
        "digests": dict(audited.digests),
    }
