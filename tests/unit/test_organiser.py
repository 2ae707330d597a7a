"""The organiser's editions: whole patients on one side, names that tell nothing, answers sealed and bound."""

from __future__ import annotations

import hashlib
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from organised import KERNELS, SEED, SMALL, pictures, rows, toml
from whorl.arrays import digest_of_picture
from whorl.challenge import editions
from whorl.forge.organiser import Plan, organise
from whorl.records import BadInput, ImageSet


def content(root):
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def real():
    return pictures()


@pytest.fixture(scope="module")
def membership(real, tmp_path_factory):
    out = tmp_path_factory.mktemp("membership")
    organise(real, KERNELS, out, seed=SEED)
    return out


def check_origins(out, real):
    """Every published real picture is the one that origin.csv names, pixel by pixel; return the rows."""
    found = rows(out / "sealed" / "origin.csv")
    for row in found:
        with Image.open(out / "edition" / row["file"]) as picture:
            place = real.ids.index(row["origin"])
            assert np.array_equal(np.asarray(picture), real.pixels[place])
        assert row["origin_patient"] == real.patients[place]
    return found


def test_an_edition_is_read_back_with_its_sealed_answers(membership, real):
    found = editions.read(membership / "edition", answers=membership / "sealed" / "answers.csv")
    problem, dev = found.problem, found.problem.development
    assert (problem.task, len(problem.queries), len(problem.generated["generated"])) == ("membership", 36, 6)
    assert (len(dev.problem.queries), len(dev.problem.generated["generated"])) == (12, 4)
    assert sorted(found.answers.labels.values()) == ["not_used"] * 18 + ["used"] * 18
    assert dev.used().sum() == 6 and found.quarantined == ()
    assert set(found.answers.patients) == set(problem.queries.ids)
    assert editions.read(membership / "edition").answers is None
    assert len(check_origins(membership, real)) == len(real)


def test_no_patient_is_on_two_sides_and_names_of_patients_are_neutral(membership):
    labels = {row["file"]: row["label"] for row in rows(membership / "sealed" / "answers.csv")}
    sides, neutral = {}, {}
    for row in rows(membership / "sealed" / "origin.csv"):
        part, folder, name = row["file"].split("/")
        side = (part, labels[name] if part == "test" else folder)
        sides.setdefault(row["origin_patient"], set()).add(side)
        neutral.setdefault(row["origin_patient"], set()).add(row["patient"])
    assert len(sides) == 24 and all(len(side) == 1 for side in sides.values())
    assert all(len(names) == 1 for names in neutral.values())
    assert {name for names in neutral.values() for name in names} == {f"p{n:04d}" for n in range(1, 25)}
    by_owner = [min(neutral[owner]) for owner in sorted(neutral)]
    assert by_owner != sorted(by_owner), "in random order"
    dev = membership / "edition" / "dev"
    listed = {row["file"]: row["patient"] for row in rows(dev / "patients.csv")}
    assert listed.keys() == {str(path.relative_to(dev)) for path in dev.glob("real_*/*.png")}
    assert listed == {
        row["file"].removeprefix("dev/"): row["patient"]
        for row in rows(membership / "sealed" / "origin.csv")
        if row["file"].startswith("dev/")
    }


