"""Classifiers fitted on development: planted classes are learnt, switches do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from contracts import problems
from contracts.problems import auc
from whorl.metrics import auc as area
from whorl.records import Answers, BadInput, Development, Problem
from whorl.scorers.classifier import _balanced, supervised


def planted(used: int = 40, unused: int = 40, seed: int = 0) -> tuple[Problem, np.ndarray]:
    """Used pictures are a little brighter, in development and test alike."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([True, False], [used, unused])
    sets = [
        problems.image_set(
            name, (rng.normal(100, 20, (len(truth), 16, 16)) + 12 * truth[:, None, None]).clip(0, 255)
        )
        for name in ("real", "known")
    ]
    made = problems.image_set("generated", rng.normal(106, 20, (30, 16, 16)).clip(0, 255))
    labels = {name: "used" if one else "not_used" for name, one in zip(sets[1].ids, truth, strict=True)}
    part = Development(Problem("membership", sets[1], {"generator": made}), Answers(labels))
    return Problem("membership", sets[0], {"generator": made}, development=part), truth


def means(images):
    """Mean grey of the four quarters."""
    return np.asarray(
        images.pixels.reshape(len(images), 2, 8, 2, 8).mean(axis=(2, 4)).reshape(len(images), 4)
    )


@pytest.mark.parametrize("model", ["logistic", "svm-linear", "svm-2", "svm-rbf", "knn", "forest", "network"])
def test_classes_that_differ_are_learnt(model):
    problem, truth = planted()
    assert auc(supervised(problem, means, model=model).values[:, 0], truth) > 0.8


@pytest.mark.parametrize(
    "switch", [{"train": "full"}, {"train": "full", "balance": "adasyn"}, {"components": 2}]
)
def test_switches_keep_what_is_learnt_and_change_the_fit(switch):
    pytest.importorskip("imblearn")
    problem, truth = planted()
    plain, other = (supervised(problem, means, **more).values[:, 0] for more in ({}, switch))
    assert area(other, truth) > 0.7
    assert not np.array_equal(plain, other)


def test_adasyn_evens_the_classes_out_with_rows_among_the_smaller_one():
    pytest.importorskip("imblearn")
    rng = np.random.default_rng(1)
    table = np.vstack([rng.normal(0, 1, (60, 3)), rng.normal(1, 1, (15, 3))])
    labels = np.repeat([True, False], [60, 15])
    rows, more = _balanced(table, labels, 0)
    assert more.sum() == 60 and abs((~more).sum() - 60) < 10
    added = rows[len(table) :]
    assert np.abs(added.mean(axis=0) - 1).max() < 1
    even, same = _balanced(table[45:], labels[45:], 0)
    assert np.array_equal(even, table[45:]) and np.array_equal(same, labels[45:])


def test_one_class_alone_is_refused_in_words():
    problem, _ = planted(used=10, unused=0)
    with pytest.raises(BadInput, match="both used and not used"):
        supervised(problem, means)
