"""The organiser's command: forge edition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from whorl.cli.options import READING, Reading, check_out, counted, flag

if TYPE_CHECKING:
    from whorl.display import Display
    from whorl.forge.organiser import Organised, Plan
    from whorl.records import ImageSet


@Parameter(name="*")
@dataclass(frozen=True)
class Asking:
    """What the edition asks and how large it is; what is not given depends on the question."""

    question: Annotated[
        Literal["membership", "attribution", "subsets"],
        Parameter(help="Which pictures were used, which model made which, or which subset it learned from."),
    ] = "membership"
    generated: Annotated[int, counted("Test pictures of each generator.")] = 1000
    dev_generated: Annotated[
        int | None, counted("Development pictures of each generator; 250 if not given.")
    ] = None
    dev_share: Annotated[
        float | None, Parameter(help="Share of the real pictures for dev; 0.25 if not given.")
    ] = None
    unseen: Annotated[
        tuple[str, ...],
        Parameter(help="Attribution: a generator for the test alone.", negative="", show_default=False),
    ] = ()
    subsets: Annotated[int | None, counted("Subsets: how many; 5 if not given.")] = None
    name: Annotated[str, Parameter(help="Name of the edition.")] = ""
    origin: Annotated[str, Parameter(help="Where the real pictures come from, for edition.toml.")] = ""
    licence: Annotated[str, Parameter(help="What may be done with them, for edition.toml.")] = ""

    def plan(self, generators: tuple[str, ...]) -> Plan:
        """Return the plan, all of it checked."""
        from whorl.forge.organiser import Plan

        return Plan(generators, **vars(self))


@Parameter(name="*")
@dataclass(frozen=True)
class Draw:
    """Where an edition goes and how it is drawn; its seed is a secret."""

    out: Annotated[Path, Parameter(help="Folder for edition/ and sealed/.")] = Path("whorl-edition")
    seed: Annotated[int | None, counted("Seed of the draw; a secret one if not given, kept in sealed/.")] = (
        None
    )
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False


@Parameter(name="*")
@dataclass(frozen=True)
class Owners:
    """Which patient each real picture is of."""

    patients: Annotated[Path | None, Parameter(help="CSV with columns file,patient; do give it.")] = None
    patient_from: Annotated[
        str | None, Parameter(help="Regular expression that finds the patient in a file name.")
    ] = None

    def read(self, real: Path, size: int | None, display: Display, out: Path) -> ImageSet:
        """Read the real pictures with their patients."""
        from whorl import images

        told = partial(display, "reading real pictures")
        return images.load(real, name=str(real), size=size, progress=told, exclude=out, **vars(self))


ASKING, DRAW, OWNERS = Asking(), Draw(), Owners()


def edition(
    *,
    real: Annotated[Path, Parameter(help="Real pictures: folder, table (file[,patient]) or .npy.")],
    generator: Annotated[
        tuple[str, ...],
        Parameter(
            help="components, kernels, copies, decoder, quilt, vae, gan, diffusion or latent, as "
            "NAME:key=value,…; repeatable.",
            negative="",
        ),
    ],
    dev: Annotated[
        Path | None, Parameter(help="Folder of a former edition: its test part becomes the dev part.")
    ] = None,
    owners: Owners = OWNERS,
    asking: Asking = ASKING,
    reading: Reading = READING,
    draw: Draw = DRAW,
) -> None:
    """Turn real pictures and generators into an edition to publish and a sealed part to keep.

    Example: whorl forge edition --real ct --patients patients.csv --generator kernels
    """
    from whorl.display import Display, print_json
    from whorl.forge import organiser

    plan = asking.plan(generator)
    check_out(draw.out, real, *([dev] if dev else []))
    with Display(draw.json) as display:
        found = owners.read(real, reading.size, display, draw.out)
        _stop_if_strict(found, reading)
        done = organiser.organise(found, plan, draw.out, seed=draw.seed, former=dev, progress=display)
    if draw.json:
        print_json(vars(done))
    else:
        _tell(done)


def editions(
    series: Annotated[Path, Parameter(help="TOML file: which pictures, generators, sizes and seeds.")],
    *,
    real: Annotated[
        Path | None, Parameter(help="Real pictures; those that the file makes up if not given.")
    ] = None,
    only: Annotated[
        tuple[str, ...],
        Parameter(help="Make this edition alone; repeatable.", negative="", show_default=False),
    ] = (),
    out: Annotated[Path, Parameter(help="Folder for a folder of each edition and seed.")] = Path(
        "whorl-editions"
    ),
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
    owners: Owners = OWNERS,
) -> None:
    """Make all editions of a recipe file, each with known answers; what is there already stays.

    Example: whorl forge editions phantom.toml --out editions
    """
    from whorl.display import Display, print_json, print_table, say
    from whorl.forge import series as made

    plan = made.read(series)
    check_out(out, *([real] if real else []))
    with Display(json) as display:
        found = None if real is None else owners.read(real, plan.size, display, out)
        done = made.make(plan, made.pictures(plan, found), out, only=only, progress=display)
    if json:
        print_json({name: vars(one) for name, one in done.items()})
        return
    print_table(
        ["edition", "pictures"], [[name, f"{sum(one.counts.values()):,}"] for name, one in done.items()]
    )
    for note in dict.fromkeys(note for one in done.values() for note in one.notes):
        say(f"note: {note}")
    say(f"wrote {out}")


def _stop_if_strict(found: ImageSet, reading: Reading) -> None:
    from whorl.api import Stopped

    if reading.strict and found.quarantined:
        first, count = found.quarantined[0], len(found.quarantined)
        said = "1 file cannot" if count == 1 else f"{count:,} files cannot"
        raise Stopped(f"--strict: {said} be read; the first: {first.file} ({first.reason})")


def _tell(done: Organised) -> None:
    from whorl.display import plain, print_table, report_files, say

    rows = [[part.replace("_", " "), f"{count:,}"] for part, count in done.counts.items()]
    print_table(["part", "pictures"], rows)
    say(plain(f"publish {done.edition.resolve()}"))
    say(plain(f"keep to yourself {done.sealed.resolve()}: seed, answers, origins"))
    report_files(done.quarantined, done.notes, done.edition / "edition.toml")
