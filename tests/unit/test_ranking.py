"""Leaderboards: planted skill is found, coins are not, ranks and intervals are those of plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whorl.challenge import entries, ranking
from whorl.challenge.draws import rand_index_draws, ranks, shuffled_rand_indices, verdict_draws
from whorl.challenge.panels import Redrawing, chance_f1
from whorl.challenge.scoring import read_truth
from whorl.challenge.submissions import FORMS
from whorl.evidence.exact import benjamini_hochberg, binomial_p, fixed_margins_p
from whorl.evidence.intervals import bootstrap_weights
from whorl.metrics import VERDICT_METRICS, adjusted_rand_index, chance_levels
from whorl.records import BadInput

FORM = FORMS["2023"]


def truth_of(tmp_path, labels, patients=None, task="membership", name="answers.csv"):
    rows = ["file,label" + ("" if patients is None else ",patient")]
    for number, label in enumerate(labels):
        rows.append(f"p{number:05d},{label}" + ("" if patients is None else f",P{patients[number]}"))
    (tmp_path / name).write_text("\n".join(rows) + "\n")
    return read_truth(tmp_path / name, task, FORM)


def write_run(folder, name, said):
    folder.mkdir(exist_ok=True)
    text = "".join(f"p{number:05d},{int(answer)}\n" for number, answer in enumerate(said))
    (folder / name).write_text(text)


def board_of(folder, truths, metric="f1", draws=200, seed=0):
    settings = ranking.Settings(FORM, Redrawing(metric, draws, seed))
    return ranking.leaderboard(entries.read([folder]), truths, settings)


def planted(tmp_path, pictures=600, seed=0):
    """Twelve coins, one run with skill, one with skill and the wrong sign, one constant, two alike."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(pictures) % 2
    runs = {f"Coin_run{n}.csv": generator.random(pictures) < n / 14 for n in range(1, 13)}
    knows = generator.random(pictures) < 0.4
    guess = generator.integers(2, size=pictures)
    runs["Skill_run1.csv"] = np.where(knows, labels, guess)
    runs["Flipped_run1.csv"] = np.where(knows, 1 - labels, guess)
    runs["Always_run1.csv"] = np.ones(pictures)
    runs["Twin_run1.csv"] = runs["Skill_run1.csv"]
    for name, said in runs.items():
        write_run(tmp_path / "runs", name, said)
    return truth_of(tmp_path, labels), labels, runs


def test_planted_skill_is_found_and_coins_are_not(tmp_path):
    truth, _, _ = planted(tmp_path)
    board = board_of(tmp_path / "runs", [truth])
    rows = {row.entry.name: row for row in board.rows}
    for name in ("binomial", "margins"):
        tests = {run: row.panels[0].tests[name] for run, row in rows.items()}
        assert tests["Skill 1"].adjusted < 1e-6 and tests["Skill 1"].above
        assert tests["Flipped 1"].adjusted < 1e-6 and not tests["Flipped 1"].above
        assert all(tests[f"Coin {n}"].adjusted > 0.05 for n in range(1, 13))
        assert tests["Always 1"].p_value == 1
    # F1 puts the constant at least as high as most coins; the panel tells what it is.
    assert board.constants["always used"] == pytest.approx(2 / 3)
    assert rows["Always 1"].score.estimate == pytest.approx(2 / 3)
    assert rows["Always 1"].panels[0].balanced.estimate == 0.5
    balanced = rows["Skill 1"].panels[0].balanced
    assert balanced.low > 0.6 and balanced.low < balanced.estimate < balanced.high


def test_equal_runs_share_rank_marks_and_first_places(tmp_path):
    truth, _, _ = planted(tmp_path)
    rows = {row.entry.name: row for row in board_of(tmp_path / "runs", [truth]).rows}
    skill, twin = rows["Skill 1"], rows["Twin 1"]
    assert skill.rank == twin.rank == 1 and skill.tied and twin.tied
    assert skill.same_as == ("Twin 1",) and twin.same_as == ("Skill 1",)
    assert skill.ranks == twin.ranks and skill.first == twin.first == pytest.approx(0.5, abs=0.1)
    assert all(not row.same_as for name, row in rows.items() if name not in ("Skill 1", "Twin 1"))
    assert sum(row.first for row in rows.values()) == pytest.approx(1)
    assert all(row.ranks[0] <= row.rank <= row.ranks[1] for row in rows.values())


def test_the_same_seed_gives_the_same_board(tmp_path):
    truth, _, _ = planted(tmp_path)
    one, two, other = (ranking.content(board_of(tmp_path / "runs", [truth], seed=s)) for s in (1, 1, 2))
    assert one == two and one["rows"] != other["rows"]


