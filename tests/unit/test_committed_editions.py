"""The editions that lie beside the code are whole, as their file asks, and say where they come from."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from whorl.challenge import editions
from whorl.forge import series

ROOT = Path(__file__).parents[2] / "benchmarks" / "editions"
FOLDERS = sorted(path for path in (ROOT / "lidc64").iterdir() if path.is_dir())
MOST_BYTES = 25_000_000


def test_there_is_an_edition_for_every_table_of_the_file_and_they_are_small():
    assert [path.name for path in FOLDERS] == sorted(series.read(ROOT / "lidc64.toml").places)
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_an_edition_is_whole(folder):
    asked = series.read(ROOT / "lidc64.toml")
    plan = asked.plans[asked.places[folder.name][0]]
    answers = folder / "sealed" / "answers.csv"
    found = editions.read(folder / "edition", answers=answers)
    assert found.about["answers_sha256"] == hashlib.sha256(answers.read_bytes()).hexdigest()
    assert (found.about["origin"], found.about["licence"]) == (plan.origin, plan.licence) and plan.licence
    sealed = tomllib.loads((folder / "sealed" / "sealed.toml").read_text())
    assert tuple(sealed["generators"]) == plan.generators
    assert found.answers is not None and not found.quarantined
    used = [found.answers.labels[name] == "used" for name in found.problem.queries.ids]
    assert len(used) == 320 and sum(used) == 160
    assert len(set(found.answers.patients.values())) == 320
    (made,) = found.problem.generated.values()
    assert len(made) == plan.generated and len(set(made.digests)) == plan.generated


def test_all_editions_ask_about_the_same_pictures():
    seen = {editions.read(folder / "edition").problem.queries.digest for folder in FOLDERS}
    assert len(seen) == 1
