"""The bench in one call: run what is missing, write lines, table and pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whorl import alterations, experiments, exports, ledger, memory, standings
from whorl.compare import Progress, silent
from whorl.executors import executor as executor_named
from whorl.installation import provenance
from whorl.learning.effort import Effort
from whorl.networks.embedding import Networks
from whorl.report.bench_site import bench_site
from whorl.runlines import Bench, Line
from whorl.store import sweep, write_text

LINES = "runs.jsonl"
Told = Callable[[int, int, Line], None]


@dataclass(frozen=True)
class Asked:
    """What is to be compared with what: recipes, editions, seeds; and by whom it is run."""

    recipes: Sequence[str]
    editions: Sequence[Path]
    seeds: int = 3
    executor: str = "here"
    workers: int = 0
    effort: Effort = "full"
    altered: Sequence[str] = ()
    networks: Networks = field(default_factory=Networks)
    command: str = ""
    keep_features: bool = False
    memory: int | None = None


@dataclass(frozen=True, eq=False)
class Benched:
    """What came of it: all that can be said of the runs, the same as plain data, the page to open."""

    standings: standings.Standings
    content: dict[str, Any]
    page: Path


def bench(asked: Asked, out: Path, *, progress: Progress = silent, told: Told | None = None) -> Benched:
    """Run recipes on the editions of their question and compare them; what is in `out` is not run again."""
    chosen = experiments.chosen(asked.recipes)
    ways = alterations.known(tuple(asked.altered))
    where = experiments.altered(experiments.sources(asked.editions), ways)
    wanted = experiments.jobs(where, chosen, range(asked.seeds))
    there = experiments.read_lines(out / LINES)
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    several = 1 if asked.executor == "here" else asked.workers or os.cpu_count() or 1
    each = (asked.memory or memory.half_of_free()) // several
    how = Bench(out, asked.networks, asked.effort, keep_features=asked.keep_features, memory=each)
    finished = 0

    def watched(label: str, done: int, total: int) -> None:
        nonlocal finished
        finished = done
        progress(label, done, total)

    with experiments.log(out / LINES) as write:

        def written(line: Line) -> None:
            write(line)
            if told is not None:
                told(finished + 1, len(wanted), line)

        engine = executor_named(asked.executor, asked.workers)
        lines = experiments.perform(how, wanted, engine, written=written, there=there, progress=watched)
    return _compared(lines, asked, out)


def _compared(lines: Sequence[Line], asked: Asked, out: Path) -> Benched:
    """Write the table, all of it as data, and the pages."""
    found = ledger.gathered(lines)
    about = provenance(asked.command)
    header, rows = standings.table(found)
    exports.write_csv(out / "bench.csv", header, rows)
    content = {"schema": "whorl.bench/1", **standings.content(found), "provenance": about}
    exports.write_json(out / "bench.json", content)
    for name, page in bench_site(found, {**about, "seeds": asked.seeds}).items():
        write_text(out / name, page)
    return Benched(standings.standings(found), content, out / "index.html")
