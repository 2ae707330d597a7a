"""Editions: what the forge writes is what the challenge reads, with the truth of every picture."""

from __future__ import annotations

import csv
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from whorl.challenge import editions as challenge
from whorl.forge import editions as forge
from whorl.records import BadInput

PLAN = forge.Plan(patients=8, slices=2, generated=6, size=32, seed=5)


@pytest.fixture(scope="module")
def parts() -> tuple[forge.Part, forge.Part]:
    """The test part and the development part that the plan gives."""
    return forge.make(PLAN), forge.make(PLAN, first_patient=PLAN.patients, seed=PLAN.seed + 1)


@pytest.fixture(scope="module")
def _written(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("editions")
    heard: list[tuple[str, int, int]] = []
    written = forge.write_all(out, PLAN, progress=lambda *what: heard.append(what))
    assert {path.name for path in written} == {
        *("hospital", "attribution"),
        *(f"membership-{name}" for name in forge.GENERATORS),
    }
    assert heard[-1][1] == heard[-1][2]
    return out


@pytest.fixture
def written(_written, tmp_path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(_written, tmp_path / "editions")
    return tmp_path / "editions"


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize("name", forge.GENERATORS)
def test_a_membership_edition_comes_back_with_its_truth(written, parts, name):
    test, dev = parts
    found = challenge.read(written / f"membership-{name}")
    assert (found.name, found.problem.task, found.quarantined, found.about["seed"]) == (
        *(f"phantom-{name}", "membership", ()),
        PLAN.seed,
    )
    problem = found.problem
    np.testing.assert_array_equal(problem.generated["generated"].pixels, test.generated[name])
    # The truth of every query, by its pixels.
    truth = {picture.tobytes(): "used" for picture in test.members.pixels}
    truth |= {picture.tobytes(): "not_used" for picture in test.holdout.pixels}
    for one, picture in zip(problem.queries.ids, problem.queries.pixels, strict=True):
        assert found.answers.labels[one] == truth[picture.tobytes()]
    owners = dict(zip([p.tobytes() for p in test.members.pixels], test.members.patients, strict=True))
    owners |= dict(zip([p.tobytes() for p in test.holdout.pixels], test.holdout.patients, strict=True))
    for one, picture in zip(problem.queries.ids, problem.queries.pixels, strict=True):
        assert found.answers.patients[one] == owners[picture.tobytes()]
    development = problem.development
    np.testing.assert_array_equal(development.problem.generated["generated"].pixels, dev.generated[name])
    for one, picture in zip(development.problem.queries.ids, development.problem.queries.pixels, strict=True):
        side = dev.members if development.answers.labels[one] == "used" else dev.holdout
        assert any(np.array_equal(picture, other) for other in side.pixels)


def test_no_patient_of_the_development_part_is_in_the_test_part(parts):
    test, dev = parts
    sides = [set(side.patients) for part in (test, dev) for side in (part.members, part.holdout)]
    assert len(set().union(*sides)) == sum(map(len, sides)) == 16


def test_names_and_order_of_the_queries_tell_nothing(written):
    found = challenge.read(written / "membership-leaking")
    assert all(one.startswith("real_unknown_") for one in found.problem.queries.ids)
    labels = [found.answers.labels[one] for one in found.problem.queries.ids]
    assert labels.count("used") == labels.count("not_used") == 8
    assert labels not in (sorted(labels), sorted(labels, reverse=True))
    assert found.problem.queries.patients is None


def test_an_attribution_edition_comes_back_with_its_truth(written, parts):
    test, dev = parts
    found = challenge.read(written / "attribution")
    assert (found.problem.task, found.problem.count, len(found.problem.queries)) == ("attribution", 3, 18)
    for one, picture in zip(found.problem.queries.ids, found.problem.queries.pixels, strict=True):
        made = test.generated[found.answers.labels[one]]
        assert any(np.array_equal(picture, other) for other in made)
    development = found.problem.development
    assert development.problem.count == 3
    labels = development.answers.labels
    assert labels == {f"{name}/g_{number:06d}.png": name for name in dev.generated for number in range(1, 7)}
    assert set(development.problem.queries.ids) == set(labels)


def test_the_hospital_names_every_patient(written, parts):
    test, _ = parts
    home = written / "hospital"
    owners = {row["file"]: row["patient"] for row in rows(home / "patients.csv")}
    for folder, side in ((home / "members", test.members), (home / "holdout", test.holdout)):
        assert {file.name for file in folder.iterdir()} == set(side.ids)
        assert [owners[one] for one in side.ids] == list(side.patients)
    assert {folder.name for folder in (home / "generated").iterdir()} == set(forge.GENERATORS)


def test_the_same_plan_writes_the_same_bytes_and_another_seed_does_not(written, tmp_path):
    forge.write_all(tmp_path / "again", PLAN)
    for file in (one for one in written.rglob("*") if one.is_file()):
        assert (tmp_path / "again" / file.relative_to(written)).read_bytes() == file.read_bytes(), file
    other = forge.make(forge.Plan(**{**vars(PLAN), "seed": 6}))
    assert not np.array_equal(other.members.pixels, forge.make(PLAN).members.pixels)


def test_the_development_part_and_the_answers_may_be_missing(written):
    for name in ("membership-clean", "attribution"):
        whole = challenge.read(written / name)
        shutil.rmtree(written / name / "dev")
        (written / name / "answers.csv").unlink()
        bare = challenge.read(written / name)
        assert (bare.problem.development, bare.answers) == (None, None)
        assert bare.problem.queries.digest == whole.problem.queries.digest
        assert bare.problem.digest != whole.problem.digest


def test_answers_are_no_part_of_the_problem(written):
    file = written / "membership-clean" / "answers.csv"
    before = challenge.read(file.parent)
    text = file.read_text()
    swapped = text.replace("not_used", "X").replace(",used", ",not_used").replace("X", "used")
    file.write_text(swapped)
    after = challenge.read(file.parent)
    assert after.problem.digest == before.problem.digest
    assert all(after.answers.labels[one] != label for one, label in before.answers.labels.items())


def test_labels_may_be_words_or_numbers(tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("File,Label\na.png,1\nb.png,0\nc.png,used\nd.png, not_used \n")
    found = challenge.read_answers(file, "membership")
    assert list(found.labels.values()) == ["used", "not_used", "used", "not_used"] and not found.patients
    assert challenge.read_answers(file, "attribution").labels["a.png"] == "1"


def test_bad_answers_are_refused_by_file_and_picture(tmp_path):
    file = tmp_path / "answers.csv"
    for text, words in (
        ("file,label\na.png,maybe\n", "label 'maybe' of 'a.png'"),
        ("file,label\na.png,1\na.png,0\n", "'a.png' is listed twice"),
        ("file,truth\na.png,1\n", "file,label"),
        ("file,label\n", "no rows"),
    ):
        file.write_text(text)
        with pytest.raises(BadInput, match=words) as caught:
            challenge.read_answers(file, "membership")
        assert "answers.csv" in str(caught.value)


def test_the_about_file_is_plain_and_optional(written):
    edition = written / "membership-leaking"
    about = tomllib.loads((edition / "edition.toml").read_text())
    assert about["format"] == "whorl.edition/1" and about["leak_rate"] == PLAN.rate
    (edition / "edition.toml").unlink()
    assert challenge.read(edition).name == "membership-leaking"
    for number in ("0", "-1", '"3"', "2.5", "true"):
        (written / "attribution" / "edition.toml").write_text(f"generators = {number}\n")
        with pytest.raises(BadInput, match=r"generators = .* must be a number of 1 or more"):
            challenge.read(written / "attribution")


def test_bad_files_are_named_with_their_part(written):
    edition = written / "membership-leaking"
    (edition / "test" / "generated" / "bad.png").write_bytes(b"")
    found = challenge.read(edition)
    assert [(entry.file, entry.reason) for entry in found.quarantined] == [("bad.png", "empty file")]
    (edition / "dev" / "real_used" / "note.txt").write_text("x")
    assert any(note.startswith("dev/real_used: ") for note in challenge.read(edition).notes)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"patients": 5}, "--patients 5"),
        ({"patients": 2}, "--patients 2"),
        ({"slices": 0}, "--slices"),
        ({"generated": 0}, "--generated"),
        ({"rate": 1.5}, "--rate 1.5"),
        ({"rate": float("nan")}, "--rate nan"),
    ],
)
def test_plans_that_cannot_be_are_refused(wrong, word):
    with pytest.raises(BadInput, match=word):
        forge.Plan(**wrong)


