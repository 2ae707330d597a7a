"""Write editions with known answers: pictures in folders, `edition.toml`, `answers.csv`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from whorl.compare import Progress, silent
from whorl.forge import classical, phantom, planted
from whorl.records import Array, BadInput
from whorl.store import write_bytes, write_text

GENERATORS = ("leaking", "interpolating", "clean")
FORMAT = "whorl.edition/1"


@dataclass(frozen=True)
class Plan:
    """How large a made-up hospital is, and what its generators do; all from one seed."""

    patients: int = 144
    slices: int = 3
    generated: int = 240
    size: int = 128
    seed: int = 0
    rate: float = 0.5

    def __post_init__(self) -> None:
        if self.patients < 4 or self.patients % 2:
            raise BadInput(f"--patients {self.patients}: give an even number of 4 or more")
        if not 1 <= self.slices <= 200:
            raise BadInput(f"--slices {self.slices}: give 1 to 200")
        if self.generated < 1:
            raise BadInput(f"--generated {self.generated}: give 1 or more")
        if not 32 <= self.size <= 1024 or self.size % 2:
            raise BadInput(f"--size {self.size}: give an even number from 32 to 1024")
        if self.seed < 0:
            raise BadInput(f"--seed {self.seed}: give 0 or more")
        if not 0 <= self.rate <= 1:
            raise BadInput(f"--rate {self.rate}: must lie between 0 and 1")


@dataclass(frozen=True, eq=False)
class Part:
    """Real pictures of members and holdout, whole patients on one side, and what each generator made."""

    members: phantom.Hospital
    holdout: phantom.Hospital
    generated: Mapping[str, Array]


def make(plan: Plan, first_patient: int = 0, seed: int | None = None) -> Part:
    """Draw the hospital, train the three generators on the members only, and sample them."""
    half = plan.patients // 2
    sides = [
        phantom.draw_hospital(
            patients=half, slices=plan.slices, size=plan.size, seed=plan.seed, first_patient=first
        )
        for first in (first_patient, first_patient + half)
    ]
    draw = plan.seed if seed is None else seed
    members = sides[0].pixels
    made = {
        "leaking": planted.leaking(members, plan.generated, draw, rate=plan.rate),
        "interpolating": classical.interpolating(members, plan.generated, draw),
        "clean": planted.clean(plan.generated, plan.size, draw),
    }
    return Part(sides[0], sides[1], made)


def write_hospital(part: Part, out: Path) -> None:
    """Write the pictures as an auditor gets them: members, holdout, one folder per generator, patients."""
    rows = []
    for role, side in (("members", part.members), ("holdout", part.holdout)):
        write_pictures(out / role, side.ids, side.pixels)
        rows += list(zip(side.ids, side.patients, strict=True))
    for name, pixels in part.generated.items():
        write_pictures(out / "generated" / name, numbered(name, len(pixels)), pixels)
    _write_table(out / "patients.csv", ("file", "patient"), rows)


def write_membership(out: Path, name: str, dev: Part, test: Part, plan: Plan) -> None:
    """Write a membership edition of one generator: labelled development part, test part, answers."""
    write_pictures(out / "dev" / "generated", numbered("g", plan.generated), dev.generated[name])
    write_pictures(out / "dev" / "real_used", dev.members.ids, dev.members.pixels)
    write_pictures(out / "dev" / "real_not_used", dev.holdout.ids, dev.holdout.pixels)
    write_pictures(out / "test" / "generated", numbered("g", plan.generated), test.generated[name])
    pixels = np.concatenate([test.members.pixels, test.holdout.pixels])
    labels = ["used"] * len(test.members.ids) + ["not_used"] * len(test.holdout.ids)
    patients = (*test.members.patients, *test.holdout.patients)
    order = np.random.default_rng(plan.seed + 1).permutation(len(pixels))
    ids = numbered("real_unknown", len(pixels))
    write_pictures(out / "test" / "real_unknown", ids, pixels[order])
    rows = [(ids[row], labels[place], patients[place]) for row, place in enumerate(order)]
    _write_table(out / "answers.csv", ("file", "label", "patient"), rows)
    _write_about(out, f"phantom-{name}", "membership", plan, {"generator": name})


def write_attribution(out: Path, dev: Part, test: Part, plan: Plan) -> None:
    """Write an attribution edition: a folder per model for development, a shuffled mixture for test."""
    for name, pixels in dev.generated.items():
        write_pictures(out / "dev" / name, numbered("g", len(pixels)), pixels)
    pixels = np.concatenate(list(test.generated.values()))
    labels = [name for name, made in test.generated.items() for _ in made]
    order = np.random.default_rng(plan.seed + 2).permutation(len(pixels))
    ids = numbered("unknown", len(pixels))
    write_pictures(out / "test" / "images", ids, pixels[order])
    rows = [(ids[row], labels[place]) for row, place in enumerate(order)]
    _write_table(out / "answers.csv", ("file", "label"), rows)
    _write_about(out, "phantom-attribution", "attribution", plan, {"generators": len(test.generated)})


def write_all(out: Path, plan: Plan, progress: Progress = silent) -> list[Path]:
    """Write the hospital for an audit and the editions of both questions; development patients are others."""
    progress("drawing", 0, 2)
    test = make(plan)
    progress("drawing", 1, 2)
    dev = make(plan, first_patient=plan.patients, seed=plan.seed + 1)
    progress("drawing", 2, 2)
    write_hospital(test, out / "hospital")
    written = [out / "hospital"]
    for name in GENERATORS:
        write_membership(out / f"membership-{name}", name, dev, test, plan)
        written.append(out / f"membership-{name}")
    write_attribution(out / "attribution", dev, test, plan)
    return [*written, out / "attribution"]


def numbered(stem: str, count: int) -> tuple[str, ...]:
    """Return file names from stem_000001.png on."""
    return tuple(f"{stem}_{number:06d}.png" for number in range(1, count + 1))


def write_pictures(folder: Path, names: Sequence[str], pixels: Array) -> None:
    """Write 8-bit grey pictures as PNG without metadata."""
    for name, image in zip(names, pixels, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(np.asarray(image, np.uint8)).save(buffer, "PNG", compress_level=1)
        write_bytes(folder / name, buffer.getvalue(), durable=False)


def _write_table(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    write_text(file, "\n".join(",".join(row) for row in (header, *rows)) + "\n")


def _write_about(out: Path, name: str, task: str, plan: Plan, more: Mapping[str, str | int]) -> None:
    facts: dict[str, str | int | float] = {
        "format": FORMAT,
        "name": name,
        "task": task,
        "origin": "whorl forge phantom",
    }
    facts |= {
        "seed": plan.seed,
        "size": plan.size,
        "slices_per_patient": plan.slices,
        "leak_rate": plan.rate,
        **more,
    }
    lines = [
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in facts.items()
    ]
    write_text(out / "edition.toml", "\n".join(lines) + "\n")
