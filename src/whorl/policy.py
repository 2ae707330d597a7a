"""The steward's written rule: limits on what an audit may find, and the decision that follows from them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whorl.outcomes import Audit, Decision, Ruling, Verdict, Word
from whorl.records import BadInput, Interval
from whorl.steps import nearest

Bound = Literal["lower", "estimate", "upper"]
Unit = Literal["share", "count", "number"]
Figures = Mapping[str, float | Interval | None]
WORDS: tuple[Word, ...] = get_args(Word)
ENDS: Mapping[Bound, str] = {"lower": "at least", "estimate": "", "upper": "up to"}
TAILS = {"tpr_at_1_percent": "tpr", "tpr_at_0_1_percent": "tpr_rare"}
# Limit → what it limits, its unit, whether it has a confidence interval.
KNOWN: Mapping[str, tuple[str, Unit, bool]] = {
    "auc": ("AUC of the strongest attack", "number", True),
    "tpr_at_1_percent": ("members found at 1 % false alarms", "share", True),
    "tpr_at_0_1_percent": ("members found at 0.1 % false alarms", "share", True),
    "flagged_patients": ("patients listed as remembered", "count", False),
    "flagged_patients_share": ("share of patients listed as remembered", "share", False),
    "flagged_pictures": ("pictures listed as remembered", "count", False),
    "flagged_pictures_share": ("share of pictures listed as remembered", "share", False),
    "near_copies": ("generated near copies of members", "count", False),
    "epsilon": ("lower limit of epsilon", "number", False),
    "detectable_auc": ("smallest AUC that the audit would have noticed", "number", False),
}


class Strict(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limit(Strict):
    """One figure's limit and what follows when it is not kept or the figure is not known."""

    at_most: float = Field(ge=0, allow_inf_nan=False)
    bound: Bound | None = None
    otherwise: Word = "do not release"
    unknown: Word = "cannot tell"
    condition: str = ""

    @model_validator(mode="after")
    def _said(self) -> Limit:
        conditional = "release with conditions" in (self.otherwise, self.unknown)
        if conditional != bool(self.condition.strip()):
            raise ValueError(
                "'release with conditions' says which: condition = \"...\""
                if conditional
                else "a condition needs otherwise or unknown = 'release with conditions'"
            )
        if self.otherwise == "release":
            raise ValueError("otherwise = 'release' makes it no limit; leave the limit out")
        return self


class Verdicts(Strict):
    """What follows from the audit's verdict alone."""

    leak: Word = "do not release"
    no_evidence: Word = "release"
    cannot_tell: Word = "cannot tell"
    condition: str = ""

    @model_validator(mode="after")
    def _said(self) -> Verdicts:
        if (
            "release with conditions" in (self.leak, self.no_evidence, self.cannot_tell)
            and not self.condition
        ):
            raise ValueError("'release with conditions' says which: condition = \"...\"")
        return self


class Policy(Strict):
    """A whole policy file."""

    title: str = Field(min_length=1)
    verdicts: Verdicts = Field(default_factory=Verdicts)
    limits: dict[str, Limit] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _limited(self) -> Policy:
        for name, limit in self.limits.items():
            if name not in KNOWN:
                close = nearest(name, KNOWN)
                hint = f"did you mean '{close}'?" if close else f"known: {', '.join(KNOWN)}"
                raise ValueError(f"unknown limit '{name}'; {hint}")
            if limit.bound is not None and not KNOWN[name][2]:
                raise ValueError(f"limits.{name} has no confidence interval: leave out bound")
        return self


def default() -> Policy:
    """Return the policy that comes with whorl."""
    return read(Path(str(files("whorl") / "policies" / "default.toml")))


def read(file: Path) -> Policy:
    """Read a policy file strictly."""
    try:
        return _read(file, file.read_bytes())
    except OSError as error:
        raise BadInput(f"{file}: cannot read the policy ({error.strerror})") from None


