"""Drawings for an attribution: how many generators, the scatter map, radial spectra, colour bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from whorl.outcomes import Attribution, Cluster, CountChoice
from whorl.records import Array
from whorl.report import svg
from whorl.report.curves import evenly
from whorl.report.svg import INK, MUTED, Scale, element, line, picture, text
from whorl.report.wording import shorten, whole

POINTS = 3000
# Each shape is drawn around the place it follows, so that one path holds a whole cluster.
SHAPES = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
    "m-2.8-2.8h5.6v5.6h-5.6z",
    "m0-3.6 3.4 6h-6.8z",
    "m0-3.8 3.8 3.8-3.8 3.8-3.8-3.8z",
    "m-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z",
    "m0 3.6-3.4-6h6.8z",
    "m-3.2-1.8 3.2-1.9 3.2 1.9v3.7l-3.2 1.9-3.2-1.9z",
    "m-3.4-2.2 1.2-1.2 2.2 2.2 2.2-2.2 1.2 1.2-2.2 2.2 2.2 2.2-1.2 1.2-2.2-2.2-2.2 2.2-1.2-1.2 2.2-2.200z",
)
OTHER = "#8b939b"
SILHOUETTE, STABILITY = "#0b4f8a", "#b8560b"


def swatch(index: int | None) -> Markup:
    """Return the colour and shape of a cluster as a small sign; without an index that of all others."""
    mark = element(
        "path", d="M9 9" + _shape(index), fill=_colour(index), transform="scale(1.5) translate(-3 -3)"
    )
    return picture("Colour and shape in the map", 18, 18, mark, class_="swatch")


def scatter(attribution: Attribution) -> tuple[Markup, int]:
    """Return the map of pictures coloured and shaped by cluster, and how many it shows."""
    places = np.asarray(attribution.coordinates, dtype=np.float64).reshape(len(attribution.ids), -1)
    chosen = evenly(len(places), POINTS)
    chosen = chosen[np.isfinite(places[chosen]).all(axis=1)]
    if places.shape[1] < 2 or len(chosen) == 0:
        return Markup(""), 0
    x, y = _square(places[chosen], 690, 540)
    known = {cluster.label: index for index, cluster in enumerate(attribution.clusters)}
    labels = np.array([known.get(attribution.labels[row], -1) for row in chosen])
    parts: list[Markup] = [element("rect", x=1, y=1, width=688, height=538, fill="#fafbfc", stroke=svg.RULE)]
    entries = []
    for index in (*range(len(known)), -1):
        rows = chosen[labels == index]
        if index < 0 and len(rows) == 0:
            continue
        parts.append(_points(x(places[rows, 0]), y(places[rows, 1]), None if index < 0 else index))
        entries.append(
            (_entry(attribution.clusters, index, len(rows)), _sample(None if index < 0 else index))
        )
    parts.append(svg.legend(entries, 722, 24, 24))
    height = max(542, 30 + 24 * len(entries))
    title = f"Map of {whole(len(chosen))} pictures in {len(known)} groups"
    return picture(title, 1080, height, *parts), len(chosen)


def count_curve(choices: Sequence[CountChoice], count: int) -> Markup:
    """Return separation and agreement against the number of generators, the chosen one marked."""
    ordered = sorted(choices, key=lambda choice: choice.count)
    counts = np.array([choice.count for choice in ordered], dtype=np.float64)
    values = np.array([(choice.silhouette, choice.stability) for choice in ordered], dtype=np.float64)
    low = min(0.0, float(np.floor(np.nanmin(values, initial=0.0) * 5) / 5))
    x, y = Scale(float(counts[0]) - 0.5, float(counts[-1]) + 0.5, 50, 690), Scale(low, 1, 260, 36)
    parts: list[Markup] = []
    if counts[0] <= count <= counts[-1]:
        band = {"x": x.at(count) - 13, "width": 26, "y": y.end, "height": y.start - y.end}
        parts.append(element("rect", fill="#e8edf2", **band))
        parts.append(text(x.at(count), y.end - 8, "chosen", "middle", "tick strong"))
    parts.append(_count_axes(x, y, counts))
    for column, (colour, dash, index) in enumerate(((SILHOUETTE, "", 0), (STABILITY, "6 3", 1))):
        seen = np.isfinite(values[:, column])
        across, up = x(counts[seen]), y(values[seen, column])
        parts.append(svg.stroke(svg.path_of(across, up), colour, 2, dash))
        parts.append(_points(across, up, index, colour))
    parts.append(svg.legend(_count_key(), 722, 60, 24))
    return picture(f"Separation and agreement for {len(ordered)} numbers of generators", 1080, 305, *parts)


def radial_plot(clusters: Sequence[Cluster]) -> Markup:
    """Return all radial spectra in one plot: log power against frequency, with the period on top."""
    curves = [np.asarray(cluster.radial, dtype=np.float64) for cluster in clusters]
    together = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    low, high = (float(together.min()), float(together.max())) if together.size else (0.0, 1.0)
    room = (high - low) * 0.05 or 0.5
    x, y = Scale(0, 0.5, 60, 690), Scale(low - room, high + room, 370, 62)
    parts = [svg.axes(x, y, ("frequency (cycles per pixel)", ""))]
    parts.append(text(60, 16, "log power; period in pixels along the top", "start", "label"))
    for period in (2, 3, 4, 6, 8, 16):
        parts.append(line(x.at(1 / period), 54, x.at(1 / period), 62, MUTED))
        parts.append(text(x.at(1 / period), 48, period, "middle", "tick"))
    parts.append(line(x.start, 62, x.end, 62, MUTED))
    entries = []
    for index, (cluster, curve) in enumerate(zip(clusters, curves, strict=True)):
        # A ring's power belongs to its middle; the rings divide 0 to 0.5 evenly.
        middle = (np.arange(len(curve)) + 0.5) / max(1, len(curve)) * 0.5
        seen = np.isfinite(curve)
        colour, dash = _colour(index), svg.DASHES[index % len(svg.DASHES)]
        drawn = svg.stroke(svg.path_of(x(middle[seen]), y(curve[seen])), colour, 2, dash)
        parts.append(element("g", element("title", cluster.label), drawn))
        entries.append((shorten(cluster.label, 36), line(0, 0, 26, 0, colour, 2.2, dash)))
    parts.append(svg.legend(entries, 722, 72, 24))
    height = max(420, 80 + 24 * len(entries))
    return picture(f"Radial power spectra of {len(clusters)} groups", 1080, height, *parts)


def colour_bar(anchors: Sequence[tuple[int, int, int]], words: Mapping[str, str], name: str) -> Markup:
    """Return a horizontal colour scale; `words` has `title`, `low`, `middle` and `high`."""
    last = len(anchors) - 1
    stops = [
        element("stop", offset=index / last, stop_color="#" + "".join(f"{part:02x}" for part in colour))
        for index, colour in enumerate(anchors)
    ]
    fill = {"x": 30, "y": 2, "width": 240, "height": 12, "fill": f"url(#{name})", "stroke": MUTED}
    return picture(
        words["title"],
        300,
        32,
        element("defs", element("linearGradient", *stops, id=name)),
        element("rect", stroke_width=0.5, **fill),
        text(30, 28, words["low"], "middle", "tick"),
        text(150, 28, words["middle"], "middle", "tick"),
        text(270, 28, words["high"], "middle", "tick"),
    )


def _colour(index: int | None) -> str:
    return OTHER if index is None else svg.COLOURS[index % len(svg.COLOURS)]


def _shape(index: int | None) -> str:
    return SHAPES[7] if index is None else SHAPES[(index + index // 7) % 7]


def _points(x: Array, y: Array, index: int | None, colour: str = "") -> Markup:
    places = "".join(f"M{across:.1f} {up:.1f}{_shape(index)}" for across, up in zip(x, y, strict=True))
    return element("path", d=places, fill=colour or _colour(index), fill_opacity=0.78)


def _sample(index: int | None) -> Markup:
    return element("path", d="M13 0" + _shape(index), fill=_colour(index))


def _entry(clusters: Sequence[Cluster], index: int, shown: int) -> str:
    if index < 0:
        return f"in none of these · {whole(shown)}"
    return f"{shorten(clusters[index].label, 30)} · {whole(shown)}"


def _square(places: Array, width: float, height: float) -> tuple[Scale, Scale]:
    # One unit is equally long on both axes: distances in the map are what a reader looks at.
    low, high = places.min(axis=0)[:2], places.max(axis=0)[:2]
    unit = max((high[0] - low[0]) / (width - 40), (high[1] - low[1]) / (height - 40), 1e-12)
    middle = (low + high) / 2
    reach = unit * width / 2, unit * height / 2
    x = Scale(float(middle[0] - reach[0]), float(middle[0] + reach[0]), 0, width)
    return x, Scale(float(middle[1] - reach[1]), float(middle[1] + reach[1]), height, 0)


def _count_axes(x: Scale, y: Scale, counts: Array) -> Markup:
    parts = []
    for value in y.ticks:
        parts.append(line(x.start, y.at(value), x.end, y.at(value), svg.RULE))
        parts.append(text(x.start - 7, y.at(value) + 4, svg.tick_label(value), "end", "tick"))
    for value in counts[:: max(1, len(counts) // 14)]:
        parts.append(text(x.at(float(value)), y.start + 18, int(value), "middle", "tick"))
    parts.append(line(x.start, y.start, x.end, y.start, INK))
    parts.append(text((x.start + x.end) / 2, y.start + 38, "number of generators", "middle", "label"))
    return svg.group(parts)


def _count_key() -> list[tuple[str, Markup]]:
    rows = (
        ("separation (silhouette)", SILHOUETTE, "", 0),
        ("agreement of random halves", STABILITY, "6 3", 1),
    )
    return [
        (
            words,
            svg.group(
                (
                    line(0, 0, 26, 0, colour, 2, dash),
                    _points(np.array([13.0]), np.array([0.0]), index, colour),
                )
            ),
        )
        for words, colour, dash, index in rows
    ]