def test_names_and_their_order_tell_nothing(real, tmp_path):
    organise(pictures(200, 1), Plan(("kernels",), generated=2, dev_generated=2), tmp_path, seed=SEED)
    answers = rows(tmp_path / "sealed" / "answers.csv")
    assert [row["file"] for row in answers] == [f"real_unknown_{n:06d}.png" for n in range(1, 151)]
    used = np.array([row["label"] == "used" for row in answers])
    origins = {row["file"]: row["origin"] for row in rows(tmp_path / "sealed" / "origin.csv")}
    order = np.argsort(np.argsort([origins[f"test/real_unknown/{row['file']}"] for row in answers]))
    # Rank correlations of 150 pictures: the standard error is 0.08.
    place = np.arange(len(used))
    for one, other in ((place, used), (order, used), (place, order)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.25
    dev = sorted((tmp_path / "edition" / "dev").glob("real_*/*.png"), key=lambda path: path.name)
    assert [path.name for path in dev] == [f"real_{n:06d}.png" for n in range(1, 51)]
    sides = [path.parent.name for path in dev]
    assert 10 < sum(one != other for one, other in pairwise(sides)) < 40


def test_pictures_of_both_sides_are_files_of_the_same_kind(membership):
    kinds = set()
    for path in (membership / "edition").rglob("*.png"):
        with Image.open(path) as picture:
            kinds.add((picture.format, picture.mode, picture.size, tuple(picture.info)))
        assert b"tEXt" not in path.read_bytes() and b"tIME" not in path.read_bytes()
    assert kinds == {("PNG", "L", (32, 32), ())}


def test_the_published_part_commits_to_the_answers_and_holds_no_secret(membership, real):
    answers = membership / "sealed" / "answers.csv"
    about = toml(membership / "edition" / "edition.toml")
    assert about["answers_sha256"] == hashlib.sha256(answers.read_bytes()).hexdigest()
    assert (about["format"], about["task"], about["width"]) == ("whorl.edition/1", "membership", 32)
    assert (about["test_real_unknown"], about["test_generated"], about["dev_real_used"]) == (36, 6, 6)
    salts = {row["salt"] for row in rows(answers)}
    assert len(salts) == 1 and len(salts.pop()) == 64
    published = content(membership / "edition")
    text = b"".join(data for name, data in published.items() if not name.endswith(".png"))
    for word in (str(SEED), "kernels", real.ids[0], real.patients[0], "salt", "sealed"):
        assert word.encode() not in text
    assert not any("sealed" in name or "answers" in name for name in published)
    assert toml(membership / "sealed" / "sealed.toml")["seed"] == SEED


def test_one_seed_gives_the_same_bytes_and_another_another_split(membership, real, tmp_path):
    for name, seed in (("same", SEED), ("other", SEED + 1)):
        organise(real, KERNELS, tmp_path / name, seed=seed)
    assert content(tmp_path / "same") == content(membership)
    one, other = (
        {row["origin"] for row in rows(root / "sealed" / "origin.csv") if "real_used" in row["file"]}
        for root in (membership, tmp_path / "other")
    )
    assert one != other


def test_without_a_seed_a_secret_one_is_drawn_and_kept_by_the_next_run(real, tmp_path):
    for name in ("a", "b"):
        done = organise(real, KERNELS, tmp_path / name)
        assert not any("guessed" in note for note in done.notes)
    seeds = [toml(tmp_path / name / "sealed" / "sealed.toml")["seed"] for name in ("a", "b")]
    assert len(set(seeds)) == 2 and max(seeds) < 2**63
    before = content(tmp_path / "a")
    lost = tmp_path / "a" / "edition" / "test" / "generated" / "g_000003.png"
    lost.unlink()
    again = organise(real, KERNELS, tmp_path / "a")
    assert content(tmp_path / "a") == before and any("written again" in note for note in again.notes)
    assert any("guessed" in note for note in organise(real, KERNELS, tmp_path / "c", seed=3).notes)


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(membership, real, tmp_path):
    shutil.copytree(membership, tmp_path / "own")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("all of it")
    before = content(tmp_path)
    others = (("own", KERNELS, 5, "another edition"), ("own", Plan(("quilt",)), SEED, "another edition"))
    for name, plan, seed, said in (*others, ("foreign", KERNELS, SEED, "not empty")):
        with pytest.raises(BadInput, match=said):
            organise(real, plan, tmp_path / name, seed=seed)
    assert content(tmp_path) == before


def test_a_run_that_failed_before_it_wrote_a_picture_blocks_no_better_one(real, tmp_path):
    odd = ImageSet("odd", real.ids, real.pixels[:, :31, :31], real.digests, real.patients)
    with pytest.raises(BadInput, match="multiples"):
        organise(odd, Plan(("decoder",), **SMALL), tmp_path)
    organise(odd, KERNELS, tmp_path)
    assert (tmp_path / "edition" / "edition.toml").is_file()


def test_people_who_share_a_picture_stay_together(real, tmp_path):
    pixels = np.concatenate([real.pixels, real.pixels[[0, 2, 4]]])
    patients = (*real.patients, *["Q1"] * 3)  # Q1 has pictures of the first three patients
    ids = (*real.ids, "q0.png", "q1.png", "q2.png")
    doubled = ImageSet("real", ids, pixels, tuple(map(digest_of_picture, pixels)), patients)
    done = organise(doubled, KERNELS, tmp_path, seed=SEED)
    assert any("25 patients, 22 groups" in note for note in done.notes)
    joined = set(real.patients[:6]) | {"Q1"}
    found = [row for row in check_origins(tmp_path, doubled) if row["origin_patient"] in joined]
    assert len(found) == 9 and len({row["patient"] for row in found}) == 1


def test_pictures_without_patients_are_said_to_be_a_risk_and_deep_ones_are_rounded(real, tmp_path):
    deep = ImageSet("real", real.ids, real.pixels.astype(np.float32) + 0.3, real.digests)
    done = organise(deep, KERNELS, tmp_path, seed=SEED)
    assert any("no patients told" in note for note in done.notes)
    assert any("rounded to 8 bits" in note for note in done.notes)
    expected = ImageSet("real", real.ids, real.pixels, real.digests, real.ids)
    assert len({row["patient"] for row in check_origins(tmp_path, expected)}) == len(real)


def test_parts_are_as_large_as_patients_allow(tmp_path: Path):
    sizes = np.random.default_rng(0).integers(1, 9, 40)
    pixels = np.random.default_rng(1).integers(0, 255, (int(sizes.sum()), 8, 8)).astype(np.uint8)
    patients = tuple(f"P{one}" for one, size in enumerate(sizes) for _ in range(size))
    ids = tuple(f"{place}.png" for place in range(len(pixels)))
    images = ImageSet("real", ids, pixels, tuple(map(digest_of_picture, pixels)), patients)
    plan = Plan(("components:components=2",), dev_share=0.4, generated=1, dev_generated=1)
    counts = organise(images, plan, tmp_path / "out", seed=SEED).counts
    labels = [row["label"] for row in rows(tmp_path / "out" / "sealed" / "answers.csv")]
    assert abs(labels.count("used") - labels.count("not_used")) <= 2
    assert abs(counts["dev_real_used"] - counts["dev_real_not_used"]) <= 2
    assert abs(counts["test_real_unknown"] - 0.6 * sizes.sum()) <= 3
    with pytest.raises(BadInput, match="too few"):
        organise(pictures(3), plan, tmp_path / "few")
