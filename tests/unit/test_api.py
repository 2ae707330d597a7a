"""The Python surface: the same answer from folders, lists and arrays; tables, files, and nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

import whorl
from whorl import api, pipeline
from whorl.api import Running, Stopped
from whorl.conclusions import Rules
from whorl.records import BadInput

RULES = Rules(permutations=199, draws=100)
RANDOM = np.random.default_rng(11)
REAL = np.clip(gaussian_filter(RANDOM.normal(120, 200, (40, 24, 24)), [0, 2, 2]), 0, 255).astype(np.uint8)
MEMBERS, HOLDOUT = REAL[:20], REAL[20:]
MADE = np.clip(MEMBERS + RANDOM.normal(0, 4, MEMBERS.shape), 0, 255).astype(np.uint8)


def ask(generated=MADE, members=MEMBERS, holdout=HOLDOUT, **more) -> whorl.api.AuditReport:
    given = {"panel": "fast", "rules": RULES, **more}
    return whorl.audit(generated, members, holdout, **given)


def write(folder, pixels):
    folder.mkdir()
    for place, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{place:04d}.png")
    return folder


@pytest.fixture
def folders(tmp_path):
    named = {"generated": MADE, "members": MEMBERS, "holdout": HOLDOUT}
    return [write(tmp_path / name, pixels) for name, pixels in named.items()]


def test_arrays_lists_files_and_folders_are_the_same_audit(folders, tmp_path):
    wanted = ask()
    assert wanted.verdict == "leak"
    np.save(tmp_path / "members.npy", MEMBERS)
    paths = sorted(folders[2].iterdir())
    for given in (
        tuple(folders),
        (str(folders[0]), tmp_path / "members.npy", paths),
        (list(MADE), MEMBERS, [str(path) for path in paths]),
    ):
        found = ask(*given)
        assert (found.verdict, found.record.attacks) == (wanted.verdict, wanted.record.attacks)
        np.testing.assert_array_equal(found.record.values, wanted.record.values)


def test_nothing_is_written_before_it_is_asked_for(folders, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))
    report = ask(*folders)
    report.to_dict(), report.to_frame()
    assert sorted(tmp_path.rglob("*")) == before
    page = report.save("out")
    assert page.name == "report.html" and page.exists()
    assert {file.name for file in page.parent.iterdir()} == {"audit.json", "scores.csv", "report.html"}


def test_the_table_of_an_audit_holds_its_scores():
    report = ask()
    frame = report.to_frame()
    names = [attack.recipe for attack in report.record.attacks]
    assert list(frame.columns) == ["file", "role", "patient", *names, "combined"] and len(frame) == 40
    np.testing.assert_array_equal(frame[names].to_numpy(np.float32), report.record.values)
    assert frame["role"].value_counts().to_dict() == {"member": 20, "holdout": 20}


def test_the_dictionary_is_what_the_file_holds(tmp_path):
    report = ask()
    report.save(tmp_path)
    content = json.loads((tmp_path / "audit.json").read_text())
    assert content.keys() == report.to_dict().keys() and content["verdict"] == report.verdict
    assert [entry["generated"] for entry in content["exposed"]] == [
        report.record.generated_ids[entry.twin] if entry.twin >= 0 else None
        for entry in report.record.exposed
    ]


def test_a_seed_decides_everything_random():
    one, same, other = (ask(MADE[:5], running=Running(seed=seed)) for seed in (1, 1, 2))
    assert one.record.attacks == same.record.attacks
    np.testing.assert_array_equal(one.record.values[:, :2], other.record.values[:, :2])
    assert [attack.auc.low for attack in one.record.attacks] != [
        attack.auc.low for attack in other.record.attacks
    ]


def test_what_the_store_holds_is_not_made_again(tmp_path, monkeypatch):
    running = Running(store=tmp_path / "store")
    wanted = ask(running=running)
    monkeypatch.setattr(pipeline, "_by_pooling", None)
    monkeypatch.setattr(pipeline, "_by_scorer", None)
    found = ask(running=running)
    np.testing.assert_array_equal(found.record.values, wanted.record.values)
    with pytest.raises(TypeError):
        ask(running=replace(running, seed=5))


def test_one_recipe_named_twice_is_one_attack():
    found = ask(recipes=["whorl.pixels", "whorl.pixels", "whorl.thumbnail"])
    assert [attack.recipe for attack in found.record.attacks] == ["whorl.pixels", "whorl.thumbnail"]


def test_progress_is_told_stage_by_stage(folders):
    heard: list[tuple[str, int, int]] = []
    ask(*folders, running=Running(progress=lambda *what: heard.append(what)))
    labels = {label for label, _, _ in heard}
    assert {"reading generated", "reading members", "reading holdout", "attacks"} <= labels
    for label in labels:
        done = [(count, total) for one, count, total in heard if one == label]
        assert all(0 <= count <= total for count, total in done) and done[-1][0] == done[-1][1]


def test_a_strict_run_stops_at_the_first_bad_file(folders, tmp_path):
    (folders[1] / "bad.png").write_bytes(b"")
    assert [entry.file for entry in ask(*folders).record.quarantined] == ["bad.png"]
    with pytest.raises(Stopped, match=r"--strict: 1 file cannot be read: bad.png \(empty file\)"):
        ask(*folders, running=Running(strict=True))
    assert issubclass(Stopped, BadInput)


def test_wrong_names_are_answered_with_the_nearest(tmp_path):
    with pytest.raises(BadInput, match="no panel is called 'fats'; known: fast"):
        ask(panel="fats")
    with pytest.raises(BadInput, match=r"did you mean 'whorl\.pixels'"):
        ask(recipes=["whorl.pixel"])
    with pytest.raises(BadInput, match="no executor is called 'ray-ish'; known: here, processes"):
        ask(running=Running(executor="ray-ish"))
    with pytest.raises(BadInput, match="no such folder"):
        whorl.run("m24-cao.cosine", tmp_path / "gone")


def test_an_attribution_is_a_table_and_three_files(tmp_path):
    report = whorl.attribute(np.concatenate([MADE, HOLDOUT // 2 + 60]), size=32, count=2)
    frame = report.to_frame()
    assert list(frame.columns) == ["file", "label", "confidence"] and len(frame) == 40
    assert set(frame["label"]) == {"1", "2"}
    report.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"attribution.json", "labels.csv", "report.html"}
    content = json.loads((tmp_path / "attribution.json").read_text())
    assert content.keys() == report.to_dict().keys()
    assert [cluster["share"] for cluster in content["clusters"]] == [
        cluster.size / 40 for cluster in report.record.clusters
    ]


def test_the_public_names_are_there_and_cost_nothing_until_used():
    assert sorted(whorl.__all__) == dir(whorl)
    assert all(getattr(whorl, name) is not None for name in whorl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'auditt'"):
        whorl.auditt  # noqa: B018
    heavy = [
        "sklearn",
        "skimage",
        "torch",
        "numba",
        "pandas",
        "faiss",
        "pydicom",
        "nibabel",
        "imagehash",
        "pyarrow",
    ]
    program = (
        f"import sys, whorl; assert 'numpy' not in sys.modules; import whorl.cli, whorl.api; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(api.__file__).removesuffix("/whorl/api.py")}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (said.stdout.strip(), said.stderr) == ("[]", "")


def test_versions_name_what_the_numbers_rest_on():
    found = api.versions()
    assert found["numpy"] == np.__version__ and {"python", "whorl", "scipy", "pillow"} <= found.keys()
