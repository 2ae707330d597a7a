"""Every command as a user runs it: files, JSON, tables, help, and the same bytes whatever the way."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from cyclopts import App
from hospitals import QUICK, Page, fine, hospital, refused, spawn, start, table

from whorl import __version__, recipes, steps
from whorl.cli import app

QUESTIONS = {
    "demo",
    "audit",
    "attribute",
    "run",
    "recipes",
    "steps",
    "doctor",
    "forge phantom",
    "forge edition",
}
FEW = ("--permutations", "999", "--panel", "default")


def _commands(program: App, words: tuple[str, ...] = ()) -> list[str]:
    """Return every command of the program, those of its groups after the name of the group."""
    names = [name for name in program if not name.startswith("-")]
    return [one for name in names for one in _commands(program[name], (*words, name))] or [" ".join(words)]


def test_an_audit_prints_one_json_document_that_is_also_its_file(leaking, capsys):
    content = json.loads(fine(capsys, *leaking.audit(*FEW, "--json")))
    assert content["schema"] == "whorl.audit/2" and content["verdict"] == "leak"
    assert [attack["recipe"] for attack in content["attacks"]] == list(recipes.panels()["default"])
    for attack in content["attacks"]:
        auc = attack["auc"]
        assert 0 <= auc["low"] <= auc["estimate"] <= auc["high"] <= 1
        assert 0 < attack["p_value"] <= attack["p_adjusted"] <= 1
    assert content["combined"]["recipe"] == "combined" and content["quarantined"] == []
    assert len(content["notes"]) == 1 and "fewer than 300 holdout patients" in content["notes"][0]
    facts = content["provenance"]
    assert facts["counts"]["members"] == 16 and facts["counts"]["member_patients"] == 8
    assert (facts["seed"], facts["alpha"], facts["permutations"]) == (0, 0.01, 999)
    assert facts["versions"]["numpy"] == np.__version__ and facts["digests"].keys() >= {"members", "holdout"}
    assert json.loads((leaking.out / "audit.json").read_text()) == content


def test_the_record_names_the_command_that_made_it(leaking, capsys):
    words = leaking.audit(*QUICK, "--json")
    facts = json.loads(fine(capsys, *words))["provenance"]
    assert facts["command"].startswith("whorl audit ") and str(leaking.members) in facts["command"]


def test_an_audit_writes_a_row_for_every_real_picture(leaking, capsys):
    out = fine(capsys, *leaking.audit(*FEW))
    assert out.startswith("LEAK: ") and str(leaking.out / "report.html") in out
    rows = leaking.scores()
    assert list(rows[0]) == ["file", "role", "patient", *recipes.panels()["default"], "combined"]
    files = {(file.name, role[:-1]) for role in ("members",) for file in leaking.members.iterdir()}
    files |= {(file.name, "holdout") for file in leaking.holdout.iterdir()}
    assert len(rows) == 32 and {(row["file"], row["role"]) for row in rows} == files
    for row in rows:
        assert row["patient"] == row["file"][:4]
        assert all(np.isfinite(float(row[name])) for name in recipes.panels()["default"])


def test_patients_pictures_enter_the_report_only_when_asked_for(leaking, capsys):
    fine(capsys, *leaking.audit(*QUICK))
    page = Page(leaking.out / "report.html")
    page.check_inert()
    assert page.pictures == 0 and "data:" not in "".join(
        value for name, value in page.attributes if name == "src"
    )
    fine(capsys, *leaking.audit(*QUICK, "--with-images"))
    page = Page(leaking.out / "report.html")
    page.check_inert()
    assert page.pictures >= 16 and "Handle as patient data" in page.text


@pytest.mark.parametrize("generator", ["leaking", "clean"])
def test_a_leaking_hospital_gives_a_leak_and_a_clean_one_does_not(phantom, tmp_path, capsys, generator):
    home = phantom / "hospital"
    sources = (
        "--members",
        home / "members",
        "--holdout",
        home / "holdout",
        "--patients",
        home / "patients.csv",
    )
    command = ("audit", home / "generated" / generator, *sources, "--out", tmp_path / "out", "--json")
    content = json.loads(fine(capsys, *command, "--permutations", "999"))
    assert (content["verdict"] == "leak") == (generator == "leaking")


def test_a_hospital_without_a_leak_is_told_so_with_what_could_be_missed(tmp_path, capsys):
    made = hospital(tmp_path, leak=False, patients=80)
    content = json.loads(fine(capsys, *made.audit(*QUICK, "--json")))
    assert content["verdict"] == "no evidence" and "not a proof of safety" in content["sentence"]
    assert 0.5 < content["detectable_auc"] < 0.75


def test_blocks_and_processes_change_no_byte_of_the_scores(leaking, capsys):
    ways = {
        "whole": (),
        "blocks": ("--block-kib", "1"),
        "processes": ("--executor", "processes", "--workers", "2"),
    }
    scores = {}
    for name, more in ways.items():
        out = leaking.root / name
        fine(capsys, *leaking.audit(*FEW, *more, out=out))
        scores[name] = (out / "scores.csv").read_bytes()
        content = json.loads((out / "audit.json").read_text())
        scores[name, "attacks"] = json.dumps(content["attacks"])
    assert scores["whole"] == scores["blocks"] == scores["processes"]
    assert scores["whole", "attacks"] == scores["blocks", "attacks"] == scores["processes", "attacks"]


def test_folders_tables_and_links_to_them_are_the_same_audit(leaking, capsys):
    fine(capsys, *leaking.audit(*QUICK))
    before = leaking.scores()
    listing = leaking.root / "members.csv"
    listing.write_text("file\n" + "".join(f"members/{file.name}\n" for file in leaking.members.iterdir()))
    linked = leaking.root / "linked"
    linked.symlink_to(leaking.holdout)
    sources = {"members": listing, "holdout": linked, "patients": None}
    fine(capsys, *leaking.audit(*QUICK, "--patient-from", "^P[0-9]+", **sources))
    found = leaking.scores()
    assert [{**row, "file": row["file"].removeprefix("members/")} for row in found] == before


def test_an_attribution_writes_labels_and_says_how_good_they_are(phantom, tmp_path, capsys):
    edition, out = phantom / "attribution", tmp_path / "out"
    command = ("attribute", edition / "test" / "images", "--answers", edition / "answers.csv", "--out", out)
    content = json.loads(fine(capsys, *command, "--json"))
    assert content == json.loads((out / "attribution.json").read_text())
    assert (content["schema"], content["count"], content["count_given"]) == ("whorl.attribution/2", 3, False)
    assert sum(cluster["size"] for cluster in content["clusters"]) == 72
    ari = next(one for one in content["measures"] if one["name"] == "adjusted_rand_index")
    assert ari["interval"]["estimate"] > 0.9 and abs(ari["chance"]["shuffled labels"]) < 0.05
    rows = table(out / "labels.csv")
    assert list(rows[0]) == ["file", "label", "confidence"] and len(rows) == 72
    assert {row["label"] for row in rows} == {"1", "2", "3"}
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    Page(out / "report.html").check_inert()
    said = fine(capsys, *command, "-k", "2")
    assert said.startswith("2 generators. The number was given; without it the answer would have been 3")


@pytest.mark.parametrize("generator", ["leaking", "interpolating", "clean"])
def test_one_generator_alone_is_found_to_be_one(phantom, tmp_path, capsys, generator):
    folder = phantom / "hospital" / "generated" / generator
    content = json.loads(fine(capsys, "attribute", folder, "--out", tmp_path / "out", "--json"))
    assert content["count"] == 1 and content["why"]
    assert {row["label"] for row in table(tmp_path / "out" / "labels.csv")} == {"1"}


@pytest.mark.parametrize(
    ("recipe", "edition", "metric", "labels"),
    [
        ("m23-vcmi.ssim-max", "membership-leaking", "auc", {"used", "not_used"}),
        ("m24-cao.cosine", "membership-leaking", "auc", {"used", "not_used"}),
        ("a24-aiml.lbp-ward", "attribution", "adjusted_rand_index", {"1", "2", "3"}),
    ],
)
def test_a_published_recipe_runs_with_and_without_answers(
    phantom, tmp_path, capsys, recipe, edition, metric, labels
):
    out = tmp_path / "out"
    command = ("run", recipe, phantom / edition, "--out", out)
    content = json.loads(fine(capsys, *command, "--json"))
    assert content == json.loads((out / "result.json").read_text())
    assert (content["schema"], content["recipe"]) == ("whorl.result/1", recipe)
    measures = {one["name"]: one["interval"] for one in content["evaluation"]["measures"]}
    assert measures[metric]["low"] <= measures[metric]["estimate"] <= measures[metric]["high"]
    assert measures[metric]["estimate"] > 0.4
    verdicts = (out / "verdicts.csv").read_bytes()
    rows = table(out / "verdicts.csv")
    names = {row["file"] for row in table(phantom / edition / "answers.csv")}
    assert list(rows[0]) == ["file", "score", "label"] and {row["file"] for row in rows} == names
    assert {row["label"].removeprefix("cluster ") for row in rows} <= labels
    assert "by chance" in fine(capsys, *command)
    (phantom / edition / "answers.csv").unlink()
    shutil.rmtree(out)
    assert "not evaluated" in fine(capsys, *command)
    content = json.loads((out / "result.json").read_text())
    assert content["evaluation"] is None and content["provenance"]["seed"] == 0
    assert (out / "verdicts.csv").read_bytes() == verdicts


def test_recipes_are_listed_by_system_and_shown_one_by_one(capsys):
    every = json.loads(fine(capsys, "recipes", "--json"))["recipes"]
    assert [one["name"] for one in every] == recipes.names()
    assert all(one["about"]["title"] and one["about"]["fidelity"] and one["steps"] for one in every)
    listed = fine(capsys, "recipes")
    assert all(name in listed for name in recipes.names())
    system = json.loads(fine(capsys, "recipes", "m23-vcmi", "--json"))["recipes"]
    assert system == [one for one in every if one["name"].startswith("m23-vcmi.")]
    alone = json.loads(fine(capsys, "recipes", "m23-vcmi.ssim-max", "--json"))
    assert alone in every
    said = fine(capsys, "recipes", "m23-vcmi.ssim-max")
    assert all(word in said for word in ("VCMI", "fidelity: ", "submission 2", "maps.ssim", "real_real"))
    assert "did you mean 'm23-vcmi'" in refused(capsys, "recipes", "m23-vcm")


def test_steps_are_listed_by_stage_and_shown_one_by_one(capsys):
    every = json.loads(fine(capsys, "steps", "--json"))["steps"]
    assert len(every) == len(steps.describe_all()) and all(one["summary"] for one in every)
    stage = json.loads(fine(capsys, "steps", "similarity", "--json"))["steps"]
    assert stage == [one for one in every if one["stage"] == "similarity"]
    said = fine(capsys, "steps", "maps.ssim")
    assert "similarity" in said and steps.find("similarity", "maps.ssim").summary in said
    line = refused(capsys, "steps", "lpb")
    assert "'lpb'" in line and "whorl steps" in line


def test_the_doctor_knows_versions_cores_and_extras(capsys):
    facts = json.loads(fine(capsys, "doctor", "--json"))
    assert facts["version of numpy"] == np.__version__ and int(facts["cores"]) >= 1
    assert facts["recipes"] == str(len(recipes.names()))
    assert all(
        re.match("complete$|missing .+: pip install", facts[f"extra {name}"]) for name in ("dicom", "deep")
    )
    said = fine(capsys, "doctor")
    assert all(name in said for name in facts)


@pytest.mark.parametrize("command", _commands(app))
def test_the_help_of_every_command_has_an_example_that_begins_with_it(capsys, command):
    said = " ".join(fine(capsys, *command.split(), "--help").split())
    assert f"Example: whorl {command}" in said


def test_help_and_version(capsys):
    assert set(_commands(app)) >= QUESTIONS
    said = fine(capsys, "--help")
    assert all(command.split()[0] in said for command in QUESTIONS) and "whorl demo" in said
    assert fine(capsys, "--version").strip() == __version__


def test_a_reader_that_goes_away_is_no_trouble():
    with start("recipes", "--json") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


def test_forge_draws_what_an_audit_and_a_run_can_read(tmp_path, capsys):
    out = tmp_path / "forged"
    small = ("--patients", "8", "--slices", "1", "--generated", "6", "--size", "32", "--seed", "2")
    written = json.loads(fine(capsys, "forge", "phantom", *small, "--out", out, "--json"))["written"]
    assert len(written) == 5 and all((out / name).exists() for name in ("hospital", "attribution"))
    fine(capsys, "run", "m24-cao.euclidean", out / "membership-clean", "--out", tmp_path / "run")
    said = spawn("forge", "phantom", *small, "--out", tmp_path / "again")
    assert (said.code, said.err) == (0, "")
    for file in sorted(out.rglob("*.png")):
        assert (tmp_path / "again" / file.relative_to(out)).read_bytes() == file.read_bytes()
