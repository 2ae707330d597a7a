"""Tables some rows at a time, in memory or in files; and what is computed from them in this way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from whorl.arrays import allocate
from whorl.evidence import sets
from whorl.kernels import principal
from whorl.kernels.slabs import batches, in_file, release, slabs

STATUS = Path("/proc/self/status")


def in_a_file(table):
    made = allocate(table.shape, table.dtype, spill_bytes=0)
    made[:] = table
    return made


def mapped_megabytes():
    return int(STATUS.read_text().partition("RssFile:")[2].split()[0]) / 1024


@pytest.mark.parametrize("place", [np.array, in_a_file])
def test_every_row_comes_once_and_no_more_at_a_time_than_asked(place):
    table = place(np.arange(70.0).reshape(10, 7))
    for count in (1, 3, 10, 99):
        parts = list(batches(table, count))
        np.testing.assert_array_equal(np.concatenate([rows for _, rows in parts]), table)
        assert all(part.stop - part.start == len(rows) <= count for part, rows in parts)
    assert [len(rows) for _, rows in slabs(table, 8, 3 * 7 * 8)] == [3, 3, 3, 1]
    assert len(list(slabs(table, 8, 1))) == 10, "a row at least"


def test_what_lies_in_a_file_is_known_and_stays_when_its_pages_are_let_go():
    table = in_a_file(np.arange(5000.0))
    assert in_file(table) and in_file(table[10:20]) and in_file(table.reshape(50, 100))
    assert not in_file(np.zeros(3)) and not in_file(table[[1, 2]])
    table[7] = -1.0
    for view in (table, table[5:9], np.zeros(3)):
        release(view)
    assert table[7] == -1.0 and table[4999] == 4999.0


@pytest.mark.skipif(not STATUS.is_file(), reason="the system does not tell what is mapped")
def test_reading_a_large_table_by_slabs_does_not_keep_it():
    table = in_a_file(np.ones((256, 2**18), np.float32))  # 256 MB
    release(table)
    before = mapped_megabytes()
    assert sum(float(rows.sum()) for _, rows in slabs(table, 4, 2**24)) == table.size
    assert mapped_megabytes() < before + 64
    assert float(table.sum()) == table.size
    assert mapped_megabytes() > before + 128, "without slabs it stays: the check above can fail"


@pytest.mark.parametrize("parts", [False, True])
def test_axes_are_those_of_scikit_learn(parts, monkeypatch):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(90, 6)) * (9, 7, 5, 3, 2, 1) @ rng.normal(size=(6, 40))
    table = in_a_file((table + 0.01 * rng.normal(size=(90, 40)) + 5).astype(np.float32).reshape(90, 8, 5))
    places = rng.permutation(90)[:70]
    if parts:
        monkeypatch.setattr(principal, "SLAB_BYTES", 0)
        monkeypatch.setattr(principal, "PART_BYTES", 7 * 40 * 4)
    rows = principal.Rows(table, places)
    found = principal.axes(rows, 5, seed=1)
    chosen = table[places].reshape(70, 40)
    known = PCA(5, svd_solver="full").fit(chosen)
    np.testing.assert_allclose(found.mean, known.mean_, rtol=1e-5)
    np.testing.assert_allclose(found.variance, known.explained_variance_, rtol=1e-4)
    assert np.abs(np.sum(found.along * known.components_, axis=1)).min() > 1 - 1e-5
    within, outside = found.placed(rows)
    np.testing.assert_allclose(np.abs(within), np.abs(known.transform(chosen)), atol=0.05)
    left = ((chosen - known.inverse_transform(known.transform(chosen))) ** 2).sum(axis=1)
    np.testing.assert_allclose(outside, left, rtol=1e-2, atol=2e-2)


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_pictures_that_are_all_alike_span_nothing(parts, count, monkeypatch):
    if parts:
        monkeypatch.setattr(principal, "SLAB_BYTES", -1)
    rows = principal.Rows(np.full((count, 12), 7, np.uint8), np.arange(count))
    found = principal.axes(rows, 4, seed=1)
    within, outside = found.placed(rows)
    assert np.isfinite(found.along).all() and not found.variance.any()
    assert not within.any() and (outside == np.float32(principal.LEAST_ENERGY)).all()


def test_sums_by_patient_are_the_same_however_many_pictures_are_summed_at_a_time(monkeypatch):
    rng = np.random.default_rng(4)
    real, made, patient = rng.normal(size=(50, 3)), rng.normal(size=(31, 3)), rng.permutation(50) // 3
    labels = rng.random((4, 17)) < 0.5
    whole = sets.kernels(real, made, patient)
    monkeypatch.setattr(sets, "AMONG_BYTES", 0)
    for count in (1, 7, 50):
        monkeypatch.setattr(sets, "PAIRS", count * 50)
        some = sets.kernels(real, made, patient)
        assert in_file(some.among)
        np.testing.assert_allclose(some.contrast(labels), whole.contrast(labels), rtol=1e-9)
