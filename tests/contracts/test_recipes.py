"""Every recipe of the catalogue: it names its source, its steps exist, a variant is a few lines of text."""

from __future__ import annotations

import math
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from contracts import checks
from contracts.checks import LISTED as CATALOGUE
from whorl import recipes, steps
from whorl.records import STAGES, Recipe

NAMES = [recipe.name for recipe in CATALOGUE]
FILES = sorted(file for file in recipes.catalogue().glob("*.toml") if file.name != recipes.PANELS)
VARIANT = """
[variant.nearest-two]
pool = { step = "top_mean", k = 2 }
note = "Mean of the two nearest."
"""


@pytest.fixture(params=CATALOGUE, ids=NAMES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    found: Recipe = request.param
    return found


def test_names_are_unique_and_load() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [recipes.load(name) for name in NAMES] == CATALOGUE


def test_its_steps_resolve_with_their_parameters(recipe: Recipe) -> None:
    for step in recipe.steps:
        description = steps.find(step.stage, step.name)
        assert callable(steps.resolve(step))
        assert set(step.parameters) <= set(description.parameters)
        assert step.version == description.version
    stages = [step.stage for step in recipe.steps]
    assert stages == sorted(stages, key=STAGES.index)


def test_its_source_is_cited(recipe: Recipe) -> None:
    about = recipe.about
    assert about["title"]
    assert about["reference"]
    assert about["fidelity"]
    if about["fidelity"] != "our own":
        assert str(about["year"]) in about["reference"], "say where and when it was published"
        assert about["team"] or about["authors"]
        assert about["reason"], "say what of it is ours"
    assert recipe.note or recipe.run, "a variant says what it is, or which run of the paper"


def test_reported_figures_are_figures(recipe: Recipe) -> None:
    for name, value in recipe.reported.items():
        assert math.isfinite(value)
        assert (-1 if name == "adjusted_rand_index" else 0) <= value <= 1
    assert recipe.run or not recipe.reported, "a reported figure belongs to a run"


def test_a_digest_stands_for_the_steps() -> None:
    written = {
        str((recipe.task, recipe.steps, {name: one.steps for name, one in recipe.members.items()})): recipe
        for recipe in CATALOGUE
    }
    assert len({recipe.digest for recipe in CATALOGUE}) == len(written)


@pytest.mark.parametrize("panel", recipes.panels())
def test_panels_name_membership_recipes_once(panel: str) -> None:
    named = recipes.panels()[panel]
    assert len(set(named)) == len(named)
    assert all(recipes.load(name).task == "membership" for name in named)


def test_every_file_of_the_catalogue_is_listed() -> None:
    written = {file.stem: tomllib.loads(file.read_text())["variant"] for file in FILES}
    assert sorted(written) == recipes.systems()
    assert [f"{system}.{name}" for system in recipes.systems() for name in written[system]] == NAMES


def test_a_new_variant_changes_one_file(tmp_path: Path) -> None:
    mine = Path(shutil.copy(recipes.catalogue() / "whorl.toml", tmp_path / "mine.toml"))
    mine.write_text(mine.read_text() + VARIANT)
    added = recipes.load(f"{mine}:nearest-two")
    assert added.name == "mine.nearest-two"
    problem = checks.leaky().problem
    table = checks.run(added, problem)
    small, made = (_thumbnails(images.pixels) for images in (problem.queries, problem.generated["generator"]))
    alike = np.corrcoef(small, made)[: len(small), len(small) :]
    expected = np.sort(alike, axis=1)[:, -2:].mean(axis=1)
    np.testing.assert_allclose(table.values[:, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(table.nearest[:, 0], alike.argmax(axis=1))
    assert sum(label == "used" for label in checks.labels(added, problem)) == len(small) // 2
    others = {recipe.name.partition(".")[2]: recipe.digest for recipe in recipes.read(mine)}
    kept = {name.partition(".")[2]: recipes.load(name).digest for name in NAMES if name.startswith("whorl.")}
    assert {name: others[name] for name in kept} == kept


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Means over 2 × 2 cells, written out: 64 × 64 to 32 × 32."""
    pixels = pixels.astype(np.float64)
    cells = pixels[:, ::2, ::2] + pixels[:, 1::2, ::2] + pixels[:, ::2, 1::2] + pixels[:, 1::2, 1::2]
    return (cells / 4).reshape(len(pixels), -1)
