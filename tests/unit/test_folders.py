"""Names, links, tables and patients: what becomes part of a set and under which id."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whorl.images import load
from whorl.records import BadInput

RANDOM = np.random.default_rng(11)


def picture(path: Path, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, size[::-1], dtype=np.uint8)).save(path, "PNG")


def reasons(found):
    return {one.file: one.reason for one in found.quarantined}


def refusal(*arguments, **options):
    with pytest.raises(BadInput) as caught:
        load(*arguments, name="set", **options)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 500
    return text


def test_ids_are_relative_posix_paths_sorted_by_bytes(tmp_path):
    for name in ("b.png", "a/z.png", "a.png", "C.png", "é.png", "a/a/c"):
        picture(tmp_path / name)
    found = load(tmp_path, name="set")
    assert found.ids == ("C.png", "a.png", "a/a/c", "a/z.png", "b.png", "é.png")
    assert found.quarantined == () and found.notes == () and found.patients is None


def test_hostile_names_are_kept_as_data(tmp_path):
    names = ["-rf.png", "<script>alert(1)</script>.png".replace("/", "∕"), "a\nb.png", "'\".png", "x" * 250]
    for name in names:
        picture(tmp_path / name)
    assert load(tmp_path, name="set").ids == tuple(sorted(names, key=str.encode))
    (tmp_path / "bad\n\x1b[31m").write_bytes(b"")
    only = tmp_path / "only"
    only.mkdir()
    (only / "bad\n\x1b[31m").write_bytes(b"")
    assert r"bad\n\x1b[31m: empty file" in refusal(only)


def test_names_that_are_not_utf8_are_shown_with_backslashes(tmp_path):
    raw = os.fsencode(tmp_path) + b"/a\xff.png"
    picture(tmp_path / "plain.png")
    Path(os.fsdecode(raw)).write_bytes((tmp_path / "plain.png").read_bytes())
    assert load(tmp_path, name="set").ids == ("a\\xff.png", "plain.png")
    picture(tmp_path / "a\\xff.png")
    found = load(tmp_path, name="set")
    assert found.ids == ("a\\xff.png", "plain.png")
    assert reasons(found) == {"a\\xff.png": "its name as shown is also that of another file"}


def test_twins_by_case_and_by_unicode_form_are_kept_apart_and_noted(tmp_path):
    for name in ("A.png", "a.png", "caf\u00e9.png", "cafe\u0301.png"):
        picture(tmp_path / name)
    found = load(tmp_path, name="set")
    assert len(found) == 4
    assert any("upper and lower case" in note and "A.png, a.png" in note for note in found.notes)
    assert any("Unicode form" in note for note in found.notes)


def test_links_never_lead_out_or_in_circles(tmp_path):
    root = tmp_path / "root"
    picture(root / "a.png")
    picture(root / "deep" / "b.png")
    picture(tmp_path / "outside" / "secret.png")
    (root / "loop").symlink_to(root)
    (root / "self.png").symlink_to("self.png")
    (root / "gone.png").symlink_to("nothing")
    (root / "out.png").symlink_to(tmp_path / "outside" / "secret.png")
    (root / "elsewhere").symlink_to(tmp_path / "outside")
    (root / "twin.png").symlink_to(root / "deep" / "b.png")
    found = load(root, name="set")
    assert found.ids == ("a.png", "deep/b.png", "twin.png")
    assert reasons(found) == {
        "loop": "a link to a folder, not followed",
        "self.png": "a link that leads nowhere",
        "gone.png": "a link that leads nowhere",
        "out.png": "a link that leads out of the folder",
        "elsewhere": "a link that leads out of the folder",
    }
    (tmp_path / "alias").symlink_to(root)
    assert load(tmp_path / "alias", name="set").ids == found.ids


def test_pipes_and_sockets_are_left_out_unopened(tmp_path):
    picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        found = load(tmp_path, name="set")
    assert reasons(found) == {"pipe.png": "a named pipe, not a file", "socket": "a socket, not a file"}


def test_files_that_are_no_pictures_by_name_are_counted_not_tried(tmp_path):
    picture(tmp_path / "a.png")
    for name in ("labels.csv", "notes.TXT", "Thumbs.db", ".DS_Store", "DICOMDIR", ".hidden/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = load(tmp_path, name="set")
    assert found.ids == ("a.png",) and found.quarantined == ()
    assert found.notes == ("6 entries passed over by name (4 not pictures, 2 hidden)",)


def test_the_output_folder_inside_is_passed_over(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "out" / "figure.png")
    found = load(tmp_path, name="set", exclude=tmp_path / "x" / ".." / "out")
    assert found.ids == ("a.png",) and "output folder" in found.notes[0]
    assert load(tmp_path, name="set", exclude=tmp_path).ids == ("a.png", "out/figure.png")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def guarded(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("whorl.folders.os.scandir", guarded)
    found = load(tmp_path, name="set")
    assert reasons(found) == {"closed": "the folder cannot be listed: permission denied"}
    assert "cannot be listed" in refusal(tmp_path / "closed")


def table(folder: Path, text, name="table.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_gives_files_and_patients(tmp_path):
    for name in ("a.png", "sub/b.png", "unlisted.png"):
        picture(tmp_path / name)
    absolute = tmp_path / "a.png"
    rows = (
        f"\ufeffpatient, File,note\np2,sub/../sub/b.png,x\np1,{absolute},y\n\np1,gone.png,z\np2,sub/b.png,\n"
    )
    found = load(table(tmp_path, rows), name="set")
    assert found.ids == ("a.png", "sub/b.png") and found.patients == ("p1", "p2")
    assert reasons(found) == {"gone.png": "no such file", "sub/b.png": "listed twice"}
    assert load(table(tmp_path, "file\na.png\n"), name="set").patients is None


BAD_TABLES = {
    "empty": ("", "empty file"),
    "blank": ("\n\n", "no column `file` (found: nothing)"),
    "header only": ("file,patient\n", "no rows"),
    "UTF-16": ("file\na.png\n".encode("utf-16"), "UTF-16"),
    "Latin-1": (b"file\n\xe9.png\n", "not UTF-8 at byte 5"),
    "NUL": (b"file\na\0.png\n", "NUL|not a possible file name"),
    "semicolons": ("file;patient\na.png;1\n", "separate columns by commas"),
    "ragged": ("file,patient\na.png,1\nb.png\n", "line 3: 1 cells, not 2"),
    "column twice": ("file,file\na.png,b.png\n", "two columns"),
    "no patient": ("file,patient\na.png,\n", "no patient for a.png"),
    "no file": ("file,patient\n,1\n", "nothing is not a possible file name"),
    "two patients": ("file,patient\na.png,1\na.png,2\n", "listed for two patients"),
    "escape": ("file\n../secret.png\n", "leads out of the table's folder"),
    "absolute": ("file\n/etc/passwd\n", "leads out of the table's folder"),
    "the folder itself": ("file\n.\n", "leads out of the table's folder"),
    "open quote": ('file\n"a.png\n', "line 2"),
    "one huge cell": ("file\n" + "x" * 200_000 + "\n", "line 2"),
    "nothing readable": (
        "file\ngone.png\n",
        "none of 1 files can be read; the first: gone.png: no such file",
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_end_in_one_clear_line(case, tmp_path):
    picture(tmp_path / "sub" / "a.png")
    picture(tmp_path / "secret.png")
    text, expected = BAD_TABLES[case]
    said = refusal(table(tmp_path / "sub", text))
    assert any(part in said for part in expected.split("|")), said


def test_a_table_cannot_reach_out_through_a_link(tmp_path):
    picture(tmp_path / "sub" / "a.png")
    picture(tmp_path / "outside" / "secret.png")
    (tmp_path / "sub" / "door").symlink_to(tmp_path / "outside")
    found = load(table(tmp_path / "sub", "file\na.png\ndoor/secret.png\n"), name="set")
    assert reasons(found) == {"door/secret.png": "a link that leads out of the folder"}


def test_parquet_tables(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    picture(tmp_path / "a.png")
    path = tmp_path / "table.parquet"
    parquet.write_table(arrow.table({"file": ["a.png"], "patient": [7]}), path)
    assert load(path, name="set").patients == ("7",)
    path.write_bytes(path.read_bytes()[:50])
    assert "damaged Parquet" in refusal(path)


def test_patients_from_a_table_match_by_id_or_else_by_a_name_that_is_alone(tmp_path):
    for name in ("a.png", "x/b.png", "x/c.png", "y/c.png"):
        picture(tmp_path / name)
    whole = table(tmp_path, "file,patient\na.png,1\nelsewhere/b.png,2\nx/c.png,3\ny/c.png,4\n")
    assert load(tmp_path, name="set", patients=whole).patients == ("1", "2", "3", "4")
    partial = table(tmp_path, "file,patient\na.png,1\nc.png,3\n")
    said = refusal(tmp_path, patients=partial)
    assert "x/b.png, x/c.png, y/c.png" in said and "table.csv" in said
    assert "`patient` is needed" in refusal(tmp_path, patients=table(tmp_path, "file\na.png\n"))
    assert "no such file" in refusal(tmp_path, patients=tmp_path / "gone.csv")


def test_patients_from_a_pattern(tmp_path):
    for name in ("p1_a.png", "p1_b.png", "p22/p2_a.png"):
        picture(tmp_path / name)
    assert load(tmp_path, name="set", patient_from=r"^(p\d+)_").patients == ("p1", "p1", "p2")
    assert load(tmp_path, name="set", patient_from=r"p\d").patients == ("p1", "p1", "p2")
    picture(tmp_path / "other.png")
    assert "other.png" in refusal(tmp_path, patient_from=r"^(p\d+)_")
    assert "no regular expression" in refusal(tmp_path, patient_from="(")
    both = table(tmp_path, "file,patient\np1_a.png,1\n")
    assert "one of the two" in refusal(tmp_path, patient_from="p", patients=both)
    assert "names the patients already" in refusal(both, patient_from="p")
