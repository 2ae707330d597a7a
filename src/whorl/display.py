"""What people see on the terminal: progress with the time left, tables, single lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from whorl.records import Interval, Quarantined


class Display:
    """Shows one line per stage on standard error, with the time left."""

    def __init__(self, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self.shown = console.is_terminal and not quiet
        self.bars = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not self.shown,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def __call__(self, label: str, done: int, total: int) -> None:
        """Report that `done` of `total` parts of a stage are finished."""
        if not self.shown:
            return
        if label not in self.tasks:
            self.tasks[label] = self.bars.add_task(label, total=total)
        self.bars.update(self.tasks[label], completed=done, total=total)


def say(text: str) -> None:
    """Print one line on standard output."""
    sys.stdout.write(text + "\n")


def print_json(content: Mapping[str, Any]) -> None:
    """Print a JSON document and nothing else."""
    from whorl.exports import json_text

    say(json_text(content))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as the terminal, or with all its words where nobody watches."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=200, color_system=None)
    table = Table(*header, box=SIMPLE)
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    console.print(table)


def plain(text: str) -> str:
    """Return text that stays on its line whatever a file name holds."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def interval(found: Interval) -> str:
    """Return an estimate with its 95 % interval."""
    return f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"


def chance(levels: Mapping[str, float]) -> str:
    """Return what answering without looking gives."""
    return ", ".join(f"{name} {value:.3f}" for name, value in levels.items())


def report_files(quarantined: Sequence[Quarantined], notes: Sequence[str], page: Path) -> None:
    """Print what was left out, what to know, and where to look."""
    for entry in quarantined[:5]:
        say(plain(f"left out: {entry.file} ({entry.reason})"))
    if len(quarantined) > 5:
        say(f"left out: {len(quarantined) - 5} more, all named in the result")
    for note in notes:
        say(plain(f"note: {note}"))
    say(plain(f"open {page.resolve()}"))
