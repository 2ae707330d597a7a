"""Sets of pictures: sizes, depths, arrays, order, notes, selecting and joining."""

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whorl import arrays, images
from whorl.images import join, load, select
from whorl.records import BadInput, ImageSet

RANDOM = np.random.default_rng(2)
STACK = RANDOM.integers(0, 256, (9, 16, 20), dtype=np.uint8)


def save(path: Path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG")


def filled(folder: Path, stack=STACK):
    for number, pixels in enumerate(stack):
        save(folder / f"{number}.png", pixels)
    return folder


def refusal(*arguments, **options):
    with pytest.raises(BadInput) as caught:
        load(*arguments, name="set", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(one: ImageSet, other: ImageSet):
    assert (one.ids, one.digests, one.patients) == (other.ids, other.digests, other.patients)
    assert one.pixels.dtype == other.pixels.dtype
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_folder_gives_the_pixels_and_digests_of_its_pictures(tmp_path):
    found = load(filled(tmp_path), name="real")
    assert found.name == "real" and found.pixels.dtype == np.uint8
    np.testing.assert_array_equal(found.pixels, STACK)
    assert len(set(found.digests)) == 9
    head = "16×20 |u1 ".encode()
    assert found.digests[3] == hashlib.sha256(head + STACK[3].tobytes()).hexdigest()[:32]


def test_one_bad_file_does_not_end_the_run(tmp_path):
    filled(tmp_path)
    whole = (tmp_path / "4.png").read_bytes()
    (tmp_path / "4.png").write_bytes(whole[:100])
    (tmp_path / "5.png").write_bytes(b"<html>")
    found = load(tmp_path, name="set")
    assert [(one.file, one.reason) for one in found.quarantined] == [
        ("4.png", "truncated"),
        ("5.png", "not a picture: looks like HTML"),
    ]
    np.testing.assert_array_equal(found.pixels, np.delete(STACK, [4, 5], axis=0))


def test_workers_change_nothing_and_each_picture_is_decoded_once(tmp_path, monkeypatch):
    filled(tmp_path)
    (tmp_path / "3.png").write_bytes(b"")
    seen, lock, real = [], threading.Lock(), images.decode_file

    def counted(path, limits):
        with lock:
            seen.append(path.name)
        return real(path, limits)

    monkeypatch.setattr(images, "decode_file", counted)
    steps = []
    found = [load(tmp_path, name="set", workers=n, progress=lambda *s: steps.append(s)) for n in (1, 2, 8)]
    same(found[0], found[1])
    same(found[0], found[2])
    assert sorted(seen) == sorted(3 * [f"{number}.png" for number in range(9)])
    assert steps[:9] == [(step, 9) for step in range(1, 10)]


def test_sources_that_hold_nothing_say_so(tmp_path):
    assert "no pictures found" in refusal(tmp_path)
    assert "no such file or directory" in refusal(tmp_path / "gone")
    assert "not a possible name" in refusal("a\0b")
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"x")
    said = refusal(tmp_path)
    assert "none of 2 files can be read; the first: a.png: empty file" in said
    assert "neither a folder, a table" in refusal(tmp_path / "a.png")
    assert "is empty" in refusal([])
    assert "holds other things" in refusal([STACK[0], "a.png"])
    assert "array is empty" in refusal(STACK[:0])


def test_mixed_sizes_are_counted_and_the_option_named(tmp_path):
    filled(tmp_path)
    save(tmp_path / "z.png", STACK[0, :, :10])
    said = refusal(tmp_path)
    assert "20×16 (9), 10×16 (1)" in said and "give --size 16 to bring all to 16×16" in said
    for number in range(4):
        save(tmp_path / f"y{number}.png", STACK[0, :, : 11 + number])
    assert "and 2 other sizes" in refusal(tmp_path)


def test_looking_on_after_a_second_size_is_bounded(tmp_path, monkeypatch):
    filled(tmp_path)
    save(tmp_path / "0.png", STACK[0, :, :10])
    monkeypatch.setattr(images, "_LOOK_FURTHER", 3)
    assert "among the first 5 files: 20×16 (4), 10×16 (1)" in refusal(tmp_path, workers=1)


def test_size_brings_all_to_one_square_without_aliasing(tmp_path):
    filled(tmp_path)
    save(tmp_path / "z.png", np.tile(np.array([[0, 200], [200, 0]], np.uint8), (32, 32)))
    found = load(tmp_path, name="set", size=8)
    assert found.pixels.shape == (10, 8, 8) and found.pixels.dtype == np.uint8
    assert np.abs(found.pixels[9].astype(int) - 100).max() <= 1
    assert "--size 4 is not between" in refusal(tmp_path, size=4)


def test_mixed_depths_become_float_with_matching_digests(tmp_path):
    deep = (STACK[0].astype(np.uint16)) * 257
    for order in (("a.png", "b.png"), ("b.png", "a.png")):
        save(tmp_path / order[0], STACK[0])
        save(tmp_path / order[1], deep)
        found = load(tmp_path, name="set")
        assert found.pixels.dtype == np.float32
        np.testing.assert_array_equal(found.pixels[0], found.pixels[1])
        assert found.digests[0] == found.digests[1] == arrays.digest_of_picture(found.pixels[0])
        assert "some pictures have 8 bits" in found.notes[0]


def test_constant_and_repeated_pictures_are_kept_and_noted(tmp_path):
    filled(tmp_path)
    save(tmp_path / "copy.png", STACK[2])
    save(tmp_path / "flat.png", np.full((16, 20), 9, np.uint8))
    found = load(tmp_path, name="set")
    assert len(found) == 11
    assert "pictures of one grey level: 1 (flat.png)" in found.notes
    assert "pictures with the same pixels as another: 2 (2.png, copy.png)" in found.notes


def test_large_sets_live_in_a_temporary_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    filled(tmp_path / "pictures")
    spilled = load(tmp_path / "pictures", name="set", spill_bytes=1000)
    same(spilled, load(tmp_path / "pictures", name="set"))
    assert isinstance(spilled.pixels.base.base, np.memmap)
    assert list((tmp_path / "temporary").iterdir()) == []

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("whorl.arrays.os.posix_fallocate", full)
    assert "No space left on device; free some" in refusal(tmp_path / "pictures", spill_bytes=1000)


def test_arrays_and_npy_files_give_the_same_set(tmp_path):
    found = load(STACK, name="set")
    assert found.ids[:2] == ("0000", "0001") and found.pixels is not STACK
    np.testing.assert_array_equal(found.pixels, STACK)
    np.save(tmp_path / "a.npy", STACK)
    same(found, load(tmp_path / "a.npy", name="set"))
    same(found, load(list(STACK), name="set"))
    same(found, load(STACK.astype(np.int64), name="set"))
    same(load(STACK / 1.0, name="set"), load(STACK.astype(np.float16), name="set"))
    unit = load(STACK / 255.0, name="set")
    np.testing.assert_allclose(unit.pixels, STACK, atol=1e-4)
    assert unit.notes == ("values from 0 to 1 were multiplied by 255",)
    np.testing.assert_array_equal(load(STACK > 99, name="set").pixels, (STACK > 99) * np.uint8(255))


BAD_ARRAYS = {
    "one picture": (STACK[0], "shape (16, 20), not (pictures, height, width)"),
    "colour": (np.zeros((2, 9, 9, 3), np.uint8), "not (pictures, height, width)"),
    "NaN": (np.full((2, 9, 9), np.nan), "picture 0000: holds NaN"),
    "negative": (-STACK.astype(float), "bring them to 0…255"),
    "16 bits": (STACK.astype(np.uint16) * 200, "divide 16-bit values by 257"),
    "complex": (STACK * 1j, "values of type complex128"),
    "objects": (STACK.astype(object), "values of type object"),
    "small": (STACK[:, :5], "too small (20×5"),
    "lists of shapes": ([STACK[0], STACK[1, :9]], "pictures of different sizes"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_refused(case):
    source, expected = BAD_ARRAYS[case]
    assert expected in refusal(source)


def test_bad_npy_files_are_refused_and_nothing_in_them_runs(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, STACK.astype(object), allow_pickle=True)
    assert "not a usable .npy file" in refusal(path)
    np.save(path, STACK)
    whole = path.read_bytes()
    for data in (b"", whole[:50], whole[:500], b"PK\x03\x04" + whole, whole.replace(b"(9, 16", b"(9, -6")):
        path.write_bytes(data)
        assert "not a usable .npy file" in refusal(path)


def test_lists_of_paths_are_named_from_their_common_folder(tmp_path):
    filled(tmp_path / "one", STACK[:2])
    filled(tmp_path / "two", STACK[2:4])
    paths = sorted(tmp_path.glob("*/*.png"), reverse=True)
    found = load(paths, name="set")
    assert found.ids == ("one/0.png", "one/1.png", "two/0.png", "two/1.png")
    twice = load([str(path) for path in (*paths, paths[0])], name="set")
    assert twice.quarantined[0].reason == "listed twice"
    same(found, twice)


def test_select_keeps_each_picture_with_what_belongs_to_it(tmp_path):
    whole = load(filled(tmp_path), name="set", patient_from=".")
    for rows in ([5, 0, 7], np.array([2, 3, 4]), np.arange(9) % 2 == 0, []):
        part = select(whole, rows, "part")
        numbers = np.arange(9)[np.asarray(rows, dtype=None if len(rows) else int)]
        assert part.name == "part" and part.ids == tuple(f"{number}.png" for number in numbers)
        np.testing.assert_array_equal(part.pixels, STACK[numbers])
        assert part.digests == tuple(map(arrays.digest_of_picture, part.pixels))
        assert part.patients == tuple(map(str, numbers))
    assert select(whole, range(9)).digest == whole.digest
    with pytest.raises(IndexError):
        select(whole, [8, 9])


def test_join_prefixes_names_and_shares_patients(tmp_path):
    (tmp_path / "a" / "bad.png").parent.mkdir()
    (tmp_path / "a" / "bad.png").write_bytes(b"")
    one = load(filled(tmp_path / "a", STACK[:2]), name="a", patient_from=".")
    two = load(filled(tmp_path / "b", STACK[2:4]), name="b", patient_from=".")
    both = join({"members": one, "holdout": two}, "real")
    assert both.ids == ("members/0.png", "members/1.png", "holdout/0.png", "holdout/1.png")
    assert both.patients == ("0", "1", "0", "1") and both.quarantined[0].file == "members/bad.png"
    assert both.digests == one.digests + two.digests
    np.testing.assert_array_equal(both.pixels, STACK[:4])
    assert join({"a": one, "b": load(STACK, name="c")}, "x").patients is None
    deep = join({"a": one, "b": load(STACK / 1.0, name="c")}, "x")
    assert deep.pixels.dtype == np.float32
    assert deep.digests == tuple(map(arrays.digest_of_picture, deep.pixels))
    with pytest.raises(BadInput, match="a 20×16, b 10×16"):
        join({"a": one, "b": load(STACK[:, :, :10], name="c")}, "x")
    with pytest.raises(BadInput, match="nothing to join"):
        join({}, "x")
