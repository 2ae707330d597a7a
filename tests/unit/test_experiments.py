"""The bench: which runs there are, one line each, and a killed bench that ends with the same lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whorl import benching, experiments, recipes, runlines
from whorl.executors import InProcess
from whorl.forge import series
from whorl.records import BadInput
from whorl.runlines import Bench, Job, Line

TEXT = """
format = "whorl.series/1"
name = "toy"
[phantom]
patients = 48
[every]
generated = 30
dev_generated = 12
dev_share = 0.25
[edition.near]
generators = ["copies:rate=0.9"]
[edition.two]
generators = ["copies:rate=0", "kernels"]
[edition.who]
question = "attribution"
generators = ["components:components=4", "kernels"]
"""
FEW = ("m24-cao.euclidean", "m24-cao.gaussian-noise", "a24-big.lbp-kmeans")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("series")
    (out / "toy.toml").write_text(TEXT)
    made = series.read(out / "toy.toml")
    series.make(made, series.pictures(made, None), out / "editions")
    return out / "editions"


def asked(folder: Path, **more: Any) -> benching.Asked:
    return benching.Asked(FEW, (folder,), **({"seeds": 2} | more))


def plain(lines: list[Line]) -> list[Line]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def lines_of(out: Path) -> list[Line]:
    found = plain(list(experiments.read_lines(out / "runs.jsonl").values()))
    return sorted(found, key=lambda line: str(line["key"]))


def test_every_recipe_meets_every_edition_of_its_question_and_seeds_only_where_drawn(folder: Path) -> None:
    where = experiments.sources([folder])
    assert [(one.name, one.model) for one in where] == [
        ("near-1", ""), ("two-1", "model_1"), ("two-1", "model_2"), ("who-1", "")
    ]  # fmt: skip
    runs = experiments.jobs(where, FEW, range(3))
    counted = {name: sum(job.recipe == name for job in runs) for name in ("", *FEW)}
    assert counted == {"": 3, FEW[0]: 3, FEW[1]: 9, FEW[2]: 3}
    assert experiments.chosen(["m24-cao.eucl*", "default"])[0] == "m24-cao.euclidean"
    assert experiments.chosen(["all"]) == recipes.names()
    free = experiments.chosen(["free"])
    assert {"whorl.contrast", "m23-vcmi.ssim-max"} < set(free) < set(recipes.names())
    assert not {"m24-cao.deep-cosine", "a24-csm.weight-free-encoder"} & set(free)


def test_lines_know_the_truth_that_was_planted(folder: Path, tmp_path: Path) -> None:
    benching.bench(asked(folder), tmp_path / "out")
    lines = experiments.read_lines(tmp_path / "out" / "runs.jsonl").values()
    found = {(one["edition"], one["model"], one.get("recipe", ""), one.get("seed", 0)): one for one in lines}
    near = found["near-1", "", "m24-cao.euclidean", 0]
    assert near["measures"]["auc"][0] > 0.8 and near["dials"] == {"rate": 0.9, "strength": 1.0}
    clean = found["two-1", "model_1", "m24-cao.euclidean", 0]
    assert clean["measures"]["auc"][1] < 0.5 < clean["measures"]["auc"][2]
    assert (
        clean["generator"].startswith("copies:rate=0")
        and found["two-1", "model_2", FEW[0], 0]["kind"] == "kernels"
    )
    assert found["who-1", "", "a24-big.lbp-kmeans", 0]["measures"]["adjusted_rand_index"][0] <= 1
    assert 0 <= found["near-1", "", "", 0]["quality"]["precision"] <= 1


def test_a_killed_bench_goes_on_and_ends_with_the_same_lines(folder: Path, tmp_path: Path) -> None:
    benching.bench(asked(folder), tmp_path / "whole")

    class Killed(BaseException):
        pass

    def told(done: int, total: int, line: Line) -> None:
        if done == 4:
            raise Killed

    with pytest.raises(Killed):
        benching.bench(asked(folder), tmp_path / "out", told=told)
    file = tmp_path / "out" / "runs.jsonl"
    assert len(experiments.read_lines(file)) == 4
    with file.open("a") as stream:
        stream.write('{"key": "half a li')
    made: list[Line] = []
    benching.bench(asked(folder), tmp_path / "out", told=lambda done, total, line: made.append(line))
    assert lines_of(tmp_path / "out") == lines_of(tmp_path / "whole")
    assert len(made) == len(lines_of(tmp_path / "whole")) - 4
    made.clear()
    benching.bench(asked(folder), tmp_path / "out", told=lambda done, total, line: made.append(line))
    assert not made


def test_processes_give_the_lines_of_one_process(folder: Path, tmp_path: Path) -> None:
    one = Path(folder / "near-1")
    for name in ("here", "processes"):
        benching.bench(asked(one, executor=name, workers=2), tmp_path / name)
    assert lines_of(tmp_path / "here") == lines_of(tmp_path / "processes")


def test_other_answers_are_another_run(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "near-1"
    shutil.copytree(folder / "near-1", copy)
    bench, recipe = Bench(tmp_path / "out"), "m24-cao.euclidean"
    before = runlines.key_of(bench, Job(experiments.sources([copy])[0], recipe, 0))
    assert before == runlines.key_of(bench, Job(experiments.sources([folder / "near-1"])[0], recipe, 0))
    answers = copy / "sealed" / "answers.csv"
    rows = answers.read_text().splitlines()
    swapped = {"used": "not_used", "not_used": "used"}
    first = rows[1].split(",")
    answers.write_text(
        "\n".join([rows[0], ",".join([first[0], swapped[first[1]], *first[2:]]), *rows[2:]]) + "\n"
    )
    runlines.edition_of.cache_clear()
    assert before != runlines.key_of(bench, Job(experiments.sources([copy])[0], recipe, 0))


def test_altered_pictures_are_asked_about_in_a_line_of_their_own(folder: Path, tmp_path: Path) -> None:
    done = benching.bench(asked(folder, altered=("jpeg-75", "crop-8"), seeds=1), tmp_path / "out")
    ways = [one.altered for one in done.standings.editions if one.name == "who-1"]
    assert ways == ["", "jpeg-75", "crop-8"]
    assert all(not one.altered for one in done.standings.membership)
    aris = {one.altered: one.rows[0].main for one in done.standings.editions if one.name == "who-1"}
    assert len(set(aris.values())) > 1
    page = done.page.read_text()
    assert "jpeg-75" in page and "crop-8" in page
    with pytest.raises(BadInput, match="did you mean 'jpeg-75'"):
        benching.bench(asked(folder, altered=("jpg-75",)), tmp_path / "out")


def test_what_fails_says_why_in_its_line_and_is_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = experiments.sources([folder / "near-1"])
    wanted = experiments.jobs(where, ["m24-cao.deep-cosine", "m24-cao.cosine"], [0])
    monkeypatch.delenv("WHORL_WEIGHTS", raising=False)
    lines: list[Line] = []
    experiments.perform(Bench(tmp_path), wanted, InProcess(), written=lines.append)
    failed = [line for line in lines if "failed" in line]
    assert [line["recipe"] for line in failed] == ["m24-cao.deep-cosine"] and "weights" in failed[0]["failed"]
    again: list[Line] = []
    there = {str(line["key"]): line for line in lines}
    experiments.perform(Bench(tmp_path), wanted, InProcess(), written=again.append, there=there)
    assert [line["recipe"] for line in again] == ["m24-cao.deep-cosine"]


def test_a_fault_of_one_recipe_does_not_end_the_bench(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(runlines, "trial", broken)
    wanted = experiments.jobs(experiments.sources([folder / "near-1"]), ["m24-cao.cosine"], [0])
    lines = experiments.perform(Bench(tmp_path), wanted, InProcess(), written=lambda line: None)
    assert [line.get("failed") for line in lines] == [None, "a fault of whorl: ZeroDivisionError: oh"]


def test_rubbish_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no edition here"):
        experiments.sources([tmp_path])
    with pytest.raises(BadInput, match="two editions are called"):
        experiments.sources([folder, folder])
    with pytest.raises(BadInput, match="did you mean"):
        experiments.chosen(["m24-cao.cosin"])
    (tmp_path / "runs.jsonl").write_text('{"key": "a"}\nrubbish\n{"key": "b"}\n')
    with pytest.raises(BadInput, match="line 2"):
        experiments.read_lines(tmp_path / "runs.jsonl")
    (tmp_path / "runs.jsonl").write_text('{"edition": "a"}\n{"key": "b"}\n')
    with pytest.raises(BadInput, match="line 1"):
        experiments.read_lines(tmp_path / "runs.jsonl")
    (tmp_path / "runs.jsonl").write_text(json.dumps({"key": "a"}) + "\nrubb")
    assert list(experiments.read_lines(tmp_path / "runs.jsonl")) == ["a"]
