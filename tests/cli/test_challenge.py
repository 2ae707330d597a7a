"""The challenge commands: run files in, verdicts and leaderboards out, nothing written elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hospitals import Page, call, fine, refused, table

TEAMS = ("Skill", "Coin", "Flipped")
HOSTILE = ("=HYPERLINK(1)", "<script>alert(1)</script>", "a\u202eb\x1b[31m")


@pytest.fixture
def contest(tmp_path):
    """Answers for 400 pictures of 200 patients, and three teams with two runs each."""
    generator = np.random.default_rng(0)
    labels = np.repeat(generator.permutation(200) % 2, 2)
    rows = [f"p{n:04d}.png,{label},P{n // 2}" for n, label in enumerate(labels)]
    (tmp_path / "answers.csv").write_text("file,label,patient\n" + "\n".join(rows) + "\n")
    (tmp_path / "runs").mkdir()
    for team in TEAMS:
        for run in (1, 2):
            said = generator.random(400) < 0.3 * run
            knows = generator.random(400) < {"Skill": 0.5, "Coin": 0.0, "Flipped": 0.5}[team]
            said = np.where(knows, labels == (team == "Skill"), said).astype(int)
            text = "".join(f"p{n:04d},{answer}\n" for n, answer in enumerate(said))
            (tmp_path / "runs" / f"{team}_run{run}.csv").write_text(text)
    return tmp_path


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_valid_run_is_called_valid(contest, capsys):
    run, answers = contest / "runs" / "Skill_run1.csv", contest / "answers.csv"
    (contest / "list.txt").write_text("".join(f"p{n:04d}\n" for n in range(400)))
    for ids in (answers, contest / "list.txt"):
        assert fine(capsys, "challenge", "check", run, "--ids", ids) == "valid: 400 ids, each answered once\n"
    found = json.loads(fine(capsys, "challenge", "check", run, "--ids", answers, "--json"))
    assert found == {"valid": True, "ids": 400, "count": 0, "faults": []}


def test_faults_are_told_a_line_each_with_code_2(contest, capsys):
    run = contest / "bad.csv"
    run.write_bytes((contest / "runs" / "Coin_run1.csv").read_bytes().replace(b",1\n", b",used\x1b[31m\n"))
    wrong = run.read_bytes().count(b"used")
    before = files(contest)
    for command in (("check", run, "--ids"), ("score", run, "--out", contest / "score", "--answers")):
        said = call(capsys, "challenge", *command, contest / "answers.csv")
        lines = said.err.splitlines()
        assert (said.code, said.out, len(lines)) == (2, "", 22)
        assert all(line.startswith("line ") and "0 or 1 exactly" in line for line in lines[:20])
        assert lines[20] == f"and {wrong - 20} more" and f"{wrong} faults" in lines[21]
        assert all(line.isprintable() for line in lines)
    assert files(contest) == before
    said = call(capsys, "challenge", "check", run, "--ids", contest / "answers.csv", "--json")
    found = json.loads(said.out)
    assert said.code == 2 and len(said.err.splitlines()) == 1
    assert (found["valid"], found["count"], len(found["faults"])) == (False, wrong, 20)


def test_scores_are_written_as_json_and_csv(contest, capsys):
    run, answers = contest / "runs" / "Skill_run1.csv", contest / "answers.csv"
    out = contest / "out"
    said = fine(
        capsys, "challenge", "score", run, run, "--answers", answers, "--answers", answers, "--out", out
    )
    assert "mean F1" in said and "factor 2" in said
    content = json.loads((out / "score.json").read_text())
    rows = table(out / "score.csv")
    assert [row["model"] for row in rows] == ["1", "2"]
    assert float(rows[0]["f1"]) == pytest.approx(content["scores"]["mean_f1"])
    assert sum(content["models"][0]["counts"].values()) == 400
    assert {path.name for path in out.iterdir()} == {"score.json", "score.csv"}
    line = refused(capsys, "challenge", "score", run, "--answers", answers, "--answers", answers)
    assert "1 run files for 2 answers files" in line
    assert "--answers is missing" in refused(capsys, "challenge", "score", run)


def test_the_leaderboard_ranks_and_judges(contest, capsys):
    out = contest / "out"
    before = files(contest)
    words = ("challenge", "leaderboard", contest / "runs", "--answers", contest / "answers.csv", "--out", out)
    said = fine(capsys, *words, "--draws", "200", "--seed", "3")
    assert "6 runs of 3 teams: 2 of 6 runs are better than chance, and 2 are worse." in said
    assert {path.name for path in out.iterdir()} == {
        f"leaderboard.{kind}" for kind in ("html", "json", "csv")
    }
    assert {name: data for name, data in files(contest).items() if name.parts[0] != "out"} == before
    content = json.loads((out / "leaderboard.json").read_text())
    assert (content["seed"], content["draws"], content["ranked_by"]) == (3, 200, "mean_f1")
    rows = table(out / "leaderboard.csv")
    assert [row["rank"] for row in rows] == [str(row["rank"]) for row in content["rows"]]
    assert {row["team"] for row in rows[:2]} == {"Skill"}
    scores = [float(row["mean_f1"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    page = Page(out / "leaderboard.html")
    page.check_inert()
    for part in ("6 runs of 3 teams", "200 patients", "seed 3", "Coin's F1", "The best run of each team"):
        assert part in page.text, part
    # Axis, six bars, teams, key, one share plot, three matrices.
    assert page.tags.count("svg") == 13
    again = fine(capsys, *words, "--draws", "200", "--seed", "3", "--json")
    assert json.loads(again)["rows"] == content["rows"]


def test_hostile_names_harm_neither_page_nor_table(contest, capsys):
    rows = ["team,run,file,method"]
    for name in HOSTILE:
        rows.append(f'"{name}",1,runs/Coin_run1.csv,"{name}"')
    (contest / "all.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    out = contest / "out"
    words = ("leaderboard", contest / "all.csv", "--answers", contest / "answers.csv", "--draws", "100")
    said = fine(capsys, "challenge", *words, "--title", HOSTILE[1], "--out", out)
    assert "\x1b" not in said and "\u202e" not in said
    page = Page(out / "leaderboard.html")
    page.check_inert()
    assert page.text.count("<script>alert(1)</script>") >= 3
    html = (out / "leaderboard.html").read_text(encoding="utf-8")
    assert "\x1b" not in html and "\u202e" not in html
    teams = {row["team"] for row in table(out / "leaderboard.csv")}
    assert "'=HYPERLINK(1)" in teams
    assert all(row["rank"] == "1" and row["tied"] == "1" for row in table(out / "leaderboard.csv"))
    assert "same answers as" in page.text


@pytest.mark.parametrize("metric", ["kappa", "mcc", "accuracy"])
def test_boards_rank_by_other_metrics_too(contest, capsys, metric):
    words = (
        "leaderboard",
        contest / "runs",
        "--answers",
        contest / "answers.csv",
        "--draws",
        "100",
        "--json",
    )
    found = json.loads(fine(capsys, "challenge", *words, "--rank-by", metric, "--out", contest / "out"))
    assert found["ranked_by"] == f"mean_{metric}"
    scores = [row[f"model_1_{metric}"] for row in found["rows"]]
    assert scores == sorted(scores, reverse=True) == [row[f"mean_{metric}"] for row in found["rows"]]
    assert "--rank-by" in refused(capsys, "challenge", *words, "--rank-by", "luck")


def test_attribution_boards_have_no_share_used(contest, capsys):
    labels = [f"model_{n % 3}" for n in range(90)]
    (contest / "groups.csv").write_text(
        "file,label\n" + "".join(f"g{n}.png,{w}\n" for n, w in enumerate(labels))
    )
    (contest / "A_run1.csv").write_text("".join(f"g{n},{(n + 1) % 3}\n" for n in range(90)))
    (contest / "B_run1.csv").write_text("".join(f"g{n},{n // 30}\n" for n in range(90)))
    words = ("leaderboard", contest, "--answers", contest / "groups.csv", "--task", "attribution")
    said = fine(capsys, "challenge", *words, "--draws", "100", "--out", contest / "out")
    assert "2 runs of 2 teams: 1 of 2 runs is better than chance" in said
    page = Page(contest / "out" / "leaderboard.html")
    assert "90 pictures" in page.text and "Coin" not in page.text and "of 3 generators" in page.text


def test_a_recipe_writes_a_run_that_is_valid_and_scored(phantom, tmp_path, capsys):
    edition, out = phantom / "membership-leaking", tmp_path / "out"
    before = files(phantom)
    words = ("m24-cao.cosine", edition, "--team", "Us & Them/..", "--run", "2", "--out", out)
    said = fine(capsys, "challenge", "submit", *words)
    run = out / "Us-Them_run2.csv"
    assert str(run) in said and files(phantom) == before
    assert {path.name for path in out.iterdir()} == {run.name, "Us-Them_run2.json", ".store"}
    assert "valid" in fine(capsys, "challenge", "check", run, "--ids", edition / "test" / "real_unknown")
    fine(capsys, "challenge", "score", run, "--answers", edition / "answers.csv", "--out", tmp_path / "score")
    # A picture that cannot be read still has to be answered: the run is written and called not valid.
    (edition / "test" / "real_unknown" / "zz.png").write_bytes(b"no picture")
    said = call(capsys, "challenge", "submit", *words)
    assert said.code == 2 and "'zz'" in said.err and "missing" in said.err


def test_groups_of_an_attribution_recipe_are_numbered(phantom, tmp_path, capsys):
    words = ("whorl-fingerprint.ward", phantom / "attribution", "--out", tmp_path / "out", "--json")
    found = json.loads(fine(capsys, "challenge", "submit", *words))
    lines = (tmp_path / "out" / "whorl-fingerprint.ward_run1.csv").read_text().splitlines()
    assert found["valid"] and {line.partition(",")[2] for line in lines} == {"1", "2", "3"}
    said = fine(
        capsys,
        *("challenge", "score", found["file"], "--answers", phantom / "attribution" / "answers.csv"),
        *("--task", "attribution", "--out", tmp_path / "score"),
    )
    assert "ARI" in said and "F1" not in said


@pytest.mark.parametrize("platform", ["codabench", "evalai"])
def test_bundles_are_written_into_the_folder_only(contest, capsys, platform):
    before = files(contest)
    words = (
        "challenge",
        "export",
        platform,
        "--answers",
        contest / "answers.csv",
        "--out",
        contest / "bundle",
    )
    assert "keep it to yourself" in fine(capsys, *words, "--start", "2026-01-01")
    after = files(contest)
    assert {name for name in after if name not in before} == {n for n in after if n.parts[0] == "bundle"}
    line = refused(capsys, *words, "--start", "2026-01-01", "--end", "2025-01-01")
    assert "end after it starts" in line


def test_troubles_are_one_line(contest, capsys):
    answers, out = contest / "answers.csv", contest / "out"
    (contest / "empty").mkdir()
    for words, told in (
        (("leaderboard", contest / "nothing", "--answers", answers, "--out", out), "nothing"),
        (("leaderboard", contest / "empty", "--answers", answers, "--out", out), "no run files"),
        (("leaderboard", contest / "runs", "--answers", answers, "--draws", "5", "--out", out), "--draws 5"),
        (("leaderboard", contest / "runs", "--out", out), "--answers is missing"),
        (("check", contest / "nothing.csv", "--ids", answers), "nothing.csv"),
        (("check", answers, "--ids", contest / "nothing"), "--ids"),
        (("submit", "m24-cao.cosine", contest / "nothing", "--out", out), "nothing"),
        (("submit", "m24-cao.cosine", contest, "--team", "../..", "--out", out), "--team"),
        (("export", "codabench", "--answers", contest / "no.csv", "--out", out), "no.csv"),
    ):
        assert told in refused(capsys, "challenge", *words)
    assert not out.exists()
