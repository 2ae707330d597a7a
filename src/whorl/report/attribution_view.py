"""What the page of an attribution shows, worked out before the template lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from whorl.outcomes import Attribution, Cluster
from whorl.records import Array
from whorl.report import maps, pictures, wording
from whorl.report.confounder_view import confounder_view
from whorl.report.pictures import Shown
from whorl.report.sections import left_out, repetition

STRIP = 8
DOUBTFUL = 10
LONGEST = 256
THUMBNAIL = 128


@dataclass(frozen=True)
class Card:
    """One presumed generator as the page shows it."""

    label: str
    size: str
    share: str
    swatch: Markup
    residual: Shown
    spectrum: Shown
    strip: tuple[tuple[str, Shown], ...]


def attribution_view(attribution: Attribution, images: Mapping[int, Array] | None) -> dict[str, Any]:
    """Return everything the template `attribution.html` names."""
    scatter, shown = maps.scatter(attribution)
    return _cards(attribution, images) | {
        "attribution": attribution,
        "headline": headline(attribution),
        "name": attribution.provenance.get("name"),
        "has_pictures": images is not None,
        "counts": maps.count_curve(attribution.choices, attribution.count) if attribution.choices else None,
        "confounders": confounder_view(attribution.confounders, attribution.count),
        "scatter": scatter,
        "points_shown": shown,
        "radial": maps.radial_plot(attribution.clusters) if attribution.clusters else None,
        "doubtful": _doubtful(attribution),
        "quarantine": left_out(attribution.quarantined),
        "repeat": repetition(attribution.provenance),
    }


def headline(attribution: Attribution) -> str:
    """Say in one sentence how many generators there are."""
    total = wording.pictures_counted(len(attribution.ids))
    noun = "generator" if attribution.count == 1 else "generators"
    if attribution.count_given:
        return f"{total} divided among {wording.whole(attribution.count)} {noun}, the number given."
    verb = "comes" if len(attribution.ids) == 1 else "come"
    return f"The {total} most likely {verb} from {wording.whole(attribution.count)} {noun}."


def _cards(attribution: Attribution, images: Mapping[int, Array] | None) -> dict[str, Any]:
    """Return a card for every cluster, all residuals and all spectra on one scale each."""
    clusters = attribution.clusters
    if not clusters:
        return {"cards": [], "residual_bar": None, "spectrum_bar": None}
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
                _strip(attribution, cluster, images or {}),
            )
        )
    return {"cards": cards} | _bars(limit, low, high)


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
