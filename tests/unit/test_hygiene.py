"""Hygiene: what is planted is listed, what is merely alike is not, and no value of a field is ever shown."""

from __future__ import annotations

import struct
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from scipy.ndimage import gaussian_filter

from whorl import duplicates, headers, images, leftovers
from whorl.hygiene import EXAMPLES, Finding, hygiene
from whorl.records import ImageSet, Quarantined

SIDE = 64
SECRET = "Zebra^Quentin"


def bodies(seed: int, patients: int, slices: int = 1) -> np.ndarray:
    """Pictures (patients * slices, 64, 64): one body and its slices, each with grain of its own."""
    random = np.random.default_rng(seed)
    shared = 600 * gaussian_filter(random.normal(size=(SIDE, SIDE)), 8)
    own = 900 * gaussian_filter(random.normal(size=(patients, 1, SIDE, SIDE)), [0, 0, 5, 5])
    grain = 14 * gaussian_filter(random.normal(size=(patients, slices, SIDE, SIDE)), [0, 0, 0.8, 0.8])
    return np.clip(np.rint(120 + shared + own + grain), 0, 255).astype(np.uint8).reshape(-1, SIDE, SIDE)


def pictures(name: str, pixels: np.ndarray, slices: int = 1, known: bool = True) -> ImageSet:
    made = images.load(pixels, name=name)
    owners = tuple(f"{name} {row // slices}" for row in range(len(made)))
    return replace(made, patients=owners if known else None)


def altered(picture: np.ndarray, random: np.random.Generator, how: str) -> np.ndarray:
    down, across = random.integers(-4, 5, 2)
    moved = np.pad(picture, 4, mode="edge")[4 + down : 4 + down + SIDE, 4 + across : 4 + across + SIDE]
    changed = {
        "moved": moved.astype(float),
        "lighter": picture * random.choice([0.9, 1.1]),
        "noisier": picture + random.normal(0, 3, picture.shape),
        "saved anew": picture.astype(float),
    }[how]
    whole = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    if how != "saved anew":
        return whole
    file = BytesIO()
    Image.fromarray(whole).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def asked(**more) -> dict:
    sets = {
        "generated": pictures("generated", bodies(1, 12)),
        "members": pictures("members", bodies(2, 15, 2), 2),
        "holdout": pictures("holdout", bodies(3, 15, 2), 2),
    }
    return sets | more


def of_kind(found: tuple[Finding, ...], kind: str) -> list[Finding]:
    return [one for one in found if one.kind == kind]


def test_clean_sets_have_no_findings():
    assert hygiene(**asked()) == ()
    assert hygiene(**asked(reference=pictures("reference", bodies(4, 9)))) == ()


@pytest.mark.parametrize("how", ["moved", "lighter", "noisier", "saved anew"])
def test_planted_near_duplicates_are_found_and_nothing_else(how):
    random = np.random.default_rng(7)
    members, holdout = bodies(2, 60), bodies(3, 60)
    rows = random.permutation(60)[:20]
    holdout[:20] = [altered(members[row], random, how) for row in rows]
    sets = asked(members=pictures("members", members), holdout=pictures("holdout", holdout))
    found = hygiene(**sets)
    listed = of_kind(found, "near duplicates")
    assert [one.count for one in listed] == [20] and listed[0].severity == "warn"
    planted = {
        (f"members/{sets['members'].ids[row]}", f"holdout/{sets['holdout'].ids[place]}")
        for place, row in enumerate(rows)
    }
    assert set(listed[0].examples) == planted
    assert [one.count for one in of_kind(found, "patient under two names")] == [20]


