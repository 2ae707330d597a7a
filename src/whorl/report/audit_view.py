"""What the page of an audit shows, worked out before the template lays it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from whorl.outcomes import Attack, Audit, Exposed, Verdict
from whorl.records import Array
from whorl.report import figures, maps, pictures, wording
from whorl.report.pictures import Shown
from whorl.report.sections import left_out, repetition

GALLERY = 24
HISTOGRAMS = 6
# Characters of pictures on one page: the rest of a page for 1,400 real pictures takes under 1 MB.
BUDGET = 4_000_000
HEADLINES: Mapping[Verdict, str] = {
    "leak": "Leak",
    "no evidence": "No evidence of a leak",
    "cannot tell": "Cannot tell",
}


@dataclass(frozen=True)
class Pair:
    """One exposed picture in words, and its pictures if the user asked for them."""

    name: str
    patient: str
    twin: str
    recipe: str
    rarity: str
    real: Shown | None = None
    generated: Shown | None = None
    difference: Shown | None = None


def audit_view(audit: Audit, images: Mapping[str, Mapping[int, Array]] | None) -> dict[str, Any]:
    """Return everything the template `audit.html` names."""
    view = _evidence(audit)
    gallery, scale = _gallery(audit, images)
    return view | {
        "audit": audit,
        "headline": HEADLINES[audit.verdict],
        "kind": audit.verdict.replace(" ", "-"),
        "sign": figures.verdict_sign(audit.verdict),
        "detectable": wording.detectable(audit.detectable_auc),
        "name": audit.provenance.get("name"),
        "rule": audit.provenance.get("rule"),
        "compared": _compared(audit),
        "gallery": gallery,
        "has_pictures": images is not None,
        "difference_scale": scale,
        "quarantine": left_out(audit.quarantined),
        "repeat": repetition(audit.provenance),
    }


def _evidence(audit: Audit) -> dict[str, Any]:
    """Return the table of attacks and its figures, strongest evidence first."""
    order = sorted(range(len(audit.attacks)), key=lambda index: _strength(audit.attacks[index]))
    attacks = [audit.attacks[index] for index in order]
    together = [audit.combined] if audit.combined else []
    scale = figures.common_scale([*attacks, *together])
    is_member = np.array([role == "member" for role in audit.roles], dtype=bool)
    columns = np.asarray(audit.values)[:, order] if attacks else np.zeros((len(audit.ids), 0))
    shown = []
    gathered = False
    if is_member.any() and not is_member.all():
        for index, attack in enumerate(attacks[:HISTOGRAMS]):
            column = columns[:, index]
            drawn, tails = figures.score_histogram(column[is_member], column[~is_member], attack.title, index)
            shown.append((attack, drawn))
            gathered |= tails
    return {
        "attacks": [(attack, figures.interval_bar(attack, scale)) for attack in attacks],
        "combined": [(attack, figures.interval_bar(attack, scale)) for attack in together],
        "axis": figures.interval_axis(scale),
        "histograms": shown,
        "histogram_key": figures.histogram_key(),
        "tails_gathered": gathered,
        "curves": figures.curve_plot(attacks, columns, is_member) if attacks else None,
        "fewest_alarms": wording.percent(1 / max(1, int((~is_member).sum()))),
    }


def _strength(attack: Attack) -> tuple[float, float]:
    known = math.isfinite(attack.p_adjusted)
    return (attack.p_adjusted if known else math.inf, -attack.auc.estimate)


def _compared(audit: Audit) -> list[dict[str, str]]:
    """Return the three sets with their counts of pictures and patients."""
    counts = audit.provenance.get("counts")
    counts = counts if isinstance(counts, Mapping) else {}
    known = bool(audit.provenance.get("patients_known", False))
    members = int(counts.get("members", audit.roles.count("member")))
    holdout = int(counts.get("holdout", audit.roles.count("holdout")))
    generated = int(counts.get("generated", len(audit.generated_ids)))
    rows = (
        ("Members", "real pictures the generator was trained on", members, "member_patients"),
        ("Holdout", "real pictures it never saw", holdout, "holdout_patients"),
    )
    real = [
        {
            "role": role,
            "what": what,
            "pictures": wording.pictures_counted(count),
            "patients": _patients(counts.get(key), known),
        }
        for role, what, count, key in rows
    ]
    made = {"role": "Generated", "what": "pictures under audit", "patients": ""}
    return [*real, made | {"pictures": wording.pictures_counted(generated)}]


def _patients(count: object, known: bool) -> str:
    if not known:
        return "patients not known: every picture counts as a patient of its own"
    if not isinstance(count, int):
        return "number of patients not recorded"
    return f"of {wording.whole(count)} patient" + ("" if count == 1 else "s")


def _gallery(
    audit: Audit, images: Mapping[str, Mapping[int, Array]] | None
) -> tuple[list[Pair], dict[str, Any] | None]:
    """Return the most exposed pictures, with pictures if given, and the scale of their differences."""
    exposed = audit.exposed[:GALLERY]
    if images is None:
        return [_words(audit, one) for one in exposed], None
    real, generated = images.get("real", {}), images.get("generated", {})
    found = [(real.get(one.row), generated.get(one.twin)) for one in exposed]
    maps_found = [_difference(left, right) for left, right in found]
    limit = pictures.limit_of([one for one in maps_found if one is not None])
    pairs: list[Pair] = []
    for longest in _sides(found):
        pairs = [
            _words(audit, one, _encoded(*both, change, limit, longest))
            for one, both, change in zip(exposed, found, maps_found, strict=True)
        ]
        if sum(map(_characters, pairs)) <= BUDGET:
            break
    bar = maps.colour_bar(pictures.SIGNED, _difference_words(limit), "difference-scale")
    return pairs, {"bar": bar, "limit": wording.number(limit, 1), "size": _size_words(found, pairs)}


def _words(audit: Audit, one: Exposed, shown: tuple[Shown | None, ...] = (None, None, None)) -> Pair:
    titles = {attack.recipe: attack.title for attack in audit.attacks}
    holdout = audit.roles.count("holdout")
    return Pair(
        audit.ids[one.row],
        audit.patients[one.row] if audit.provenance.get("patients_known", False) else wording.MISSING,
        audit.generated_ids[one.twin] if one.twin >= 0 else "none known",
        titles.get(one.recipe, one.recipe),
        wording.rarity(one.rarity, holdout),
        *shown,
    )


def _difference(real: Array | None, generated: Array | None) -> Array | None:
    if real is None or generated is None or real.shape != generated.shape:
        return None
    return np.asarray(generated, dtype=np.float64) - np.asarray(real, dtype=np.float64)


def _encoded(
    real: Array | None, generated: Array | None, change: Array | None, limit: float, longest: int
) -> tuple[Shown | None, ...]:
    return (
        None if real is None else pictures.grey(real, longest),
        None if generated is None else pictures.grey(generated, longest),
        None if change is None else pictures.signed(change, limit, longest),
    )


def _sides(found: list[tuple[Array | None, Array | None]]) -> list[int]:
    # PNG rarely gets below a quarter of a character per pixel: sizes that cannot fit are not tried.
    fit = math.sqrt(BUDGET / (0.25 * 3 * max(1, len(found))))
    sides = [side for side in pictures.SIDES if side <= fit] or [pictures.SIDES[-1]]
    widest = max((max(image.shape) for pair in found for image in pair if image is not None), default=0)
    needed = 2 * widest if widest <= pictures.SMALL else widest
    # Of the sizes that change nothing, one try is enough.
    enough = [side for side in sides if side >= needed]
    return enough[-1:] + [side for side in sides if side < needed]


def _characters(pair: Pair) -> int:
    shown = (pair.real, pair.generated, pair.difference)
    return sum(len(one.address) for one in shown if one is not None)


def _difference_words(limit: float) -> dict[str, str]:
    words = wording.number(limit, 0 if limit >= 10 else 1)
    title = f"Colour scale of the difference maps, {wording.MINUS}{words} to +{words} grey levels"
    return {"title": title, "low": f"{wording.MINUS}{words}", "middle": "0", "high": f"+{words}"}


def _size_words(found: list[tuple[Array | None, Array | None]], pairs: list[Pair]) -> str:
    """Say that pictures were reduced, where they were."""
    for (real, _), pair in zip(found, pairs, strict=True):
        if real is not None and pair.real is not None and pair.real.width < real.shape[1]:
            return (
                f"The pictures have {real.shape[1]}×{real.shape[0]} pixels and are shown reduced to "
                f"{pair.real.width}×{pair.real.height}."
            )
    return ""
