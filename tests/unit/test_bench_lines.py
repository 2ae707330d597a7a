"""The lines of a bench: the last one counts, a killed run is read, a bad line is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from whorl.ledger import read_lines
from whorl.records import BadInput, Interval

sys.path.insert(0, str(Path(__file__).parents[1]))
import bench_lines


def test_every_kind_of_line_is_read(tmp_path):
    bench = read_lines(bench_lines.write(tmp_path / "runs.jsonl", bench_lines.field()))
    assert len(bench.runs) == 5 * 8 * 2 + 1 + 2 and len(bench.failures) == 1 and len(bench.qualities) == 5
    run = bench.runs[0]
    assert (run.edition, run.recipe, run.system, run.own) == ("rate-0", "m1.a", "m1", False)
    assert run.measures["f1"] == Interval(0.5, 0.45, 0.55) and run.chance["f1"]["always used"] == 2 / 3
    assert run.development[0].metric == "auc" and not bench.cut
    spectrum = bench.qualities[0].spectrum
    assert spectrum is not None and len(spectrum.frequencies) == len(spectrum.real) == 16


def test_the_last_line_about_a_run_counts(tmp_path):
    lines = [
        bench_lines.line("e", "m1.a", 0.6),
        bench_lines.failed("e", "m1.b", "no memory"),
        bench_lines.line("e", "m1.a", 0.7),
        bench_lines.line("e", "m1.b", 0.8),
        bench_lines.line("e", "m1.a", 0.9, seed=1),
        bench_lines.line("e", "m1.c", 0.5),
        bench_lines.failed("e", "m1.c", "gone"),
    ]
    bench = read_lines(bench_lines.write(tmp_path / "runs.jsonl", lines))
    found = {(run.recipe, run.seed): run.measures["auc"].estimate for run in bench.runs}
    assert found == {("m1.a", 0): 0.7, ("m1.b", 0): 0.8, ("m1.a", 1): 0.9}
    assert [failure.reason for failure in bench.failures] == ["gone"]


@pytest.mark.parametrize("kept", [1, 30, 200, -1])
def test_the_half_line_of_a_killed_run_is_left_out(tmp_path, kept):
    whole = json.dumps(bench_lines.line("é", "m1.a"), ensure_ascii=False).encode()
    file = tmp_path / "runs.jsonl"
    file.write_bytes(whole + b"\n" + whole[:kept])
    bench = read_lines(file)
    assert len(bench.runs) == 1 and bench.cut


def test_a_whole_last_line_needs_no_line_end(tmp_path):
    file = tmp_path / "runs.jsonl"
    file.write_text(json.dumps(bench_lines.line("e", "m1.a")), encoding="utf-8")
    assert len(read_lines(file).runs) == 1 and not read_lines(file).cut
    file.write_bytes(b"")
    assert read_lines(file).runs == ()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"edition": ', "is not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ({"edition": 3}, "has no edition"),
        ({"edition": ""}, "has no edition"),
        ({"recipe": None}, "has no recipe"),
        ({"task": "guessing"}, "has no task"),
        ({"seed": "1"}, "seed: expected a whole number"),
        ({"seconds": -1}, "has no seconds"),
        ({"measures": {"auc": [0.5]}}, "measures, auc: expected [estimate, low, high]"),
        ({"measures": {"auc": [5, 4, 6]}}, "measures, auc: expected numbers between"),
        ({"measures": {"auc": [True, 0, 1]}}, "expected a number"),
        ({"p_value": 2}, "p_value: expected a number between 0 and 1"),
        ({"development": [["on itself", "auc"]]}, "development: expected"),
        (
            {"quality": {"spectrum": {"frequencies": [1], "real": [1, 2], "generated": [1]}}},
            "differ in length",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path, bad, said):
    good = bench_lines.line("e", "m1.a")
    middle = bad if isinstance(bad, bytes) else json.dumps(good | bad).encode()
    file = tmp_path / "runs.jsonl"
    file.write_bytes(b"\n".join([json.dumps(good).encode(), middle, json.dumps(good).encode(), b""]))
    with pytest.raises(BadInput, match=r"runs\.jsonl, line 2: ") as caught:
        read_lines(file)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_a_number_is_not_known(tmp_path):
    text = json.dumps(bench_lines.line("e", "m1.a")).replace("[0.5, 0.45, 0.55]", "[0.5, NaN, 1e999]", 1)
    file = tmp_path / "runs.jsonl"
    file.write_text(text + "\n", encoding="utf-8")
    (run,) = read_lines(file).runs
    assert len(run.measures) == 2, "one of the three measures is gone, nothing else"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.jsonl: cannot be read"):
        read_lines(tmp_path / "none.jsonl")
