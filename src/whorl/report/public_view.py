"""The public edition: what may be told of an audit to everybody, and nothing else.

Nothing of it is free text of the record: words come from whorl itself, names of attacks and baselines only
where whorl knows them, counts are rounded, and no figure is that of one picture or one patient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from whorl import policy
from whorl.outcomes import Audit, Verdict
from whorl.report import figures, hygiene_view, public_evidence, wording
from whorl.report.evidence_view import agreeing
from whorl.report.people_view import patients_known
from whorl.report.release_view import HEADLINES, KEPT, KINDS, capital

FEWEST = 10
SENTENCES: Mapping[Verdict, str] = {
    "leak": "The generated pictures carry traces of the pictures that their generator was trained on.",
    "no evidence": "None of the attacks that were tried tells the pictures used for training from others. "
    "This is not a proof of safety.",
    "cannot tell": "The data of this audit do not allow an answer.",
}
DIGEST = re.compile(r"[0-9a-f]{16,128}")
VERSION = re.compile(r"[0-9]+(\.[0-9]+){1,3}((a|b|rc|\.dev|\.post)[0-9]+)?")


def public_view(audit: Audit) -> dict[str, Any]:
    """Return what the template `public.html` names: the content of the public edition, and its drawings."""
    content = public_content(audit)
    attacks = public_evidence.attacks(audit)
    scale = figures.common_scale(attacks)
    verdict = audit.verdict
    decided = audit.decision if content["decision"] else None
    shown = KINDS[decided.word] if decided else verdict
    return {
        "public": content,
        "headline": HEADLINES[verdict],
        "kind": shown.replace(" ", "-"),
        "sign": figures.decision_sign(decided.word) if decided else figures.verdict_sign(verdict),
        "axis": figures.interval_axis(scale),
        "bars": [figures.interval_bar(attack, scale) for attack in attacks],
        "noticeable": wording.noticeable(public_evidence.rounded(audit.detectable_auc)),
        "detectable": wording.detectable(public_evidence.rounded(audit.detectable_auc)),
    }


def public_content(audit: Audit) -> dict[str, Any]:
    """Return what `public.json` holds."""
    verdict = audit.verdict
    return {
        "schema": "whorl.public/1",
        "decision": _decision(audit),
        "verdict": verdict,
        "sentence": SENTENCES[verdict],
        "sets": _sets(audit),
        "attacks": [
            public_evidence.described(attack, audit.alpha) for attack in public_evidence.attacks(audit)
        ],
        "agreeing": agreeing(audit.attacks, audit.alpha),
        "whole_set": public_evidence.whole_set(audit),
        "privacy_loss": public_evidence.privacy_loss(audit),
        "baseline": public_evidence.baseline(audit),
        "detectable_auc": public_evidence.finite(public_evidence.rounded(audit.detectable_auc)),
        "planted": public_evidence.planted(audit),
        "near_copies": _near_copies(audit),
        "remembered": _remembered(audit),
        "hygiene": _hygiene(audit),
        "run": _run(audit),
    }


def about(count: int) -> str:
    """Return a count so rounded that it tells nothing of single people."""
    if count == 0:
        return "none"
    if count < FEWEST:
        return f"fewer than {FEWEST}"
    return f"about {wording.whole(int(count / 10 + 0.5) * 10)}"


def _decision(audit: Audit) -> dict[str, Any] | None:
    """Return the word and which limits were kept; what was found beyond them may be a count of people."""
    found = audit.decision
    if found is None or found.word not in KINDS:
        return None
    return {
        "word": capital(found.word),
        "limits": [
            {"limit": capital(policy.KNOWN[one.limit][0]), "kept": KEPT[one.holds][0]}
            for one in found.rulings
            if one.limit in policy.KNOWN
        ],
    }


def _sets(audit: Audit) -> list[dict[str, str]]:
    sides: dict[str, set[str]] = {"member": set(), "holdout": set()}
    for name, role in zip(audit.patients, audit.roles, strict=True):
        sides[role].add(name)
    known = patients_known(audit)
    rows = [
        ("Members", "real pictures the generator was trained on", audit.roles.count("member"), "member"),
        ("Holdout", "real pictures it never saw", audit.roles.count("holdout"), "holdout"),
        ("Generated", "pictures under audit", len(audit.generated_ids), ""),
    ]
    return [
        {
            "role": role,
            "what": what,
            "pictures": about(count),
            "patients": (about(len(sides[side])) if known else "not known") if side else "",
        }
        for role, what, count, side in rows
    ]


def _near_copies(audit: Audit) -> dict[str, str]:
    if not (audit.near_copies or audit.planted):
        return {"pictures": "not asked", "patients": "not asked"}
    owners = {audit.patients[one.row] for one in audit.near_copies}
    patients = about(len(owners)) if patients_known(audit) else "not known"
    return {"pictures": about(len(audit.near_copies)), "patients": patients}


def _remembered(audit: Audit) -> dict[str, str] | None:
    found = audit.remembrance
    if found is None:
        return None
    if not found.possible:
        return {
            "pictures": "cannot be said",
            "patients": "cannot be said",
            "wrong_at_most": wording.percent(found.q),
        }
    return {
        "pictures": about(len(found.pictures)),
        "patients": about(len(found.patients)),
        "wrong_at_most": wording.percent(found.q),
    }


def _hygiene(audit: Audit) -> list[dict[str, str]]:
    """Return what was wrong with the pictures by kind, findings of one kind and weight counted together."""
    counts: dict[tuple[str, str], int] = {}
    for one in audit.hygiene:
        if one.kind in hygiene_view.KINDS and one.severity in hygiene_view.SEVERITIES:
            key = (one.severity, one.kind)
            counts[key] = counts.get(key, 0) + one.count
    return [
        {"severity": hygiene_view.SEVERITIES[grave][0], "kind": kind, "count": about(count)}
        for (grave, kind), count in counts.items()
    ]


def _run(audit: Audit) -> dict[str, Any]:
    """Return of the provenance what is a number, a digest or a version, each only if it looks like one."""
    facts = audit.provenance
    versions, digests = (facts.get(key) for key in ("versions", "digests"))
    version = str(versions.get("whorl", "")) if isinstance(versions, Mapping) else ""
    digest = str(digests.get("generated", "")) if isinstance(digests, Mapping) else ""
    numbers = {key: facts.get(key) for key in ("seed", "permutations")}
    size = facts.get("picture_size")
    sides = size if isinstance(size, list | tuple) and all(type(side) is int for side in size) else None
    return {
        "whorl": version if VERSION.fullmatch(version) else None,
        "digest_of_generated": digest if DIGEST.fullmatch(digest) else None,
        "picture_size": None if sides is None else list(sides),
        "alpha": audit.alpha,
        **{key: value if type(value) is int else None for key, value in numbers.items()},
    }
