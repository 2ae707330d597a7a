"""Small drawing kit: escaped SVG elements, scales, ticks and axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from whorl.records import Array
from whorl.report.wording import MINUS, visible

INK = "#1b1f24"
MUTED = "#5b6570"
RULE = "#d9dee3"
# Okabe and Ito's colours: told apart by colour-blind readers.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#000000", "#b8860b", "#56b4e9")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2")


def element(name: str, *children: object, **attributes: object) -> Markup:
    """Return one element; attributes and text are escaped, `_` in an attribute name stands for `-`."""
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value == "":
            continue
        label = key.rstrip("_").replace("_", "-")
        parts.append(f' {label}="{escape(visible(_plain(value)))}"')
    inside = "".join(str(escape(visible(child))) for child in children)
    return Markup("".join(parts) + f">{inside}</{name}>")


def group(children: Iterable[Markup], **attributes: object) -> Markup:
    """Return elements in one group."""
    return element("g", Markup("").join(children), **attributes)


def picture(title: str, width: float, height: float, *children: Markup, class_: str = "") -> Markup:
    """Return a complete drawing that names itself to screen readers."""
    size = f"0 0 {_plain(width)} {_plain(height)}"
    head = element("title", title)
    inside = Markup("").join((head, *children))
    # An SVG attribute whose name has a capital: cannot be spelled with the underscore rule.
    return element("svg", inside, viewBox=size, width=width, height=height, role="img", class_=class_)


def text(x: float, y: float, words: object, anchor: str = "start", class_: str = "") -> Markup:
    """Return words at a place."""
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dash: str = "") -> Markup:
    """Return a straight stroke."""
    return element(
        "line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width, stroke_dasharray=dash
    )


@dataclass(frozen=True)
class Scale:
    """A number line onto pixels; logarithmic if asked."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values: Array | float) -> Array:
        """Return the pixel positions of values, held within the scale."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            inside, low, high = np.log10(inside), math.log10(low), math.log10(high)
        return np.asarray(self.start + (inside - low) / (high - low) * (self.end - self.start))

    def at(self, value: float) -> float:
        """Return the pixel position of one value."""
        return float(self(value))

    @property
    def ticks(self) -> list[float]:
        """Round numbers inside the scale: 1, 2, 5 steps, or whole decades where there are two."""
        return log_ticks(self.low, self.high) if self.log else round_ticks(self.low, self.high)


def round_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Return at most about `count` round numbers between two."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return decades, or 1, 2, 5 steps where there are fewer than two decades."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1.0,) if math.log10(high / low) >= 2 else (1.0, 2.0, 5.0)
    found = [factor * 10.0**decade for decade in decades for factor in factors]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def tick_label(value: float) -> str:
    """Return a short number with a true minus sign."""
    return f"{value:.6g}".replace("-", MINUS) if value else "0"


def share_label(value: float) -> str:
    """Return a share as a short percentage."""
    return f"{100 * value:.4g} %"


def path_of(xs: Array, ys: Array, *, steps: bool = False) -> str:
    """Return path data through points; with `steps` it moves across first, then up or down."""
    points = [(_plain(float(x)), _plain(float(y))) for x, y in zip(xs, ys, strict=True)]
    if not points:
        return ""
    start = f"M{points[0][0]} {points[0][1]}"
    if steps:
        return start + "".join(f"H{x}V{y}" for x, y in points[1:])
    return start + "".join(f"L{x} {y}" for x, y in points[1:])


def stroke(data: str, colour: str, width: float = 1.6, dash: str = "") -> Markup:
    """Return an unfilled path."""
    return element(
        "path",
        d=data,
        fill="none",
        stroke=colour,
        stroke_width=width,
        stroke_dasharray=dash,
        stroke_linejoin="round",
    )


def axes(x: Scale, y: Scale, labels: tuple[str, str], *, shares: bool = False) -> Markup:
    """Return a frame with light grid lines, tick labels and axis titles."""
    word = share_label if shares else tick_label
    parts: list[Markup] = []
    for value in x.ticks:
        place = x.at(value)
        parts.append(line(place, y.start, place, y.end, RULE))
        parts.append(text(place, y.start + 16, word(value), "middle", "tick"))
    for value in y.ticks:
        place = y.at(value)
        parts.append(line(x.start, place, x.end, place, RULE))
        parts.append(text(x.start - 7, place + 4, word(value), "end", "tick"))
    parts.append(line(x.start, y.start, x.end, y.start, MUTED))
    parts.append(text((x.start + x.end) / 2, y.start + 36, labels[0], "middle", "label"))
    parts.append(text(x.start, y.end - 10, labels[1], "start", "label"))
    return group(parts)


def legend(entries: Sequence[tuple[str, Markup]], x: float, y: float, gap: float = 20) -> Markup:
    """Return words beside samples (each drawn around its own origin, 26 wide), one under another."""
    return group(
        group(
            (sample, text(34, 4, words, "start", "key")),
            transform=f"translate({_plain(x)} {_plain(y + index * gap)})",
        )
        for index, (words, sample) in enumerate(entries)
    )


def style_of(index: int) -> tuple[str, str]:
    """Return colour and dash of the series at an index; no two of the first 42 are the same."""
    return COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]


def _plain(value: object) -> object:
    # Two decimals are a hundredth of a pixel: more would only make the page larger.
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
    return value
