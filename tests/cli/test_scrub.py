"""From an audit to pictures that may be handed out: what is written, what is refused, nothing half-done."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hospitals import QUICK, Hospital, call, encoded, fine, people, refused, table, write_pictures
from PIL import Image

from whorl import removals, sources
from whorl.records import BadInput

SIDE, PATIENTS, GENERATED, COPIED = 48, 40, 60, 8


@pytest.fixture(scope="session")
def _audited(tmp_path_factory) -> Path:
    """A hospital with two pictures a patient, of whose generated pictures a few copy members; audited."""
    made = Hospital(tmp_path_factory.mktemp("scrub") / "hospital")
    random = np.random.default_rng(5)
    real = _detailed(random, 2 * PATIENTS, 2)
    names = [f"P{place // 2:03d}_{place % 2}.png" for place in range(len(real))]
    half = len(real) // 2
    write_pictures(made.members, names[:half], real[:half])
    write_pictures(made.holdout, names[half:], real[half:])
    made.patients.write_text("file,patient\n" + "".join(f"{name},{name[:4]}\n" for name in names))
    drawn = _detailed(random, GENERATED, 1)
    drawn[:COPIED] = real[random.permutation(half)[:COPIED]]
    drawn = drawn + random.normal(0, 4, drawn.shape)
    places = [f"{'a' if place % 2 else 'b'}/g{place:03d}.png" for place in range(GENERATED)]
    for name, picture in zip(places, drawn, strict=True):
        write_pictures(made.generated / name[0], [name[2:]], picture[None])
    assert call_main(made.audit(*QUICK)) == 0
    return made.root


def _detailed(random: np.random.Generator, patients: int, slices: int) -> np.ndarray:
    whole = people(random, patients, slices, SIDE)
    detail = people(random, patients * slices, 1, 3 * SIDE)[:, :SIDE, :SIDE]
    fine_grain = random.normal(size=whole.shape)
    return whole + 0.1 * (detail - 120) + 5 * fine_grain


def call_main(words: list[str]) -> int:
    from whorl.cli import main

    return main(words)


@pytest.fixture
def audited(_audited, tmp_path) -> Hospital:
    """A copy of the audited hospital, whose audit says that it was made there; a test may change it."""
    shutil.copytree(_audited, tmp_path / "hospital")
    made = Hospital(tmp_path / "hospital")
    file = made.out / "audit.json"
    file.write_text(file.read_text().replace(str(_audited), str(made.root)))
    return made


def contents(root: Path) -> dict[str, str]:
    """The digest of every file below a folder."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ask(made: Hospital, *more: object) -> list[object]:
    return ["scrub", made.out, "--out", made.root / "clean", *more]


