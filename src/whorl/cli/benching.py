"""The command that ranks recipes on editions: bench."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from whorl.cli.options import NETWORKING, Networking, check_out, counted, flag, given
from whorl.records import BadInput

if TYPE_CHECKING:
    from whorl.benching import Benched

SHOWN = 15


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """How often, by whom, and on what besides."""

    seeds: Annotated[
        int, counted("Runs of each recipe that draws random numbers, seeds 0, 1, and so on.")
    ] = 3
    executor: Annotated[
        Literal["here", "processes"], Parameter(help="One run after another, or several at a time.")
    ] = "here"
    workers: Annotated[int, counted("Processes; 0 = one for each core.")] = 0
    altered: Annotated[
        tuple[str, ...],
        Parameter(
            help="Attribution: also with test pictures altered, as jpeg-85; all, or repeatable.",
            negative="",
            show_default=False,
        ),
    ] = ()


MANNER = Manner()


def bench(
    *recipes: Annotated[
        str,
        Parameter(
            help="Names, patterns ('m23-*'), panels, all, or free (no networks); the default panel if none."
        ),
    ],
    editions: Annotated[
        tuple[Path, ...],
        Parameter(
            help="Editions with answers, or folders of such; repeatable.", negative="", consume_multiple=True
        ),
    ],
    out: Annotated[Path, Parameter(help="Folder for runs.jsonl and the pages.")] = Path("whorl-bench"),
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
    manner: Manner = MANNER,
    networking: Networking = NETWORKING,
) -> None:
    """Run recipes on editions with known answers and make the pages that compare them.

    What is in OUT already is not run again. Example: whorl bench 'm23-*' whorl.contrast --editions editions
    """
    import shlex

    from whorl import benching
    from whorl.display import Display, print_json

    if manner.seeds < 1:
        raise BadInput(f"--seeds {manner.seeds}: give 1 or more")
    check_out(out, *editions)
    asked = benching.Asked(
        recipes=recipes or ("default",),
        editions=editions,
        seeds=manner.seeds,
        executor=manner.executor,
        workers=manner.workers,
        effort=networking.effort,
        altered=manner.altered,
        networks=networking.networks(),
        keep_features=networking.keep_features,
        memory=networking.bytes(),
        command=shlex.join(["whorl", *given]),
    )
    with Display(json) as display:
        told = None if display.shown or json else _told
        done = benching.bench(asked, out, progress=display, told=told)
    if json:
        print_json(done.content)
    else:
        _tell(done)


def _told(done: int, total: int, line: dict[str, Any]) -> None:
    """Say on standard error what a run came to, where no bar can be shown."""
    from whorl.display import plain

    where = "/".join(filter(None, (line["edition"], line["model"], line["altered"])))
    what = line.get("recipe", "quality of what was generated")
    measures = line.get("measures", {})
    name = "auc" if "auc" in measures else next(iter(measures), "")
    said = f": {name.upper() if name == 'auc' else name} {measures[name][0]:.3f}" if name else ""
    said = f": {line['failed']}" if "failed" in line else said
    sys.stderr.write(plain(f"{done}/{total} {where} {what}{said}, {line['seconds']} s") + "\n")


def _tell(done: Benched) -> None:
    from whorl.display import interval, plain, print_table, report_files, say
    from whorl.report.bench_words import headline

    found = done.standings
    say(headline(found))
    if found.membership:
        rows = [
            [
                row.recipe,
                "" if row.rank is None else f"{row.rank:.1f}",
                interval(row.auc),
                f"{row.found} of {row.editions}",
                f"{row.seconds:.1f}",
            ]
            for row in found.overall[:SHOWN]
        ]
        print_table(["recipe", "mean rank", "mean AUC (chance 0.5)", "better than chance", "seconds"], rows)
    for edition in found.attribution:
        best = [row for row in edition.rows if row.main is not None][:SHOWN]
        rows = [
            [row.recipe, interval(row.main), f"{row.seconds:.1f}"] for row in best if row.main is not None
        ]
        print_table([f"{plain(edition.title)}: recipe", "ARI (chance 0)", "seconds"], rows)
    failed = {one.recipe: one.reason for one in found.failures}
    for recipe, reason in list(failed.items())[:3]:
        say(plain(f"not run: {recipe}: {reason.removeprefix(f'{recipe}: ')}"))
    if len(failed) > 3:
        say(f"and {len(failed) - 3} more recipes that could not be run: the page says why")
    report_files((), (), done.page)
