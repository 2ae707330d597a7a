"""From a panel's evidence to one verdict and the sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whorl.blind import Blind
from whorl.evidence.power import least_p_value
from whorl.outcomes import Attack, NearCopy, Verdict, WholeSet
from whorl.records import Array, BadInput, Interval

WEAK = 0.05
TOO_COARSE = 0.75


@dataclass(frozen=True)
class Rules:
    """What an audit calls a leak: level of the adjusted p-value, permutations, bootstrap draws."""

    alpha: float = 0.01
    permutations: int = 9999
    draws: int = 2000

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise BadInput(f"--alpha {self.alpha}: must lie between 0 and 1")
        if self.permutations < 99:
            raise BadInput(f"--permutations {self.permutations}: at least 99 are needed")


@dataclass(frozen=True, eq=False)
class Found:
    """All that a verdict weighs; `below` are adjusted p-values of an AUC under 0.5."""

    attacks: Sequence[Attack]
    combined: Attack | None
    below: Array
    whole_set: WholeSet
    near_copies: Sequence[NearCopy]
    blind: Blind | None = None
    margin: Interval | None = None

    @property
    def tried(self) -> list[Attack]:
        """All attacks, the stack last."""
        return [*self.attacks, *([self.combined] if self.combined else [])]


def conclude(found: Found, sides: tuple[int, int], rules: Rules) -> tuple[Verdict, str]:
    """Weigh the evidence; `sides` are the patients on each."""
    best = min(found.tried, key=lambda attack: (attack.p_adjusted, -attack.auc.estimate))
    said = f"{best.recipe}, AUC {best.auc.estimate:.3f}, adjusted p {number(best.p_adjusted)}"
    copies = _copies(found.near_copies)
    if _confounded(found, rules.alpha) and not found.near_copies:
        return "cannot tell", _confusion(found, rules.alpha)
    if best.p_adjusted <= rules.alpha:
        return "leak", f"The generated pictures carry traces of the members ({said}).{copies}"
    if found.near_copies:
        return "leak", f"The generated pictures copy single members, if not many.{copies}"
    if found.whole_set.p_adjusted <= rules.alpha:
        return "leak", (
            "The members as a set lie nearer to the generated pictures than the holdout does (adjusted p "
            f"{number(found.whole_set.p_adjusted)}), though no attack tells single pictures apart."
        )
    unsure = _unsure(found.tried, found.below, sides, rules)
    if unsure:
        return "cannot tell", unsure
    least = min(best.p_adjusted, found.whole_set.p_adjusted)
    if least <= WEAK:
        weak = said if least == best.p_adjusted else f"whole sets, adjusted p {number(least)}"
        return "cannot tell", (
            f"A weak sign of a leak ({weak}): too weak to call, too strong to dismiss. Give more patients."
        )
    smallest = max(attack.detectable_auc for attack in found.attacks)
    if smallest > TOO_COARSE:
        return "cannot tell", (
            f"Nothing was found, but this audit would have noticed only an AUC of {smallest:.2f} or more. "
            "Give more patients."
        )
    return "no evidence", (
        f"None of the {len(found.attacks)} attacks tells members from holdout. An AUC below {smallest:.2f} "
        "could have gone unnoticed: this is not a proof of safety."
    )


def _confounded(found: Found, alpha: float) -> bool:
    """Whether members and holdout differ without the generated pictures as much as with them."""
    if found.blind is None or not found.blind.confounded(alpha):
        return False
    return found.margin is None or found.margin.low <= 0


def _confusion(found: Found, alpha: float) -> str:
    assert found.blind is not None
    return (
        f"{found.blind.sentence(alpha)} No attack is clearly better than that: what looks like a leak may be "
        "this difference. Give members and holdout of one origin and one processing."
    )


def _copies(listed: Sequence[NearCopy]) -> str:
    if not listed:
        return ""
    words = "member picture has a near copy" if len(listed) == 1 else "member pictures have near copies"
    return f" {len(listed)} {words} among them."


def number(value: float) -> str:
    """Return a p-value as people write it."""
    return f"{value:.2g}" if value >= 0.001 else f"{value:.0e}".replace("e-0", "e-")


def _unsure(attacks: Sequence[Attack], below: Array, sides: tuple[int, int], rules: Rules) -> str:
    least = least_p_value(*sides, rules.permutations)
    if least > rules.alpha:
        return (
            f"With {sides[0]} member and {sides[1]} holdout patients no outcome could be significant "
            f"(smallest possible p {number(least)}, needed {rules.alpha:g}). Give more patients."
        )
    if float(below.min()) <= rules.alpha:
        worst = attacks[int(np.argmin(below))]
        return (
            f"The holdout lies nearer to the generated pictures than the members do ({worst.recipe}, AUC "
            f"{worst.auc.estimate:.3f}): the two sets differ in something else that could hide a leak."
        )
    return ""
