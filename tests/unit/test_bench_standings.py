"""The statistics of a bench against independent computations, and benches with nearly nothing in them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from whorl import exports, standings
from whorl.ledger import Bench, read_lines
from whorl.placings import mean_interval, mean_p
from whorl.records import Interval

sys.path.insert(0, str(Path(__file__).parents[1]))
import bench_lines
from bench_lines import line


@pytest.fixture
def bench_of(tmp_path):
    def read(lines) -> Bench:
        return read_lines(bench_lines.write(tmp_path / "runs.jsonl", lines))

    return read


@pytest.fixture
def field(bench_of):
    return standings.standings(bench_of(bench_lines.field()))


def test_seeds_are_averaged_with_their_ends_and_their_spread(bench_of):
    lines = [
        line("e", "m1.a", auc, seed=seed, p_value=p) for seed, auc, p in ((0, 0.6, 0.01), (1, 0.7, 0.05))
    ]
    (row,) = standings.standings(bench_of(lines)).editions[0].rows
    assert row.main.estimate == pytest.approx(0.65) and row.main.low == pytest.approx(0.60)
    assert row.spread == pytest.approx(0.1) and row.seeds == 2
    assert row.p_value == pytest.approx(0.06), "twice the mean"


def test_without_random_numbers_one_run_stands_for_all_seeds(bench_of):
    lines = [line("e", "m1.a", 0.6, seed=seed, seeded=False, p_value=0.03) for seed in range(3)]
    (row,) = standings.standings(bench_of(lines)).editions[0].rows
    assert (row.seeds, row.p_value, row.spread) == (1, 0.03, None)


def test_twice_the_mean_never_exceeds_its_level_even_for_the_worst_dependence():
    random = np.random.default_rng(0)
    draws = random.random(20_000)
    # Two p-values that lean on each other as badly as any: their mean is small exactly when one is not.
    for other in (draws, 1 - draws, random.random(20_000), np.where(draws < 0.1, 0.1 - draws, draws)):
        found = np.array([mean_p(pair) for pair in zip(draws, other, strict=True)])
        assert (found <= 0.05).mean() <= 0.055
    assert mean_p([0.9, 0.8]) == 1.0 and mean_p([0.9]) == 0.9


def test_adjusted_p_values_are_those_of_scipy(bench_of):
    p_values = [0.001, 0.2, 0.03, 0.04, 0.9, 0.011]
    lines = [line("e", f"m{place}.a", p_value=p) for place, p in enumerate(p_values)]
    rows = standings.standings(bench_of(lines)).editions[0].rows
    expected = dict(
        zip([f"m{place}.a" for place in range(6)], stats.false_discovery_control(p_values), strict=True)
    )
    assert {row.recipe: row.q_value for row in rows} == pytest.approx(expected)
    assert {row.recipe for row in rows if row.outcome == "better"} == {"m0.a", "m5.a"}


def test_worse_than_chance_is_read_off_the_interval(bench_of):
    lines = [line("e", "m1.a", 0.3, p_value=1.0), line("e", "m2.a", 0.47, p_value=0.9)]
    rows = standings.standings(bench_of(lines)).editions[0].rows
    assert {row.recipe: row.outcome for row in rows} == {"m1.a": "worse", "m2.a": ""}


def test_f1_is_surely_useful_only_with_its_whole_interval(bench_of):
    measures = {"auc": [0.6, 0.5, 0.7], "f1": [0.70, 0.66, 0.75]}
    better = {"auc": [0.6, 0.5, 0.7], "f1": [0.70, 0.68, 0.75]}
    rows = (
        standings.standings(
            bench_of([line("e", "m1.a", measures=measures), line("e", "m2.a", measures=better)])
        )
        .editions[0]
        .rows
    )
    assert [row.recipe for row in rows if row.surely_useful] == ["m2.a"]


def test_mean_ranks_are_those_of_rankdata_over_recipes_on_every_edition(field):
    complete = [row.recipe for row in field.ranked]
    assert len(complete) == 8 and "m4.net" not in complete
    table = np.array(
        [
            [next(row.main.estimate for row in edition.rows if row.recipe == name) for name in complete]
            for edition in field.membership
        ]
    )
    ranks = stats.rankdata(-table, axis=1)
    assert [row.rank for row in field.ranked] == pytest.approx(ranks.mean(axis=0).tolist())
    assert [row.ranks for row in field.ranked] == [*zip(ranks.min(axis=0), ranks.max(axis=0), strict=True)]
    assert sorted(row.rank for row in field.ranked) == [row.rank for row in field.ranked]
    expected = stats.friedmanchisquare(*table.T)
    assert field.comparison.statistic == pytest.approx(expected.statistic)
    assert field.comparison.p_value == pytest.approx(expected.pvalue)
    left = field.overall[-1]
    assert (left.recipe, left.rank, left.editions, left.untrained) == ("m4.net", None, 1, True)


def test_the_mean_over_editions_is_as_wide_as_its_parts():
    found = mean_interval([Interval(0.5, 0.4, 0.6), Interval(0.7, 0.6, 0.8)])
    # Two editions on the same real pictures may err together: averaging must not shorten the interval.
    assert (found.estimate, found.high - found.low) == (pytest.approx(0.6), pytest.approx(0.2))


def test_a_system_is_the_median_of_its_variants(field):
    for place, edition in enumerate(field.membership):
        values = [row.main.estimate for row in edition.rows if row.system == "m1"]
        spread = field.spreads["m1"][place]
        assert spread.median == pytest.approx(np.median(values)) and spread.variants == 3
        assert (spread.low, spread.high) == (min(values), max(values))
    assert list(field.spreads)[-1] == "whorl" and set(field.systems.ranks) == {"m1", "m2", "m3", "whorl"}


def test_dials_stand_in_order_with_all_else_equal(bench_of):
    def made(edition, auc, **dials):
        return line(edition, "m1.a", auc, dials=dials, kind="gan")

    lines = [
        made("a", 0.9, duplication="high", steps=4000),
        made("b", 0.5, duplication="none", steps=4000),
        made("c", 0.7, duplication="low", steps=4000),
        made("d", 0.6, duplication="none", steps=500),
        made("e", 0.4, duplication="none", steps=10000),
    ]
    found = standings.standings(bench_of(lines)).turns
    assert {(turn.dial, turn.values) for turn in found} == {
        ("duplication", ("none", "low", "high")),
        ("steps", (500.0, 4000.0, 10000.0)),
    }
    curves = {turn.dial: [each.estimate for each in turn.aucs["m1.a"]] for turn in found}
    assert curves == {"duplication": [0.5, 0.7, 0.9], "steps": [0.6, 0.5, 0.4]}


def test_a_recipe_that_missed_a_value_of_a_dial_has_a_hole_there(bench_of):
    lines = [line("a", "m1.a", dials={"rate": 0.0}), line("b", "m1.a", dials={"rate": 0.5})]
    (turn,) = standings.standings(bench_of([*lines, line("b", "m2.a", 0.7, dials={"rate": 0.5})])).turns
    assert turn.aucs["m2.a"][0] is None and turn.aucs["m2.a"][1].estimate == 0.7


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ([], 0),
        ([line("e", "m1.a")], 1),
        ([line("e", "whorl.x"), line("f", "whorl.x")], 2),
        ([line("e", "m1.a"), line("e", "m2.a"), line("e", "m3.a"), line("e", "m3.a", seed=1)], 3),
        ([bench_lines.failed("e", "m1.a", "no"), bench_lines.failed("f", "m2.a", "no")], 0),
        ([bench_lines.grouping("who", "a1.gmm", 0.2)], 1),
        ([bench_lines.quality("e")], 0),
        ([line("e", "m1.a", measures={}, p_value=None)], 1),
    ],
)
def test_little_is_enough(bench_of, lines, count):
    bench = bench_of(lines)
    header, rows = standings.table(bench)
    assert len(rows) == count and all(len(row) == len(header) for row in rows)
    content = json.loads(exports.json_text(standings.content(bench)))
    assert len(content["failures"]) == sum("failed" in each for each in lines)
    assert content["recipes_compared"]["p_value"] is None, "one edition: nothing to compare"


def test_table_and_content_say_the_same(bench_of, tmp_path):
    bench = bench_of(bench_lines.field())
    header, rows = standings.table(bench)
    exports.write_csv(tmp_path / "bench.csv", header, rows)
    with (tmp_path / "bench.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    content = json.loads(exports.json_text(standings.content(bench)))
    assert len(read) == len(content["rows"]) == 5 * 8 + 1 + 2
    for cells, values in zip(read, content["rows"], strict=True):
        assert cells["recipe"] == values["recipe"]
        assert (cells["auc"] == "") == (values["auc"] is None)
        if cells["auc"]:
            assert float(cells["auc"]) == pytest.approx(values["auc"], rel=1e-6)
    assert content["recipes_compared"]["ranks"] and content["dials"][0]["values"] == [0.0, 0.2, 0.5]


def test_what_equals_the_constant_is_not_above_it_by_the_rounding_of_a_line():
    from whorl.placings import Placing
    from whorl.records import Interval

    told = ("e", "", "membership", "m.a", "m", False, False, "from the text", 1)
    rest = {"spread": None, "share_used": 1.0, "p_value": 1.0, "gaps": {}, "seconds": 1.0, "devices": ()}
    rows = [
        Placing(*told, measures={"f1": Interval(low, low, low)}, constant=2 / 3, **rest)
        for low in (round(2 / 3, 6), 0.6668)
    ]
    assert [row.surely_useful for row in rows] == [False, True]