def test_two_models_are_ranked_by_the_mean(tmp_path):
    generator = np.random.default_rng(5)
    labels = [generator.permutation(80) % 2 for _ in range(2)]
    truths = [truth_of(tmp_path, each, name=f"answers_{n}.csv") for n, each in enumerate(labels)]
    for place, each in enumerate(labels, start=1):
        write_run(tmp_path / "runs", f"A_run1_model{place}.csv", each if place == 1 else 1 - each)
        write_run(tmp_path / "runs", f"B_run1_model{place}.csv", np.ones(80))
    write_run(tmp_path / "runs", "C_run1_model1.csv", labels[0])
    board = board_of(tmp_path / "runs", truths)
    assert [(row.entry.team, row.rank) for row in board.rows] == [("B", 1), ("A", 2)]
    assert [row.score.estimate for row in board.rows] == pytest.approx([2 / 3, 0.5])
    assert [name for name, _ in board.invalid] == ["C 1"] and "model 1" in board.invalid[0][1]
    header, rows = ranking.table(board)
    assert header[:6] == ["rank", "tied", "team", "run", "organiser", "mean_f1"]
    assert dict(zip(header, rows[1], strict=True))["model_2_accuracy"] == 0


def test_runs_that_are_not_valid_take_no_part(tmp_path):
    truth, labels, _ = planted(tmp_path)
    write_run(tmp_path / "runs", "Bad_run1.csv", 2 * labels)
    write_run(tmp_path / "runs", "Short_run1.csv", labels[:-1])
    board = board_of(tmp_path / "runs", [truth])
    assert {name for name, _ in board.invalid} == {"Bad 1", "Short 1"} and len(board.rows) == 16
    for name in list((tmp_path / "runs").iterdir()):
        if name.name not in ("Bad_run1.csv", "Short_run1.csv"):
            name.unlink()
    with pytest.raises(BadInput, match="none of the 2 runs is valid"):
        board_of(tmp_path / "runs", [truth])


def test_draws_are_those_of_a_loop_over_patients(tmp_path):
    generator = np.random.default_rng(1)
    labels, patients = np.repeat([0, 1], 60), np.repeat(np.arange(40), 3)
    truth = truth_of(tmp_path, labels, patients)
    said = generator.integers(2, size=(4, 120))
    found = verdict_draws([truth], [said], ["f1", "mcc"], 30, 9)
    weights = bootstrap_weights(list(truth.patients), labels, 30, 9)
    for draw in range(30):
        weight = weights.counts[draw][weights.patient]
        for run in range(4):
            kept = (np.repeat(labels, weight), np.repeat(said[run], weight))
            cells = [np.sum((kept[0] == a) & (kept[1] == b)) for a, b in ((1, 1), (0, 1), (1, 0), (0, 0))]
            for name in ("f1", "mcc"):
                expected = float(VERDICT_METRICS[name](*map(float, cells)))
                assert found[name][0, draw, run] == pytest.approx(expected)


def test_patients_with_many_pictures_widen_the_interval(tmp_path):
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], 200)
    said = np.repeat(generator.random(40) < 0.5, 10)
    write_run(tmp_path / "runs", "A_run1.csv", said)
    alone = board_of(tmp_path / "runs", [truth_of(tmp_path, labels)]).rows[0].score
    grouped_truth = truth_of(tmp_path, labels, np.repeat(np.arange(40), 10))
    grouped = board_of(tmp_path / "runs", [grouped_truth])
    together = grouped.rows[0].score
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert any("independent" in note for note in grouped.notes)


def test_attribution_ranks_by_agreement_whatever_the_names(tmp_path):
    generator = np.random.default_rng(2)
    labels = generator.integers(4, size=240)
    noise = generator.random(240)
    for team, skill in (("Best", 0.9), ("Middle", 0.4), ("None", 0.0)):
        said = np.where(noise < skill, (labels + 1) % 4, generator.integers(4, size=240))
        write_run(tmp_path / "runs", f"{team}_run1.csv", said)
        if team == "Best":
            write_run(tmp_path / "runs", "Renamed_run1.csv", np.array([7, 3, 9, 1])[said])
    truth = truth_of(tmp_path, [f"model_{label}" for label in labels], task="attribution")
    board = board_of(tmp_path / "runs", [truth], "adjusted_rand_index", 60)
    rows = {row.entry.team: row for row in board.rows}
    assert [rows[team].rank for team in ("Best", "Renamed", "Middle", "None")] == [1, 1, 3, 4]
    assert rows["Renamed"].same_as == ("Best 1",)
    tests = {team: row.panels[0].tests["shuffled"] for team, row in rows.items()}
    assert tests["Middle"].adjusted < 0.01 and tests["None"].adjusted > 0.05
    for row in rows.values():
        assert row.score.low <= row.score.estimate <= row.score.high <= 1


