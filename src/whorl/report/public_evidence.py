"""Evidence for the public edition: rounded, under names that whorl knows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from whorl import appearance, blind, planting, recipes
from whorl.outcomes import Attack, Audit
from whorl.records import BadInput, Interval
from whorl.report import wording
from whorl.report.evidence_view import STRATEGIES, strength

BASELINES = {
    **dict(appearance.KINDS),
    "file": "what the files themselves say",
    blind.TOGETHER: "all of these facts at once",
}


def attacks(audit: Audit) -> list[Attack]:
    """Return all attacks together and each, by strength: rounded, under names that whorl knows."""
    order = sorted(audit.attacks, key=strength)
    named = [_plain(attack, *_known(attack.recipe, number)) for number, attack in enumerate(order, 1)]
    if audit.combined is None:
        return named
    words = f"All {len(order)} attacks together"
    return [_plain(audit.combined, "combined", words), *named]


def _plain(attack: Attack, recipe: str, title: str) -> Attack:
    return replace(
        attack,
        recipe=recipe,
        title=title,
        auc=_coarse(attack.auc),
        tpr=None if attack.tpr is None else _coarse(attack.tpr),
        tpr_rare=None if attack.tpr_rare is None else _coarse(attack.tpr_rare),
        detectable_auc=rounded(attack.detectable_auc),
    )


def _known(name: str, number: int) -> tuple[str, str]:
    """Return a recipe's name and title from the catalogue; one of somebody's own is called by its place."""
    system = name.partition(".")[0]
    if system in recipes.systems():
        try:
            made = {one.name: one for one in recipes.read(recipes.catalogue() / f"{system}.toml")}
        except BadInput:
            made = {}
        if name in made:
            return name, made[name].note or str(made[name].about["title"])
    return "own", f"Attack {number}, not of whorl's catalogue"


def described(attack: Attack, alpha: float) -> dict[str, Any]:
    """Return one attack as the public files give it."""

    def shown(value: Interval | None) -> str | None:
        if value is None or not math.isfinite(value.estimate):
            return None
        low, high = round(100 * value.low), round(100 * value.high)
        return f"{round(100 * value.estimate)}{wording.SPACE}% [{low}, {high}]"

    ends = (attack.auc.estimate, attack.auc.low, attack.auc.high)
    return {
        "recipe": attack.recipe,
        "title": attack.title,
        "auc": [finite(end) for end in ends],
        "members_found_at_1_percent_false_alarms": shown(attack.tpr),
        "members_found_at_0.1_percent_false_alarms": shown(attack.tpr_rare),
        "tells_members_from_holdout": attack.p_adjusted <= alpha,
    }


def whole_set(audit: Audit) -> str:
    """Say whether the members as a set lie nearer."""
    if audit.whole_set is None:
        return "not asked"
    near = "nearer" if audit.whole_set.p_adjusted <= audit.alpha else "no nearer"
    return f"The members as a set lie {near} to the generated pictures than the holdout."


def privacy_loss(audit: Audit) -> dict[str, Any] | None:
    """Return the lower limit of ε, rounded down, and how it was chosen."""
    found = audit.privacy_loss
    if found is None:
        return None
    strategy = found.strategy if found.strategy in STRATEGIES else ""
    # A lower limit stays one only if rounded down.
    return {
        "epsilon_at_least": math.floor(10 * found.epsilon) / 10,
        "confidence": round(found.confidence, 3),
        "strategy": strategy,
        "words": STRATEGIES.get(strategy, ""),
    }


def baseline(audit: Audit) -> dict[str, Any] | None:
    """Return what tells members from the holdout without generated pictures."""
    if audit.blind is None or not audit.blind.families:
        return None
    marked = audit.blind.confounded(audit.alpha)
    known = [one for one in audit.blind.families if one.name in BASELINES]
    return {
        "confounded": bool(marked),
        "families": [
            {
                "name": one.name,
                "what": BASELINES[one.name],
                "auc": finite(rounded(one.auc.estimate)),
                "tells_members_from_holdout": one in marked,
            }
            for one in known
        ],
        "margin_of_the_best_attack": None if audit.margin is None else finite(rounded(audit.margin.estimate)),
        "clearly_beyond": None if audit.margin is None else audit.margin.low > 0,
    }


def planted(audit: Audit) -> list[dict[str, str]]:
    """Return the share of the planted copies that was found, by how they were altered."""
    known = {alteration.words for alteration in planting.ALTERATIONS}
    return [
        {
            "altered": one.altered if one.altered in known else "altered copies",
            "found": f"{round(100 * one.found / max(1, one.planted))}{wording.SPACE}%",
        }
        for one in audit.planted
    ]


def _coarse(value: Interval) -> Interval:
    return Interval(*(rounded(end) for end in (value.estimate, value.low, value.high)))


def rounded(value: float) -> float:
    """Round to two decimals, if it is a number."""
    return round(value, 2) if math.isfinite(value) else value


def finite(value: float) -> float | None:
    """Return nothing for what is no number: JSON knows none."""
    return value if math.isfinite(value) else None
