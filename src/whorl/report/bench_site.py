"""The static site of a bench: a front page over all editions and one page for each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from whorl.ledger import Bench, Question
from whorl.placings import CHANCE, Edition
from whorl.report import bench_curves, bench_figures, bench_tables, bench_words, page, wording
from whorl.report.sections import local_link, repetition
from whorl.report.svg import Scale
from whorl.standings import Standings, standings

TOP = 25
SPECTRA = 24
NAME_LENGTH = 80


def bench_site(bench: Bench, about: Mapping[str, object]) -> dict[str, str]:
    """Return file name → page: `index.html` and one page an edition.

    `about` says how to repeat it: `command`, `seeds`, `versions` and `digests` (mappings), `title`, and any
    plain value by name.
    """
    found = standings(bench)
    names = file_names(found.editions)
    scale = _scale(found.membership, "membership")
    grouping = _scale(found.attribution, "attribution")
    site = {"index.html": page.render("bench.html", front_view(found, bench, about, names))}
    for edition, name in zip(found.editions, names, strict=True):
        view = edition_view(edition, scale if edition.task == "membership" else grouping)
        site[name] = page.render("bench_edition.html", view)
    return site


def file_names(editions: Sequence[Edition]) -> list[str]:
    """Return a file name for each edition: safe on every system, no two alike but for capitals."""
    taken: set[str] = set()
    found = []
    for edition in editions:
        words = "-".join(filter(None, (edition.name, edition.model, edition.altered)))
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", words).strip("-")[:NAME_LENGTH] or "unnamed"
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        found.append(f"edition-{name}.html")
    return found


def edition_view(edition: Edition, scale: Scale) -> dict[str, Any]:
    """Return everything the template `bench_edition.html` names."""
    outcomes = [row.outcome for row in edition.rows]
    return {
        "edition": edition,
        "membership": edition.task == "membership",
        "made": edition.generator or edition.kind,
        "dials": bench_tables.dials_of(edition.dials),
        "better": outcomes.count("better"),
        "worse": outcomes.count("worse"),
        "useful": sum(row.surely_useful for row in edition.rows),
        "axis": bench_figures.bar_axis(scale, CHANCE[edition.task]),
        "key": bench_figures.mark_key(),
        "lines": bench_tables.edition_lines(edition, scale),
        "quality": None if edition.quality is None else bench_tables.quality_row(edition, edition.quality),
        "spectrum": _spectrum(edition),
    }


def front_view(
    found: Standings, bench: Bench, about: Mapping[str, object], names: Sequence[str]
) -> dict[str, Any]:
    """Return everything the template `bench.html` names."""
    scale = bench_figures.bar_scale([row.auc for row in found.overall], 0.5)
    lines = bench_tables.ranked_lines(found.overall, scale)
    ranked = len(found.ranked)
    hrefs = [local_link(name) for name in names]
    failures, unlisted = bench_tables.failure_rows(bench.failures)
    return {
        "title": str(about.get("title", "What the field's methods really see")),
        "headline": bench_words.headline(found),
        "best": bench_words.best_sentence(found),
        "figures": bench_words.figures(found),
        "key": bench_figures.mark_key(),
        "editions": [
            bench_tables.edition_row(edition, href)
            for edition, href in zip(found.editions, hrefs, strict=True)
        ],
        "systems": bench_figures.system_plots(found.spreads, found.membership),
        "axis": bench_figures.bar_axis(scale, 0.5),
        "top": lines[: min(TOP, ranked)],
        "rest": lines[TOP:ranked],
        "partial": lines[ranked:],
        "recipes_compared": bench_words.comparison_sentence(found.comparison, "recipe"),
        "systems_compared": bench_words.comparison_sentence(found.systems, "system"),
        "ranks": bench_figures.rank_plot(found.systems),
        "cost": bench_curves.cost_plot(found.ranked),
        "devices": sorted({device for row in found.overall for device in row.devices}),
        "turns": _turns(found),
        "gaps": _gap_plots(found),
        "spectrum_key": bench_curves.spectrum_key(),
        **_questions(found, hrefs),
        "failures": failures,
        "unlisted": unlisted,
        "cut": bench.cut,
        "repeat": _repeat(about, bench),
    }


def _questions(found: Standings, hrefs: Sequence[str]) -> dict[str, Any]:
    """Return the parts on generators' quality and on attribution."""
    scale = _scale(found.attribution, "attribution")
    seen = [edition for edition in found.editions if edition.quality is not None]
    spectra = [(edition.title, drawn) for edition in seen if (drawn := _spectrum(edition)) is not None]
    return {
        "qualities": [
            bench_tables.quality_row(edition, edition.quality) for edition in seen if edition.quality
        ],
        "spectra": spectra[:SPECTRA],
        "more_spectra": max(0, len(spectra) - SPECTRA),
        "attribution": [
            (
                edition.title,
                href,
                bench_tables.edition_lines(edition, scale),
                bench_tables.robustness(edition, found.alterations(edition)),
            )
            for edition, href in zip(found.editions, hrefs, strict=True)
            if edition.task == "attribution" and not edition.altered
        ],
        "grouping_axis": bench_figures.bar_axis(scale, 0.0),
    }


