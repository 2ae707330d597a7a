"""Editions by a recipe file: the same bytes again, patients apart, mistakes named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from whorl import images
from whorl.challenge import editions
from whorl.forge import series
from whorl.forge.phantom import draw_hospital
from whorl.records import BadInput, ImageSet

TEXT = """
format = "whorl.series/1"
name = "toy"
seeds = [1, 2]
[phantom]
patients = 24
[every]
generated = 12
dev_generated = 6
dev_share = 0.25
licence = "CC0"
[edition.near]
generators = ["copies:rate=0.5"]
[edition.two]
generators = ["components:components=4", "kernels"]
[edition.who]
question = "attribution"
generators = ["components:components=4", "kernels"]
"""


def written(folder: Path, text: str = TEXT) -> series.Series:
    file = folder / "toy.toml"
    file.write_text(text, encoding="utf-8")
    return series.read(file)


def bytes_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_making_a_series_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    made = written(tmp_path)
    for name in ("first", "again"):
        real = series.pictures(made, None)
        assert list(series.make(made, real, tmp_path / name)) == list(made.places)
    first = bytes_of(tmp_path / "first")
    assert first == bytes_of(tmp_path / "again")
    assert (
        first["near-1/edition/test/generated/g_000001.png"]
        != first["near-2/edition/test/generated/g_000001.png"]
    )


def test_every_style_can_be_read_with_its_answers(tmp_path: Path) -> None:
    made = written(tmp_path)
    series.make(made, series.pictures(made, None), tmp_path / "out")
    near = editions.read(tmp_path / "out/near-1/edition", answers=tmp_path / "out/near-1/sealed/answers.csv")
    assert (near.name, near.about["licence"]) == ("toy-near-1", "CC0")
    assert len(near.problem.queries) == 18 and near.answers is not None
    two = editions.read_all(tmp_path / "out/two-1/edition", answers=tmp_path / "out/two-1/sealed")
    assert [len(one.problem.generated["generated"]) for one in two] == [12, 12]
    who = editions.read(tmp_path / "out/who-2/edition")
    assert who.problem.task == "attribution" and len(who.problem.queries) == 24


def test_what_is_killed_goes_on_and_only_makes_what_is_asked(tmp_path: Path) -> None:
    made = written(tmp_path)
    real = series.pictures(made, None)
    series.make(made, real, tmp_path / "whole")
    series.make(made, real, tmp_path / "out", only=("near",))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["near-1", "near-2"]
    (tmp_path / "out/near-1/edition/edition.toml").unlink()  # killed before its last file
    (tmp_path / "out/near-1/edition/test/generated/g_000003.png").unlink()
    series.make(made, real, tmp_path / "out")
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_patients_and_pictures_are_limited_by_name_not_by_order() -> None:
    drawn = draw_hospital(patients=10, slices=3, size=64, seed=3)
    digests = tuple(hashlib.sha256(one.tobytes()).hexdigest() for one in drawn.pixels)
    real = ImageSet("real", drawn.ids, drawn.pixels, digests, drawn.patients)
    asked = series.Series("toy", {}, patients=4, pictures_per_patient=2)
    kept = series.pictures(asked, real)
    assert kept.patients is not None and len(set(kept.patients)) == 4 and len(kept) == 8
    other = images.select(real, np.arange(30)[::-1])
    assert set(series.pictures(asked, other).patients or ()) == set(kept.patients)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("whorl.series/1", "whorl.series/9", "first line must be format"),
        ("[every]", "[evry]", "did you mean 'every'"),
        ("dev_share = 0.25", "dev_shar = 0.25", "did you mean 'dev_share'"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "different whole numbers"),
        ("seeds = [1, 2]", "seeds = [true]", "whole number"),
        ("patients = 24", "patients = -3", "whole number of 1 or more"),
        ('"copies:rate=0.5"', '"copis:rate=0.5"', "did you mean 'copies'"),
        ("[edition.near]", '[edition."../near"]', "letters, digits"),
        ("generated = 12", 'generated = "12"', "edition near"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        written(tmp_path, TEXT.replace(old, new, 1))
    assert "\n" not in str(caught.value)


def test_real_pictures_are_asked_for_where_the_file_makes_none_up(tmp_path: Path) -> None:
    made = written(tmp_path, TEXT.replace("[phantom]\npatients = 24\n", ""))
    with pytest.raises(BadInput, match="--real is missing"):
        series.pictures(made, None)
    with pytest.raises(BadInput, match="did you mean 'near'"):
        series.make(made, series.pictures(written(tmp_path), None), tmp_path / "out", only=("nar",))
