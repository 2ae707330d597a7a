"""What a hospital must see first and last: decision and rule, the sets, the attacker, what to sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from whorl.conclusions import TOO_COARSE, WEAK
from whorl.exposure import FALSE_COPIES, too_few_for_copies
from whorl.outcomes import Audit, Decision, Verdict, Word
from whorl.report import figures, wording
from whorl.report.people_view import counted, patients_known

HEADLINES: Mapping[Verdict, str] = {
    "leak": "Leak",
    "no evidence": "No evidence of a leak",
    "cannot tell": "Cannot tell",
}
# What a decision looks like: that of the verdict it resembles.
KINDS: Mapping[Word, Verdict] = {
    "release": "no evidence",
    "release with conditions": "cannot tell",
    "do not release": "leak",
    "cannot tell": "cannot tell",
}
# Whether a limit holds: the word and its class.
KEPT = {True: ("yes", "yes"), False: ("no", "no"), None: ("cannot be said", "unsure")}


def release_view(audit: Audit) -> dict[str, Any]:
    """Return everything about the decision, and what frames it."""
    shown = KINDS[audit.decision.word] if audit.decision else audit.verdict
    return {
        "headline": HEADLINES[audit.verdict],
        "decision": None if audit.decision is None else _decided(audit.decision),
        "kind": shown.replace(" ", "-"),
        "sign": _sign(audit),
        "noticeable": wording.noticeable(audit.detectable_auc),
        "detectable": wording.detectable(audit.detectable_auc),
        "rule": audit.provenance.get("rule"),
        "verdict_rule": verdict_rule(audit.alpha),
        "figures": _figures(audit),
        "compared": _compared(audit),
        "mapping": _mapping(audit),
    }


def _sign(audit: Audit) -> Markup:
    if audit.decision is None:
        return figures.verdict_sign(audit.verdict)
    return figures.decision_sign(audit.decision.word)


def _decided(found: Decision) -> dict[str, Any]:
    """Return the decision in words, and every limit with whether it was kept."""
    return {
        "word": capital(found.word),
        "sentence": found.sentence,
        "policy": found.policy,
        "conditions": found.conditions,
        "rulings": [
            {
                "sentence": capital(ruling.sentence),
                "kept": KEPT[ruling.holds][0],
                "kind": KEPT[ruling.holds][1],
                "leads": ruling.word,
            }
            for ruling in found.rulings
        ],
    }


def capital(text: str) -> str:
    """Return a sentence with a capital at its head."""
    return text[:1].upper() + text[1:]


def verdict_rule(alpha: float) -> list[tuple[str, str]]:
    """Return the rule that a verdict follows: answers in the order in which they are tried, and when."""
    return [
        (
            "Cannot tell",
            "if members and holdout can be told apart without any generated picture, no attack is clearly "
            "better than that, and no near copy is listed;",
        ),
        (
            "Leak",
            f"if an attack has an adjusted p of {alpha:g} or less, or whole sets have; or if near copies are "
            f"listed, of which at most {wording.percent(FALSE_COPIES)} are wrong;",
        ),
        (
            "Cannot tell",
            "if there are too few patients for any outcome to count, if the holdout lies nearer than the "
            f"members, if an adjusted p is {WEAK:g} or less, or if only an AUC of more than {TOO_COARSE:g} "
            "could have been noticed;",
        ),
        ("No evidence", "otherwise."),
    ]


def _figures(audit: Audit) -> list[tuple[str, str, str]]:
    """Return what a reader in a hurry needs: the figure, what it is, what it is measured by."""
    shown: list[tuple[str, str, str]] = []
    best = audit.combined or min(audit.attacks, key=lambda one: one.p_adjusted, default=None)
    if best is not None:
        words = "AUC of all attacks together" if audit.combined else "AUC of the best attack"
        shown.append((wording.number(best.auc.estimate, 2), words, "0.5 is guessing, 1 is certainty"))
    if audit.near_copies or audit.planted:
        owners = len({audit.patients[one.row] for one in audit.near_copies})
        of_whom = f"of {counted(owners, 'patient')}" if audit.near_copies and patients_known(audit) else ""
        shown.append((wording.whole(len(audit.near_copies)), "members with a near copy", of_whom))
    found = audit.remembrance
    if found is not None:
        count = wording.whole(len(found.patients)) if found.possible else wording.MISSING
        why = f"at most {wording.percent(found.q)} wrong" if found.possible else "too few patients to say"
        shown.append((count, "patients listed as remembered", why))
    if audit.planted:
        seen, hidden = (sum(getattr(one, key) for one in audit.planted) for key in ("found", "planted"))
        shown.append((f"{seen} of {hidden}", "planted copies found", "the control of this audit"))
    return shown


def _compared(audit: Audit) -> list[dict[str, str]]:
    """Return the sets with their counts of pictures and patients and their digests."""
    counts = _mapped(audit, "counts")
    digests = _mapped(audit, "digests")
    known = patients_known(audit)
    rows = (
        ("Members", "real pictures the generator was trained on", "members", audit.roles.count("member")),
        ("Holdout", "real pictures it never saw", "holdout", audit.roles.count("holdout")),
        ("Generated", "pictures under audit", "generated", len(audit.generated_ids)),
    )
    owners = {
        "members": _patients(counts.get("member_patients"), known),
        "holdout": _patients(counts.get("holdout_patients"), known),
    }
    return [
        {
            "role": role,
            "what": what,
            "pictures": wording.pictures_counted(int(counts.get(key, count))),
            "patients": owners.get(key, ""),
            "digest": str(digests.get(key, "")),
        }
        for role, what, key, count in rows
    ]


def _mapped(audit: Audit, key: str) -> Mapping[str, Any]:
    found = audit.provenance.get(key)
    return found if isinstance(found, Mapping) else {}


def _patients(count: object, known: bool) -> str:
    if not known:
        return "patients not known: every picture counts as a patient of its own"
    if not isinstance(count, int):
        return "number of patients not recorded"
    return f"of {wording.whole(count)} patient" + ("" if count == 1 else "s")


def _mapping(audit: Audit) -> list[tuple[str, str, str, str]]:
    """Return the Article 29 Working Party's three risks: name, meaning, what was found, what not asked."""
    return [
        (
            "Singling out",
            "isolating the record of one person in a set",
            _singled_out(audit),
            "Singling out by a rare finding, or by text or metadata that names a person, was not tried.",
        ),
        (
            "Linkability",
            "linking two records of one person",
            _linkable(audit),
            "Linking a generated picture with another examination of the same patient was not tried.",
        ),
        (
            "Inference",
            "deducing something about a person from the set",
            _inferred(audit),
            "What was asked is whether a person's pictures were used for training. Deducing age, sex or a "
            "diagnosis of a member was not tried.",
        ),
    ]


