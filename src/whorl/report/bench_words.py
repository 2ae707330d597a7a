"""A bench in sentences: the headline, counts, what the tests of ranks say."""

from __future__ import annotations

import numpy as np

from whorl.placings import Placing
from whorl.report import wording
from whorl.standings import Comparison, Overall, Standings


def headline(found: Standings) -> str:
    """Say in one sentence how many published recipes see anything, and on how many editions."""
    rows = [row for edition in found.membership for row in edition.rows]
    published = {bare(row.recipe) for row in rows if not row.own}
    count = len(found.membership)
    if not count:
        asked = counted(len(found.attribution), "edition")
        return f"No edition asked whose pictures were used; {asked} asked which generator made which."
    where = counted(count, "edition")
    if not published:
        return f"No published recipe ran on the {where}; only whorl's own did."
    seeing = {bare(row.recipe) for row in rows if not row.own and row.outcome == "better"}
    useful = {bare(row.recipe) for row in rows if not row.own and row.surely_useful}
    everywhere = sum(row.found == count for row in found.overall if not row.own)
    on_all = f" and {_some(everywhere, len(seeing))} on every one" if count > 1 else ""
    at_least = " on at least one" if count > 1 else ""
    return (
        f"Of {counted(len(published), 'published recipe')} on {where}, {_some(len(seeing), len(published))} "
        f"{'sees' if len(seeing) == 1 else 'see'} anything at q ≤ 5{wording.SPACE}%{at_least}{on_all}; "
        f"{_some(len(useful))} {'has' if len(useful) == 1 else 'have'} an F1 surely above that of the "
        f"constant answer{at_least}."
    )


def bare(recipe: str) -> str:
    """The name of a recipe without the effort of its networks: one that ran with two is one."""
    return recipe.partition("+")[0]


def best_sentence(found: Standings) -> str:
    """Name the best published recipe, the best own one and the median, and say that they were chosen."""
    ranked = found.ranked or found.overall
    if not ranked:
        return ""
    groups = (
        ("The best published recipe", [row for row in ranked if not row.own]),
        ("the best of whorl's own", [row for row in ranked if row.own]),
    )
    parts = []
    for words, rows in groups:
        if rows:
            best = max(rows, key=lambda row: row.auc.estimate)
            reached = (
                f"reaches a mean AUC of {wording.interval(best.auc)} ({wording.shorten(best.recipe, 60)})"
            )
            parts.append(f"{words} {reached}")
    chosen = "Both were" if len(parts) == 2 else "It was"
    sentence = ", ".join(parts)
    middle = [row.auc.estimate for row in ranked if not row.own]
    tail = (
        f" The median published recipe has {wording.number(float(np.median(middle)))}; guessing has 0.5."
        if middle
        else ""
    )
    warning = f"{chosen} picked on these very editions, so expect less elsewhere."
    return f"{sentence[:1].upper()}{sentence[1:]}. {warning}{tail}"


def figures(found: Standings) -> list[tuple[str, str]]:
    """Return the short figures under the headline: words and number."""
    rows = [row for edition in found.membership for row in edition.rows]
    published = [row for row in rows if not row.own]
    outcomes = [row.outcome for row in published]
    refused = {(each.edition, each.model, each.recipe) for each in found.failures}
    shown = [
        ("published recipes", wording.whole(len({bare(row.recipe) for row in published}))),
        ("of whorl's own", wording.whole(len({bare(row.recipe) for row in rows if row.own}))),
        ("editions with known answers", wording.whole(len(found.editions))),
        ("recipes × editions not run", wording.whole(len(refused))),
    ]
    if outcomes:
        shares = [
            ("published outcomes better than chance", outcomes.count("better")),
            ("published outcomes worse than chance", outcomes.count("worse")),
        ]
        shown += [(words, wording.percent(value / len(outcomes))) for words, value in shares]
    return shown


def comparison_sentence(comparison: Comparison, noun: str) -> str:
    """Say what Friedman's and Nemenyi's tests found."""
    count, editions = len(comparison.ranks), comparison.editions
    where = f"all {wording.whole(editions)} editions" if editions > 1 else "the edition"
    what = f"{counted(count, noun)} ran on {where}"
    if comparison.p_value is None or comparison.difference is None:
        return f"{what}: too few to compare ranks."
    ranks = list(comparison.ranks.values())
    near = sum(rank - ranks[0] <= comparison.difference for rank in ranks) - 1
    differ = "do not all do equally well" if comparison.p_value <= 0.05 else "cannot be told apart"
    first = (
        f"mean ranks must lie {wording.number(comparison.difference, 1)} apart to differ "
        f"(Nemenyi, 5{wording.SPACE}%), so {_some(near)} of the other {wording.whole(count - 1)} "
        "cannot be told from the first"
    )
    return f"{what}; they {differ} (Friedman, p {_p(comparison.p_value)}); {first}."


def remarks(row: Placing | Overall) -> str:
    """Return what is to be known of a recipe beside its name."""
    parts = ["whorl's own"] if row.own else [row.fidelity] if row.fidelity else []
    parts += ["untrained features"] if row.untrained else []
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Return a time a reader can take in."""
    unit = wording.SPACE + "s"
    if seconds < 100:
        return wording.number(seconds, 1 if seconds < 10 else 0) + unit
    if seconds < 6000:
        return f"{seconds / 60:.0f}{wording.SPACE}min"
    return f"{min(seconds / 3600, 1e6):.0f}{wording.SPACE}h"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{wording.whole(count)} {noun}{'' if count == 1 else 's'}"


def _some(count: int, of: int | None = None) -> str:
    if count == 0:
        return "none"
    return "all" if of is not None and count == of > 1 else wording.whole(count)


def _p(value: float) -> str:
    shown = wording.chance_of(value)
    return shown if shown.startswith("<") else f"= {shown}"
