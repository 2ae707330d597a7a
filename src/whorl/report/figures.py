"""Drawings for an audit: the verdict's sign, intervals on a common axis, histograms, attack curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from whorl.outcomes import Attack, Verdict, Word
from whorl.records import Array
from whorl.report import svg
from whorl.report.curves import histograms, operating_curve
from whorl.report.svg import INK, MUTED, RULE, Scale, element, line, picture, text
from whorl.report.wording import number, percent, shorten

MEMBERS = "#0b4f8a"
HOLDOUT = "#7a4a00"
SIGN_WORDS = {
    "leak": "Warning sign: a leak was found",
    "no evidence": "Empty ring: no evidence of a leak was found",
    "cannot tell": "Question mark: the audit cannot tell",
}
DECISION_SIGNS: Mapping[Word, str] = {
    "release": "no evidence",
    "release with conditions": "conditions",
    "cannot tell": "cannot tell",
    "do not release": "leak",
}
BAR_WIDTH = 276


def verdict_sign(verdict: Verdict, class_: str = "sign") -> Markup:
    """Return a sign that differs in shape, not only in colour; it takes the colour of its text."""
    return _sign(verdict, SIGN_WORDS[verdict], class_)


def decision_sign(word: Word) -> Markup:
    """Return the sign of a decision, of the shapes that the verdicts have and one more."""
    return _sign(DECISION_SIGNS[word], f"Sign of the decision: {word}", "sign")


def _sign(shape_of: str, title: str, class_: str) -> Markup:
    mark = {"fill": "none", "stroke": "currentColor", "stroke_width": 5, "stroke_linejoin": "round"}
    if shape_of == "leak":
        shape = element("path", d="M38 7 71 66H5Z", **mark)
        inner = element("path", d="M38 27V47M38 54V59", stroke_linecap="round", **mark)
    elif shape_of in ("no evidence", "conditions"):
        shape = element("circle", cx=38, cy=38, r=30, **mark)
        inside = "M25 38H51" if shape_of == "no evidence" else "M38 21V43M38 54V55"
        inner = element("path", d=inside, stroke_linecap="round", **mark)
    else:
        shape = element("path", d="M38 4 72 38 38 72 4 38Z", **mark)
        inner = element(
            "path",
            d="M30 32a8.5 8.5 0 1 1 12.5 7.4C39 41.5 38 43 38 46M38 54V54.5",
            stroke_linecap="round",
            **mark,
        )
    return picture(title, 76, 76, shape, inner, class_=class_)


def common_scale(attacks: Iterable[Attack]) -> Scale:
    """Return one AUC axis that holds every interval and the chance line."""
    ends = [end for attack in attacks for end in (attack.auc.low, attack.auc.high, attack.auc.estimate)]
    known = [end for end in ends if math.isfinite(end)]
    low = math.floor(min([*known, 0.45]) * 10 + 1e-9) / 10
    high = math.ceil(max([*known, 0.8]) * 10 - 1e-9) / 10
    return Scale(low, high, 10, BAR_WIDTH - 10)


def interval_axis(scale: Scale) -> Markup:
    """Return the axis above the column of bars."""
    parts = [text(scale.at(0.5), 12, "guessing", "middle", "tick strong")]
    for value in scale.ticks:
        parts.append(line(scale.at(value), 30, scale.at(value), 34, MUTED))
        parts.append(text(scale.at(value), 26, svg.tick_label(value), "middle", "tick"))
    parts.append(line(scale.start, 34, scale.end, 34, MUTED))
    return picture(f"AUC axis from {scale.low:.1f} to {scale.high:.1f}", BAR_WIDTH, 36, *parts)


def interval_bar(attack: Attack, scale: Scale) -> Markup:
    """Return one AUC with its interval; the grey ground reaches from chance to what was too small to see."""
    auc = attack.auc
    title = f"AUC {number(auc.estimate)}, 95 % interval {number(auc.low)} to {number(auc.high)}"
    parts = [line(scale.at(value), 0, scale.at(value), 30, "#eceff2") for value in scale.ticks]
    if math.isfinite(attack.detectable_auc):
        start, end = scale.at(0.5), scale.at(attack.detectable_auc)
        parts.append(element("rect", x=start, y=0, width=max(0.0, end - start), height=30, fill="#e3e7eb"))
    parts.append(line(scale.at(0.5), 0, scale.at(0.5), 30, INK, 1, "3 2"))
    if all(map(math.isfinite, (auc.low, auc.high, auc.estimate))):
        low, high, middle = scale.at(auc.low), scale.at(auc.high), scale.at(auc.estimate)
        parts.append(line(low, 15, high, 15, MEMBERS, 3))
        parts += [line(end, 10, end, 20, MEMBERS, 2) for end in (low, high)]
        parts.append(element("circle", cx=middle, cy=15, r=5, fill=MEMBERS, stroke="#fff", stroke_width=1.5))
    return picture(title, BAR_WIDTH, 30, *parts)


def score_histogram(members: Array, holdout: Array, title: str, index: int) -> tuple[Markup, bool]:
    """Return two step outlines on common bins, and whether far values were gathered at the ends."""
    edges, inside, outside, gathered = histograms(members, holdout)
    top = max(float(inside.max()), float(outside.max()), 1e-9) * 1.08
    x, y = Scale(float(edges[0]), float(edges[-1]), 44, 338), Scale(0, top, 150, 14)
    shape = {"stroke_linejoin": "round"}
    corners = [_outline(edges, shares, x, y) for shares in (outside, inside)]
    parts = [
        _hatch(f"hatch-{index}"),
        _share_axis(x, y),
        element("path", d=corners[0] + "Z", fill=f"url(#hatch-{index})", **shape),
        element("path", d=corners[1] + "Z", fill=MEMBERS, fill_opacity=0.13, **shape),
        svg.stroke(corners[0], HOLDOUT, 1.5, "4 2"),
        svg.stroke(corners[1], MEMBERS, 2),
    ]
    return picture(f"Histogram of scores: {title}", 350, 190, *parts), gathered


def histogram_key() -> Markup:
    """Return the legend that all histograms share."""
    box = {"width": 26, "height": 14}
    parts = (
        _hatch("hatch-key"),
        element("rect", x=1, y=3, fill=MEMBERS, fill_opacity=0.13, stroke=MEMBERS, stroke_width=2, **box),
        text(36, 15, "members: solid line", "start", "key"),
        element(
            "rect",
            x=181,
            y=3,
            fill="url(#hatch-key)",
            stroke=HOLDOUT,
            stroke_width=1.5,
            stroke_dasharray="4 2",
            **box,
        ),
        text(216, 15, "holdout: dashed line, hatched", "start", "key"),
    )
    return picture("Key to the histograms", 420, 21, *parts)


def curve_plot(attacks: Sequence[Attack], columns: Array, is_member: Array) -> Markup | None:
    """Return the attack curves on log-log axes, or nothing where there are too few pictures."""
    inside, outside = int(is_member.sum()), int((~is_member).sum())
    if outside < 2 or inside < 2:
        return None
    low = 1 / max(inside, outside)
    x, y = Scale(1 / outside, 1, 60, 690, log=True), Scale(low, 1, 440, 40, log=True)
    labels = ("false alarms: share of holdout pictures called members", "members found")
    parts = [svg.axes(x, y, labels, shares=True), _chance(x, y), *_one_percent(x, y)]
    curves = [operating_curve(column[is_member], column[~is_member]) for column in columns.T]
    shares = all(attack.tpr for attack in attacks)
    order = sorted(range(len(attacks)), key=lambda index: -_height(attacks[index]))
    entries = []
    for rank, index in reversed(list(enumerate(order))):
        colour, dash = svg.style_of(rank)
        alarms, found = curves[index]
        # Nothing found has no place on a logarithmic axis: a curve begins where it first finds one.
        seen = np.append(found[1:] > 0, True)
        drawn = svg.stroke(svg.path_of(x(alarms[seen]), y(found[seen]), steps=True), colour, 1.9, dash)
        parts.append(element("g", element("title", attacks[index].title), drawn))
        entries.append((_entry(attacks[index]), line(0, 0, 26, 0, colour, 2.2, dash)))
    entries = [*reversed(entries), ("guessing", line(0, 0, 26, 0, MUTED, 1.2, "1.5 3"))]
    heading = "Most found at 1 % false alarms first" if shares else "Highest AUC first"
    parts.append(text(722, 48, heading, "start", "key strong"))
    parts.append(svg.legend(entries, 722, 74, 22))
    height = max(490, 90 + 22 * len(entries))
    return picture(
        f"Members found against false alarms, {len(attacks)} attacks, log-log axes", 1080, height, *parts
    )


def _height(attack: Attack) -> float:
    return attack.tpr.estimate if attack.tpr else attack.auc.estimate


def _entry(attack: Attack) -> str:
    found = percent(attack.tpr.estimate) if attack.tpr else f"AUC {number(attack.auc.estimate)}"
    return f"{shorten(attack.title, 42)} · {found}"


def _chance(x: Scale, y: Scale) -> Markup:
    start = max(x.low, y.low)
    return line(x.at(start), y.at(start), x.at(1), y.at(1), MUTED, 1.2, "1.5 3")


def _one_percent(x: Scale, y: Scale) -> tuple[Markup, ...]:
    if x.low >= 0.01:
        return ()
    return (line(x.at(0.01), y.start, x.at(0.01), y.end, INK, 1, "5 3"),)


def _outline(edges: Array, shares: Array, x: Scale, y: Scale) -> str:
    # Twice every edge and height, closed onto the ground line at both ends.
    across = np.repeat(edges, 2)
    height = np.concatenate([[0.0], np.repeat(shares, 2), [0.0]])
    return svg.path_of(x(across), y(height))


def _share_axis(x: Scale, y: Scale) -> Markup:
    parts = [line(x.start, y.start, x.end, y.start, MUTED)]
    for value in svg.round_ticks(0, y.high, 3)[1:]:
        parts.append(line(x.start, y.at(value), x.end, y.at(value), RULE))
        parts.append(text(x.start - 6, y.at(value) + 4, svg.share_label(value), "end", "tick"))
    for value in svg.round_ticks(x.low, x.high, 6):
        parts.append(text(x.at(value), y.start + 16, svg.tick_label(value), "middle", "tick"))
    parts.append(
        text((x.start + x.end) / 2, y.start + 34, "score: more likely a member →", "middle", "label")
    )
    return svg.group(parts)


def _hatch(name: str) -> Markup:
    stripe = line(0, 0, 0, 6, HOLDOUT, 1.5)
    tile = {"id": name, "width": 6, "height": 6, "patternUnits": "userSpaceOnUse"}
    return element("defs", element("pattern", stripe, patternTransform="rotate(45)", **tile))
