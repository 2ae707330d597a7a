"""The commands that doubt: published tables against themselves, recipes against what must not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whorl.cli.options import counted, flag


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
