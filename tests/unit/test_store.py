"""The store: whole pieces or none, damage is noticed, no pickle, many writers at once."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from whorl import store as storing
from whorl.records import BadInput, Scores
from whorl.store import PARTIAL, Store, sweep, write_bytes, write_text

KEY = "ab" + "0" * 30
WORDS = st.text(st.characters(exclude_characters="\0"), max_size=12)
WRITER = """
import os, sys
from pathlib import Path
import numpy as np
from whorl.store import Store
store, number = Store(Path(sys.argv[1])), int(sys.argv[2])
for turn in range(20):
    for key in ("aa" * 16, "bb" * 16, "cc" * 16):
        store.put(key, {"values": np.full(500 * (number + 1), number)})
        found = store.get(key)
        assert found is None or len(set(found["values"].tolist())) == 1
"""
KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from whorl.store import Store
os.fsync = lambda _: os.kill(os.getpid(), 9)
Store(Path(sys.argv[1])).put(sys.argv[2], {"values": np.zeros(1000)})
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def piece(store: Store, key: str = KEY) -> Path:
    return store.root / key[:2] / f"{key}.npz"


def run(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def test_arrays_come_back_as_they_were(store: Store) -> None:
    arrays = {
        "bytes": np.arange(256, dtype=np.uint8).reshape(16, 16),
        "single": np.float32([[0.1, -np.inf, np.nan]]),
        "double": np.linspace(0, 1, 7),
        "places": np.asarray([-1, 2**40]),
        "truth": np.asarray([True, False]),
        "words": np.asarray(["ä", "picture 1.png"]),
        "empty": np.empty((0, 3), np.float32),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    store.put(KEY, arrays)
    found = store.get(KEY)
    assert found is not None
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert store.get("cd" + "0" * 30) is None


@pytest.mark.parametrize("name", ["file", "allow_pickle", "args"])
def test_any_name_will_do_for_an_array(store: Store, name: str) -> None:
    store.put(KEY, {name: np.ones(2)})
    found = store.get(KEY)
    assert found is not None
    assert list(found) == [name]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(WORDS, min_size=1, max_size=4, unique=True), st.lists(WORDS, min_size=1, max_size=3), WORDS)
@example(["a", "\udcff.png"], ["g"], "system.variant")
def test_scores_come_back_as_they_were(store: Store, ids: list[str], groups: list[str], word: str) -> None:
    values = np.random.default_rng(0).normal(size=(len(ids), len(groups))).astype(np.float32)
    made = Scores(tuple(ids), tuple(groups), values, np.full(values.shape, -1, np.int64), word, word)
    store.put_scores(KEY, made)
    found = store.get_scores(KEY)
    assert found is not None
    assert (found.ids, found.groups, found.recipe, found.problem) == (made.ids, made.groups, word, word)
    assert found.values.tobytes() == values.tobytes()
    np.testing.assert_array_equal(found.nearest, made.nearest)


def test_objects_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        store.put(KEY, {"values": np.asarray([{"a": 1}], dtype=object)})
    assert store.get(KEY) is None
    assert not list(store.root.rglob("*.npz"))


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.mark,))


@pytest.mark.parametrize("kind", ["pickle", "object array", "words", "nothing"])
def test_a_foreign_piece_is_none_and_runs_nothing(store: Store, tmp_path: Path, kind: str) -> None:
    mark = tmp_path / "mark"
    buffer = io.BytesIO()
    if kind == "pickle":
        buffer.write(pickle.dumps(Bomb(str(mark))))
    elif kind == "object array":
        np.savez(buffer, values=np.asarray([Bomb(str(mark))], dtype=object))
    elif kind == "words":
        buffer.write(b"no archive")
    content = buffer.getvalue()
    line = storing.MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n"
    write_bytes(piece(store), line + content)
    assert store.get(KEY) is None
    assert not mark.exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
@example(0.0, 1)
@example(0.012, 128)
def test_a_flipped_bit_is_noticed(store: Store, place: float, bits: int) -> None:
    store.put(KEY, {"values": np.arange(40.0)})
    data = bytearray(piece(store).read_bytes())
    data[int(place * len(data))] ^= bits
    piece(store).write_bytes(data)
    assert store.get(KEY) is None
    assert not piece(store).exists(), "a damaged piece is thrown away"
    store.put(KEY, {"values": np.arange(40.0)})
    assert store.get(KEY) is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.floats(0, 1, exclude_max=True))
@example(0.0)
def test_a_missing_end_is_noticed(store: Store, place: float) -> None:
    store.put(KEY, {"values": np.arange(40.0)})
    data = piece(store).read_bytes()
    piece(store).write_bytes(data[: int(place * len(data))])
    assert store.get(KEY) is None
    piece(store).write_bytes(data + b"x")
    assert store.get(KEY) is None


def test_a_killed_writer_leaves_no_piece_and_is_swept_away(store: Store) -> None:
    store.put("ff" * 16, {"values": np.ones(3)})
    assert run(KILLED, store.root, KEY).wait() == -9
    assert store.get(KEY) is None
    assert len(list(store.root.rglob(f"*{PARTIAL}"))) == 1
    assert sweep(store.root) == 1
    assert not list(store.root.rglob(f".*{PARTIAL}"))
    assert store.get("ff" * 16) is not None


def test_only_what_nobody_writes_is_swept(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    names = {"dead": done.pid, "fresh": os.getppid(), "stale": os.getppid(), "odd": "x"}
    partials = {name: tmp_path / f".{name}.npz.{owner}{PARTIAL}" for name, owner in names.items()}
    for file in [*partials.values(), tmp_path / "kept.npz"]:
        file.write_bytes(b"half")
    old = time.time() - storing.STALE_SECONDS - 60
    os.utime(partials["stale"], (old, old))
    assert sweep(tmp_path) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([partials["fresh"].name, "kept.npz"])
    assert sweep(tmp_path / "no such folder") == 0


def test_beside_results_only_their_own_half_written_forms_are_swept(tmp_path: Path) -> None:
    """A folder of results may hold hidden files of other programs, also in folders below."""
    (tmp_path / "below").mkdir()
    foreign = [tmp_path / ".download.x.partial", tmp_path / "below" / f".scores.csv.a.999999999{PARTIAL}"]
    for file in [*foreign, tmp_path / f".scores.csv.a.999999999{PARTIAL}"]:
        file.write_bytes(b"half")
    assert sweep(tmp_path, ["scores.csv", "audit.json"]) == 1
    assert all(file.exists() for file in foreign)


def test_a_partial_file_that_vanishes_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run finished its piece while this one was looking."""
    partial = tmp_path / f".piece.npz.{os.getppid()}{PARTIAL}"
    partial.write_bytes(b"half")
    monkeypatch.setattr(os, "kill", lambda _pid, _signal: partial.unlink())
    assert sweep(tmp_path) == 0


