"""A library gives back what was enrolled, and says in one line what is wrong with anything else."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile

import numpy as np
import pytest

from whorl import library as shelf
from whorl.library import Document, Enrolled, Library
from whorl.records import BadInput


def enrolled(name="one", count=12, seed=0) -> Enrolled:
    random = np.random.default_rng(seed)
    return Enrolled(
        name=name,
        blocks=tuple(random.normal(size=(count, width)).astype(np.float32) for width in (3, 5)),
        changes=tuple(random.normal(size=(2, width)).astype(np.float32) for width in (3, 5)),
        digests=tuple(random.bytes(16).hex() for _ in range(count)),
        groups=np.arange(count),
        parts=("first", "second"),
        size=(32, 48),
        recipe="some.recipe",
        fingerprint="f1",
    )


@pytest.fixture
def library(tmp_path) -> Library:
    made = Library(tmp_path / "known")
    made.write(enrolled())
    return made


def files(library: Library) -> set[str]:
    return {path.name for path in library.root.iterdir()}


def npz(library: Library):
    return next(path for path in library.root.glob("one.*.npz") if path.name.count(".") == 2)


def forged(library: Library, content: bytes | None = None, **changed: object) -> None:
    """Rewrite a document, and the arrays if told, with all digests made to fit."""
    place = library.root / "one.json"
    facts = json.loads(place.read_text()) | changed
    if content is not None:
        npz(library).unlink()
        facts["arrays"] = hashlib.sha256(content).hexdigest()
        (library.root / f"one.{facts['arrays'][:16]}.npz").write_bytes(content)
    made = Document.model_validate(facts)
    place.write_text(json.dumps(facts | {"digest": made.sealed()}))


def archive(arrays: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as target:
        for name, content in arrays.items():
            target.writestr(name, content)
    return buffer.getvalue()


def members(library: Library) -> dict[str, bytes]:
    with zipfile.ZipFile(npz(library)) as source:
        return {name: source.read(name) for name in source.namelist()}


def saved(array: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


def refused(library: Library, *words: str) -> None:
    with pytest.raises(BadInput) as error:
        library.read_all("f1")
    line = str(error.value)
    assert "\n" not in line and all(word in line for word in words), line


def test_what_is_read_is_what_was_written(library):
    one, (other,) = enrolled(), library.read_all("f1")
    for name in ("name", "digests", "parts", "size", "recipe", "fingerprint"):
        assert getattr(other, name) == getattr(one, name)
    arrays = ((*each.blocks, *each.changes, each.groups) for each in (one, other))
    for mine, read in zip(*arrays, strict=True):
        assert mine.dtype == read.dtype
        np.testing.assert_array_equal(mine, read)


def test_the_same_content_makes_the_same_bytes_and_nothing_else_is_left(library, tmp_path):
    again = Library(tmp_path / "again")
    again.write(enrolled())
    assert files(again) == files(library) == {"one.json", npz(library).name}
    assert all(
        (again.root / name).read_bytes() == (library.root / name).read_bytes() for name in files(again)
    )


def test_a_taken_name_needs_to_be_replaced_and_neighbours_stay(library):
    library.write(enrolled("one.more"))
    before = npz(library)
    with pytest.raises(BadInput, match="--replace"):
        library.write(enrolled(seed=1))
    with pytest.raises(BadInput, match="'one' is enrolled already; choose another"):
        library.write(enrolled("ONE"), replace=True)
    library.write(enrolled(seed=1), replace=True)
    assert not before.exists() and len(files(library)) == 4
    assert library.read("one").digests == enrolled(seed=1).digests
    assert library.read("one.more").digests == enrolled("one.more").digests


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "-a", ".a", "a b", "a\n", "ä", "a" * 65, "a."]
)
def test_names_stay_inside_of_the_library(library, tmp_path, name):
    with pytest.raises(BadInput, match="a name has letters"):
        library.write(enrolled(name))
    assert [path.name for path in tmp_path.iterdir()] == ["known"] and len(files(library)) == 2


@pytest.mark.parametrize("name", ["unknown", "Mixed"])
def test_answers_are_no_names(library, name):
    with pytest.raises(BadInput, match="is an answer"):
        library.write(enrolled(name))


def test_an_empty_or_missing_library_and_another_version_are_told(library, tmp_path):
    refused(Library(tmp_path / "nowhere"), "nobody is enrolled")
    (tmp_path / "file").write_text("x")
    refused(Library(tmp_path / "file"), "not a library")
    with pytest.raises(BadInput, match="another version of the fingerprint"):
        library.read_all("f2")


@pytest.mark.parametrize(
    "changed",
    [
        {"count": 11},
        {"fingerprint": "f2"},
        {"name": "two"},
        {"height": 1},
        {"arrays": "0" * 64},
        {"digest": ""},
    ],
)
def test_an_altered_document_is_noticed(library, changed):
    place = library.root / "one.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changed))
    refused(library, "one.json", "altered")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"format": 3}', "[" * 100_000, "\x00" * 50, "NaN"]
)
def test_a_document_that_is_none_is_told(library, text):
    (library.root / "one.json").write_text(text)
    refused(library, "one.json", "not the description")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-40], lambda data: b"", lambda data: data[:99] + b"!" + data[100:]]
)
def test_damaged_arrays_are_noticed(library, damage):
    npz(library).write_bytes(damage(npz(library).read_bytes()))
    refused(library, ".npz", "altered or damaged")


def test_missing_linked_and_odd_files_are_told(library, tmp_path):
    place = npz(library)
    outside = tmp_path / "outside"
    place.rename(outside)
    refused(library, ".npz", "no such file")
    place.symlink_to(outside)
    refused(library, ".npz", "not a regular file")
    place.unlink()
    os.mkfifo(place)
    refused(library, ".npz", "not a regular file")


def test_sizes_are_checked_before_anything_is_read(library):
    os.truncate(npz(library), 2**33)
    refused(library, ".npz", "larger than it can be")
    os.truncate(library.root / "one.json", 2**22)
    refused(library, "one.json", "larger than it can be")


def test_a_document_that_claims_too_much_is_refused(library):
    parts = [{"name": "first", "columns": 100_000}, {"name": "second", "columns": 5}]
    forged(library, parts=parts, count=1_000_000)
    refused(library, "one.json", "GiB")


def forgeries() -> dict[str, object]:
    """What an attacker who makes all digests fit could put in the place of one array."""
    huge = saved(np.zeros((12, 3), np.float32)).replace(b"(12, 3)", b"(9**9,)")
    lying = saved(np.zeros((12, 3), np.float32)).replace(b"(12, 3), }", b"(999999999999, 3), }"[:19])
    return {
        "objects": saved(np.asarray([{"a": 1}] * 12, object), pickled=True),
        "type": saved(np.zeros((12, 3), np.float64)),
        "shape": saved(np.zeros((3, 12), np.float32)),
        "order": saved(np.asfortranarray(np.zeros((12, 3), np.float32))),
        "not finite": saved(np.full((12, 3), np.nan, np.float32)),
        "huge": huge,
        "lying": lying,
        "short": saved(np.zeros((12, 3), np.float32))[:-4],
        "long": saved(np.zeros((12, 3), np.float32)) + b"\0" * 4,
        "empty": b"",
        "other": b"\x80\x04K\x01." * 40,
    }


@pytest.mark.parametrize("kind", forgeries())
def test_arrays_that_were_forged_with_fitting_digests_are_refused(library, kind):
    forged(library, archive(members(library) | {"block0.npy": forgeries()[kind]}))
    refused(library, ".npz", "not what one.json describes")


def test_archives_that_were_forged_are_refused(library):
    good = members(library)
    bomb = good | {"block0.npy": good["block0.npy"][:128] + b"\0" * 10**7}
    for content in (
        archive(bomb, zipfile.ZIP_DEFLATED),
        archive(good, zipfile.ZIP_DEFLATED),
        archive(good | {"more.npy": b"x"}),
        archive({name: data for name, data in good.items() if name != "groups.npy"}),
        b"PK\5\6" + b"\0" * 18,
        b"no archive",
    ):
        forged(library, content)
        refused(library, ".npz", "can be" if len(content) > 10_000 else "not what one.json describes")


def test_no_flipped_bit_of_an_archive_leads_to_anything_else(library):
    content, random = npz(library).read_bytes(), np.random.default_rng(0)
    for place in random.integers(0, len(content), 150):
        broken = bytearray(content)
        broken[place] ^= 1 << int(random.integers(8))
        forged(library, bytes(broken))
        try:
            (found,) = library.read_all("f1")
        except BadInput as error:
            assert "not what one.json describes" in str(error)
        else:  # a bit that nobody reads, such as a date
            np.testing.assert_array_equal(found.blocks[0], enrolled().blocks[0])


def test_what_two_enrolments_do_not_share_is_told(library):
    other = enrolled("two")
    library.write(shelf.Enrolled(**{**vars(other), "size": (64, 64)}))
    refused(library, "'one' and 'two' do not go together")
