"""The published tables of 2023 and 2024 tell what is wrong with them without being told."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from whorl.challenge import figures, integrity
from whorl.challenge.integrity import Integrity, check_table

ROOT = Path(__file__).parents[2]
TEST_2024, TEST_2023 = "overview 2024, table 2", "overview 2023, table 2"
PICUS_CV, PICUS_TEST = "PicusLabMed 2023, table 1", "PicusLabMed 2023, table 2"

# Worked out once by other means: run, model, right of 4,000, p and q of the binomial, and whether q ≤ 0.05.
KNOWN = [
    ("892", "1", 1996, 0.5566, 0.7156, False),
    ("909", "2", 2092, 0.001902, 0.005136, True),
    ("893", "1", 1864, 1.0, 1.0, False),
    ("893", "2", 2068, 0.01639, 0.04215, True),
    ("848", "2", 2304, 3.426e-22, 2.176e-21, True),
    ("849", "1", 2060, 0.02994, 0.0752, False),
    ("844", "1", 2844, 5.428e-162, 2.931e-160, True),
    ("834", "1", 2456, 9.746e-48, 1.504e-46, True),
    ("905", "2", 2188, 1.483e-09, 6.672e-09, True),
    ("898", "1", 2152, 8.213e-07, 3.285e-06, True),
]


@pytest.fixture(scope="module")
def membership() -> Integrity:
    return check_table(figures.published("membership"))


@pytest.fixture(scope="module")
def attribution() -> Integrity:
    return check_table(figures.published("attribution"))


def runs(found: Integrity, rows: tuple[int, ...]) -> set[str]:
    """Team and run of rows counted from 1."""
    return {f"{found.table.rows[row - 1]['team']} {found.table.rows[row - 1]['run']}" for row in rows}


def reached(found: Integrity, edition: str, source: str) -> list[tuple[str, bool]]:
    rows = found.table.rows
    return [
        (rows[row]["run"], reach)
        for row, reach in found.runs
        if rows[row]["edition"] == edition and source in rows[row]["source"]
    ]


def test_no_run_of_2024_reaches_the_constant(membership: Integrity) -> None:
    judged = reached(membership, "2024", TEST_2024)
    assert len(judged) == 54
    assert not any(reach for _, reach in judged)
    above = [each for each in membership.of_table("2024", TEST_2024) if each.f1 > each.constant_f1]
    assert {(membership.table.rows[each.row]["run"], each.model) for each in above} == {
        ("892", "2"),
        ("891", "2"),
    }


def test_three_runs_of_2023_exceed_the_constant_and_one_equals_it(membership: Integrity) -> None:
    judged = reached(membership, "2023", TEST_2023)
    assert len(judged) == 40
    assert [run for run, reach in judged if reach] == ["submission 2", "submission 1", "submission 3"]
    # Rounded to four digits, two thirds lie a hair above.
    assert [run for run, reach in reached(membership, "2023", PICUS_TEST) if reach] == ["submission 8"]


def test_forty_two_outcomes_of_2024_beat_chance(membership: Integrity) -> None:
    outcomes = membership.of_table("2024", TEST_2024)
    assert len(outcomes) == 108
    assert sum(each.p_above < 0.05 for each in outcomes) == 44
    assert Counter(each.model for each in outcomes if each.beats_chance) == {"1": 19, "2": 23}
    by_run = Counter(membership.table.rows[each.row]["run"] for each in outcomes if each.beats_chance)
    assert len(by_run) == 30 and sum(count == 2 for count in by_run.values()) == 12
    chosen = [each.accuracy for each in outcomes if each.beats_chance]
    others = [each.accuracy for each in outcomes if not each.beats_chance]
    assert (min(chosen), max(others)) == (0.517, 0.515)


def test_fixed_margins_add_two_outcomes_and_lose_none(membership: Integrity) -> None:
    outcomes = membership.of_table("2024", TEST_2024)
    binomial = {each.row for each in outcomes if each.beats_chance}
    margins = {each.row for each in outcomes if each.beats_chance_given_margins}
    assert binomial < margins and len(margins) == 44
    rows = membership.table.rows
    assert {(rows[row]["run"], rows[row]["model"]) for row in margins - binomial} == {
        ("891", "2"),
        ("849", "1"),
    }


def test_four_outcomes_of_2024_are_below_chance(membership: Integrity) -> None:
    rows = membership.table.rows
    below = [rows[each.row] for each in membership.of_table("2024", TEST_2024) if each.below_chance]
    assert {(row["run"], row["model"]) for row in below} == {
        ("893", "1"),
        ("857", "1"),
        ("890", "1"),
        ("902", "1"),
    }


@pytest.mark.parametrize(("run", "model", "right", "p", "q", "beats"), KNOWN)
def test_p_values_of_known_rows(
    membership: Integrity, run: str, model: str, right: int, p: float, q: float, beats: bool
) -> None:
    rows = membership.table.rows
    one = next(
        each
        for each in membership.of_table("2024", TEST_2024)
        if rows[each.row]["run"] == run and each.model == model
    )
    assert (one.right, one.n, one.beats_chance) == (right, 4000, beats)
    assert one.p_above == pytest.approx(p, rel=1e-3, abs=1e-4 * (p > 0.9))
    assert one.adjusted_above == pytest.approx(q, rel=1e-3, abs=1e-4 * (q > 0.9))


def test_p_values_are_those_of_scipy(membership: Integrity) -> None:
    from scipy.stats import binomtest, false_discovery_control, fisher_exact

    outcomes = membership.of_table("2024", TEST_2024)
    expected = [binomtest(each.right, each.n, alternative="greater").pvalue for each in outcomes]
    assert [each.p_above for each in outcomes] == pytest.approx(expected, rel=1e-9)
    assert [each.adjusted_above for each in outcomes] == pytest.approx(
        false_discovery_control(expected), rel=1e-9
    )
    for one in outcomes[::9]:
        counts = membership.counts[one.row]
        assert counts is not None
        tables = np.stack(counts.cells, axis=1).reshape(-1, 2, 2)
        worst = max(fisher_exact([[tp, fp], [fn, tn]], "greater").pvalue for (tp, fp), (fn, tn) in tables)
        assert one.p_margins == pytest.approx(worst, rel=1e-6)


def test_shared_outcomes_are_those_of_two_teams(membership: Integrity) -> None:
    across = membership.by_check("identical outcomes across teams")
    teams = {frozenset(membership.table.rows[row - 1]["team"] for row in each.rows) for each in across}
    assert teams == {frozenset({"Robot", "Shitongcao"})}
    shared = {each.printed: runs(membership, each.rows) for each in across}
    assert len(shared) == 8
    assert shared["0.711/0.824/0.538/0.651"] == {"Robot 844", "Shitongcao 838"}
    assert shared["0.503/0.504/0.409/0.451"] == {"Robot 840", "Robot 845", "Shitongcao 837"}
    assert shared["0.593/0.751/0.279/0.407"] == {"Robot 841", "Robot 845", "Shitongcao 838"}
    assert shared["0.559/0.761/0.174/0.283"] == {"Robot 843", "Robot 847", "Shitongcao 833"}


def test_the_majority_run_is_impossible_and_only_it(membership: Integrity) -> None:
    broken = membership.by_check("majority against its members")
    assert {each.who for each in broken} == {f"2024 Inoue Koki 893, model {model}" for model in "12"}
    recalls = [each for each in broken if each.printed.startswith("recall")]
    assert len(recalls) == 2
    for each, simple in zip(recalls, (0.925, 0.979), strict=True):  # 1 − Σ(1 − r)/3
        assert float(each.implied.removeprefix("at least ")) >= simple
    assert membership.by_check("unanimity against its members") == ()
    (order,) = membership.by_check("unanimity above majority")
    assert runs(membership, order.rows) == {"Inoue Koki 890", "Inoue Koki 893"} and "model 2" in order.who


def test_two_rows_of_the_cross_validation_contradict_themselves(membership: Integrity) -> None:
    rows = {each.row + 1 for each in membership.of_table("2023", PICUS_CV)}
    assert len(rows) == 36
    formula = membership.by_check("f1 from accuracy and recall")
    assert {run for each in formula for run in runs(membership, each.rows)} == {
        "PicusLabMed Vector-Net (1,2) FULL + SVM-Linear",
        "PicusLabMed Vector-Net (1,2,3) FULL + SVM-2",
    }
    assert {each.rows for each in formula} == {
        each.rows for each in membership.by_check("granularity") if each.weight == "impossible"
    }


def test_the_cross_validation_has_three_denominators(membership: Integrity) -> None:
    found = [each for each in membership.denominators if PICUS_CV in each.origin]
    methods = {
        each.size: {membership.table.rows[row]["method"].partition(" (")[0] for row in each.rows}
        for each in found
    }
    assert {each.size: len(each.rows) for each in found} == {72: 16, 256: 12, 80: 6}
    assert methods == {72: {"Vector-Net"}, 256: {"DAE"}, 80: {"DAE"}}
    assert [each.size for each in membership.denominators if PICUS_TEST in each.origin] == [100]


def test_digits_were_truncated_by_the_organisers_and_rounded_by_the_team(membership: Integrity) -> None:
    explained = {each.origin: each for each in membership.printed}
    verdicts = {origin.split(", ", 1)[1]: each.verdict for origin, each in explained.items()}
    assert verdicts[f"{TEST_2024}, test"] == verdicts[f"{TEST_2023}, test"] == "truncated"
    assert verdicts[f"{PICUS_TEST}, test"] == "rounded"
    table_2024 = explained[f"2024, {TEST_2024}, test"]
    assert (table_2024.truncated, table_2024.rows) == (108, 108) and table_2024.rounded < 108
    assert all(each.truncated == each.rows and each.rounded == 0 for each in membership.coarser)


def test_the_undisclosed_share_is_one_half(membership: Integrity) -> None:
    assert [(each.used, each.total) for each in membership.sizes] == [((1999, 2000), 4000)] * 2


def test_nothing_of_2024_but_the_votes_is_impossible(membership: Integrity) -> None:
    found = {each.check for each in membership.findings if each.weight == "impossible" and "2024" in each.who}
    assert found == {"majority against its members", "unanimity above majority"}


def test_constants_and_equal_figures_of_2024(membership: Integrity) -> None:
    outcomes = membership.of_table("2024", TEST_2024)
    shares = np.array([each.share_used for each in outcomes])
    assert ((shares > 0.9).sum(), (shares < 0.1).sum()) == (11, 6)
    equal = membership.by_check("four equal figures")
    assert len(equal) == 12 and len({run for each in equal for run in runs(membership, each.rows)}) == 6


def test_the_best_f1_of_2023_leaves_seven_matrices(membership: Integrity) -> None:
    best = membership.of_table("2023", TEST_2023)[0]
    counts = membership.counts[best.row]
    assert counts is not None
    pairs = set(zip(counts.tp.tolist(), counts.fp.tolist(), strict=True))
    assert pairs == {(67, 0), (69, 3), (71, 6), (73, 9), (75, 12), (77, 15), (79, 18)}
    beating = [each for each in membership.of_table("2023", TEST_2023) if each.beats_chance]
    assert [each.accuracy for each in beating] == [0.805, 0.640]
    assert not any(each.beats_chance for each in membership.of_table("2023", PICUS_TEST))


def test_a_printed_rand_index_is_impossible_for_equal_classes(attribution: Integrity) -> None:
    found = attribution.by_check("rand index bounds")
    assert {each.who for each in found} == {"2024 GAN-Amis 517"} and len(found) == 2
    assert len(attribution.findings) == 2


def test_every_figure_has_a_source() -> None:
    with figures.published("sources").open(encoding="utf-8", newline="") as file:
        sources = {row["source"] for row in csv.DictReader(file)}
    for name in ("membership", "attribution"):
        for row in figures.read(figures.published(name)).rows:
            assert row["source"].partition(",")[0] in sources


def test_lines_name_what_matters(membership: Integrity) -> None:
    text = "\n".join(integrity.lines(membership))
    assert "42 of 108 outcomes beat it (19 on model 1, 23 on model 2)" in text
    assert "0 of 54 runs reach the F1 of always used" in text
    assert "2024 Inoue Koki 893, model 1: recall 0.819" in text


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "leaderboards.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
