"""Audits with every kind of evidence on record, and hostile ones, for the tests of the report."""

from __future__ import annotations

import dataclasses

import numpy as np

from whorl.blind import TOGETHER, Blind, Family
from whorl.evidence.rates import Recognition
from whorl.hygiene import Finding
from whorl.outcomes import (
    Attack,
    Audit,
    Decision,
    NearCopy,
    Planted,
    PrivacyLoss,
    Remembered,
    Remembrance,
    Ruling,
    WholeSet,
    Word,
)
from whorl.planting import ALTERATIONS
from whorl.records import Interval
from whorl.subgroups import Subgroup

COPIES = 13
SHARES = (20, 19, 12, 0)


def full(one: Audit) -> Audit:
    """Return the audit with every part of its record filled; its first 13 exposed members have copies."""
    assert one.combined is not None
    rare = Interval(0.2, 0.1, 0.31)
    attacks = tuple(
        dataclasses.replace(attack, weight=weight, tpr_rare=rare)
        for attack, weight in zip(one.attacks, np.linspace(0.6, -0.2, len(one.attacks)), strict=True)
    )
    copied = [item.row for item in one.exposed[:COPIES]]
    owners = list(dict.fromkeys(one.patients[row] for row in copied))
    return dataclasses.replace(
        one,
        attacks=attacks,
        combined=dataclasses.replace(one.combined, tpr_rare=rare),
        combined_scores=one.values.mean(axis=1),
        whole_set=WholeSet(3.4, 0.0012),
        near_copies=tuple(
            NearCopy(item.row, item.twin, 0.98 - 0.01 * rank, 0.002)
            for rank, item in enumerate(one.exposed[:COPIES])
        ),
        planted=tuple(
            Planted(how.words, 20, found, 3 if found else 0)
            for how, found in zip(ALTERATIONS, SHARES, strict=True)
        ),
        remembrance=Remembrance(
            0.05,
            tuple(Remembered(one.ids[row], 0.001, 0.031) for row in copied),
            tuple(Remembered(name, 0.004, 0.042) for name in owners[:6]),
            possible=True,
        ),
        privacy_loss=PrivacyLoss(0.87, 0.0, 0.95, "bonferroni"),
        blind=_blind(one),
        margin=Interval(0.21, 0.13, 0.28),
        per_patient=Recognition(300, 310, Interval(0.81, 0.77, 0.85), Interval(0.3, 0.2, 0.4), None),
        subgroups=(
            Subgroup("<b>sex</b>", "=F", 40, 41, Interval(0.71, 0.6, 0.8), 7),
            Subgroup("<b>sex</b>", "M</table>", 4, 41, None, None),
        ),
        hygiene=(
            Finding(
                "patient on both sides",
                "stop",
                14,
                "14 patients have pictures in both the members and the holdout, first 'members/a.png'.",
                tuple((f"members/a{place}.png", f"holdout/b{place}.png") for place in range(8)),
            ),
            Finding("metadata", "note", 3, "3 files hold metadata: date, first 'members/a.png'."),
        ),
    )


def decided(one: Audit, word: Word = "do not release") -> Audit:
    """Return the audit with a decision: one limit not kept, one kept, one that could not be judged."""
    rulings = (
        Ruling("near_copies", 0.0, 13.0, False, "generated near copies: 13 (at most 0 allowed)", word),
        Ruling("epsilon", 1.0, 0.87, True, "lower limit of epsilon: 0.87 (at most 1 allowed)", "release"),
        Ruling("auc", 0.6, None, None, "AUC: could not be computed (at most 0.6 allowed)", "cannot tell"),
    )
    made = Decision(word, "generated near copies: 13 of them.", rulings, ("sign the agreement",), "ward rule")
    return dataclasses.replace(one, decision=made)


def confounded(one: Audit) -> Audit:
    """Return the audit with a baseline that tells members from holdout as well as any attack does."""
    made = full(one)
    assert made.blind is not None
    families = (
        dataclasses.replace(made.blind.families[0], auc=Interval(0.9, 0.8, 0.95), p_adjusted=0.0005),
        *made.blind.families[1:],
    )
    return dataclasses.replace(
        made,
        blind=Blind(families, made.blind.scores, made.blind.members, made.blind.patients),
        margin=Interval(-0.02, -0.1, 0.07),
    )


def hostile(one: Audit, payload: str) -> Audit:
    """Return a full audit with the payload in every free text of the new parts; others are as given."""
    made = decided(full(one))
    assert made.decision is not None
    rulings = tuple(
        dataclasses.replace(item, limit=payload, sentence=payload, condition=payload)
        for item in made.decision.rulings
    )
    assert made.remembrance is not None and made.blind is not None and made.privacy_loss is not None
    named = [
        tuple(dataclasses.replace(item, name=payload) for item in part)
        for part in (made.remembrance.pictures, made.remembrance.patients)
    ]
    families = tuple(
        dataclasses.replace(family, name=payload, what=payload, leading=((payload, 1.0, 2.0),))
        for family in made.blind.families
    )
    return dataclasses.replace(
        made,
        decision=Decision(made.decision.word, payload, rulings, (payload,), payload),
        planted=tuple(dataclasses.replace(item, altered=payload) for item in made.planted),
        remembrance=dataclasses.replace(made.remembrance, pictures=named[0], patients=named[1]),
        privacy_loss=dataclasses.replace(made.privacy_loss, strategy=payload),
        blind=Blind(families, made.blind.scores, made.blind.members, made.blind.patients),
        hygiene=tuple(
            dataclasses.replace(item, kind=payload, sentence=payload, examples=((payload, payload),))
            for item in made.hygiene
        ),
    )


def unsupported(attack: Attack) -> Attack:
    """Return the attack without the shares that need more holdout patients."""
    return dataclasses.replace(attack, tpr=None, tpr_rare=None)


def _blind(one: Audit) -> Blind:
    members = np.array([role == "member" for role in one.roles])
    families = (
        Family("intensity", "grey levels", Interval(0.52, 0.44, 0.6), 0.3, 0.6, (("mean", 80.0, -81.5),)),
        Family("compression", "JPEG", Interval(0.49, 0.41, 0.57), 0.6, 0.9),
        Family(TOGETHER, "all of these facts at once", Interval(0.51, 0.42, 0.6), 0.4, 0.8),
    )
    return Blind(families, np.zeros((len(members), 3)), members, one.patients)
