"""Tables of patients, answers and editions that do not fit, and file names that mean harm."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hospitals import QUICK, Page, fine, people, refused, table, write_pictures

HOSTILE = ("<script>alert(1)<!--.png", "a\nb\r\tc.png", "\x1b[31mred.png", "=1+1.png", "'\" onload=x.png")


def _edit(old: str, new: str):
    return lambda text: text.replace(old, new)


TABLES = {
    "a picture without a row": (
        _edit("P003_1.png,P003\n", ""),
        ("no patient in", "patients.csv", "P003_1.png"),
    ),
    "two patients for one picture": (lambda text: text + "P003_1.png,P009\n", ("P003_1.png", "two patients")),
    "a patient on both sides": (
        _edit(",P008", ",P001"),
        ("patient P001", "put all pictures of a patient on one side"),
    ),
    "a hostile patient on both sides": (
        lambda text: text.replace(",P008", ",P\x1b[31m").replace(",P001", ",P\x1b[31m"),
        ("put all pictures of a patient on one side",),
    ),
    "a blank patient": (_edit(",P003", ","), ("no patient for P003_0.png", "fill in")),
    "no column for the patient": (_edit("file,patient", "file,who"), ("patients.csv", "`patient`")),
    "semicolons": (_edit(",", ";"), ("no column `file`", "separate columns by commas")),
    "a cell too many": (
        _edit("P003_1.png,P003", "P003_1.png,P003,x"),
        ("patients.csv, line 9", "3 cells, not 2"),
    ),
    "nothing": (lambda text: "", ("patients.csv", "empty file")),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_patients_that_does_not_fit_is_refused(leaking, capsys, kind):
    edit, words = TABLES[kind]
    leaking.patients.write_text(edit(leaking.patients.read_text()))
    line = refused(capsys, *leaking.audit(*QUICK))
    assert all(word in line for word in words), line
    assert not leaking.out.exists()


def test_a_missing_or_foreign_table_is_refused(leaking, capsys):
    assert "gone.csv" in refused(capsys, *leaking.audit(*QUICK, patients=leaking.root / "gone.csv"))
    leaking.patients.write_bytes("file,patient\n".encode("utf-16"))
    assert "UTF-16; save it as UTF-8" in refused(capsys, *leaking.audit(*QUICK))


def test_rows_about_other_pictures_and_repeated_rows_change_nothing(leaking, capsys):
    fine(capsys, *leaking.audit(*QUICK))
    before = (leaking.out / "scores.csv").read_bytes()
    text = leaking.patients.read_text()
    leaking.patients.write_text(text + "elsewhere.png,P009\nP003_1.png,P003\n")
    fine(capsys, *leaking.audit(*QUICK))
    assert (leaking.out / "scores.csv").read_bytes() == before


def test_members_and_holdout_may_have_the_same_file_names(leaking, capsys):
    rows = ["file,patient"]
    for folder in (leaking.members, leaking.holdout):
        for place, file in enumerate(sorted(folder.iterdir())):
            file.rename(folder / f"{place:03d}.png")
            rows.append(f"{folder.name}/{place:03d}.png,{file.name[:4]}")
    leaking.patients.write_text("\n".join(rows) + "\n")
    fine(capsys, *leaking.audit(*QUICK))
    found = {(row["role"], row["file"]): row["patient"] for row in leaking.scores()}
    assert found["member", "004.png"] == "P002" and found["holdout", "004.png"] == "P010"


def test_a_pattern_for_patients_is_checked(leaking, capsys):
    def line(pattern: str, **more: object) -> str:
        return refused(capsys, *leaking.audit(*QUICK, "--patient-from", pattern, **more))

    assert "pattern (" in line("(", patients=None) and "no regular expression" in line("(", patients=None)
    assert "no patient by the pattern ^X for P000_0.png" in line("^X", patients=None)
    assert "give one of the two" in line("^P[0-9]+")
    fine(capsys, *leaking.audit(*QUICK, "--patient-from", "^P[0-9]+", patients=None))
    assert {row["patient"] for row in leaking.scores()} == {f"P{one:03d}" for one in range(16)}


@pytest.mark.parametrize("with_images", [False, True])
def test_hostile_names_stay_text(leaking, capsys, with_images):
    files = sorted(leaking.members.iterdir())
    for file, name in zip(files, HOSTILE, strict=False):
        file.rename(file.with_name(name))
    Path(leaking.generated / "g000.png").rename(leaking.generated / HOSTILE[0])
    (leaking.members / "<script>bad.png").write_bytes(b"")
    more = ["--with-images"] if with_images else []
    out = fine(capsys, *leaking.audit(*QUICK, *more, patients=None))
    assert all(line.isprintable() for line in out.splitlines() if not line.strip().startswith("─"))
    page = Page(leaking.out / "report.html")
    page.check_inert()
    assert "<script>alert(1)" in page.text and "<script>bad.png" in page.text
    assert "\x1b" not in page.text and "\r" not in page.text
    names = {row["file"].removeprefix("'") for row in leaking.scores()}
    assert {name.removeprefix("'") for name in HOSTILE} <= names
    content = json.loads((leaking.out / "audit.json").read_text())
    assert {entry["file"] for entry in content["quarantined"]} == {"<script>bad.png"}


def test_a_name_that_is_not_utf8_is_shown_with_its_bytes(leaking, capsys):
    try:
        (leaking.members / "P000_0.png").rename(leaking.members / os.fsdecode(b"P000_\xff.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    fine(capsys, *leaking.audit(*QUICK, "--patient-from", "^P[0-9]+", patients=None))
    assert "P000_\\xff.png" in {row["file"] for row in leaking.scores()}
    moved = os.fsdecode(os.fsencode(leaking.root) + b"/caf\xe9")
    shutil.move(leaking.members, moved)
    fine(capsys, *leaking.audit(*QUICK, members=moved, patients=None))
    assert "\\udce9" in refused(capsys, *leaking.audit(*QUICK, members=moved, out=moved, patients=None))


def test_spreadsheets_take_no_name_for_a_formula_or_for_a_new_row(leaking, capsys):
    names = ["=1+1.png", "+1.png", "-1.png", "@a.png", "\t=1.png", "\r=1.png", "x\r=1+1.png", "x\n=1+1.png"]
    for file, name in zip(sorted(leaking.members.iterdir()), names, strict=False):
        file.rename(file.with_name(name))
    fine(capsys, *leaking.audit(*QUICK, patients=None))
    with io.StringIO((leaking.out / "scores.csv").read_bytes().decode(), newline="") as text:
        rows = list(csv.reader(text))
    assert len(rows) == 33 and {len(row) for row in rows} == {4}
    assert not [row[0] for row in rows if row[0].startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {name if name.startswith("x") else f"'{name}" for name in names} <= {row[0] for row in rows}


def _remove(*parts: str):
    return lambda edition: [shutil.rmtree(edition / part) for part in parts]


def _write(name: str, edit):
    return lambda edition: (edition / name).write_text(edit((edition / name).read_text()))


MEMBERSHIP, ATTRIBUTION = "m24-cao.cosine", "a24-aiml.lbp-ward"
EDITIONS = {
    "no test part": (MEMBERSHIP, _remove("test"), ("membership-leaking", "no edition", "test/generated")),
    "no generated pictures": (MEMBERSHIP, _remove("test/generated"), ("no edition", "test/generated")),
    "no development part": (MEMBERSHIP, _remove("dev"), ("dev/", "development part")),
    "a foreign label": (
        MEMBERSHIP,
        _write("answers.csv", _edit(",used,", ",maybe,")),
        ("'maybe'", "used, not_used"),
    ),
    "a missing answer": (
        MEMBERSHIP,
        _write("answers.csv", lambda text: text[: text.rindex("real_unknown")]),
        ("answers", "1 picture", "real_unknown_000024.png"),
    ),
    "an answer twice": (
        MEMBERSHIP,
        _write("answers.csv", lambda text: text + text.splitlines()[-1] + "\n"),
        ("answers.csv", "real_unknown_000024.png", "twice"),
    ),
    "one label only": (
        MEMBERSHIP,
        _write("answers.csv", _edit("not_used", "used")),
        ("answers", "same label"),
    ),
    "no TOML": (MEMBERSHIP, _write("edition.toml", lambda text: "=="), ("edition.toml", "not a TOML file")),
    "another format": (
        MEMBERSHIP,
        _write("edition.toml", _edit("edition/1", "edition/9")),
        ("edition/9", "edition/1"),
    ),
    "the other question": (ATTRIBUTION, lambda edition: None, (ATTRIBUTION, "attribution", "membership")),
    "a mistyped recipe": (
        "m24-cao.cosin",
        lambda edition: None,
        ("'cosin'", "did you mean 'm24-cao.cosine'"),
    ),
}


@pytest.mark.parametrize("kind", EDITIONS)
def test_an_edition_that_does_not_fit_is_refused(phantom, tmp_path, capsys, kind):
    recipe, spoil, words = EDITIONS[kind]
    edition = phantom / "membership-leaking"
    spoil(edition)
    line = refused(capsys, "run", recipe, edition, "--out", tmp_path / "out")
    assert all(word in line for word in words), line
    assert not (tmp_path / "out" / "result.json").exists()


def test_attribution_editions_are_checked_too(phantom, tmp_path, capsys):
    edition = phantom / "attribution"
    out = ("--out", tmp_path / "out")
    line = refused(capsys, "run", "m23-vcmi.ssim-max", edition, *out)
    assert "m23-vcmi.ssim-max answers the membership question" in line
    (edition / "edition.toml").write_text('generators = "x"\n')
    assert "generators = 'x'" in refused(capsys, "run", ATTRIBUTION, edition, *out)
    (edition / "edition.toml").unlink()
    line = refused(capsys, "run", ATTRIBUTION, edition, *out)
    assert "number of generators" in line and "edition.toml" in line
    assert "gone: no such folder" in refused(capsys, "run", ATTRIBUTION, phantom / "gone", *out)


@pytest.mark.parametrize("count", ["0", "-1", "1000", "x", "2.5"])
def test_a_number_of_generators_that_cannot_be_is_refused(leaking, capsys, count):
    line = refused(capsys, "attribute", leaking.generated, "-k", count, "--out", leaking.out)
    assert "-k" in line and count in line


def test_answers_that_do_not_fit_the_bag_are_refused(leaking, capsys):
    command = ("attribute", leaking.generated, "-k", "2", "--out", leaking.out, "--answers")
    assert "file,label" in refused(capsys, *command, leaking.patients)
    short = leaking.root / "short.csv"
    short.write_text("file,label\ng000.png,a\n")
    assert "23 pictures have none" in refused(capsys, *command, short)
    assert not leaking.out.exists() or not table(leaking.out / "labels.csv")


def test_pictures_too_small_for_the_fingerprint_are_refused_with_the_least_size(leaking, capsys):
    line = refused(capsys, "attribute", leaking.generated, "--size", "16", "--out", leaking.out)
    assert "32" in line and "--size" in line


def test_a_hospital_that_cannot_be_drawn_is_refused(tmp_path, capsys):
    out = ("forge", "phantom", "--out", tmp_path / "out")
    cases = {"--patients": "5", "--slices": "0", "--size": "101", "--rate": "2", "--seed": "-1"}
    for option, value in cases.items():
        line = refused(capsys, *out, option, value)
        assert option in line and (value in line or option == "--slices"), line
    assert not (tmp_path / "out").exists()


OWN = """
[about]
title = "A recipe of one's own"
year = 2026
reference = "none"
task = "membership"
fidelity = "our own"
[base]
features = "pixels.grey"
similarity = "vectors.cosine"
pool = "maximum"
decide = "half"
[variant.plain]
[variant.calibrated]
calibrate = "difference"
"""


def test_a_recipe_of_ones_own_is_checked_before_anything_is_read(leaking, capsys):
    file = leaking.root / "own.toml"
    file.write_text(OWN)
    fine(capsys, *leaking.audit("--recipes", f"{file}:plain", "--permutations", "199"))
    assert "own.plain" in leaking.scores()[0]
    for old, new, words in (
        ("vectors.cosine", "vectors.cosin", "did you mean 'vectors.cosine'"),
        ('"maximum"', '{ step = "top_mean", kk = 3 }', "takes no parameter 'kk'"),
        ('decide = "half"', "", "needs a decide step"),
        ("pool =", "pol =", "did you mean 'pool'"),
        ("[base]", "[base", "not a TOML file"),
        ("membership", "memebership", "about.task"),
    ):
        file.write_text(OWN.replace(old, new))
        line = refused(capsys, *leaking.audit("--recipes", f"{file}:plain", members="gone"))
        assert "own.toml" in line and words in line, line


def test_a_recipe_that_calibrates_asks_for_a_reference_that_fits(leaking, capsys):
    file = leaking.root / "own.toml"
    file.write_text(OWN)
    more = ("--recipes", f"{file}:calibrated", "--permutations", "199")
    line = refused(capsys, *leaking.audit(*more))
    assert "own.calibrated needs a reference" in line and "--reference" in line
    line = refused(capsys, *leaking.audit(*more, reference=leaking.holdout))
    assert "holdout and reference share 16 of 16 pictures" in line
    beside = leaking.root / "beside"
    for side in (48, 32):
        strangers = people(np.random.default_rng(3), 6, 1, side)
        write_pictures(beside, [f"R{place}.png" for place in range(6)], strangers)
        if side == 48:
            line = refused(capsys, *leaking.audit(*more, reference=beside))
            assert all(word in line for word in ("reference", "48×48", "32×32", "--size")), line
    content = json.loads(fine(capsys, *leaking.audit(*more, "--json", reference=beside)))
    assert content["verdict"] == "leak" and "reference" in content["provenance"]["digests"]