@cache
def _read(file: Path, content: bytes) -> Policy:
    try:
        return Policy.model_validate(tomllib.loads(content.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not a TOML file: {error}") from None
    except ValidationError as error:
        raise BadInput(f"{file}: {_first(error)}") from None


def judge(policy: Policy, figures: Figures) -> tuple[Ruling, ...]:
    """Hold the figures of an audit against every limit of a policy, in its order."""
    return tuple(_ruling(name, limit, figures.get(name)) for name, limit in policy.limits.items())


def decide(policy: Policy, figures: Figures, verdict: Verdict) -> Decision:
    """Return the gravest decision that the verdict or any limit leads to."""
    verdicts: dict[Verdict, Word] = {
        "leak": policy.verdicts.leak,
        "no evidence": policy.verdicts.no_evidence,
        "cannot tell": policy.verdicts.cannot_tell,
    }
    rulings = judge(policy, figures)
    first = verdicts[verdict]
    word = max([first, *(ruling.word for ruling in rulings)], key=WORDS.index)
    reasons = [f"the verdict is '{verdict}'"] if first == word else []
    reasons += [ruling.sentence for ruling in rulings if ruling.word == word]
    if word == "release":
        reasons = ["every limit of the policy holds, or lets pass what could not be computed"]
    conditional = "release with conditions"
    asked = [policy.verdicts.condition] if first == conditional else []
    asked += [ruling.condition for ruling in rulings if ruling.word == conditional]
    return Decision(word, f"{'; '.join(reasons)}.", rulings, tuple(dict.fromkeys(asked)), policy.title)


def figures(audit: Audit) -> Figures:
    """Return what a policy may limit of an audit; nothing where the audit does not know it."""
    strongest = max(
        (attack for attack in (*audit.attacks, audit.combined) if attack), key=lambda one: one.auc.estimate
    )
    tails = {rate: getattr(audit.combined or strongest, name) for rate, name in TAILS.items()}
    known: dict[str, float | Interval | None] = {"auc": strongest.auc, **tails}
    known["near_copies"] = float(len(audit.near_copies)) if audit.planted else None
    known["epsilon"] = audit.privacy_loss.epsilon if audit.privacy_loss else None
    known["detectable_auc"] = audit.detectable_auc
    lists = audit.remembrance
    if lists is not None and lists.possible:
        members = [place for place, role in enumerate(audit.roles) if role == "member"]
        patients = {audit.patients[place] for place in members}
        known |= {
            "flagged_pictures": float(len(lists.pictures)),
            "flagged_pictures_share": len(lists.pictures) / len(members),
            "flagged_patients": float(len(lists.patients)),
            "flagged_patients_share": len(lists.patients) / len(patients),
        }
    return known


def _ruling(name: str, limit: Limit, figure: float | Interval | None) -> Ruling:
    title, unit, _ = KNOWN[name]
    bound = limit.bound or "lower"
    prefix = ""
    if isinstance(figure, Interval):
        figure = {"lower": figure.low, "estimate": figure.estimate, "upper": figure.high}[bound]
        prefix = f"{ENDS[bound]} " if ENDS[bound] else ""
    allowed = f"at most {_written(limit.at_most, unit)} allowed"
    if figure is None or math.isnan(figure):
        sentence = f"{title}: could not be computed ({allowed})"
        return Ruling(name, limit.at_most, None, None, sentence, limit.unknown, limit.condition)
    holds = figure <= limit.at_most
    sentence = f"{title}: {prefix}{_written(figure, unit)} ({allowed})"
    word: Word = "release" if holds else limit.otherwise
    return Ruling(name, limit.at_most, float(figure), holds, sentence, word, limit.condition)


def _written(value: float, unit: Unit) -> str:
    if unit == "count" and value == int(value):
        return f"{int(value)}"
    return f"{100 * value:.3g} %" if unit == "share" else f"{value:.3g}"


def _first(error: ValidationError) -> str:
    # A mistyped key is also missing where it belongs: name the mistake.
    detail = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    place = [str(part) for part in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        models: dict[str, type[Strict]] = {"verdicts": Verdicts, "limits": Limit}
        model = models.get(place[0], Policy) if len(place) > 1 else Policy
        close = nearest(place[-1], model.model_fields)
        return f"unknown key {'.'.join(place)}" + (f"; did you mean '{close}'?" if close else "")
    message = detail["msg"].removeprefix("Value error, ")
    return f"{'.'.join(place)}: {message}" if place else message
