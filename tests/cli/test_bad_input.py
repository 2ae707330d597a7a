"""Whatever a user gives: one clear line and exit code 2, or a correct result; never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from hospitals import (
    DAMAGED,
    QUICK,
    Hospital,
    Page,
    encoded,
    fine,
    one_line,
    people,
    refused,
    spawn,
    table,
)
from PIL import Image

STRANGERS = people(np.random.default_rng(5), 8, 1, 48)

# What is added to the audit of a good hospital, and what the one line has to say.
REFUSED_OPTIONS = [
    (("--seed", "-1"), ("--seed -1", "0 or more")),
    (("--seed", "5000000000"), ("--seed 5000000000", "4294967295")),
    (("--seed", "1.5"), ("--seed", "1.5")),
    (("--alpha", "2"), ("--alpha 2", "between 0 and 1")),
    (("--alpha", "0"), ("--alpha 0", "between 0 and 1")),
    (("--alpha", "nan"), ("--alpha nan", "between 0 and 1")),
    (("--permutations", "5"), ("--permutations 5", "at least 99")),
    (("--size", "4"), ("--size 4", "between 8 and 8192")),
    (("--panel", "defalt"), ("'defalt'", "default")),
    (("--panel", "a\x1b[31m\nb"), ("no panel", "default")),
    (("--recipes", "whorl.thumbnal"), ("'thumbnal'", "did you mean 'whorl.thumbnail'")),
    (("--recipes", "worl.thumbnail"), ("'worl'", "did you mean 'whorl'")),
    (("--recipes", "nowhere.toml:x"), ("nowhere.toml", "No such file")),
    (("--recipes", "whorl-fingerprint.ward"), ("whorl-fingerprint.ward", "attribution", "membership")),
    (("--executor", "proceses"), ('"proceses"', '"processes"')),
    (("--executor", "processes", "--workers", "-1"), ("--workers -1", "0 or more")),
    (("--memebrs", "x"), ("--memebrs", "Did you mean --members")),
    (("--size", "many"), ("--size", '"many"')),
]


@pytest.mark.parametrize(("more", "words"), REFUSED_OPTIONS, ids=lambda value: " ".join(value[:2]))
def test_an_option_that_cannot_be_is_named(leaking, capsys, more, words):
    line = refused(capsys, *leaking.audit(*more))
    assert all(word in line for word in words), line
    assert not leaking.out.exists()


@pytest.mark.parametrize("option", ["--members", "--holdout"])
def test_a_required_option_that_is_missing_is_named(leaking, capsys, option):
    line = refused(capsys, *leaking.audit(**{option[2:]: None}))
    assert option in line and "--help" in line


def test_a_mistyped_command_is_answered_with_the_nearest(capsys):
    line = refused(capsys, "adit", "x")
    assert '"adit"' in line and 'Did you mean "audit"' in line


def _folder(name: str, *files: tuple[str, bytes]):
    def make(made: Hospital) -> Path:
        (made.root / name).mkdir()
        for file, data in files:
            (made.root / name / file).write_bytes(data)
        return made.root / name

    return make


def _table(made: Hospital) -> Path:
    (made.root / "list.csv").write_text("file\nnowhere.png\n")
    return made.root / "list.csv"


def _loop(made: Hospital) -> Path:
    (made.root / "loop").symlink_to("loop")
    return made.root / "loop"


REFUSED_FOLDERS = {
    "missing": (lambda made: made.root / "gone", ("gone", "no such file", "give a folder")),
    "empty": (_folder("bare"), ("bare", "no pictures found")),
    "only text": (_folder("texts", ("a.txt", b"x")), ("texts", "no pictures found")),
    "only damaged": (
        _folder("bad", ("a.png", b""), ("b.png", b"")),
        ("bad", "none of 2", "a.png", "empty file"),
    ),
    "a table of nothing": (_table, ("list.csv", "nowhere.png", "no such file")),
    "a picture": (lambda made: made.members / "P000_0.png", ("P000_0.png", "neither a folder, a table")),
    "a loop": (_loop, ("loop", "give a folder")),
    "a zero byte": (lambda made: "a\0b", ("a\\x00b", "give a folder")),
}


@pytest.mark.parametrize("role", ["generated", "members"])
@pytest.mark.parametrize("kind", REFUSED_FOLDERS)
def test_a_source_without_pictures_is_refused_by_name(leaking, capsys, kind, role):
    make, words = REFUSED_FOLDERS[kind]
    line = refused(capsys, *leaking.audit(*QUICK, **{role: make(leaking)}))
    assert all(word in line for word in words), line


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_left_out_by_name_and_changes_nothing(leaking, capsys, name):
    fine(capsys, *leaking.audit(*QUICK))
    before = (leaking.out / "scores.csv").read_bytes()
    make, reason = DAMAGED[name]
    (leaking.members / name).write_bytes(make())
    out = fine(capsys, *leaking.audit(*QUICK))
    told = next(line for line in out.splitlines() if line.startswith("left out: "))
    assert name in told and reason in told
    [entry] = json.loads((leaking.out / "audit.json").read_text())["quarantined"]
    assert entry["file"] == name and reason in entry["reason"]
    assert name in Page(leaking.out / "report.html").text
    assert (leaking.out / "scores.csv").read_bytes() == before


def test_links_and_locked_files_are_left_out(leaking, capsys, monkeypatch):
    (leaking.members / "loop.png").symlink_to("loop.png")
    (leaking.members / "outside.png").symlink_to(leaking.generated / "g000.png")
    (leaking.members / "again").symlink_to(leaking.members)
    locked = leaking.members / "P000_0.png"
    locked.chmod(0)
    opened = os.open

    def strict(path, *more, **named):
        # The administrator may read everything; the refusal that others get is put in its place.
        if Path(os.fsdecode(path)) == locked:
            raise PermissionError(13, "Permission denied")
        return opened(path, *more, **named)

    monkeypatch.setattr(os, "open", strict)
    fine(capsys, *leaking.audit(*QUICK))
    found = json.loads((leaking.out / "audit.json").read_text())["quarantined"]
    reasons = {entry["file"]: entry["reason"] for entry in found}
    assert reasons.keys() == {"loop.png", "outside.png", "again", "P000_0.png"}
    assert reasons["P000_0.png"] == "permission denied" and "out of the folder" in reasons["outside.png"]
    assert len(leaking.scores()) == 31
    locked.chmod(stat.S_IRUSR)


@pytest.mark.parametrize("role", ["members", "holdout", "generated"])
def test_pictures_of_several_sizes_are_refused_with_the_sizes_and_the_option(leaking, capsys, role):
    first = min(getattr(leaking, role).iterdir())
    first.write_bytes(encoded(STRANGERS[0]))
    line = refused(capsys, *leaking.audit(*QUICK))
    assert all(word in line for word in (role, "32×32", "48×48", "--size 32")), line
    fine(capsys, *leaking.audit("--size", "64", *QUICK))
    content = json.loads((leaking.out / "audit.json").read_text())
    assert content["provenance"]["picture_size"] == [64, 64] and content["verdict"] == "leak"


@pytest.mark.parametrize("role", ["generated", "holdout"])
def test_sets_of_different_sizes_are_refused_with_both_sizes(leaking, capsys, role):
    folder = getattr(leaking, role)
    for place, file in enumerate(sorted(folder.iterdir())):
        file.write_bytes(encoded(STRANGERS[place % 8] + place))
    line = refused(capsys, *leaking.audit(*QUICK))
    assert all(word in line for word in (role, "32×32", "48×48", "--size")), line


def test_sixteen_bits_palette_and_alpha_are_the_same_picture(leaking, capsys):
    fine(capsys, *leaking.audit(*QUICK))
    before = leaking.scores()
    files = sorted(leaking.members.iterdir())[:3]
    grey = [np.asarray(Image.open(file)) for file in files]
    Image.fromarray(grey[0].astype(np.uint16) * 257).save(files[0])
    Image.fromarray(grey[1]).convert("P").save(files[1])
    Image.fromarray(np.dstack([grey[2]] * 3 + [np.full_like(grey[2], 255)])).save(files[2])
    fine(capsys, *leaking.audit(*QUICK))
    assert leaking.scores() == before


def test_a_hospital_cannot_be_its_own_holdout(leaking, capsys):
    line = refused(capsys, *leaking.audit(*QUICK, holdout=leaking.members))
    assert "members and holdout share 16 of 16 pictures" in line and "none in common" in line


@pytest.mark.parametrize("name", ["P008_0.png", "P008_\x1b[31m.png"])
def test_one_picture_on_both_sides_is_refused_under_both_names(leaking, capsys, name):
    shutil.copy(leaking.members / "P003_1.png", leaking.holdout / name)
    line = refused(capsys, *leaking.audit(*QUICK, "--patient-from", "^P[0-9]+", patients=None))
    assert "share 1 of" in line and "P003_1.png" in line and "P008_" in line


def test_a_member_among_the_generated_pictures_is_noted_and_scores_highest(leaking, capsys):
    shutil.copy(leaking.members / "P003_1.png", leaking.generated / "copy.png")
    out = fine(capsys, *leaking.audit(*QUICK))
    assert "stop: 1 generated picture of 25 is also in the members, pixel by pixel" in " ".join(out.split())
    rows = {row["file"]: float(row["whorl.thumbnail"]) for row in leaking.scores()}
    assert rows["P003_1.png"] == max(rows.values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("role", ["members", "holdout", "generated"])
def test_one_picture_only_gives_an_honest_answer(leaking, capsys, role):
    for file in sorted(getattr(leaking, role).iterdir())[1:]:
        file.unlink()
    content = json.loads(fine(capsys, *leaking.audit("--permutations", "199", "--with-images", "--json")))
    assert content["verdict"] == "cannot tell" and "Give more patients" in content["sentence"]


@pytest.mark.parametrize("everything", [True, False])
def test_pictures_of_one_grey_level_are_no_leak(leaking, capsys, everything):
    for file in leaking.generated.iterdir():
        file.write_bytes(encoded(np.full((32, 32), 100)))
    for start, folder in ((20, leaking.members), (21, leaking.holdout)) if everything else ():
        for place, file in enumerate(sorted(folder.iterdir())):
            file.write_bytes(encoded(np.full((32, 32), start + 2 * place)))
    content = json.loads(fine(capsys, *leaking.audit("--permutations", "199", "--json")))
    assert content["verdict"] != "leak"
    assert any("generated: pictures of one grey level: 24" in note for note in content["notes"])


def test_the_output_folder_may_lie_in_an_input_folder_and_is_never_read(leaking, capsys):
    inside = leaking.members / "results"
    inside.mkdir()
    (inside / "old.png").write_bytes(b"no picture")
    scores = []
    for _ in range(2):
        out = fine(capsys, *leaking.audit(*QUICK, "--with-images", out=inside))
        assert "results lies inside and was passed over" in out and "left out" not in out
        scores.append((inside / "scores.csv").read_bytes())
    assert scores[0] == scores[1] and len(table(inside / "scores.csv")) == 32


@pytest.mark.parametrize("role", ["members", "holdout", "generated"])
def test_the_output_folder_cannot_be_an_input_folder(leaking, capsys, role):
    line = refused(capsys, *leaking.audit(*QUICK, out=getattr(leaking, role)))
    assert f"{role}: that is a folder of pictures" in line and "choose another" in line
    assert all(file.suffix == ".png" for file in getattr(leaking, role).iterdir())


def test_an_output_folder_that_cannot_be_is_refused(leaking, capsys):
    assert "that is a file; choose a folder" in refused(capsys, *leaking.audit(*QUICK, out=leaking.patients))
    for out in (leaking.patients / "deep", _loop(leaking)):
        line = refused(capsys, *leaking.audit(*QUICK, out=out))
        assert out.name in line


def test_bad_files_stop_a_strict_run_before_anything_is_written(leaking, phantom, capsys):
    edition = phantom / "membership-leaking"
    for folder in (leaking.generated, edition / "test" / "generated"):
        (folder / "bad.png").write_bytes(b"")
    out = ("--out", leaking.out)
    for command in (
        leaking.audit(*QUICK),
        ("attribute", leaking.generated, *out),
        ("run", "m24-cao.cosine", edition, *out),
    ):
        line = refused(capsys, *command, "--strict", code=3)
        assert "--strict" in line and "bad.png (empty file)" in line
        assert not leaking.out.exists()


def test_real_processes_say_one_line_too(leaking, tmp_path):
    (leaking.members / "cut.png").write_bytes(DAMAGED["cut.png"][0]())
    said = spawn(*leaking.audit(*QUICK))
    assert (said.code, said.err) == (0, "") and "left out: cut.png (truncated)" in said.out
    assert "cut.png" in one_line(spawn(*leaking.audit(*QUICK, "--strict")), code=3)
    strange = tmp_path / os.fsdecode(b"caf\xe9\x1b[31m")
    assert "no such file" in one_line(spawn(*leaking.audit(*QUICK, members=strange)))
    with Path(os.devnull).with_name("full").open("w") as full:
        said = spawn("recipes", "--json", stdout=full)
    assert "No space left" in one_line(said)
