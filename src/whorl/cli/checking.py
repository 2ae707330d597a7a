"""The commands that doubt: published tables against themselves, recipes against what must not matter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from whorl.cli.options import counted, flag

if TYPE_CHECKING:
    from whorl.challenge.inspection import Inspection


def integrity(
    table: Annotated[Path, Parameter(help="CSV of printed figures, one row a run and model.")],
    *,
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
) -> None:
    """Check the figures of a published table against one another and against chance.

    Example: whorl challenge integrity leaderboard.csv
    """
    from whorl.challenge.integrity import check_table, content, lines
    from whorl.display import plain, print_json, say

    found = check_table(table)
    if json:
        print_json(content(found))
        return
    for line in lines(found):
        say(plain(line))


def stress(
    recipe: Annotated[str, Parameter(help="Name as `whorl recipes` lists it, or FILE.toml:variant.")],
    edition: Annotated[Path, Parameter(help="Edition to try it on; answers add the accuracy.")],
    *,
    features: Annotated[
        str | None, Parameter(help="Step to take in place of the recipe's own features.")
    ] = None,
    seed: Annotated[int, counted("Seed of everything random.")] = 0,
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
) -> None:
    """Try what must not change a recipe's answer: order of files, classes stacked, batches, blocks.

    Example: whorl challenge stress m23-vcmi.ssim-ranking-as-published phantom/membership-leaking
    """
    from whorl import recipes
    from whorl.challenge import editions
    from whorl.challenge.stress import content
    from whorl.challenge.stress import stress as tried
    from whorl.display import Display, print_json, print_table, say
    from whorl.pipeline import Settings

    chosen = recipes.load(recipe)
    if features is not None:
        chosen = recipes.with_features(chosen, features)
    with Display(json) as display:
        read = editions.read(edition, progress=display)
        trials = tried(chosen, read, Settings(seed, progress=display))
    if json:
        print_json(content(chosen, trials))
        return
    rows = [
        [
            trial.name,
            "the same" if trial.passed else "CHANGED",
            f"{trial.gap:.2g}",
            f"{trial.changed:.1%}",
            "" if trial.accuracy is None else f"{trial.accuracy:.3f}",
        ]
        for trial in trials
    ]
    print_table(["change", "answer", "largest score change (sd)", "labels changed", "accuracy"], rows)
    broken = [trial.name for trial in trials if not trial.passed]
    say(
        f"{chosen.name} depends on what it must not: {', '.join(broken)}"
        if broken
        else f"{chosen.name} passes"
    )


def inspect(
    folder: Annotated[Path, Parameter(help="Folder of an edition, as published or in whorl's own layout.")],
    *,
    published: Annotated[
        Literal["2023", "2024-1", "2024-2", "2025-1", "2025-2"] | None,
        Parameter(name="--as", help="Published edition to compare with; the nearest if not given."),
    ] = None,
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
) -> None:
    """Count the pictures of every part of an edition and name what differs from the published counts.

    Example: whorl challenge inspect GANs2024/sub-task-1 --as 2024-1
    """
    from whorl.challenge.inspection import content
    from whorl.challenge.inspection import inspect as inspected
    from whorl.display import plain, print_json, say

    found = inspected(folder, published)
    if json:
        print_json(content(found))
        return
    say(plain(f"layout: {found.layout}"))
    _print_counts(found)
    for line in found.differences:
        say(plain(f"difference: {line}"))
    if found.published is not None and not found.differences:
        say("no difference in what is known")
    for source in found.published.sources if found.published is not None else ():
        say(plain(f"source: {source}"))
    for note in found.notes:
        say(plain(f"note: {note}"))


def _print_counts(found: Inspection) -> None:
    from whorl.display import plain, print_table, say

    if found.published is None:
        print_table(["part", "found"], [[row.part, f"{row.found:,}"] for row in found.rows])
        return
    say(plain(f"compared with {found.published.title}"))
    rows = [
        [
            row.part,
            f"{row.found:,}",
            "unknown" if row.published is None else f"{row.published:,}",
            "" if row.difference is None else f"{row.difference:+,}" if row.difference else "0",
        ]
        for row in found.rows
    ]
    print_table(["part", "found", "published", "difference"], rows)
