"""Random weights on request: every output says that its features are untrained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts import checks, problems
from whorl import api, untrained
from whorl.cli import main
from whorl.forge import editions
from whorl.networks.embedding import Networks

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture
def edition(tmp_path) -> Path:
    plan = editions.Plan(patients=12, slices=2, generated=24, size=64, seed=1)
    editions.write_all(tmp_path / "phantom", plan)
    return tmp_path / "phantom" / "membership-leaking"


def test_a_run_says_so_on_screen_and_in_its_files(edition, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["run", "m24-robot.mobilenetv2", str(edition), "--random-weights", "--out", str(out)]
    assert main(words) == 0
    assert "note: untrained features (m24-robot.mobilenetv2)" in capsys.readouterr().out
    content = json.loads((out / "result.json").read_text())
    assert content["recipe"] == "m24-robot.mobilenetv2+untrained-features"
    assert content["notes"][0].startswith("untrained features")
    lines = (out / "verdicts.csv").read_text().splitlines()
    assert lines[0] == "file,score,label,features"
    assert len(lines) > 20 and all(line.endswith(",untrained") for line in lines[1:])


def test_an_audit_says_so_on_its_page_and_in_its_tables(tmp_path):
    toy = problems.membership()
    used, unused = (toy.problem.queries.pixels[rows] for rows in (toy.truth, ~toy.truth))
    made = next(iter(toy.problem.generated.values())).pixels
    running = api.Running(networks=Networks(random=True))
    report = api.audit(made, used, unused, recipes=["m24-robot.mobilenetv2"], running=running)
    assert "untrained features" in report.save(tmp_path).read_text()
    assert "+untrained-features" in (tmp_path / "scores.csv").read_text().splitlines()[0]
    assert report.to_dict()["attacks"][0]["recipe"].endswith("+untrained-features")


def test_an_attribution_says_so_on_its_page(tmp_path):
    bag = checks.bag()[0].queries.pixels
    running = api.Running(networks=Networks(random=True))
    found = api.attribute(bag, count=3, recipe="a24-aiml.mobilenet-ward", running=running)
    assert "untrained features" in found.save(tmp_path).read_text()
    assert found.to_dict()["notes"][0].startswith("untrained features")


def test_recipes_without_a_network_are_left_as_they_are():
    from whorl import recipes

    plain, joined = recipes.load("whorl.thumbnail"), recipes.load("m24-inoue.majority")
    networks = Networks(random=True)
    assert untrained.marked(plain, networks) is plain and not untrained.notes([plain], networks)
    assert untrained.marked(joined, networks).name.endswith(untrained.MARK), "by what it joins"
    assert untrained.marked(joined, Networks()) is joined