def test_rand_indices_of_many_runs_are_those_of_each(tmp_path):
    generator = np.random.default_rng(4)
    labels = generator.integers(3, size=90)
    truth = truth_of(tmp_path, labels, np.repeat(np.arange(30), 3), "attribution")
    said = generator.integers(5, size=(3, 90)).astype(np.int16)
    null = shuffled_rand_indices(truth, said, 4, 8)
    again = np.random.default_rng(8)
    for row in null:
        shuffled = again.permutation(truth.labels)
        assert row == pytest.approx([adjusted_rand_index(shuffled, each) for each in said])
    assert np.abs(rand_index_draws(truth, said, 20, 0)).max() < 0.2
    exact = np.stack([truth.labels, truth.labels[::-1]])
    assert rand_index_draws(truth, exact, 20, 0)[:, 0] == pytest.approx(1)


def test_ranks_put_the_highest_first_and_share_the_better_rank():
    assert ranks(np.array([0.2, 0.9, 0.5, 0.9, 0.1])).tolist() == [4, 1, 3, 1, 5]
    scores = np.round(np.random.default_rng(0).random((20, 30)), 1)
    assert ranks(scores).tolist() == stats.rankdata(-scores, method="min", axis=1).tolist()
    assert ranks(np.array([0.1 + 0.2, 0.3])).tolist() == [1, 1]


@pytest.mark.parametrize(("trials", "chance"), [(200, 0.5), (37, 0.5), (60, 0.8), (1, 0.5)])
def test_binomial_p_values_are_those_of_scipy(trials, chance):
    hits = np.arange(trials + 1)
    expected = [stats.binomtest(int(k), trials, chance).pvalue for k in hits]
    assert binomial_p(hits, trials, chance) == pytest.approx(expected)


def test_fixed_margin_p_values_are_those_of_fisher():
    generator = np.random.default_rng(0)
    for used, total in ((20, 45), (100, 200), (3, 50)):
        said = generator.integers(0, total + 1, 30)
        tp = np.array([generator.integers(max(0, s + used - total), min(used, s) + 1) for s in said])
        tables = [[[t, s - t], [used - t, total - used - s + t]] for t, s in zip(tp, said, strict=True)]
        expected = [stats.fisher_exact(table)[1] for table in tables]
        assert fixed_margins_p(tp, said, used, total) == pytest.approx(expected)


def test_p_values_are_never_nought_and_pay_for_their_number():
    assert binomial_p(np.array([100_000]), 100_000, 0.5)[0] > 0
    values = np.random.default_rng(0).random((2, 50)) ** 2
    expected = stats.false_discovery_control(values.ravel()).reshape(2, 50)
    assert benjamini_hochberg(values) == pytest.approx(expected)
    assert benjamini_hochberg([]).size == 0


def test_chance_is_that_of_the_metrics():
    truth, said = np.arange(60) < 20, np.arange(60) % 5 == 0
    levels = chance_levels(truth, said)["f1"]
    found = chance_f1(1 / 3, 0.2)
    assert found["always used"] == pytest.approx(levels["always used"])
    assert found["coin, same share"] == pytest.approx(levels["coin, same share"])
    assert chance_f1(0.5, 0)["coin, same share"] == found["never used"] == 0


def test_manifests_name_what_file_names_cannot(tmp_path):
    write_run(tmp_path / "runs", "a.csv", [1, 0])
    rows = 'team,run,file,model,method,organiser\n"Us, & <them>",final,runs/a.csv,,coin,yes\n'
    (tmp_path / "all.csv").write_text(rows)
    (tmp_path / "all.toml").write_text('[[run]]\nteam = "Us, & <them>"\nrun = "final"\nfile = "runs/a.csv"\n')
    one, two = entries.read([tmp_path / "all.csv"])[0], entries.read([tmp_path / "all.toml"])[0]
    assert one.name == two.name == "Us, & <them> final" and one.method == "coin" and one.organiser
    assert one.files == two.files == {"1": tmp_path / "runs" / "a.csv"}


@pytest.mark.parametrize("file", ["../outside.csv", "/etc/passwd", "link.csv"])
def test_no_manifest_or_folder_leads_outside(tmp_path, file):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text("p00000,1\n")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "all.csv").write_text(f"team,run,file\nA,1,{file}\n")
    with pytest.raises(BadInput, match="leads out of the manifest's folder"):
        entries.read([folder / "all.csv"])
    (folder / "A_run1.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(BadInput, match="leads out of the folder"):
        entries.read([folder])


def test_names_of_run_files_are_read_as_people_write_them(tmp_path):
    for name in (
        "PicusLabMed_submission1.csv",
        "Team-7_run12_model2.csv",
        "two words run 3.csv",
        "notes.csv",
    ):
        (tmp_path / name).write_text("")
    found = {(entry.team, entry.run, *entry.files) for entry in entries.read([tmp_path])}
    assert found == {("PicusLabMed", "1", "1"), ("Team-7", "12", "2"), ("two words", "3", "1")}
    with pytest.raises(BadInput, match="both run 1 of PicusLabMed"):
        entries.read([tmp_path, tmp_path / "PicusLabMed_submission1.csv"])
    assert entries.file_name("Us & Them/../..", 2) == "Us-Them_run2.csv"
    with pytest.raises(BadInput, match="--team"):
        entries.file_name("../..", 1)
