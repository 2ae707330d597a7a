"""Features taken on several threads: the same numbers, in order, and one thread where it must be one."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from contracts import problems
from contracts.foreign import installed
from whorl import extraction, pipeline
from whorl.executors import Processes
from whorl.extraction import Extraction
from whorl.features.pixels import thumbnail
from whorl.features.texture import local_contrast
from whorl.pipeline import Settings
from whorl.records import BadInput, ImageSet, Recipe, Step

PICTURES = problems.membership().problem.queries
CHAIN = (
    Step("prepare", "gaussian_noise", {"sigma": 5.0}),
    Step("features", "texture.local_contrast", {"size": 24}),
    Step("features", "pixels.thumbnail", {"size": 16}),
)
FOREIGN = '''
"""Somebody else's features."""
import threading
VERSION = 1


def named(images):
    """Number of the thread."""
    import numpy as np
    return np.full((len(images), 1), threading.get_ident() % 2**20, np.float32)
'''


def extracted(settings: Settings, *steps: Step, images: ImageSet = PICTURES) -> np.ndarray:
    recipe = Recipe("toy.one", "membership", steps, {})
    problem = problems.membership().problem
    return pipeline._assemble(recipe, problem, settings).features(images, "queries")


def spied(extract: object, progress: object = lambda *_: None) -> Extraction:
    """An extraction, one picture a batch, whose only step is a function under a plain step's name."""
    usual = Settings()
    step = Step("features", "pixels.thumbnail")
    made = usual.networks, usual.place(), 0, 1, progress
    return Extraction("toy", (), ((step, extract),), *made)


@pytest.mark.parametrize("batch_bytes", [1, 8 * 64 * 64 * 5, None])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_threads_gives_the_same_numbers(monkeypatch, count, batch_bytes):
    monkeypatch.setattr(extraction, "threads", lambda: 1)
    expected = extracted(Settings(seed=3), *CHAIN)
    monkeypatch.setattr(extraction, "threads", lambda: count)
    np.testing.assert_array_equal(extracted(Settings(seed=3, batch_bytes=batch_bytes), *CHAIN), expected)


def test_steps_stand_side_by_side_in_the_kind_that_holds_them_all(monkeypatch):
    monkeypatch.setattr(extraction, "threads", lambda: 2)
    given, count = PICTURES.pixels, len(PICTURES)
    alone = extracted(Settings(batch_bytes=1), CHAIN[1])
    np.testing.assert_array_equal(alone, local_contrast(given, size=24))
    assert alone.shape == (count, 32, 32) and alone.dtype == np.float32
    both = extracted(Settings(batch_bytes=1), Step("features", "pixels.grey"), *CHAIN[1:])
    parts = [given.reshape(count, -1), alone.reshape(count, -1), thumbnail(given, 16)]
    np.testing.assert_array_equal(both, np.hstack(parts))
    assert both.dtype == np.float32


def test_progress_is_told_in_order_by_the_thread_that_asked(monkeypatch):
    monkeypatch.setattr(extraction, "threads", lambda: 3)
    told = []

    def progress(label: str, done: int, total: int) -> None:
        told.append((label, done, total, threading.current_thread()))

    extracted(Settings(batch_bytes=1, progress=progress), *CHAIN)
    here = threading.current_thread()
    count = len(PICTURES)
    assert told == [("toy.one: features", done + 1, count, here) for done in range(count)]


def test_a_few_batches_are_in_flight_and_keep_their_order(monkeypatch):
    monkeypatch.setattr(extraction, "threads", lambda: 3)
    lock, running, most, first = threading.Lock(), [0], [0], PICTURES.pixels[:, 0, 0]

    def slow(images: np.ndarray) -> np.ndarray:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002 + 0.001 * float(images[0, 0, 0] % 7))
        with lock:
            running[0] -= 1
        return images[:, 0, :1]

    np.testing.assert_array_equal(spied(slow)(PICTURES)[:, 0], first)
    assert 2 <= most[0] <= 3


def test_the_first_failure_is_told_and_nothing_more_is_begun(monkeypatch):
    monkeypatch.setattr(extraction, "threads", lambda: 2)
    begun = []

    def failing(images: np.ndarray) -> np.ndarray:
        begun.append(1)
        if len(begun) > 3:
            raise BadInput("this picture cannot be described")
        return images[:, 0, :1]

    before = threading.active_count()
    with pytest.raises(BadInput, match="cannot be described"):
        spied(failing)(PICTURES)
    assert len(begun) < len(PICTURES) and threading.active_count() == before


def test_steps_of_others_and_those_that_learn_stay_on_one_thread(monkeypatch, tmp_path):
    monkeypatch.setattr(extraction, "threads", lambda: 4)
    for stage, name in (
        ("features", "latents.autoencoder"),
        ("features", "pretrained.backbone"),
        ("prepare", "segmented_lungs"),
    ):
        assert not extraction._is_plain(Step(stage, name))
    assert all(map(extraction._is_plain, CHAIN))
    with installed(tmp_path, monkeypatch, "others", "others", {"features": FOREIGN}):
        found = extracted(Settings(batch_bytes=1), Step("features", "others:own.named"))
    assert np.unique(found) == threading.get_ident() % 2**20


def counted(_shared: None, _job: int) -> int:
    return extraction.threads()


def test_a_worker_process_has_one_thread(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert extraction.threads() == 6
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert extraction.threads() == extraction.MOST_THREADS
    assert dict(Processes(2).run(counted, None, [0, 1])) == {0: 1, 1: 1}
