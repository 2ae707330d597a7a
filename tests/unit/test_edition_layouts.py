"""Every published layout is read: the same pictures are the same problem, wherever their folders lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from whorl import pipeline, recipes
from whorl.challenge import editions, scoring
from whorl.challenge.submissions import FORMS, check, write
from whorl.forge.editions import numbered, write_pictures
from whorl.metrics import adjusted_rand_index
from whorl.pipeline import Settings
from whorl.records import BadInput

USAGE = "ImageCLEF25_GAN_Detect_Training_Data_Usage_training-dataset"
SUBSETS = "GAN25_Identify_Training_Data_Subset"
POOLED = """
[about]
title = "Nearest subset"
year = 2025
reference = "a test"
task = "attribution"
fidelity = "our own"

[variant.nearest]
features = { step = "pixels.thumbnail", size = 16 }
similarity = "vectors.correlation"
pool = "maximum"
decide = "assign"
"""


def pictures(folder, count, seed, stem="p"):
    random = np.random.default_rng(seed)
    write_pictures(folder, numbered(stem, count), random.integers(0, 255, (count, 16, 16)))


def membership(folder, seed=0):
    """A whole edition of one model; which of the test pictures were used is no matter here."""
    parts = ("dev/generated", "dev/real_used", "dev/real_not_used", "test/generated", "test/real_unknown")
    for place, part in enumerate(parts):
        pictures(folder / part, 3 + place, 10 * seed + place)
    labels = [f"p_{number:06d}.png,{number % 2}" for number in range(1, 8)]
    (folder / "answers.csv").write_text("\n".join(["file,label", *labels]) + "\n")
    return folder


def subsets(folder, dev=SUBSETS, test="Subtask2_test"):
    """Five classes of real pictures; a generator copies those of its own class with noise."""
    random = np.random.default_rng(5)
    made, truth = [], []
    for name in ("t1", "t2", "t3", "t4", "t5"):
        real = random.integers(0, 255, (4, 16, 16))
        copies = np.clip(np.tile(real, (3, 1, 1)) + random.normal(0, 12, (12, 16, 16)), 0, 255)
        write_pictures(folder / dev / "real" / name, numbered("r", 4), real)
        write_pictures(folder / dev / "generated" / name, numbered("g", 4), copies[:4])
        made += list(copies[4:])
        truth += [name] * 8
    order = random.permutation(len(made))
    names = numbered("generated_unknown", len(made))
    write_pictures(folder / test / "generated_unknown", names, np.stack(made)[order])
    rows = [f"{name},{truth[place]}" for name, place in zip(names, order, strict=True)]
    (folder / "answers.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    return folder


def by_halves(folder, tmp_path):
    """Move model_N/dev and model_N/test to dev/model_N and test/model_N."""
    for model in ("model_1", "model_2"):
        for half in ("dev", "test"):
            (tmp_path / "halves" / half).mkdir(parents=True, exist_ok=True)
            shutil.copytree(folder / model / half, tmp_path / "halves" / half / model)
        shutil.copy(folder / model / "answers.csv", tmp_path / "halves" / f"answers_{model[-1]}.csv")
    return tmp_path / "halves"


@pytest.fixture
def two(tmp_path) -> Path:
    """An edition of two models."""
    for number in (1, 2):
        membership(tmp_path / "two" / f"model_{number}", number)
    return tmp_path / "two"


def test_several_models_are_read_in_both_forms(two, tmp_path):
    alone = [editions.read(two / f"model_{number}") for number in (1, 2)]
    halves = by_halves(two, tmp_path)
    for folder in (two, halves):
        found = editions.read_all(folder)
        assert [one.name for one in found] == [f"{folder.name}/model_1", f"{folder.name}/model_2"]
        for one, expected in zip(found, alone, strict=True):
            assert one.problem.digest == expected.problem.digest
            assert one.problem.development.answers == expected.problem.development.answers
            assert one.answers == expected.answers is not None
        assert found[0].problem.digest != found[1].problem.digest
        assert [place.model for place in editions.models(folder)] == ["model_1", "model_2"]
    second = editions.read(halves / "model_2")
    assert (second.name, second.problem.digest) == ("halves/model_2", alone[1].problem.digest)
    assert second.answers == alone[1].answers


def test_one_of_several_models_has_to_be_named(two, tmp_path):
    for folder in (two, by_halves(two, tmp_path)):
        with pytest.raises(BadInput) as caught:
            editions.read(folder)
        assert all(word in str(caught.value) for word in ("2 models", str(folder / "model_1"), "read_all"))
        with pytest.raises(BadInput, match="model_3: no such folder"):
            editions.read(folder / "model_3")


def test_models_are_matched_by_number_and_come_in_its_order(two, tmp_path):
    halves = by_halves(two, tmp_path)
    expected = [editions.read(two / f"model_{number}").problem.digest for number in (1, 2)]
    (halves / "dev" / "model_1").rename(halves / "dev" / "Model 01")
    (halves / "test" / "model_2").rename(halves / "test" / "folder_2")
    found = editions.read_all(halves)
    assert [one.problem.digest for one in found] == expected
    assert [one.name for one in found] == ["halves/model_1", "halves/folder_2"]
    (halves / "dev" / "model_1").mkdir()
    with pytest.raises(BadInput, match="have the same number"):
        editions.read_all(halves)
    membership(two / "model_10", 9)
    assert [place.model for place in editions.models(two)] == ["model_1", "model_2", "model_10"]


def test_answers_of_all_models_must_not_be_one_table(two, tmp_path):
    halves = by_halves(two, tmp_path)
    (halves / "answers_1.csv").rename(halves / "answers.csv")
    first, second = editions.read_all(halves)
    assert first.answers is None and second.answers is not None
    assert any("answers_1.csv" in note for note in first.notes)


def test_answers_may_be_given_apart(two, tmp_path):
    (two / "model_1" / "answers.csv").rename(two / "answers_1.csv")
    (tmp_path / "sealed" / "model_2").mkdir(parents=True)
    for target in ("answers_1.csv", "model_2/answers.csv"):
        (tmp_path / "sealed" / target).write_text("file,label\np_000001.png,used\n")
    found = editions.read_all(two, answers=tmp_path / "sealed")
    assert [dict(one.answers.labels) for one in found] == [{"p_000001.png": "used"}] * 2
    assert [len(one.answers.labels) for one in editions.read_all(two)] == [7, 7]
    (tmp_path / "sealed" / "answers_1.csv").unlink()
    with pytest.raises(BadInput, match=r"has no answers_1\.csv"):
        editions.read_all(two, answers=tmp_path / "sealed")
    for wrong, words in (("two/answers_1.csv", "one file, for 2 models"), ("gone", "no such folder")):
        with pytest.raises(BadInput, match=words):
            editions.read_all(two, answers=tmp_path / wrong)


def test_the_published_folders_of_2025_usage_are_the_same_problem(tmp_path):
    usual = membership(tmp_path / "usual")
    expected = editions.read(usual)
    for dev, test in ((USAGE, "test"), ("training", "test-dataset"), ("dev", "Subtask1_test")):
        folder = tmp_path / dev
        shutil.copytree(usual, folder)
        (folder / "dev").rename(folder / dev)
        (folder / "test").rename(folder / test)
        found = editions.read(folder)
        assert (found.problem.digest, found.answers) == (expected.problem.digest, expected.answers)


@pytest.mark.parametrize(("dev", "test"), [(SUBSETS, "Subtask2_test"), ("dev", "test")])
def test_the_subset_question_compares_with_real_subsets(tmp_path, dev, test):
    found = editions.read(subsets(tmp_path / "edition", dev, test))
    problem = found.problem
    assert (problem.task, problem.count, len(problem.queries)) == ("attribution", 5, 40)
    assert {name: len(images) for name, images in problem.generated.items()} == dict.fromkeys(
        ("t1", "t2", "t3", "t4", "t5"), 4
    )
    known = problem.development
    assert known.problem.generated == problem.generated and known.problem.count == 5
    assert known.answers.labels == {
        f"t{group}/g_{place:06d}.png": f"t{group}" for group in range(1, 6) for place in range(1, 5)
    }
    (tmp_path / "nearest.toml").write_text(POOLED)
    recipe = recipes.load(f"{tmp_path / 'nearest.toml'}:nearest")
    for part, truth in ((problem, found.answers), (known.problem, known.answers)):
        scores = pipeline.score(recipe, part, Settings())
        assert scores.groups == ("t1", "t2", "t3", "t4", "t5") and scores.values.shape[1] == 5
        labels = pipeline.judge(recipe, scores, part, Settings()).labels
        assert labels == tuple(truth.labels[name] for name in scores.ids)


@pytest.mark.parametrize("name", ["whorl-fingerprint.ward", "a24-aiml.lbp-kmeans", "a24-aiml.lbp256-ward"])
def test_attribution_recipes_run_on_the_subset_question(tmp_path, name):
    problem = editions.read(subsets(tmp_path / "edition"), size=32).problem
    recipe = recipes.load(name)
    scores = pipeline.score(recipe, problem, Settings())
    assert scores.values.shape == (40, 5)
    assert len(set(pipeline.judge(recipe, scores, problem, Settings()).labels)) == 5


def test_a_run_on_subsets_is_scored_by_the_names_of_classes(tmp_path):
    folder = subsets(tmp_path / "edition")
    truth = scoring.read_truth(folder / "answers.csv", "attribution", FORMS["2025"])
    answers = editions.read_answers(folder / "answers.csv", "attribution").labels
    said = {name: "t5" if label == "t4" else label for name, label in answers.items()}
    write(tmp_path / "run.csv", list(said), list(said.values()), FORMS["2025"], "attribution")
    for header in ("", "image_path,predicted_class\n"):
        (tmp_path / "headed.csv").write_text(header + (tmp_path / "run.csv").read_text())
        run = check(tmp_path / "headed.csv", truth.ids, FORMS["2025"], "attribution")
        assert set(run.groups) == {"t1", "t2", "t3", "t5"}
        values = scoring.score(truth, run).values
        assert values["hungarian_accuracy"] == pytest.approx(0.8)
        expected = adjusted_rand_index(list(answers.values()), list(said.values()))
        assert values["adjusted_rand_index"] == pytest.approx(expected)


def test_classes_that_do_not_fit_are_named(tmp_path):
    folder = subsets(tmp_path / "edition", "dev", "test")
    shutil.rmtree(folder / "dev" / "generated" / "t2")
    found = editions.read(folder)
    assert found.problem.count == 5 and any("t2" in note for note in found.notes)
    (folder / "dev" / "real" / "t3").rename(folder / "dev" / "real" / "t9")
    with pytest.raises(BadInput, match="no real pictures of the class of dev/generated/t3"):
        editions.read(folder)
    shutil.rmtree(folder / "dev")
    with pytest.raises(BadInput, match="dev/real/<class> is missing"):
        editions.read(folder)


def test_the_mixed_pictures_of_attribution_may_be_called_generated(tmp_path):
    for name in ("model_a", "model_b"):
        pictures(tmp_path / "usual" / "dev" / name, 4, len(name))
    pictures(tmp_path / "usual" / "test" / "images", 6, 3)
    expected = editions.read(tmp_path / "usual").problem
    (tmp_path / "usual" / "test" / "images").rename(tmp_path / "usual" / "test" / "generated")
    found = editions.read(tmp_path / "usual").problem
    assert (found.task, found.digest) == ("attribution", expected.digest)


@pytest.mark.parametrize(
    "part", ["dev/generated", "dev/real_used", "dev/real_not_used", "test/generated", "test/real_unknown"]
)
def test_a_missing_or_empty_part_is_named_on_one_line(tmp_path, part):
    folder = membership(tmp_path / "edition")
    shutil.rmtree(folder / part)
    with pytest.raises(BadInput) as caught:
        editions.read(folder)
    assert str(caught.value) == f"{folder}: no edition: {part} is missing"
    (folder / part).mkdir()
    with pytest.raises(BadInput) as caught:
        editions.read(folder)
    assert part in str(caught.value) and "no pictures found" in str(caught.value)


def test_two_sub_tasks_in_one_folder_are_not_guessed_apart(tmp_path):
    subsets(tmp_path)
    membership(tmp_path / "other")
    (tmp_path / "other" / "test").rename(tmp_path / "Subtask1_test")
    with pytest.raises(BadInput, match=r"2 test folders \(Subtask1_test, Subtask2_test\)"):
        editions.read(tmp_path)