def test_slices_of_a_patient_are_no_duplicates():
    stack = bodies(5, 40, 5)
    digests = [str(row) for row in range(len(stack))]
    owners = [str(row // 5) for row in range(len(stack))]
    assert duplicates.near([stack], digests, owners) == ()
    assert duplicates.near([stack], digests, [None] * len(stack)) == ()


def test_blocks_and_order_change_no_twins(monkeypatch):
    random = np.random.default_rng(3)
    stack = bodies(6, 50)
    stack[40:] = [altered(one, random, "noisier") for one in stack[:10]]
    digests, owners = [str(row) for row in range(50)], [str(row) for row in range(50)]
    whole = duplicates.near([stack], digests, owners)
    assert {(one.first, one.second) for one in whole} == {(row, 40 + row) for row in range(10)}
    monkeypatch.setattr(duplicates, "SLAB_BYTES", 4 * 50 * 3)
    parts = duplicates.near([stack[:20], stack[20:]], digests, owners)
    assert [(one.first, one.second) for one in parts] == [(one.first, one.second) for one in whole]
    turned = duplicates.near([stack[::-1]], digests[::-1], owners[::-1])
    assert {(49 - one.second, 49 - one.first) for one in turned} == {(row, 40 + row) for row in range(10)}


@pytest.mark.parametrize("shape", [(0, 64, 64), (1, 64, 64), (3, 8, 8), (4, 30, 200)])
def test_small_and_flat_sets_are_no_trouble(shape):
    stack = np.full(shape, 9, np.float32)
    assert duplicates.near([stack], [str(row) for row in range(len(stack))], [None] * len(stack)) == ()


def test_exact_duplicates_in_and_across_sets():
    members, holdout = bodies(2, 20), bodies(3, 20)
    holdout[3] = members[5]
    members[7] = members[8]
    sets = asked(members=pictures("members", members), holdout=pictures("holdout", holdout))
    found = hygiene(**sets)
    across, within = of_kind(found, "exact duplicates")
    names = sets["members"].ids, sets["holdout"].ids
    assert (across.severity, across.count) == ("stop", 1)
    assert across.examples == ((f"members/{names[0][5]}", f"holdout/{names[1][3]}"),)
    assert "the members and the holdout is the same pixel by pixel" in across.sentence
    assert (within.severity, within.count) == ("warn", 1)
    assert not of_kind(found, "near duplicates")
    assert [one.count for one in of_kind(found, "patient under two names")] == [1, 1]
    assert found[0].severity == "stop"


def test_generated_pictures_that_are_real_ones():
    made, members, holdout = bodies(1, 30), bodies(2, 20), bodies(3, 20)
    made[:25] = members[0]
    made[25] = holdout[1]
    sets = {
        name: pictures(name, one)
        for name, one in {"generated": made, "members": members, "holdout": holdout}.items()
    }
    found = hygiene(**sets)
    copies = of_kind(found, "generated identical to real")
    assert [(one.severity, one.count) for one in copies] == [("stop", 25), ("stop", 1)]
    assert len(copies[0].examples) == EXAMPLES
    assert copies[0].sentence.startswith("25 generated pictures of 30 are also in the members")
    repeats = of_kind(found, "exact duplicates")
    assert [(one.severity, one.count) for one in repeats] == [("note", 24)]


def test_a_patient_on_both_sides():
    sets = asked()
    owners = ("members 3", "members 3", *sets["holdout"].patients[2:])
    found = hygiene(**{**sets, "holdout": replace(sets["holdout"], patients=owners)})
    (one,) = of_kind(found, "patient on both sides")
    assert (one.severity, one.count) == ("stop", 1)
    assert one.examples == ((f"members/{sets['members'].ids[6]}", f"holdout/{sets['holdout'].ids[0]}"),)
    assert "1 patient has pictures in both the members and the holdout" in one.sentence


def test_unreadable_files_are_listed_with_their_reason():
    sets = asked()
    bad = replace(sets["generated"], quarantined=(Quarantined("bad.png", "truncated"),))
    (one,) = hygiene(**{**sets, "generated": bad})
    assert (one.kind, one.severity, one.count) == ("unreadable", "warn", 1)
    assert one.examples == (("generated/bad.png", "truncated"),)


def element(tag: int, kind: bytes, value: bytes, explicit: bool = True) -> bytes:
    value += b" " * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return head + struct.pack("<I", len(value)) + value
    if kind in (b"SQ", b"OB", b"OW"):
        return head + kind + b"\0\0" + struct.pack("<I", len(value)) + value
    return head + kind + struct.pack("<H", len(value)) + value


def dicom(name: bytes, syntax: bytes = b"1.2.840.10008.1.2.1", nested: bool = False) -> bytes:
    explicit = syntax != b"1.2.840.10008.1.2"
    patient = element(0x00100010, b"PN", name, explicit) + element(0x00100030, b"DA", b"19500101", explicit)
    if nested:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(patient)) + patient
        patient = element(0x00081120, b"SQ", item, explicit)
    pixels = element(0x7FE00010, b"OW", b"\0" * 64, explicit)
    return b"\0" * 128 + b"DICM" + element(0x00020010, b"UI", syntax) + patient + pixels


@pytest.mark.parametrize("nested", [False, True])
def test_dicom_fields_are_named_and_never_shown(tmp_path, nested):
    path = tmp_path / "one.dcm"
    path.write_bytes(dicom(SECRET.encode(), nested=nested))
    assert leftovers.fields(path) == ("patient's birth date", "patient's name")


def test_dicom_in_other_syntaxes_and_wiped(tmp_path):
    path = tmp_path / "one.dcm"
    path.write_bytes(dicom(SECRET.encode(), b"1.2.840.10008.1.2"))
    assert leftovers.fields(path) == ("patient's birth date", "patient's name")
    path.write_bytes(dicom(b"Anonymous"))
    assert leftovers.fields(path) == ("patient's birth date",)


def test_damaged_dicom_is_no_trouble(tmp_path):
    path = tmp_path / "one.dcm"
    random = np.random.default_rng(0)
    whole = np.frombuffer(dicom(SECRET.encode()), np.uint8)
    for _ in range(200):
        broken = whole[: random.integers(133, len(whole))].copy()
        broken[random.integers(132, len(broken), 4)] = random.integers(0, 256, 4)
        path.write_bytes(broken.tobytes())
        assert SECRET not in str(leftovers.fields(path))


def written(folder: Path, texts: dict[str, str]) -> Path:
    path = folder / "picture.png"
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.fromarray(bodies(1, 1)[0]).save(path, pnginfo=info)
    return path


def test_metadata_of_files_by_role(tmp_path):
    path = written(tmp_path, {"Comment": SECRET, f"Patient {SECRET}": "1"})
    jpeg = tmp_path / "picture.jpg"
    exif = Image.Exif()
    exif[270] = SECRET
    Image.fromarray(bodies(1, 1)[0]).save(jpeg, exif=exif)
    scan = tmp_path / "scan.dcm"
    scan.write_bytes(dicom(SECRET.encode()))
    sets = asked()
    ids = sets["generated"].ids
    files = {
        "generated": {ids[0]: path, ids[1]: path, ids[2]: jpeg, ids[3]: scan},
        "members": {sets["members"].ids[0]: scan, sets["members"].ids[1]: path},
    }
    found = of_kind(hygiene(**sets, files=files), "metadata")
    graves = {(one.sentence.split(",")[0], one.severity) for one in found}
    assert ("2 files of the generated set still have metadata: text 'Comment'", "warn") in graves
    assert ("2 files of the generated set still have metadata: text under another name", "warn") in graves
    assert ("1 file of the generated set still has metadata: EXIF", "warn") in graves
    assert ("1 file of the generated set still has metadata: patient's name", "stop") in graves
    assert ("1 file of the members still has metadata: patient's name", "warn") in graves
    assert ("1 file of the members still has metadata: text 'Comment'", "note") in graves
    assert "Zebra" not in str(found) and "1950" not in str(found)
    known = {role: headers.headers(sets[role].ids, files.get(role, {})) for role in sets}
    assert of_kind(hygiene(**sets, files=files, headers=known), "metadata") == found


def test_plain_files_have_nothing_left(tmp_path):
    assert leftovers.fields(written(tmp_path, {})) == ()
    jpeg = tmp_path / "plain.jpg"
    Image.fromarray(bodies(1, 1)[0]).save(jpeg)
    assert leftovers.fields(jpeg) == ()
    assert leftovers.fields(tmp_path / "missing.png") == ()
