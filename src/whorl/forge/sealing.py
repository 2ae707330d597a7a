"""What an organiser keeps in `sealed/`: seed, answers and origins, bound to what is published by a digest."""

from __future__ import annotations

import hashlib
import json
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whorl import images, tables
from whorl.compare import Progress, silent
from whorl.exports import write_csv
from whorl.forge.editions import FORMAT
from whorl.forge.phantom import Pixels
from whorl.forge.splits import secret
from whorl.records import BadInput
from whorl.store import sweep, write_text

SEALED = "whorl.sealed/1"
MOST_SEED = 2**63 - 1
ABOUT = """\
# Keep this folder to yourself until the answers are published.
# answers.csv: file, label and neutral patient of every test picture. The published edition.toml holds the
#   SHA-256 of its bytes: publish the file as it is, and everybody can see that it was never changed. The
#   column salt comes from the seed; without it people could try labels until the digest fits.
# origin.csv: which file of yours each published real picture is. It leads back to patients.
# generators, then unseen, are model_1, model_2 and so on, in this order.
# seed: gives everything here again, so whoever has it and the real pictures has the answers.
"""
Value = str | int | float | Sequence[str]


@dataclass(frozen=True)
class Home:
    """Where one model's edition is published, where its answers are kept, and its number if it has one."""

    edition: Path
    sealed: Path
    number: str = ""


@dataclass(frozen=True, eq=False)
class Former:
    """The test part of a former edition with its answers opened."""

    pixels: Pixels
    digests: tuple[str, ...]
    origins: tuple[str, ...]
    owners: frozenset[str]
    used: NDArray[np.bool_]
    patients: tuple[str, ...]
    generated: Pixels
    commitment: str


def homes(out: Path, models: int) -> tuple[Home, ...]:
    """Return a place for each model: one of several has folders of its own."""
    if models == 1:
        return (Home(out / "edition", out / "sealed"),)
    parts = [(f"model_{number}", str(number)) for number in range(1, models + 1)]
    return tuple(Home(out / "edition" / name, out / "sealed" / name, number) for name, number in parts)


def claim(out: Path, plan: str, seed: int | None) -> int:
    """Return the seed of this draw: the one given, a fresh secret one, or that of the run this one repeats.

    A folder that holds anything but this very draw is refused.
    """
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise BadInput(f"--seed {seed}: give a whole number from 0 to {MOST_SEED}")
    file = out / "sealed" / "sealed.toml"
    there = read_toml(file) if file.is_file() else {}
    if there.get("format") == SEALED and there.get("plan") == plan and seed in (None, there.get("seed")):
        sweep(out)
        return int(there["seed"])
    if begun(out):
        raise BadInput(f"--out {out}: holds another edition; choose a new folder")
    if any(path != file for path in _files(out)):
        raise BadInput(f"--out {out}: is not empty; choose a new folder")
    return secrets.randbits(63) if seed is None else seed


def begun(out: Path) -> bool:
    """Say whether an edition lies in a folder, whole or in part; a draw alone is none yet."""
    return (out / "sealed" / "sealed.toml").is_file() and any(True for _ in _files(out / "edition"))


def write_sealed(out: Path, facts: Mapping[str, Value]) -> None:
    """Write what the draw was made from; first of all files, so that a killed run can go on with it."""
    write_text(out / "sealed" / "sealed.toml", ABOUT + toml_text({"format": SEALED, **facts}))


def write_answers(home: Home, header: Sequence[str], rows: Iterable[Sequence[str]], seed: int) -> str:
    """Write the answers with their salt and return the SHA-256 that commits to them."""
    salt = secret(seed, f"salt {home.number}").hex()
    file = home.sealed / "answers.csv"
    write_csv(file, (*header, "salt"), [(*row, salt) for row in rows])
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_origins(home: Home, rows: Iterable[tuple[str, ...]]) -> None:
    """Write which real picture each published one is."""
    write_csv(home.sealed / "origin.csv", ("file", "origin", "patient", "origin_patient"), sorted(rows))


def write_about(folder: Path, facts: Mapping[str, Value]) -> None:
    """Write what everybody may know of an edition; last of all files."""
    write_text(folder / "edition.toml", toml_text({"format": FORMAT, **facts}))


def read_former(folder: Path, progress: Progress = silent) -> tuple[Former, ...]:
    """Open the test part of each model of a membership edition that `whorl forge edition` wrote."""
    file = folder / "sealed" / "sealed.toml"
    if not file.is_file():
        raise BadInput(f"--dev {folder}: no sealed/sealed.toml; give a folder that whorl forge edition wrote")
    about = read_toml(file)
    if about.get("format") != SEALED or about.get("question") != "membership":
        raise BadInput(f"--dev {folder}: not a membership edition of this whorl")
    return tuple(_opened(home, progress) for home in homes(folder, len(about.get("generators", [""]))))


def read_toml(file: Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not a readable TOML file: {error}") from None


def toml_text(facts: Mapping[str, Value]) -> str:
    """Return facts as TOML, a line each."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in facts.items())


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"[{', '.join(map(_toml, value))}]"


def _files(folder: Path) -> Iterator[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    return (path for path in found if path.is_file() and not path.name.startswith("."))


def _opened(home: Home, progress: Progress) -> Former:
    answers = home.sealed / "answers.csv"
    rows = {row["file"]: row for row in tables.read(answers)}
    commitment = str(read_toml(home.edition / "edition.toml").get("answers_sha256", ""))
    if hashlib.sha256(answers.read_bytes()).hexdigest() != commitment:
        raise BadInput(f"{answers}: not the file that edition.toml commits to; take the one that was sealed")
    real, made = (
        images.load(
            home.edition / "test" / part,
            name=f"former {part}",
            progress=partial(progress, f"reading former {part}"),
        )
        for part in ("real_unknown", "generated")
    )
    if real.quarantined or made.quarantined or set(real.ids) != rows.keys():
        raise BadInput(
            f"{home.edition / 'test'}: pictures and answers do not fit; restore the former edition"
        )
    origins = tables.read(home.sealed / "origin.csv")
    labels, patients = ([rows[name].get(key, "") for name in real.ids] for key in ("label", "patient"))
    return Former(
        real.pixels,
        real.digests,
        tuple(f"former {name}" for name in real.ids),
        frozenset(row["origin_patient"] for row in origins if row["file"].startswith("test/")),
        np.asarray([label == "used" for label in labels]),
        tuple(patients),
        made.pixels,
        commitment,
    )
