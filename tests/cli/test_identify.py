"""Enrol generators, then name pictures: tables, refusals, and nothing written where it should not be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hospitals import DAMAGED, fine, people, refused, table, write_pictures
from scipy.ndimage import gaussian_filter

SIDE, ENROLLED, NEW = 40, 24, 8


def generated(kind: str, count: int, seed: int) -> np.ndarray:
    """Pictures of people as three generators draw them: smooth, grainy, or doubled from half the size."""
    random = np.random.default_rng([seed, len(kind)])
    pictures = people(random, count, 1, SIDE) + 8 * random.normal(size=(count, SIDE, SIDE))
    if kind == "smooth":
        return gaussian_filter(pictures, [0, 1.0, 1.0])
    if kind == "doubled":
        return pictures[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    return pictures


@pytest.fixture(scope="session")
def _world(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("generators")
    for kind in ("smooth", "grainy", "doubled"):
        made = generated(kind, ENROLLED + NEW, 1)
        names = [f"{kind}{place:02d}.png" for place in range(len(made))]
        write_pictures(root / kind, names[:ENROLLED], made[:ENROLLED])
        write_pictures(root / f"{kind}-new", names[ENROLLED:], made[ENROLLED:])
    return root


@pytest.fixture(scope="session")
def _enrolled(_world) -> Path:
    from whorl.cli import main

    for kind in ("smooth", "grainy"):
        assert main(["enroll", kind, str(_world / kind), "--library", str(_world / "known")]) == 0
    return _world


@pytest.fixture
def world(_enrolled, tmp_path) -> Path:
    """A copy of two enrolled generators, their pictures and those of a third; a test may change it."""
    shutil.copytree(_enrolled, tmp_path / "world")
    return tmp_path / "world"


def listed(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def ask(world: Path, kind: str, *more: object) -> list[object]:
    place = ("--library", world / "known", "--out", world / "out")
    return ["identify", world / kind, *place, "--alpha", "0.05", *more]


def test_pictures_of_an_enrolled_generator_get_its_name(world, capsys):
    said = fine(capsys, *ask(world, "grainy-new"))
    assert said.startswith("grainy: The 8 pictures together look like pictures of 'grainy'")
    rows = table(world / "out" / "identify.csv")
    assert list(rows[0]) == [
        *("file", "answer", "p_value", "nearest", "reason", "p_value:grainy", "p_value:smooth"),
    ]
    assert [row["file"] for row in rows] == sorted(path.name for path in (world / "grainy-new").iterdir())
    assert sum(row["answer"] == row["nearest"] == "grainy" for row in rows) >= 6
    found = json.loads((world / "out" / "identify.json").read_text())
    assert (found["schema"], found["answer"]) == ("whorl.identification/1", "grainy")
    assert found["p_values"]["smooth"] < 0.01 < found["p_values"]["grainy"]
    assert sum(one["pictures"] for one in found["answers"]) == 8
    assert found["provenance"]["versions"]["whorl"] and "identify" in found["provenance"]["command"]


def test_a_stranger_is_unknown_with_a_reason(world, capsys):
    said = fine(capsys, *ask(world, "doubled-new"))
    assert said.startswith("unknown: ") and "times the usual distance" in said
    rows = table(world / "out" / "identify.csv")
    assert {row["answer"] for row in rows} == {"unknown"} and all(row["reason"] for row in rows)
    assert {row["p_value"] for row in rows} == {"0.04"}


def test_json_says_the_same_and_a_single_picture_will_do(world, capsys):
    one = np.asarray(generated("doubled", 1, 9))
    np.save(world / "one.npy", np.clip(one, 0, 255).astype(np.uint8))
    found = json.loads(fine(capsys, *ask(world, "one.npy", "--json")))
    assert (found["answer"], len(found["pictures"])) == ("unknown", 1)
    assert found == json.loads((world / "out" / "identify.json").read_text())


def test_few_pictures_are_told_of_at_the_usual_level(world, capsys):
    said = fine(capsys, *ask(world, "doubled-new")[:-2])
    assert "'unknown' at 0.01 needs 100 pictures or more" in said
    assert {row["answer"] for row in table(world / "out" / "identify.csv")} == {"cannot tell"}


def test_enrolling_writes_into_the_library_alone_and_once(world, capsys):
    before = listed(world)
    said = fine(capsys, "enroll", "doubled", world / "doubled", "--library", world / "known")
    assert "enrolled 'doubled' with 24 pictures" in said and "doubled, grainy, smooth" in said
    added = set(listed(world)) - set(before)
    assert len(added) == 2 and all(Path(name).parent == Path("known") for name in added)
    again = ("enroll", "doubled", world / "doubled-new", "--library", world / "known")
    assert "--replace" in refused(capsys, *again)
    assert "8 pictures; at least 10 are needed to enrol" in refused(capsys, *again, "--replace")
    other = ("enroll", "doubled", world / "smooth", "--library", world / "known", "--replace", "--json")
    found = json.loads(fine(capsys, *other))
    assert (found["name"], found["pictures"], len(found["library"])) == ("doubled", 24, 3)
    assert len(listed(world)) == len(before) + 2


def test_patients_are_kept_together_but_not_named(world, capsys):
    place = world / "by-patient"
    said = ("enroll", "smooth", world / "smooth", "--library", place, "--patient-from", "(smooth[0-9])")
    fine(capsys, *said)
    content = b"".join(path.read_bytes() for path in place.iterdir())
    assert b"smooth1" not in content and b"smooth01" not in content
    one = ("enroll", "one", world / "smooth", "--library", place, "--patient-from", "(smooth)")
    assert "of one patient" in refused(capsys, *one)


REFUSED = [
    (("enroll", "a/b", "grainy", "--library", "known"), ("'a/b'", "no path")),
    (("enroll", "unknown", "grainy", "--library", "known"), ("'unknown' is an answer",)),
    (("enroll", "new", "grainy", "--library", "grainy"), ("--library", "folder of pictures")),
    (("enroll", "new", "nowhere", "--library", "known"), ("nowhere", "no such file")),
    (("enroll", "new", "grainy", "--library", "grainy/grainy00.png"), ("grainy00.png", "not a library")),
    (("enroll", "new", "grainy", "--library", "known", "--size", "48"), ("48×48", "40×40", "one size")),
    (("enroll", "new", "grainy", "--library", "known", "--recipe", "whorl.thumbnail"), ("no fingerprints",)),
    (("enroll", "new", "grainy"), ("--library",)),
    (("identify", "grainy-new", "--library", "nowhere"), ("nowhere", "nobody is enrolled")),
    (("identify", "grainy-new", "--library", "known", "--alpha", "1"), ("--alpha 1", "between 0 and 1")),
    (("identify", "grainy-new", "--library", "known", "--size", "48"), ("48×48", "40×40", "one size")),
    (("identify", "grainy-new", "--library", "known", "--out", "grainy-new"), ("--out", "choose another")),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=lambda value: " ".join(value[:4]))
def test_what_cannot_be_is_one_line_and_writes_nothing(world, capsys, monkeypatch, words, said):
    monkeypatch.chdir(world)
    before = listed(world)
    line = refused(capsys, *words)
    assert all(word in line for word in said), line
    assert listed(world) == before


def test_files_that_cannot_be_read_are_left_out_or_stop_a_strict_run(world, capsys):
    (world / "grainy-new" / "cut.png").write_bytes(DAMAGED["cut.png"][0]())
    assert "left out: cut.png" in fine(capsys, *ask(world, "grainy-new"))
    assert "cut.png" in refused(capsys, *ask(world, "grainy-new", "--strict"), code=3)


@pytest.mark.parametrize("damage", ["cut", "emptied", "altered"])
def test_a_damaged_library_is_one_line(world, capsys, damage):
    place = next((world / "known").glob("grainy.*.npz"))
    if damage == "altered":
        place = world / "known" / "grainy.json"
        place.write_text(place.read_text().replace('"count": 24', '"count": 23'))
    else:
        place.write_bytes(place.read_bytes()[: 100 if damage == "cut" else 0])
    line = refused(capsys, *ask(world, "grainy-new"))
    assert place.name in line and "enrol it again with --replace" in line
    again = ("enroll", "grainy", world / "grainy", "--library", world / "known", "--replace")
    fine(capsys, *again)
    assert fine(capsys, *ask(world, "grainy-new")).startswith("grainy")


def test_names_of_files_cannot_run_or_break_a_table(world, capsys):
    for place, path in enumerate(sorted((world / "doubled-new").iterdir())):
        path.rename(path.with_name(f"=HYPERLINK({place}),\x1b[31m.png"))
    said = fine(capsys, *ask(world, "doubled-new"))
    assert "\x1b[31m" not in said
    rows = table(world / "out" / "identify.csv")
    assert len(rows) == 8 and all(row["file"].startswith("'=HYPERLINK(") for row in rows)
