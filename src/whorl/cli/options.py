"""Options that several commands share, and how they become a run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token

from whorl.records import BadInput

if TYPE_CHECKING:
    from whorl.api import Running
    from whorl.networks.embedding import Networks

Fingerprint = Annotated[str, Parameter(help="Recipe whose features are the fingerprint.")]
Suited = Annotated[
    str | None,
    Parameter(
        help="Recipe whose features are the fingerprint; whorl-fingerprint.ward if not given, or .jpeg where "
        "most pictures were saved as JPEG below quality 90."
    ),
]
Also = Annotated[
    tuple[str, ...],
    Parameter(help="Features step to put beside the recipe's own.", negative="", show_default=False),
]


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


@Parameter(name="*")
@dataclass(frozen=True)
class Networking:
    """How recipes that name a pretrained network get it, and what memory a run may take."""

    weights: Annotated[
        Path | None, Parameter(help="Weights of networks: a file, or a folder with NETWORK.safetensors.")
    ] = None
    random_weights: Annotated[
        bool, flag("Take networks untrained, to try a recipe out; every output says so.")
    ] = False
    device: Annotated[Literal["cpu", "cuda"], Parameter(help="Where networks run.")] = "cpu"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], Parameter(help="auto: fp32, on a GPU bf16.")
    ] = "auto"
    batch: Annotated[int, counted("Pictures that a network sees at once; changes rounding only.")] = 32
    embedder: Annotated[
        tuple[str, ...],
        Parameter(
            help="NETWORK=MODULE:FUNCTION: a Python function in place of a network; may be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    effort: Annotated[
        Literal["full", "small", "tiny"],
        Parameter(
            help="Training as published, small for a laptop, or tiny to see it run; every output says so."
        ),
    ] = "full"
    keep_features: Annotated[
        bool, flag("Keep features of networks in .store for the next recipe; they tell what pictures show.")
    ] = False

    memory: Annotated[
        str | None,
        Parameter(
            help="What a run may take, such as 4GB, the rest in temporary files; half of what is free."
        ),
    ] = None

    def bytes(self) -> int | None:
        """Return the memory that a run may take, nothing where it is not told."""
        from whorl import memory as amounts

        return None if self.memory is None else amounts.read(self.memory)

    def networks(self) -> Networks:
        """Return the networks of a run."""
        from whorl.networks import embedders
        from whorl.networks.embedding import Networks

        if self.batch < 1:
            raise BadInput(f"--batch {self.batch}: give 1 or more")
        return Networks(
            weights=self.weights,
            random=self.random_weights,
            device=self.device,
            precision=self.precision,
            batch=self.batch,
            embedders=tuple(embedders.read(text) for text in self.embedder),
        )


MOST_SEED = 2**32 - 1
given: list[str] = []  # the words of the command that runs, for the record
OUTPUT, READING, NETWORKING = Output(), Reading(), Networking()


def running(
    output: Output,
    store: Path | None,
    progress: Callable[[str, int, int], None],
    networking: Networking = NETWORKING,
    **more: Any,
) -> Running:
    """Return how to run a command, with the command itself for the record."""
    from whorl.api import Running

    if not 0 <= output.seed <= MOST_SEED:
        raise BadInput(f"--seed {output.seed}: give a whole number, 0 or more, at most {MOST_SEED}")
    command = shlex.join(["whorl", *given])
    return Running(
        seed=output.seed,
        store=store,
        progress=progress,
        command=command,
        networks=networking.networks(),
        keep_features=networking.keep_features,
        effort=networking.effort,
        memory=networking.bytes(),
        **more,
    )


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
