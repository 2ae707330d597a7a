"""Checks of result tables: true tables pass, planted faults are found, bounds match brute force."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from whorl.challenge import figures, integrity
from whorl.exports import json_text
from whorl.metrics import VERDICT_METRICS
from whorl.records import BadInput

FIGURES = ("accuracy", "precision", "recall", "f1")


def printed(value: float, places: int, truncated: bool) -> str:
    scaled = value * 10**places
    return f"{(np.floor(scaled + 1e-9) if truncated else np.floor(scaled + 0.5)) / 10**places:.{places}f}"


def answers(tp: int, fp: int, used: int, not_used: int) -> dict[str, float]:
    return {name: float(VERDICT_METRICS[name](tp, fp, used - tp, not_used - fp)) for name in FIGURES}


def outcome(
    run: str, counts: tuple[int, int], sizes: tuple[int, int], places: int = 3, truncated: bool = True
) -> dict[str, str]:
    values = answers(*counts, *sizes)
    return {"team": f"team {run}", "run": run} | {
        name: printed(value, places, truncated) for name, value in values.items()
    }


def random_rows(
    seed: int, sizes: tuple[int, int], count: int = 30, places: int = 3, truncated: bool = True
) -> list[dict[str, str]]:
    generator = np.random.default_rng(seed)
    pairs = generator.integers(1, np.array(sizes) + 1, size=(count, 2))
    return [
        outcome(f"r{row}", (int(tp), int(fp)), sizes, places, truncated) for row, (tp, fp) in enumerate(pairs)
    ]


def write(folder: Path, rows: list[dict[str, str]]) -> Path:
    header = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder / "table.csv"


def check(folder: Path, rows: list[dict[str, str]]) -> integrity.Integrity:
    return integrity.check_table(write(folder, rows))


def impossible(found: integrity.Integrity) -> list[str]:
    return [f"{each.check}: {each.who}" for each in found.findings if each.weight == "impossible"]


@pytest.mark.parametrize("truncated", [True, False])
@pytest.mark.parametrize("sizes", [(100, 100), (37, 200), (1500, 500)])
def test_true_tables_pass_whatever_their_sizes_and_digits(
    tmp_path: Path, sizes: tuple[int, int], truncated: bool
) -> None:
    told = {"used": str(sizes[0]), "not_used": str(sizes[1])}
    found = check(tmp_path, [row | told for row in random_rows(1, sizes, truncated=truncated)])
    assert impossible(found) == []
    assert found.printed[0].verdict == ("truncated" if truncated else "rounded")
    assert all(counts is not None and len(counts.tp) for counts in found.counts)


@pytest.mark.parametrize("used", [700, 1000, 1350])
def test_the_share_used_is_found_from_the_digits(tmp_path: Path, used: int) -> None:
    rows = [row | {"n": "2000"} for row in random_rows(2, (used, 2000 - used), count=60)]
    sizes = check(tmp_path, rows).sizes[0]
    assert sizes.used[0] <= used <= sizes.used[1]
    assert sizes.used[1] - sizes.used[0] < 5


@pytest.mark.parametrize("column", FIGURES)
def test_a_wrong_figure_is_found_in_its_row_only(tmp_path: Path, column: str) -> None:
    rows = [row | {"used": "500", "not_used": "500"} for row in random_rows(3, (500, 500))]
    rows[7] = outcome("r7", (300, 200), (500, 500)) | {"used": "500", "not_used": "500"}
    rows[7][column] = f"{float(rows[7][column]) + 0.012:.3f}"
    found = check(tmp_path, rows)
    assert {each.rows for each in found.findings if each.weight == "impossible"} == {(8,)}
    assert {"granularity"} < {each.check for each in found.findings if each.rows == (8,)}


def test_a_wrong_mean_is_found(tmp_path: Path) -> None:
    rows = []
    for run, mean in (("good", "0.531"), ("bad", "0.540")):
        for model, f1 in (("1", "0.502"), ("2", "0.561")):
            rows.append({"team": "a", "run": run, "model": model, "f1": f1, "mean_f1": mean})
    found = check(tmp_path, rows)
    assert [each.rows for each in found.by_check("mean")] == [(3, 4)]


@pytest.mark.parametrize("n", [61, 72, 128])
def test_the_denominator_behind_the_digits_is_found(tmp_path: Path, n: int) -> None:
    rows = [row | {"used": "80", "not_used": "80"} for row in random_rows(4, (n, n), count=12, places=4)]
    found = check(tmp_path, rows)
    assert [(each.size, len(each.rows)) for each in found.denominators] == [(n, 12)]
    assert [each.check for each in found.findings if each.weight == "impossible"] == ["denominators"]


def test_no_denominator_is_made_up(tmp_path: Path) -> None:
    # Accuracy and recall without common counts, and a table whose digits are too coarse to tell.
    generator = np.random.default_rng(5)
    noise = [
        {"run": f"r{row}", "accuracy": f"{accuracy:.4f}", "recall": f"{recall:.4f}"}
        for row, (accuracy, recall) in enumerate(generator.random((30, 2)))
    ]
    assert check(tmp_path, noise).denominators == ()
    assert check(tmp_path, random_rows(6, (2000, 2000), count=40)).denominators == ()


def test_copies_of_one_outcome_are_no_evidence_of_a_denominator(tmp_path: Path) -> None:
    rows = [outcome(f"r{copy}", (40, 23), (61, 61), places=4) for copy in range(12)]
    assert check(tmp_path, rows).denominators == ()


def test_equal_outcomes_are_told_apart_by_team(tmp_path: Path) -> None:
    rows = random_rows(7, (900, 900), count=8)
    rows[5] |= {name: rows[2][name] for name in FIGURES}
    rows[6] |= {name: rows[3][name] for name in FIGURES} | {"team": rows[3]["team"]}
    found = check(tmp_path, rows)
    assert [each.rows for each in found.by_check("identical outcomes across teams")] == [(3, 6)]
    assert [each.rows for each in found.by_check("identical outcomes of one team")] == [(4, 7)]


def test_true_votes_pass_and_false_ones_do_not(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    truth = np.arange(400) < 200
    said = generator.random((5, 400)) < np.array([0.97, 0.9, 0.6, 0.95, 0.85])[:, None]

    def row(run: str, called: np.ndarray, **more: str) -> dict[str, str]:
        counts = int((called & truth).sum()), int((called & ~truth).sum())
        return outcome(run, counts, (200, 200)) | {"team": "a", "used": "200", "not_used": "200"} | more

    members = [row(f"m{each}", said[each]) for each in range(5)]
    names = ";".join(f"m{each}" for each in range(5))
    majority = row("v", said.sum(0) >= 3, vote="majority", members=names)
    unanimity = row("u", said.all(0), vote="unanimity", members=names)
    assert impossible(check(tmp_path, [*members, majority, unanimity])) == []
    swapped = [majority | {"vote": "unanimity"}, unanimity | {"vote": "majority"}]
    found = {each.check for each in check(tmp_path, [*members, *swapped]).findings}
    assert {"unanimity against its members", "majority against its members"} <= found
    assert "unanimity above majority" in found


def test_a_rand_index_below_its_bound_is_found(tmp_path: Path) -> None:
    rows = [{"run": str(row), "ari": ari, "classes": "4;4"} for row, ari in enumerate(("-0.1", "-0.4"))]
    found = check(tmp_path, rows)
    assert [each.rows for each in found.by_check("rand index bounds")] == [(2,)]


def test_a_row_without_counts_leaves_the_others_corrected(tmp_path: Path) -> None:
    from scipy.stats import false_discovery_control

    told = {"used": "300", "not_used": "300"}
    rows = [row | told for row in random_rows(11, (300, 300), count=9)]
    rows[4] |= {"f1": "0.999"}  # no counts give this
    found = check(tmp_path, rows)
    margins = [each.p_margins for each in found.outcomes]
    assert [p is None for p in margins] == [row == 4 for row in range(9)]
    expected = false_discovery_control([p for p in margins if p is not None])
    assert [each.adjusted_margins for each in found.outcomes if each.row != 4] == pytest.approx(expected)


def test_coins_do_not_beat_chance_and_looking_does(tmp_path: Path) -> None:
    generator = np.random.default_rng(10)
    shares = generator.uniform(0.1, 0.9, 40)
    pairs = [tuple(generator.binomial(300, share, 2)) for share in shares]
    pairs[4] = (220, 150)
    told = {"used": "300", "not_used": "300"}
    rows = [outcome(f"r{row}", pair, (300, 300)) | told for row, pair in enumerate(pairs)]
    found = check(tmp_path, rows)
    assert [each.row for each in found.outcomes if each.beats_chance] == [4]
    assert [each.row for each in found.outcomes if each.beats_chance_given_margins] == [4]


def test_constant_answers_are_named_and_the_constant_is_beaten_only_above_it(tmp_path: Path) -> None:
    told = {"used": "300", "not_used": "700"}
    pairs = {"all": (300, 700), "none": (2, 1), "some": (150, 350), "good": (250, 200)}
    rows = [outcome(run, pair, (300, 700), places=4) | told for run, pair in pairs.items()]
    found = check(tmp_path, rows)
    assert [each.rows for each in found.by_check("nearly constant answers")] == [(1,), (2,)]
    assert found.outcomes[0].constant_f1 == pytest.approx(0.6 / 1.3)
    assert dict(found.runs) == {0: False, 1: False, 2: False, 3: True}  # 0.4615 < 0.46154


def test_digits_follow_the_table(tmp_path: Path) -> None:
    rows = [{"source": "kept", "recall": text} for text in ("0.500", "0.25")]
    rows += [{"source": "dropped", "recall": text} for text in ("0.512", "0.5", "1")]
    table = figures.read(write(tmp_path, rows))
    assert table.units["recall"] == pytest.approx([1e-3, 1e-2, 1e-3, 1e-3, 1e-3])
    low, high = figures.ends(table, "recall", "truncated")
    assert low[3] == 0.5 and 0.5009 < high[3] < 0.501 and high[4] == 1


def test_one_run_in_two_tables(tmp_path: Path) -> None:
    pairs = [("0.612", "0.6128"), ("0.613", "0.6136"), ("0.700", "0.7131")]
    rows = [
        {"run": str(run), "source": source, "f1": f1}
        for run, both in enumerate(pairs)
        for source, f1 in zip(("short", "long"), both, strict=True)
    ]
    found = check(tmp_path, rows)
    assert [(each.truncated, each.rounded) for each in found.coarser] == [(2, 0)]
    assert [each.rows for each in found.by_check("one run in two tables")] == [(5, 6)]


def test_missing_columns_switch_checks_off_and_this_is_said(tmp_path: Path) -> None:
    found = check(tmp_path, [{"run": "a", "f1": "0.5"}, {"run": "b", "f1": "0.6"}])
    text = "\n".join(integrity.lines(found))
    assert found.findings == () and found.outcomes == ()
    assert "not checked: denominators (needs accuracy, recall)" in text
    assert "not checked: votes against their members (needs recall, vote, members)" in text
    assert json.loads(json_text(integrity.content(found)))["not_checked"] == list(found.skipped)


BAD = [
    ("team,run\na,1\n", "no column of figures"),
    ("run,f1\n", "the table has no rows"),
    ("run,f1,F1\na,0.5,0.5\n", "two columns are called `f1`"),
    ("run,f1\na,half\n", "row 1: f1 'half' is not a number"),
    ("run,f1\na,nan\n", "row 1: f1 'nan' is not a number"),
    ("run,f1\na,1e400\n", "row 1: f1 '1e400' is not a number"),
    ("run,f1\na,66.6\n", "write shares, not percentages"),
    ("run,f1,n\na,0.5,1.5\n", "n '1.5' is not a whole number"),
    ("run,f1,n,used,not_used\na,0.5,10,4,5\n", "used and not_used make 9, n says 10"),
    ("run,f1\na,0.5,1\n", "line 2: 3 cells, not 2"),
    ("run,ari,classes\na,0.1,many\n", "classes 'many' is neither a number nor sizes"),
    ("run,recall,vote,members\na,0.5,majority,b\n", "member 'b' is no run of this team"),
    ("run,recall,vote,members\na,0.5,quorum,a\n", "vote 'quorum' is unknown"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_tables_are_answered_with_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        integrity.check_table(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_enormous_numbers_cost_nothing(tmp_path: Path) -> None:
    row = {"run": "a", "accuracy": "0.5", "recall": "0.5", "precision": "0.5", "f1": "0.5"}
    huge = {"used": "500000000", "not_used": "500000000", "ari": "0.1", "classes": "999999999"}
    found = check(tmp_path, [row | huge, row | {"run": "b", "accuracy": "0.50000000000000000001"}])
    assert found.counts == (None, None)
    assert [each.row for each in found.outcomes] == [0]
