"""What the page says of the evidence: attacks, whole sets, ε, the baseline, power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from whorl.evidence.rates import Recognition, least_patients
from whorl.outcomes import Attack, Audit, Planted, PrivacyLoss, WholeSet
from whorl.report import figures, wording
from whorl.report.people_view import counted

HISTOGRAMS = 6
STRATEGIES = {
    "bonferroni": "The threshold is the best of a list that was fixed beforehand by the number of patients; "
    "each entry of the list was tried at its share of the error, so that choosing is paid for.",
    "split": "The threshold was chosen on some of the patients and tested on the others.",
    "explicit": "The threshold was named beforehand.",
    "hull": "The thresholds came from the scores themselves: for comparison with other tools, not proven.",
}


@dataclass(frozen=True)
class Line:
    """One attack as a row: its bar, the shares found where they can be given, its part in the whole."""

    attack: Attack
    bar: Markup
    shares: tuple[str, ...]
    weight: str
    sure: bool


def evidence_view(audit: Audit) -> dict[str, Any]:
    """Return the table of attacks and its figures, strongest evidence first, and what stands beside it."""
    order = sorted(range(len(audit.attacks)), key=lambda index: strength(audit.attacks[index]))
    attacks = [audit.attacks[index] for index in order]
    together = [audit.combined] if audit.combined else []
    scale = figures.common_scale([*attacks, *together])
    names, missing = _rates([*attacks, *together], audit)
    columns = np.asarray(audit.values)[:, order] if attacks else np.zeros((len(audit.ids), 0))
    lines = [[_line(audit, attack, scale, names) for attack in part] for part in (together, attacks)]
    return {
        "combined": lines[0],
        "attacks": lines[1],
        "axis": figures.interval_axis(scale),
        "rates": [words for words, _ in names],
        "rates_missing": missing,
        "weighed": any(attack.weight is not None for attack in attacks),
        "agreeing": agreeing(attacks, audit.alpha),
        "whole_set": _whole_set(audit.whole_set, audit.alpha),
        "per_patient": _by_patient(audit.per_patient),
        "privacy_loss": _privacy_loss(audit.privacy_loss),
        "blind": _blind(audit),
        "planted": [_planted(one) for one in audit.planted],
    } | _drawn(audit, attacks, columns)


def strength(attack: Attack) -> tuple[float, float]:
    """Return what attacks are sorted by: the adjusted p-value, then the AUC."""
    known = math.isfinite(attack.p_adjusted)
    return (attack.p_adjusted if known else math.inf, -attack.auc.estimate)


def agreeing(attacks: Sequence[Attack], alpha: float) -> str:
    """Say how many attacks speak for the finding: whether it hangs on one way of looking."""
    found = sum(attack.p_adjusted <= alpha for attack in attacks)
    if not attacks:
        return "No attack was tried."
    if len(attacks) == 1:
        return (
            f"The only attack tried {'tells' if found else 'does not tell'} members from holdout by itself."
        )
    verb, alone = ("tells", "itself") if found == 1 else ("tell", "themselves")
    return f"{found} of {counted(len(attacks), 'attack')} {verb} members from holdout by {alone}."


def _line(audit: Audit, attack: Attack, scale: Any, names: Sequence[tuple[str, str]]) -> Line:
    found = [getattr(attack, field) for _, field in names]
    weight = wording.MISSING if attack.weight is None else wording.percent(attack.weight)
    return Line(
        attack,
        figures.interval_bar(attack, scale),
        tuple(wording.MISSING if one is None else wording.interval_percent(one) for one in found),
        weight,
        attack.p_adjusted <= audit.alpha,
    )


def _rates(attacks: Sequence[Attack], audit: Audit) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the false alarm rates that a column is given to, with their field, and why others have none."""
    given, missing = [], []
    for words, rate, field in (("1 %", 0.01, "tpr"), ("0.1 %", 0.001, "tpr_rare")):
        if any(getattr(attack, field) is not None for attack in attacks):
            given.append((words.replace(" ", wording.SPACE), field))
        else:
            missing.append(f"at {words} needs {wording.whole(least_patients(rate))}")
    if not missing:
        return given, []
    held = len({name for name, role in zip(audit.patients, audit.roles, strict=True) if role == "holdout"})
    return given, [f"{' and '.join(missing)} holdout patients; there are {wording.whole(held)}"]


