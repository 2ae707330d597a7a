"""Options that several commands share, and how they become a run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token

from whorl.records import BadInput

if TYPE_CHECKING:
    from whorl.api import Running


def whole(_kind: Any, tokens: Sequence[Token]) -> int:
    """Read a whole number; 1.5 is none."""
    given = tokens[0].value
    try:
        return int(given)
    except ValueError:
        raise ValueError(f'"{given}" is not a whole number') from None


def counted(text: str, **more: Any) -> Parameter:
    """Return an option that takes a whole number."""
    return Parameter(help=text, converter=whole, **more)


def flag(text: str) -> Parameter:
    """Return an option that is given or not."""
    return Parameter(help=text, negative="")


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """Where results go, from which seed, and how they are told."""

    out: Annotated[Path | None, Parameter(help="Folder for the results, whorl-COMMAND if not given.")] = None
    seed: Annotated[int, counted("Seed of everything random.")] = 0
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False

    def folder(self, command: str) -> Path:
        """Return the folder for the results of a command."""
        return self.out if self.out is not None else Path(f"whorl-{command}")


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How pictures are read."""

    size: Annotated[int | None, counted("Bring all pictures to SIZE × SIZE.")] = None
    strict: Annotated[bool, flag("Stop with exit code 3 if a file cannot be read.")] = False


MOST_SEED = 2**32 - 1
given: list[str] = []  # the words of the command that runs, for the record
OUTPUT, READING = Output(), Reading()


def running(
    output: Output, store: Path | None, progress: Callable[[str, int, int], None], **more: Any
) -> Running:
    """Return how to run a command, with the command itself for the record."""
    from whorl.api import Running

    if not 0 <= output.seed <= MOST_SEED:
        raise BadInput(f"--seed {output.seed}: give a whole number, 0 or more, at most {MOST_SEED}")
    command = shlex.join(["whorl", *given])
    return Running(seed=output.seed, store=store, progress=progress, command=command, **more)


def check_out(out: Path, *sources: Path) -> None:
    """Refuse to write into a folder of pictures itself; a folder inside it is fine, it is passed over."""
    try:
        place = out.resolve()
        taken = out.exists() and not out.is_dir()
        read = [source for source in sources if source.is_dir() and source.resolve() == place]
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"--out {out}: cannot be a folder ({error})") from None
    if taken:
        raise BadInput(f"--out {out}: that is a file; choose a folder")
    if read:
        raise BadInput(f"--out {out}: that is a folder of pictures to read; choose another")
