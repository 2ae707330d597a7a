"""What a page says of traits that could split a bag of pictures as well as their generators do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whorl.confounders import Confounder, marks
from whorl.report import wording

SHOWN = 4
LONGEST = 80
IN_PART = 0.3
SURE = 0.05


@dataclass(frozen=True)
class Line:
    """One trait as the page shows it; `marked` where it explains a group that was found."""

    name: str
    what: str
    groups: tuple[str, ...]
    more: str
    agreement: str
    forced: str
    reading: str
    marked: bool


def confounder_view(found: Sequence[Confounder], count: int) -> dict[str, Any]:
    """Return what the template `confounders.html` names; `count` is the number of groups found."""
    order = sorted(found, key=lambda one: (not one.explains, not one.splits, -_agreement(one)))
    lines = [_line(one) for one in order]
    return {
        "headline": headline(found, count),
        "splitting": [line for line, one in zip(lines, order, strict=True) if one.splits or one.explains],
        "quiet": [line for line, one in zip(lines, order, strict=True) if not (one.splits or one.explains)],
        "compared": count > 1,
        "looked": bool(found),
        "files": any(one.name == "file format" for one in found),
    }


def headline(found: Sequence[Confounder], count: int) -> str:
    """Say in a sentence or two what the traits mean for the groups found."""
    marked = marks(found)
    if marked:
        named = _joined([f"group {label} ({_joined(names)})" for label, names in marked.items()])
        all_of_them = "All groups found" if len(marked) == count else f"{len(marked)} of {count} groups found"
        return (
            f"{all_of_them} can be explained without any generator: {named}. "
            "Make the pictures alike in this, and ask again, before trusting these groups."
        )
    splitting = [one.name for one in found if one.splits]
    if not splitting:
        return "None of the traits looked at splits the pictures into clear groups."
    noun = "A trait splits" if len(splitting) == 1 else "Traits split"
    rest = (
        "no group found is explained by one" if count > 1 else "the fingerprints found one group all the same"
    )
    return f"{noun} the pictures ({_joined(splitting)}), but {rest}."


def reading(one: Confounder) -> str:
    """Say in words what one trait means for the groups found."""
    if one.explains:
        noun, verb = ("group", "It") if len(one.explains) == 1 else ("groups", "They")
        return f"Explains {noun} {_joined(one.explains)}. {verb} may be this and not a generator."
    if not one.splits:
        if one.forced is not None and one.forced >= IN_PART:
            return "No clear gap, yet it goes with the groups in part."
        return _quiet(one)
    if one.agreement is None or one.p_value is None:
        return "Would split the pictures by itself."
    if one.p_value <= SURE and one.agreement.estimate >= IN_PART:
        return "Goes with the groups in part."
    return "Splits the pictures, but otherwise than the groups."


def _quiet(one: Confounder) -> str:
    if len(one.groups) > 1:
        return "A few pictures differ."
    return "No clear groups." if one.numbers is not None else "The same in all pictures."


def _agreement(one: Confounder) -> float:
    return one.agreement.estimate if one.agreement is not None else one.forced or 0.0


def _line(one: Confounder) -> Line:
    total = len(one.members)
    names = [wording.shorten(group.label, LONGEST) for group in one.groups[:SHOWN]]
    if one.numbers is not None:
        names = [name.replace("-", wording.MINUS) for name in names]
    shares = [wording.percent(group.size / total) for group in one.groups]
    groups = tuple(
        f"{name}: {share}" if len(shares) > 1 else name for name, share in zip(names, shares, strict=False)
    )
    rest = len(one.groups) - SHOWN
    return Line(
        name=one.name,
        what=one.what,
        groups=groups,
        more=f"and {wording.whole(rest)} more" if rest > 0 else "",
        agreement=wording.MISSING if one.agreement is None else wording.interval(one.agreement),
        forced=wording.MISSING if one.forced is None else wording.number(one.forced),
        reading=reading(one),
        marked=bool(one.explains),
    )


def _joined(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