def _singled_out(audit: Audit) -> str:
    found = audit.remembrance
    if found is None:
        return "Not asked: the record has no list of remembered pictures."
    share = wording.percent(found.q)
    if found.pictures or found.patients:
        whom = f"{counted(len(found.pictures), 'picture')} and {counted(len(found.patients), 'patient')}"
        return f"{whom} are listed as remembered; at most {share} of either list is wrong."
    if not found.possible:
        return f"Cannot be said: with this holdout no list at {share} false entries could have held anybody."
    return f"Nobody can be listed as remembered at {share} false entries."


def _linkable(audit: Audit) -> str:
    if audit.near_copies:
        owners = len({audit.patients[one.row] for one in audit.near_copies})
        known = f" of {counted(owners, 'patient')}" if patients_known(audit) else ""
        return (
            f"{counted(len(audit.near_copies), 'member picture')}{known} have a near copy: who holds the "
            "real picture can link the generated one to its patient."
        )
    short = too_few_for_copies(audit.roles)
    if audit.planted and short:
        return short
    if audit.planted:
        return "No near copy is listed; see below which planted copies the same search found."
    return "Not asked: no attack of this panel looks for near copies."


def _inferred(audit: Audit) -> str:
    said = []
    if audit.combined is not None:
        said.append(
            f"all attacks together have AUC {wording.interval(audit.combined.auc)}, where 0.5 is guessing"
        )
    if audit.privacy_loss is not None and audit.privacy_loss.epsilon > 0:
        said.append(f"ε is at least {wording.number(audit.privacy_loss.epsilon, 2)}")
    if not said and audit.attacks:
        best = max(attack.auc.estimate for attack in audit.attacks)
        said.append(f"the best attack has AUC {wording.number(best)}, where 0.5 is guessing")
    return f"{capital('; '.join(said))}." if said else "No attack was tried."