def test_a_failed_write_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "answer.txt"
    write_text(file, "before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"answer.txt: cannot write \(No space left on device\)"):
        write_text(file, "after")
    assert file.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["answer.txt"], (
        "the half-written file is taken away"
    )


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(BadInput, match="cannot write"):
        Store(tmp_path / "store").put(KEY, {"values": np.ones(1)})


def test_many_processes_write_the_same_pieces(store: Store) -> None:
    writers = [run(WRITER, store.root, number) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert not list(store.root.rglob(f".*{PARTIAL}"))
    for key in ("aa" * 16, "bb" * 16, "cc" * 16):
        found = store.get(key)
        assert found is not None
        assert len(found["values"]) == 500 * (int(found["values"][0]) + 1)


@pytest.mark.parametrize("sweeping", [False, True])
def test_many_threads_write_the_same_piece(store: Store, sweeping: bool) -> None:
    """As two audits in one notebook do; each begins by sweeping the store."""
    troubles: list[str] = []

    def write(number: int) -> None:
        for _ in range(25):
            try:
                store.put(KEY, {"values": np.full(500 * (number + 1), number)})
                if sweeping:
                    sweep(store.root)
            except BadInput as error:
                troubles.append(str(error))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    found = store.get(KEY)
    assert found is not None
    assert len(found["values"]) == 500 * (int(found["values"][0]) + 1)
