"""What an audit was made from: told in its audit.json, found again there, checked against the pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whorl.folders import shown
from whorl.images import Source
from whorl.records import BadInput, ImageSet

Place = str | list[str]


@dataclass(frozen=True)
class Audited:
    """A finished audit found again: its sources as paths, what it tried, and digests to know them by."""

    folder: Path
    generated: Place
    members: Place
    holdout: Place
    reference: Place | None
    patients: str | None
    patient_from: str | None
    size: int | None
    recipes: tuple[str, ...]
    alpha: float
    permutations: int
    verdict: str
    digests: Mapping[str, str]
    counts: Mapping[str, int]

    def places(self) -> list[Path]:
        """Return every folder, table, array or file that the audit read."""
        given = (self.generated, self.members, self.holdout, self.reference, self.patients)
        named = [one for one in given if one is not None]
        return [Path(one) for place in named for one in ([place] if isinstance(place, str) else place)]

    def check(self, images: ImageSet) -> None:
        """Refuse pictures that are not those that were audited."""
        if self.digests.get(images.name) != images.digest:
            raise BadInput(
                f"{shown(self.folder)}: the {images.name} pictures are not those audited; audit them again"
            )


def told(
    places: Mapping[str, Source | None], reading: Mapping[str, Any], recipes: Sequence[str]
) -> dict[str, Any]:
    """Return what audit.json says of its sources, as absolute paths; nothing where arrays were given.

    `reading` says how they were read: patients, patient_from, size.
    """
    named = {role: None if source is None else _place(source) for role, source in places.items()}
    if any(named[role] is None and source is not None for role, source in places.items()):
        return {}
    facts = {**reading, "patients": None if reading["patients"] is None else _absolute(reading["patients"])}
    return {"sources": {**named, **facts, "recipes": [_recipe(one) for one in recipes]}}


def read(folder: Path) -> Audited:
    """Return the audit that a folder holds; one that cannot be followed to its pictures is refused."""
    where = shown(folder)
    content = _content(folder, where)
    facts = content["provenance"]
    found = facts.get("sources")
    if found is None:
        raise BadInput(
            f"{where}: the audit does not say where its pictures are (arrays, or an older whorl); audit files"
        )
    try:
        return Audited(
            folder=folder,
            **{name: _known(found[name]) for name in ("generated", "members", "holdout")},
            reference=None if found["reference"] is None else _known(found["reference"]),
            patients=None if found["patients"] is None else str(found["patients"]),
            patient_from=None if found["patient_from"] is None else str(found["patient_from"]),
            size=None if found["size"] is None else int(found["size"]),
            recipes=tuple(map(str, found["recipes"])),
            alpha=float(facts["alpha"]),
            permutations=int(facts["permutations"]),
            verdict=str(content["verdict"]),
            digests={str(name): str(digest) for name, digest in facts["digests"].items()},
            counts={str(name): int(count) for name, count in facts["counts"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(f"{where}: its audit.json is damaged; audit again") from None


def _content(folder: Path, where: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / "audit.json").read_bytes())
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise BadInput(
            f"{where}: no audit.json there ({reason}); give the folder of a finished audit"
        ) from None
    except ValueError:
        raise BadInput(f"{where}: its audit.json is damaged; audit again") from None
    known = isinstance(content, dict) and str(content.get("schema")).startswith("whorl.audit/")
    if not known or not isinstance(content.get("provenance"), dict):
        raise BadInput(
            f"{where}: its audit.json is not that of an audit; give the folder of a finished audit"
        )
    return dict(content)


def _place(source: Source) -> Place | None:
    if isinstance(source, str | Path):
        return _absolute(source)
    if not isinstance(source, Sequence):  # an array or a tensor
        return None
    paths = [one for one in source if isinstance(one, str | Path)]
    return [_absolute(one) for one in paths] if paths and len(paths) == len(source) else None


def _absolute(path: str | Path) -> str:
    """Links are not followed: what a table lists lies beside the table itself, not its target."""
    return str(Path(path).absolute())


def _recipe(name: str) -> str:
    """The name of a recipe that loads from anywhere."""
    path, sign, variant = name.rpartition(".toml:")
    return f"{_absolute(path)}{sign}{variant}" if sign else name


def _known(place: object) -> Place:
    if isinstance(place, list) and place and all(isinstance(one, str) for one in place):
        return [str(one) for one in place]
    if not isinstance(place, str) or not place:
        raise ValueError("no place")
    return place
