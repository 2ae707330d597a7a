"""Tables and documents: safe in spreadsheets, the same bytes for the same content, whole or not there."""

from __future__ import annotations

import csv
import io
import json
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whorl import exports
from whorl.exports import json_text, write_csv, write_json
from whorl.records import BadInput, Interval

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def cells(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8"), newline="")))


def test_a_table_reads_back_as_it_was(tmp_path):
    rows = [["a,b", 'quo"ted', "two\nlines"], ["", "ü\u202e", 3], ["\\xff", " padded ", True]]
    write_csv(tmp_path / "t.csv", ["file", "x", "y"], rows)
    assert cells(tmp_path / "t.csv") == [["file", "x", "y"], *([str(cell) for cell in row] for row in rows)]


@pytest.mark.parametrize("start", DANGEROUS)
def test_no_text_is_a_formula_in_the_rows_or_in_the_header(tmp_path, start):
    write_csv(tmp_path / "t.csv", ["file", f"{start}1+1"], [[f"{start}1+1", "safe"], ["safe", start]])
    assert cells(tmp_path / "t.csv") == [
        ["file", f"'{start}1+1"],
        [f"'{start}1+1", "safe"],
        ["safe", f"'{start}"],
    ]


def test_numbers_stay_numbers(tmp_path):
    row = [-0.5, np.float32(-1.25), 1 / 3, np.float64(1e-12), -3, np.int64(-7), 12345678.0]
    write_csv(tmp_path / "t.csv", ["x"] * 7, [row])
    found = cells(tmp_path / "t.csv")[1]
    assert not any(cell.startswith("'") for cell in found)
    np.testing.assert_allclose([float(cell) for cell in found], np.asarray(row, float), rtol=1e-6)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=5))
def test_whatever_the_text_the_table_gives_it_back(row):
    written = _rows_written([row])
    assert len(written) == 2 and len(written[1]) == len(row)
    for cell, text in zip(written[1], row, strict=True):
        assert cell == ("'" + text if text.startswith(DANGEROUS) else text)
        assert not cell.startswith(DANGEROUS)


def _rows_written(rows: list[list[str]]) -> list[list[str]]:
    kept: dict[str, str] = {}
    original = exports.write_text
    exports.write_text = lambda path, text: kept.update(text=text)
    try:
        write_csv(Path("anywhere.csv"), ["x"] * len(rows[0]), rows)
    finally:
        exports.write_text = original
    return list(csv.reader(io.StringIO(kept["text"], newline="")))


@dataclass(frozen=True)
class Pair:
    name: str
    spread: Interval


def test_a_document_holds_records_arrays_and_paths_as_plain_values(tmp_path):
    content = {
        "pair": Pair("ü", Interval(0.5, 0.4, 0.6)),
        "array": np.arange(3, dtype=np.float32),
        "number": np.float64(0.25),
        "path": Path("a/b"),
        "nothing": None,
        "tuple": (1, 2),
    }
    write_json(tmp_path / "c.json", content)
    text = (tmp_path / "c.json").read_text()
    assert text.isascii() and text.endswith("}\n")
    assert json.loads(text) == {
        "pair": {"name": "ü", "spread": {"estimate": 0.5, "low": 0.4, "high": 0.6}},
        "array": [0.0, 1.0, 2.0],
        "number": 0.25,
        "path": "a/b",
        "nothing": None,
        "tuple": [1, 2],
    }
    assert json_text(content) + "\n" == text


def test_a_document_that_other_programs_could_not_read_is_not_written(tmp_path):
    for value in (float("nan"), float("inf"), np.asarray([np.nan])):
        with pytest.raises(ValueError, match="JSON"):
            write_json(tmp_path / "c.json", {"value": value})
    with pytest.raises(TypeError, match="object"):
        write_json(tmp_path / "c.json", {"value": object()})
    assert not list(tmp_path.iterdir())


def test_names_that_are_not_utf8_are_written_with_their_bytes_shown(tmp_path):
    write_csv(tmp_path / "t.csv", ["file"], [["caf\udce9.png"]])
    assert cells(tmp_path / "t.csv")[1] == ["caf\\udce9.png"]
    write_json(tmp_path / "c.json", {"file": "caf\udce9.png"})
    assert json.loads((tmp_path / "c.json").read_text()) == {"file": "caf\udce9.png"}


def test_a_file_is_replaced_whole_and_folders_are_made(tmp_path):
    file = tmp_path / "deep" / "er" / "t.csv"
    write_csv(file, ["x"], [["old"] * 1])
    write_csv(file, ["x"], [["new"]])
    assert cells(file) == [["x"], ["new"]] and [one.name for one in file.parent.iterdir()] == ["t.csv"]
    assert stat.S_ISREG(file.stat().st_mode)


def test_a_table_that_breaks_off_leaves_the_old_one(tmp_path):
    write_csv(tmp_path / "t.csv", ["x"], [["old"]])

    def rows():
        yield ["new"]
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        write_csv(tmp_path / "t.csv", ["x"], rows())
    assert cells(tmp_path / "t.csv") == [["x"], ["old"]]
    assert [one.name for one in tmp_path.iterdir()] == ["t.csv"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match=r"file/t\.csv: cannot write"):
        write_csv(tmp_path / "file" / "t.csv", ["x"], [])
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(BadInput, match=r"t\.csv: cannot write"):
        write_csv(tmp_path / "t.csv", ["x"], [])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "t.csv"]
