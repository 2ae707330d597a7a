"""Whom a leak concerns: near copies, remembered pictures and patients, the most exposed of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whorl.exposure import FALSE_COPIES, too_few_for_copies
from whorl.outcomes import Audit, Exposed, NearCopy, Remembered
from whorl.records import Array
from whorl.report import wording
from whorl.report.gallery import Pair, pictured
from whorl.subgroups import FEWEST

COPIES = 24
GALLERY = 24
LISTED = 60
PATIENTS = 20


@dataclass(frozen=True)
class Line:
    """One member patient: pseudonym and name, pictures, and what was found of them."""

    pseudonym: str
    name: str
    pictures: str
    copies: str
    remembered: str
    q: str
    rarity: str


def people_view(audit: Audit, images: Mapping[str, Mapping[int, Array]] | None) -> dict[str, Any]:
    """Return what the page says of single pictures and patients."""
    copied = {copy.row for copy in audit.near_copies}
    copies = [_copy(audit, one) for one in audit.near_copies[:COPIES]]
    others = [_exposed(audit, one) for one in audit.exposed if one.row not in copied][:GALLERY]
    scale = None
    if images is not None:
        shown, scale = pictured([*copies, *others], images)
        copies, others = shown[: len(copies)], shown[len(copies) :]
    return {
        "copies": copies,
        "copies_count": len(audit.near_copies),
        "copies_patients": len({audit.patients[row] for row in copied}),
        "copies_false": wording.percent(FALSE_COPIES),
        "copies_sought": bool(audit.near_copies or audit.planted),
        "copies_short": too_few_for_copies(audit.roles),
        "gallery": others,
        "gallery_rest": len(audit.exposed) > len(others),
        "has_pictures": images is not None,
        "difference_scale": scale,
        "remembered": _remembered(audit),
        "patients": _patients(audit),
        "patients_known": patients_known(audit),
        "subgroups": _subgroups(audit),
        "least_patients": FEWEST,
    }


def patients_known(audit: Audit) -> bool:
    """Return whether the record says which pictures belong to one patient."""
    return bool(audit.provenance.get("patients_known", False))


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{wording.whole(count)} {one if count == 1 else many or one + 's'}"


def _words(audit: Audit, row: int, twin: int, recipe: str, said: str) -> Pair:
    return Pair(
        row,
        twin,
        audit.ids[row],
        audit.patients[row] if patients_known(audit) else wording.MISSING,
        audit.generated_ids[twin] if twin >= 0 else "none known",
        recipe,
        said,
    )


def _copy(audit: Audit, one: NearCopy) -> Pair:
    said = f"likeness {wording.number(one.likeness, 2)}, q {wording.chance_of(one.q_value)}"
    return _words(audit, one.row, one.twin, "the search for near copies", said)


def _exposed(audit: Audit, one: Exposed) -> Pair:
    titles = {attack.recipe: attack.title for attack in audit.attacks}
    said = wording.rarity(one.rarity, audit.roles.count("holdout"))
    return _words(audit, one.row, one.twin, titles.get(one.recipe, one.recipe), said)


def _remembered(audit: Audit) -> dict[str, Any] | None:
    """Return the lists of those remembered, cut to a length, and the sentence above them."""
    found = audit.remembrance
    if found is None:
        return None
    return {
        "share": wording.percent(found.q),
        "possible": found.possible,
        "pictures": _listed(found.pictures),
        "patients": _listed(found.patients),
        "picture_count": counted(len(found.pictures), "picture"),
        "patient_count": counted(len(found.patients), "patient"),
        "more": max(0, len(found.pictures) - LISTED),
        "any": bool(found.pictures or found.patients),
    }


def _listed(found: Sequence[Remembered]) -> list[tuple[str, str, str]]:
    return [
        (one.name, wording.chance_of(one.p_value), wording.chance_of(one.q_value)) for one in found[:LISTED]
    ]


def _subgroups(audit: Audit) -> dict[str, list[dict[str, str]]]:
    """Return the groups of every column; nothing is told of those with few patients."""
    tables: dict[str, list[dict[str, str]]] = {}
    for one in audit.subgroups:
        told = one.auc is not None
        line = {
            "value": one.value,
            "members": wording.whole(one.members) if told else "too few to tell",
            "holdout": wording.whole(one.holdout) if told else wording.MISSING,
            "auc": wording.interval(one.auc) if one.auc is not None else wording.MISSING,
            "remembered": wording.whole(one.remembered) if one.remembered is not None else wording.MISSING,
        }
        tables.setdefault(one.column, []).append(line)
    return tables


def _patients(audit: Audit) -> dict[str, Any]:
    """Return the most exposed member patients, those with copies first, then those remembered."""
    names = audit.pseudonyms
    pictures = Counter(
        name for name, role in zip(audit.patients, audit.roles, strict=True) if role == "member"
    )
    copies = Counter(audit.patients[copy.row] for copy in audit.near_copies)
    found = audit.remembrance
    owner = dict(zip(audit.ids, audit.patients, strict=True))
    kept = Counter(owner.get(one.name, "") for one in found.pictures) if found else Counter()
    q_values = {one.name: one.q_value for one in found.patients} if found else {}
    rarity = _rarities(audit)
    order = sorted(
        names,
        key=lambda name: (-copies[name], q_values.get(name, 2.0), -kept[name], rarity.get(name, 2.0), name),
    )
    lines = [
        Line(
            names[name],
            name,
            wording.whole(pictures[name]),
            wording.whole(copies[name]),
            wording.whole(kept[name]),
            wording.chance_of(q_values.get(name, math.nan)),
            wording.percent(rarity.get(name, math.nan)),
        )
        for name in order[:PATIENTS]
    ]
    concerned = len({*copies, *q_values, *(name for name in kept if name)})
    return {"lines": lines, "total": len(names), "concerned": concerned}


def _rarities(audit: Audit) -> dict[str, float]:
    """Return for every member patient the share of holdout patients whose highest score is as high."""
    scores = _speaking(audit)
    if scores is None:
        return {}
    highest: dict[str, dict[str, float]] = {"member": {}, "holdout": {}}
    for name, role, value in zip(audit.patients, audit.roles, scores, strict=True):
        side = highest[role]
        side[name] = max(side.get(name, -math.inf), float(value))
    beside = np.sort(list(highest["holdout"].values()))
    if not len(beside):
        return {}
    return {
        name: 1 - float(np.searchsorted(beside, value, side="left")) / len(beside)
        for name, value in highest["member"].items()
    }


def _speaking(audit: Audit) -> Array | None:
    """Return the scores (n,) that speak for the whole panel, where the record has them."""
    if len(audit.combined_scores) == len(audit.ids):
        return audit.combined_scores
    values = np.asarray(audit.values)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else None
