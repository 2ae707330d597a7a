"""Run files and test lists: every broken rule is told with its line, and nothing allowed is refused."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whorl.challenge import lines
from whorl.challenge.lines import read_ids
from whorl.challenge.submissions import FORMS, LISTED, Rejected, check, write
from whorl.challenge.templates import scorer
from whorl.records import BadInput

NAMES = [f"real_unknown_{number:04d}" for number in range(1, 6)]
ANSWERS = [1, 0, 0, 1, 1]
IDS = np.array([name.encode() for name in NAMES])
GOOD = "".join(f"{name},{answer}\n" for name, answer in zip(NAMES, ANSWERS, strict=True)).encode()
LINES = GOOD.splitlines(keepends=True)
OTHERS = b"".join(LINES[1:])
UTF16 = "a,1\nb,0\n".encode("utf-16-le")

# What stands in the file, the line that is named, a part of what is said there.
BAD = {
    "empty": (b"", 1, "the file is empty"),
    "header only": (b"figure_id,score\n", 1, "a header"),
    "header": (b"figure_id,score\n" + GOOD, 1, "a header"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, 1, "byte order mark"),
    "UTF-16": (b"\xff\xfe" + UTF16, 1, "UTF-16"),
    "UTF-16 without a mark": (UTF16, 1, "UTF-16"),
    "NUL": (LINES[0][:-1] + b"\0\n" + OTHERS, 1, "NUL"),
    "NUL in the id": (b"real_unknown_0001\0,1\n" + OTHERS, 1, "NUL"),
    "semicolon": (GOOD.replace(b",", b";"), 1, "semicolon; the delimiter is a comma"),
    "tab": (GOOD.replace(b",", b"\t"), 1, "tab; the delimiter is a comma"),
    "blank": (GOOD.replace(b",", b" "), 1, "no comma"),
    "ragged": (LINES[0][:-1] + b",0.7\n" + OTHERS, 1, "more than two fields"),
    "short": (GOOD[:-4], 5, "no comma"),
    "duplicate id": (GOOD + LINES[1], 6, "answered already on line 2"),
    "missing id": (OTHERS, 0, "missing"),
    "extra id": (GOOD + b"real_unknown_0006,1\n", 6, "not in the test list"),
    "parent path": (b"../real_unknown_0001,1\n" + OTHERS, 1, "path"),
    "absolute path": (b"/data/real_unknown_0001,1\n" + OTHERS, 1, "path"),
    "windows path": (b"C:\\real_unknown_0001,1\n" + OTHERS, 1, "path"),
    "drive": (b"C:real_unknown_0001,1\n" + OTHERS, 1, "path"),
    "extension": (b"real_unknown_0001.png,1\n" + OTHERS, 1, "has an extension"),
    "NaN": (b"real_unknown_0001,NaN\n" + OTHERS, 1, "0 or 1 exactly"),
    "infinite": (b"real_unknown_0001,inf\n" + OTHERS, 1, "0 or 1 exactly"),
    "2": (b"real_unknown_0001,2\n" + OTHERS, 1, "0 or 1 exactly"),
    "-1": (b"real_unknown_0001,-1\n" + OTHERS, 1, "0 or 1 exactly"),
    "1.0": (b"real_unknown_0001,1.0\n" + OTHERS, 1, "0 or 1 exactly"),
    "text label": (OTHERS + b"real_unknown_0001,used\n", 5, "0 or 1 exactly"),
    "other digits": ("real_unknown_0001,١\n".encode() + OTHERS, 1, "0 or 1 exactly"),
    "no label": (b"real_unknown_0001,\n" + OTHERS, 1, "answer is missing"),
    "no id": (b",1\n" + OTHERS, 1, "id is empty"),
    "quotes": (b'"real_unknown_0001",1\n' + OTHERS, 1, "not in the test list"),
    "formula": (b"=HYPERLINK(1),1\n" + OTHERS, 1, "formula"),
    "formula label": (b"real_unknown_0001,=1\n" + OTHERS, 1, "0 or 1 exactly"),
    "other case": (b"REAL_unknown_0001,1\n" + OTHERS, 1, "not in the test list"),
    "empty line": (LINES[0] + b"\n" + OTHERS, 2, "an empty line"),
    "blank line": (LINES[0] + b" \t\r\n" + OTHERS, 2, "an empty line"),
    "returns alone": (GOOD.replace(b"\n", b"\r"), 1, "more than two fields"),
    "long line": (b"a" * 5000 + b",1\n" + OTHERS, 1, "longer than 1,024 bytes"),
    "endless line": (b"a" * (3 << 20), 1, "longer than 1,024 bytes"),
    "not UTF-8": (b"real_unknown_\xff001,1\n" + OTHERS, 1, "not in the test list"),
}
FINE = {
    "as written": GOOD,
    "other order": b"".join(reversed(LINES)),
    "trailing blanks": GOOD.replace(b"\n", b"  \t\n"),
    "blanks around": GOOD.replace(b",", b" ,\t ").replace(b"real", b" real"),
    "CR LF": GOOD.replace(b"\n", b"\r\n"),
    "no last line end": GOOD[:-1],
}


def verdict(path, data: bytes, form: str = "2023", task="membership", ids=IDS):
    file = path / "run.csv"
    file.write_bytes(data)
    return check(file, ids, FORMS[form], task)


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_with_line_text_and_rule(tmp_path, kind):
    data, line, rule = BAD[kind]
    with pytest.raises(Rejected) as refused:
        verdict(tmp_path, data)
    fault = refused.value.faults[0]
    assert fault.line == line and rule in fault.rule, str(fault)
    assert len(fault.text) <= 60 and fault.text.isprintable()
    message = str(refused.value)
    assert "\n" not in message and message.isprintable() and f"{fault}" in message


@pytest.mark.parametrize("kind", FINE)
def test_what_is_allowed_is_read(tmp_path, kind):
    assert verdict(tmp_path, FINE[kind]).values.tolist() == ANSWERS


def test_the_first_faults_are_listed_and_the_others_counted(tmp_path):
    names = [f"p{number:03d}" for number in range(100)]
    data = "".join(f"{name},7\n" for name in names[:70]).encode()
    with pytest.raises(Rejected) as refused:
        verdict(tmp_path, data, ids=np.array([name.encode() for name in names]))
    assert [fault.line for fault in refused.value.faults] == list(range(1, LISTED + 1))
    # Seventy wrong answers, and thirty ids that no line answers.
    assert refused.value.count == 100 and "and 99 more" in str(refused.value)


def test_line_numbers_hold_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 7)
    assert verdict(tmp_path, GOOD).values.tolist() == ANSWERS
    with pytest.raises(Rejected) as refused:
        verdict(tmp_path, GOOD + b"x" * 3000 + b"\n" + LINES[2] + b"y,1\n")
    told = [(fault.line, fault.rule) for fault in refused.value.faults]
    assert [line for line, _ in told] == [6, 7, 8]
    assert "longer" in told[0][1] and "line 3" in told[1][1] and "not in the test list" in told[2][1]


PIECES = st.sampled_from(
    [*NAMES, "0", "1", ",", "\n", "\r\n", " ", "\t", ";", "2", "", "é", "../", "x" * 1100]
)
TRUTH = dict.fromkeys(NAMES, "1")


@given(st.permutations(LINES), st.integers(0, 120), st.integers(0, 4), PIECES)
def test_one_change_anywhere_is_judged_as_by_the_plain_reader(tmp_path_factory, rows, place, width, piece):
    data = b"".join(rows)
    data = data[:place] + piece.encode() + data[place + width :]
    reference = {"task": "membership", "headers": []}
    try:
        expected = scorer.read_run(data, reference, TRUTH)
    except ValueError:
        expected = None
    try:
        found = verdict(tmp_path_factory.getbasetemp(), data).values.tolist()
    except Rejected:
        found = None
    assert found == (None if expected is None else [int(expected[name]) for name in NAMES])


def test_an_endless_line_takes_no_memory(tmp_path):
    file = tmp_path / "run.csv"
    file.write_bytes(b"a" * (48 << 20))
    tracemalloc.start()
    with pytest.raises(Rejected, match="longer than"):
        check(file, IDS, FORMS["2023"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_ten_thousand_rows_take_less_than_a_second(tmp_path):
    names = [f"real_unknown_{number:06d}" for number in np.random.default_rng(0).permutation(10_000)]
    data = "".join(f"{name},{number % 2}\n" for number, name in enumerate(names)).encode()
    started = time.perf_counter()
    run = verdict(tmp_path, data, ids=np.sort(np.array([name.encode() for name in names])))
    assert time.perf_counter() - started < 1
    assert run.values.sum() == 5000


def test_the_format_of_2025_has_extensions_and_perhaps_a_header(tmp_path):
    ids = np.array([f"{name}.png".encode() for name in NAMES])
    data = GOOD.replace(b",", b".png,")
    for header in (b"", b"original_image,label\n", b"image_path, predicted_class\r\n"):
        assert verdict(tmp_path, header + data, "2025", ids=ids).values.tolist() == ANSWERS
    with pytest.raises(Rejected, match=r"line 1.*header.*original_image,label"):
        verdict(tmp_path, b"name,score\n" + data, "2025", ids=ids)
    with pytest.raises(Rejected, match=r"line 2.*path"):
        verdict(tmp_path, b"original_image,label\n" + b"/data/" + data, "2025", ids=ids)


def test_groups_are_names_or_numbers(tmp_path):
    words = ["1", "gan_2", "1", "stylegan-3.b", "gan_2"]
    data = "".join(f"{name},{word}\n" for name, word in zip(NAMES, words, strict=True)).encode()
    run = verdict(tmp_path, data, task="attribution")
    assert [run.groups[place] for place in run.values] == words
    for word in (b"nan", b"1.0", b"", b"-1", b"=1", b"a b", b"x" * 65, "é".encode(), b"None"):
        with pytest.raises(Rejected, match=r"line 1.*group"):
            verdict(tmp_path, data.replace(b",1\n", b"," + word + b"\n"), task="attribution")


def test_what_is_written_is_valid(tmp_path):
    file = tmp_path / "out" / "run.csv"
    files = [f"{name}.png" for name in NAMES]
    write(file, files, ["used" if answer else "not_used" for answer in ANSWERS], FORMS["2023"], "membership")
    assert file.read_bytes() == GOOD
    write(file, files, list("cacba"), FORMS["2023"], "attribution")
    assert [line[-1:] for line in file.read_bytes().splitlines()] == [b"3", b"1", b"3", b"2", b"1"]
    write(file, files, list("cacba"), FORMS["2025"], "attribution")
    assert file.read_bytes().startswith(b"real_unknown_0001.png,c\n")
    with pytest.raises(BadInput, match="group"):
        write(file, files, ["a b"] * 5, FORMS["2025"], "attribution")


def test_a_list_a_folder_and_answers_are_the_same_test_list(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.png").write_bytes(b"")
    (tmp_path / "list.txt").write_bytes(b"\r\n".join(name.encode() + b".PNG " for name in reversed(NAMES)))
    rows = "".join(f"{name}.png,1\n" for name in NAMES)
    (tmp_path / "answers.csv").write_text("file,label\n" + rows)
    for source in ("pictures", "list.txt", "answers.csv"):
        assert read_ids(tmp_path / source, extension=False).tolist() == IDS.tolist()
    assert read_ids(folder, extension=True)[0] == b"real_unknown_0001.png"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "no ids"),
        (b"a\n\nb\n", "line 2"),
        (b"a\nb\na\n", "'a' stands there twice"),
        (b"a.png\na.jpg\n", "'a' stands there twice"),
        (b"a/b\nc\n", "'a/b'"),
        (b"a\0b\nc\n", "line 1"),
        (b"x" * 300 + b"\n", "line 1"),
        (b"a,b\nc,d\n", "file"),
    ],
)
def test_test_lists_that_no_run_could_answer_are_refused(tmp_path, text, told):
    (tmp_path / "list.txt").write_bytes(text)
    with pytest.raises(BadInput, match=r"list\.txt") as refused:
        read_ids(tmp_path / "list.txt", extension=False)
    assert told in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(BadInput, match=path.name):
            check(path, IDS, FORMS["2023"])
    with pytest.raises(BadInput, match="--ids"):
        read_ids(tmp_path / "nothing", extension=False)