def _drawn(audit: Audit, attacks: Sequence[Attack], columns: Any) -> dict[str, Any]:
    """Return histograms of the strongest attacks and the curves of all."""
    is_member = np.array([role == "member" for role in audit.roles], dtype=bool)
    shown, gathered = [], False
    if is_member.any() and not is_member.all():
        for index, attack in enumerate(attacks[:HISTOGRAMS]):
            column = columns[:, index]
            drawn, tails = figures.score_histogram(column[is_member], column[~is_member], attack.title, index)
            shown.append((attack, drawn))
            gathered |= tails
    return {
        "histograms": shown,
        "histogram_key": figures.histogram_key(),
        "tails_gathered": gathered,
        "curves": figures.curve_plot(attacks, columns, is_member) if attacks else None,
        "fewest_alarms": wording.percent(1 / max(1, int((~is_member).sum()))),
    }


def _by_patient(found: Recognition | None) -> str:
    """Say how well patients are told apart when each counts once, with the mean of the pictures."""
    if found is None:
        return ""
    shares = [
        f"{wording.interval_percent(share)} of the member patients found at {rate} false alarms"
        for rate, share in (("1 %", found.tpr), ("0.1 %", found.tpr_rare))
        if share is not None
    ]
    return (
        f"the mean over a patient's pictures tells {counted(found.members, 'member patient')} from "
        f"{counted(found.holdout, 'holdout patient')} with an AUC of {wording.interval(found.auc)}"
        + "".join(f", {share}" for share in shares)
        + "."
    )


def _whole_set(found: WholeSet | None, alpha: float) -> str:
    if found is None:
        return ""
    said = f"z {wording.number(found.z, 1)}, adjusted p {wording.chance_of(found.p_adjusted)}"
    if found.p_adjusted <= alpha:
        return f"The members as a set lie nearer to the generated pictures than the holdout does ({said})."
    return (
        "The members as a set lie no nearer to the generated pictures than shuffled sets of patients do "
        f"({said})."
    )


def _privacy_loss(found: PrivacyLoss | None) -> dict[str, str] | None:
    if found is None:
        return None
    sure = f"{round(100 * found.confidence)}{wording.SPACE}%"
    with_delta = f" at δ = {found.delta:g}" if found.delta else ""
    if found.epsilon > 0:
        times = math.exp(min(found.epsilon, 50.0))
        said = f"{times:.3g}" if times < 1000 else "more than 1,000"
        head = f"ε is at least {wording.number(found.epsilon, 2)}{with_delta}, with {sure} confidence."
        text = (
            f"Some rule that sees only the generated pictures names member patients {said} times as often "
            "as holdout patients. A promise of differential privacy with a smaller ε is refuted by that; "
            "the true ε may be larger."
        )
    else:
        head = f"No ε above 0 can be claimed{with_delta} with {sure} confidence."
        text = "That is a lower limit and no promise: the true ε may be of any size."
    return {"head": head, "text": text, "strategy": STRATEGIES.get(found.strategy, "")}


def _blind(audit: Audit) -> dict[str, Any] | None:
    """Return the baseline that never sees a generated picture."""
    found = audit.blind
    if found is None:
        return None
    marked = found.confounded(audit.alpha)
    lines = [
        {
            "name": one.name,
            "what": one.what,
            "auc": wording.interval(one.auc),
            "p": wording.chance_of(one.p_adjusted),
            "marked": one in marked,
            "leading": [
                f"{name}: {own:.3g} and {other:.3g}".replace("-", wording.MINUS)
                for name, own, other in one.leading
            ],
        }
        for one in found.families
    ]
    return {
        "lines": lines,
        "sentence": found.sentence(audit.alpha),
        "confounded": bool(marked),
        "margin": "" if audit.margin is None else wording.interval(audit.margin),
        "beyond": audit.margin is not None and audit.margin.low > 0,
    }


def _planted(one: Planted) -> dict[str, Any]:
    enough = f"{one.fewest} of {one.planted}" if one.fewest else "none was noticed"
    return {
        "altered": one.altered,
        "planted": one.planted,
        "found": one.found,
        "fewest": enough,
        "all": one.planted > 0 and one.found == one.planted,
    }