def test_answers_given_apart_go_before_those_of_the_folder(written, tmp_path):
    edition = written / "membership-clean"
    own = challenge.read(edition)
    apart = tmp_path / "apart.csv"
    apart.write_text("file,label,patient\nreal_unknown_000001.png,1,P7\n")
    found = challenge.read(edition, answers=apart)
    assert dict(found.answers.labels) == {"real_unknown_000001.png": "used"}
    assert found.answers.patients == {"real_unknown_000001.png": "P7"}
    assert found.problem.digest == own.problem.digest
    (edition / "answers.csv").unlink()
    assert challenge.read(edition, answers=apart).answers == found.answers
    assert [one.answers for one in challenge.read_all(edition, answers=apart)] == [found.answers]
    for wrong, words in ((tmp_path / "gone.csv", "no such file"), (tmp_path, "a folder, not a file")):
        with pytest.raises(BadInput, match=words):
            challenge.read(edition, answers=wrong)


def test_a_table_names_the_patients_of_the_development_part(written):
    edition = written / "membership-clean"
    assert challenge.read(edition).problem.development.problem.queries.patients is None
    sides = ("real_used", "real_not_used")
    files = [f"{side}/{file.name}" for side in sides for file in sorted((edition / "dev" / side).iterdir())]
    lines = [f"{file},{file.rpartition('/')[2][:5]}" for file in files]
    table = edition / "dev" / "patients.csv"
    table.write_text("\n".join(["file,patient", *lines[::-1]]) + "\n")
    found = challenge.read(edition).problem.development.problem.queries
    assert len(set(found.patients)) == PLAN.patients
    assert [name.rpartition("/")[2][:5] for name in found.ids] == list(found.patients)
    for text, words in (
        (["file,patient", *lines[1:]], f"patients.csv: no patient for {files[0]}"),
        (["file,patient", *lines, f"{files[0]},other"], "listed for two patients"),
        (["file,patient", f"{files[0]},"], "no patient for"),
        (["file", *files], "the columns are file,patient"),
    ):
        table.write_text("\n".join(text) + "\n")
        with pytest.raises(BadInput, match=words):
            challenge.read(edition)


def test_a_patient_is_not_guessed_from_the_name_of_another_picture(written):
    dev = written / "membership-clean" / "dev"
    for side in ("real_used", "real_not_used"):
        for place, file in enumerate(sorted((dev / side).iterdir())):
            file.rename(dev / side / f"{place}.png")
    rows = [f"real_used/{place}.png,P{place}" for place in range(8)]
    (dev / "patients.csv").write_text("\n".join(["file,patient", *rows]) + "\n")
    with pytest.raises(BadInput, match=r"no patient for real_not_used/0\.png"):
        challenge.read(written / "membership-clean")


def test_every_real_subset_has_its_patients(tmp_path):
    for name, part in (("a", "dev/real/one"), ("b", "dev/real/two"), ("c", "test/generated_unknown")):
        forge.write_pictures(tmp_path / part, [f"{name}.png"], np.full((1, 8, 8), ord(name), np.uint8))
    (tmp_path / "dev" / "patients.csv").write_text("file,patient\nreal/one/a.png,A\n./real/two/b.png,B\n")
    problem = challenge.read(tmp_path).problem
    assert {name: found.patients for name, found in problem.generated.items()} == {
        "one": ("A",),
        "two": ("B",),
    }
    assert problem.development is None and problem.queries.patients is None
