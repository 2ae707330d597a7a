"""What the page of an attribution shows, worked out before the template lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from whorl.outcomes import Attribution, Cluster, Peak
from whorl.records import Array
from whorl.report import maps, pictures, wording
from whorl.report.confounder_view import confounder_view
from whorl.report.pictures import Shown
from whorl.report.sections import left_out, repetition

STRIP = 8
DOUBTFUL = 10
LONGEST = 256
THUMBNAIL = 128
LIKENESS = 0.5  # of the autocorrelation: its end of the colour scale
REPEATS = {
    "horizontal": "across",
    "vertical": "down",
    "diagonal": "diagonally",
    "both": "across and down",
}


@dataclass(frozen=True)
class Card:
    """One presumed generator as the page shows it."""

    label: str
    size: str
    share: str
    swatch: Markup
    residual: Shown
    spectrum: Shown
    autocorrelation: Shown | None
    peaks: tuple[str, ...]
    strip: tuple[tuple[str, Shown], ...]


def attribution_view(attribution: Attribution, images: Mapping[int, Array] | None) -> dict[str, Any]:
    """Return everything the template `attribution.html` names."""
    scatter, shown = maps.scatter(attribution)
    return _cards(attribution, images) | {
        "attribution": attribution,
        "headline": headline(attribution),
        "name": attribution.provenance.get("name"),
        "has_pictures": images is not None,
        "agreement": agreement_lines(attribution.provenance.get("agreement_of_methods")),
        "counts": maps.count_curve(attribution.choices, attribution.count) if attribution.choices else None,
        "confounders": confounder_view(attribution.confounders, attribution.count),
        "scatter": scatter,
        "points_shown": shown,
        "radial": maps.radial_plot(attribution.clusters) if attribution.clusters else None,
        "separations": separation_table(attribution),
        "doubtful": _doubtful(attribution),
        "quarantine": left_out(attribution.quarantined),
        "repeat": repetition(attribution.provenance),
    }


def headline(attribution: Attribution) -> str:
    """Say in one sentence how many generators there are."""
    total = wording.pictures_counted(len(attribution.ids))
    if attribution.count_given:
        return f"{total} divided among {generators(attribution)}, the number given."
    verb = "comes" if len(attribution.ids) == 1 else "come"
    return f"The {total} most likely {verb} from {generators(attribution)}."


def generators(attribution: Attribution) -> str:
    """The number of generators in words."""
    noun = "generator" if attribution.count == 1 else "generators"
    return f"{wording.whole(attribution.count)} {noun}{' or more' if attribution.at_least else ''}"


def _cards(attribution: Attribution, images: Mapping[int, Array] | None) -> dict[str, Any]:
    """Return a card for every cluster, all residuals and all spectra on one scale each."""
    clusters = attribution.clusters
    if not clusters:
        return {"cards": [], "residual_bar": None, "spectrum_bar": None, "likeness_bar": None}
    limit = pictures.limit_of([cluster.residual for cluster in clusters])
    low, high = pictures.bounds_of([cluster.spectrum for cluster in clusters])
    cards = []
    for index, cluster in enumerate(clusters):
        share = wording.percent(cluster.size / max(1, len(attribution.ids)))
        cards.append(
            Card(
                cluster.label,
                wording.pictures_counted(cluster.size),
                share,
                maps.swatch(index),
                pictures.signed(cluster.residual, limit, LONGEST),
                pictures.power(cluster.spectrum, low, high, LONGEST),
                pictures.signed(_without_centre(cluster.autocorrelation), LIKENESS, LONGEST)
                if cluster.autocorrelation.size
                else None,
                tuple(peak_words(peak) for peak in cluster.peaks),
                _strip(attribution, cluster, images or {}),
            )
        )
    shown = any(card.autocorrelation for card in cards)
    bars = _bars(limit, low, high) | {"likeness_bar": _likeness_bar() if shown else None}
    return {"cards": cards} | bars


def peak_words(peak: Peak) -> str:
    """Say what one peak is: period, direction, strength, where it shows, and what probably made it."""
    where = "in the residual" if peak.seen_in == "pattern" else "in the steps between neighbouring pixels"
    strength = wording.whole(round(peak.ratio)) if peak.ratio >= 10 else wording.number(peak.ratio, 1)
    return (
        f"Every {peak.period:g} pixels {REPEATS[peak.direction]}, {where}, {strength} times the background; "
        f"{peak.cause}."
    )


def agreement_lines(rows: object) -> list[str]:
    """Say in a line each how far other methods of clustering agree with the groups."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        alike = row["adjusted_rand_index"]
        groups = f"{wording.whole(row['groups'])} {'group' if row['groups'] == 1 else 'groups'}"
        if alike is None:
            found.append(f"{row['method']}: places no picture.")
            continue
        strays = "" if row["placed"] == 1 else f", {wording.percent(row['placed'])} of the pictures placed"
        found.append(f"{row['method']}: ARI {wording.number(alike, 3)} ({groups}{strays}).")
    return found