def _scale(editions: Sequence[Edition], task: Question) -> Scale:
    """Return one axis for all editions of a question."""
    rows = [row.main for edition in editions for row in edition.rows]
    return bench_figures.bar_scale(rows, CHANCE[task])


def _spectrum(edition: Edition) -> Markup | None:
    spectrum = edition.quality.spectrum if edition.quality else None
    return None if spectrum is None else bench_curves.spectrum_plot(spectrum, edition.title)


def _turns(found: Standings) -> list[dict[str, Any]]:
    """Return a curve for every dial; the leaders are those of the highest mean AUC over all editions."""
    owned = {row.recipe: row.own for row in found.overall}
    ordered = sorted(found.ranked or found.overall, key=lambda row: -row.auc.estimate)
    leaders = [row.recipe for row in ordered[: bench_curves.LEADERS]]
    # The reader asks for both sides: the best published is shown even where own ones lead.
    for own in (False, True):
        best = next((row.recipe for row in ordered if row.own is own), None)
        if best is not None and best not in leaders:
            leaders.append(best)
    return [
        {
            "kind": turn.kind or "generator",
            "dial": turn.dial,
            "model": turn.model,
            "others": bench_tables.dials_of(turn.others),
            "plot": bench_curves.turn_plot(turn, leaders, owned),
            "places": [
                (bench_tables.dial_of(value), ", ".join(wording.shorten(name, 60) for name in names))
                for value, names in zip(turn.values, turn.editions, strict=True)
            ],
        }
        for turn in found.turns
    ]


def _gap_plots(found: Standings) -> list[tuple[str, list[Markup]]]:
    """Return, for every protocol, how far AUC and F1 of every system's recipes fall; means over editions."""
    falls: dict[str, dict[str, dict[str, dict[str, list[float]]]]] = defaultdict(dict)
    for row in (row for edition in found.membership for row in edition.rows):
        for (protocol, metric), gap in row.gaps.items():
            systems = falls[protocol].setdefault(metric, {})
            systems.setdefault(row.system, {}).setdefault(row.recipe, []).append(gap.estimate)
    titles = {"auc": "AUC", "f1": "F1"}
    return [
        (
            protocol,
            [
                bench_curves.gap_plot(_means(metrics[name], found), title)
                for name, title in titles.items()
                if name in metrics
            ],
        )
        for protocol, metrics in falls.items()
        if titles.keys() & metrics.keys()
    ]


def _means(systems: Mapping[str, Mapping[str, Sequence[float]]], found: Standings) -> dict[str, list[float]]:
    # In the order of the systems above; one without an AUC has no place there.
    order = [*(name for name in found.spreads if name in systems), *(systems.keys() - found.spreads.keys())]
    return {name: [sum(gaps) / len(gaps) for gaps in systems[name].values()] for name in order}


def _repeat(about: Mapping[str, object], bench: Bench) -> dict[str, Any]:
    """Return how to repeat it; the seeds are those of the runs where nobody said."""
    said = about.get("seeds", about.get("seed"))
    if said is None:
        said = sorted({run.seed for run in bench.runs})[:20] or "none"
    seeds = ", ".join(map(str, said)) if isinstance(said, list | tuple) else str(said)
    others = {name: value for name, value in about.items() if name not in ("title", "seeds")}
    return repetition({**others, "seed": seeds})