def test_near_copies_go_and_the_rest_is_copied_byte_by_byte(audited, capsys):
    before = contents(audited.root)
    said = fine(capsys, *ask(audited))
    clean = audited.root / "clean"
    copies = {f"{'a' if place % 2 else 'b'}/g{place:03d}.png" for place in range(COPIED)}
    rows = table(clean / "removed.csv")
    assert list(rows[0]) == ["generated", "likeness", "q_value", "member"]
    assert {row["generated"] for row in rows} == copies
    assert all(row["member"].startswith("patient 0") and float(row["q_value"]) <= 0.01 for row in rows)
    kept = contents(clean / "kept")
    generated = {name.removeprefix("generated/"): one for name, one in before.items() if "generated/" in name}
    assert kept == {name: one for name, one in generated.items() if name not in copies}
    # The originals are as they were, and nothing is written but what was promised.
    after = contents(audited.root)
    assert {name: one for name, one in after.items() if not name.startswith("clean/")} == before
    assert {path.name for path in clean.iterdir()} == {".store", "kept", "removed.csv", "scrub.json"}
    assert said.startswith(f"{COPIED} of {GENERATED} generated pictures lie as near") and "before" in said
    assert f"kept {GENERATED - COPIED} of {GENERATED} generated pictures" in said
    found = json.loads((clean / "scrub.json").read_text())
    assert found["schema"] == "whorl.scrub/1" and found["before"]["near_copies"] > 0
    assert found["after"]["near_copies"] == 0 and set(found["removed"]) == copies
    assert "P00" not in json.dumps({**found, "provenance": {}}), "no member is named unless asked for"
    half = {"members": PATIENTS // 2, "holdout": PATIENTS // 2}
    assert found["patients"] == {"choosing": half, "judging": half} and found["notes"] == []
    assert "has 'kept' already" in refused(capsys, *ask(audited))


def test_members_are_named_when_asked_for_and_json_is_the_file(audited, capsys):
    found = json.loads(fine(capsys, *ask(audited, "--with-names", "--json")))
    assert found == json.loads((audited.root / "clean" / "scrub.json").read_text())
    for row in table(audited.root / "clean" / "removed.csv"):
        copy = Image.open(audited.generated / row["generated"])
        member = Image.open(audited.members / row["member"])
        assert np.corrcoef(np.ravel(copy), np.ravel(member))[0, 1] > 0.95


def test_changed_pictures_and_patients_are_refused(audited, capsys):
    picture = audited.members / "P003_1.png"
    kept = picture.read_bytes()
    picture.write_bytes(encoded(np.full((SIDE, SIDE), 9.0)))
    assert "the members pictures are not those audited" in refused(capsys, *ask(audited))
    picture.write_bytes(kept)
    text = audited.patients.read_text()
    audited.patients.write_text(text.replace(",P001", ",P000"))
    assert "the patients are not those of the audit" in refused(capsys, *ask(audited))
    audited.patients.write_text(text)
    (audited.generated / "a" / "g001.png").unlink()
    assert "the generated pictures are not those audited" in refused(capsys, *ask(audited))
    assert not (audited.root / "clean" / "kept").exists()


def test_what_is_no_audit_of_files_is_refused(audited, capsys, tmp_path):
    file = audited.out / "audit.json"
    content = json.loads(file.read_text())
    told = content["provenance"].pop("sources")
    file.write_text(json.dumps(content))
    assert "does not say where its pictures are" in refused(capsys, *ask(audited))
    broken = {**told, "members": 3}
    for one in (broken, {**told, "recipes": None}, {"generated": told["generated"]}):
        file.write_text(json.dumps({**content, "provenance": {**content["provenance"], "sources": one}}))
        assert "audit.json is damaged" in refused(capsys, *ask(audited))
    for text, words in (
        ("{", "is damaged"),
        ("[]", "not that of an audit"),
        ('{"schema": 1}', "not that of"),
    ):
        file.write_text(text)
        assert words in refused(capsys, *ask(audited))
    file.unlink()
    assert "no audit.json there (no such file" in refused(capsys, *ask(audited))


def test_results_never_mix_with_what_is_read(audited, capsys):
    for place in (audited.generated, audited.generated / "new", audited.members / "new"):
        assert "choose another" in refused(capsys, "scrub", audited.out, "--out", place)
    before = contents(audited.root)
    kept = audited.root / "kept"
    shutil.move(audited.generated, kept)
    file = audited.out / "audit.json"
    file.write_text(file.read_text().replace(str(audited.generated), str(kept)))
    assert "'kept' already" in refused(capsys, "scrub", audited.out, "--out", audited.root)
    assert len(contents(audited.root)) == len(before)


def test_an_interrupted_copy_leaves_no_half_folder_and_goes_on(audited, capsys, monkeypatch):
    copied, original = [], removals._copy

    def tired(source: Path, target: Path) -> None:
        copied.append(target)
        if len(copied) == 5:
            raise KeyboardInterrupt
        original(source, target)

    monkeypatch.setattr(removals, "_copy", tired)
    assert call(capsys, *ask(audited)).code == 130
    clean = audited.root / "clean"
    assert copied[0].parts[-3].endswith(".partial") and not copied[0].exists()
    assert {path.name for path in clean.iterdir()} == {".store", "removed.csv", "scrub.json"}
    # What a killed run left is swept away by the next one.
    dead = clean / ".kept.0123456789abcdef.999999999.partial"
    (dead / "a").mkdir(parents=True)
    fine(capsys, *ask(audited))
    assert {path.name for path in clean.iterdir()} == {".store", "kept", "removed.csv", "scrub.json"}
    assert len(contents(clean / "kept")) == GENERATED - COPIED


def test_an_array_stays_an_array_and_a_clean_generator_keeps_all(audited, capsys):
    names = sorted(
        path.relative_to(audited.generated).as_posix() for path in audited.generated.rglob("*.png")
    )
    stack = np.stack([np.asarray(Image.open(audited.generated / name)) for name in names])
    array = audited.root / "made.npy"
    np.save(array, stack)
    fine(capsys, *audited.audit(*QUICK, generated=array))
    fine(capsys, *ask(audited))
    removed = [row for row, name in enumerate(names) if int(name[3:6]) < COPIED]
    found = np.load(audited.root / "clean" / "kept.npy", allow_pickle=False)
    np.testing.assert_array_equal(found, np.delete(stack, removed, axis=0))
    # What was kept is audited and scrubbed again: nothing more goes.
    again = audited.root / "again"
    array = audited.root / "clean" / "kept.npy"
    fine(capsys, *audited.audit(*QUICK, generated=array, out=again / "audit"))
    said = fine(capsys, "scrub", again / "audit", "--out", again)
    assert "nothing to remove" in said
    assert len(np.load(again / "kept.npy")) == GENERATED - COPIED
    assert table(again / "removed.csv") == []


def test_sources_are_told_for_files_alone(tmp_path):
    reading = {"patients": "p.csv", "patient_from": None, "size": 64}
    places = {"generated": "made", "members": ["a.png", Path("b.png")], "holdout": "h.csv", "reference": None}
    found = sources.told(places, reading, ["whorl.copies", "own.toml:mine"])["sources"]
    here = Path.cwd()
    assert found["generated"] == str(here / "made") and found["patients"] == str(here / "p.csv")
    assert found["members"] == [str(here / "a.png"), str(here / "b.png")] and found["reference"] is None
    assert found["recipes"] == ["whorl.copies", f"{here}/own.toml:mine"] and found["size"] == 64
    assert sources.told({**places, "holdout": np.zeros((2, 8, 8))}, reading, []) == {}
    with pytest.raises(BadInput, match="no audit"):
        sources.read(tmp_path)