def separation_table(attribution: Attribution) -> dict[str, Any] | None:
    """Return the table of pairs by blocks: names, rows with the largest block marked, whether pairs lack."""
    pairs = attribution.separations
    if not pairs:
        return None
    rows = []
    for pair in pairs:
        values = [value for _, value in pair.blocks]
        largest = max(values, default=0.0)
        ends = pair.intervals or ((),) * len(values)
        cells = [
            (
                wording.number(value, 1),
                " to ".join(wording.number(end, 1) for end in some),
                value == largest > 0,
            )
            for value, some in zip(values, ends, strict=True)
        ]
        rows.append((pair.one, pair.other, cells))
    groups = len(attribution.clusters)
    return {
        "names": [name for name, _ in pairs[0].blocks],
        "rows": rows,
        "some": len(pairs) < groups * (groups - 1) // 2,
    }


def _without_centre(autocorrelation: Array) -> Array:
    """The same map without its centre, which is 1 whatever the pictures."""
    shown = np.array(autocorrelation, dtype=np.float64)
    shown[shown.shape[0] // 2, shown.shape[1] // 2] = 0.0
    return shown


def _likeness_bar() -> Markup:
    ends = {"low": f"{wording.MINUS}{LIKENESS:g}", "middle": "0", "high": f"+{LIKENESS:g}"}
    title = f"Colour scale of the autocorrelations, {ends['low']} to {ends['high']}"
    return maps.colour_bar(pictures.SIGNED, {"title": title} | ends, "likeness-scale")


def _bars(limit: float, low: float, high: float) -> dict[str, Markup]:
    words = wording.number(limit, 1 if limit >= 1 else 3)
    ends = {"low": f"{wording.MINUS}{words}", "middle": "0 grey levels", "high": f"+{words}"}
    title = f"Colour scale of the residuals, {wording.MINUS}{words} to +{words} grey levels"
    lower, upper = wording.number(low, 1), wording.number(high, 1)
    span = {"low": lower, "middle": "log power", "high": upper}
    power = {"title": f"Colour scale of the spectra, log power {lower} to {upper}"} | span
    return {
        "residual_bar": maps.colour_bar(pictures.SIGNED, {"title": title} | ends, "residual-scale"),
        "spectrum_bar": maps.colour_bar(pictures.POWER, power, "spectrum-scale"),
    }


def _strip(
    attribution: Attribution, cluster: Cluster, images: Mapping[int, Array]
) -> tuple[tuple[str, Shown], ...]:
    found = [index for index in cluster.examples if index in images][:STRIP]
    return tuple((attribution.ids[index], pictures.grey(images[index], THUMBNAIL)) for index in found)


def _doubtful(attribution: Attribution) -> list[tuple[str, str, str]]:
    """Return the pictures with the lowest confidence: name, label, confidence."""
    confidence = np.asarray(attribution.confidence, dtype=np.float64)
    order = np.argsort(confidence, kind="stable")[:DOUBTFUL]
    return [
        (attribution.ids[row], attribution.labels[row], wording.number(float(confidence[row])))
        for row in order
    ]
