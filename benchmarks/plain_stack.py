"""A plain stack to hold the panel against: eighteen texture scores, a logistic regression, cross-validated.

Local contrast at four scales (largest correlation with a generated picture, mean of the 10 and the 50 highest
standings, how often it is the nearest), the high-pass picture, and cells of 16 pixels.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from whorl.metrics import auc, tpr_at_fpr
from whorl.records import Array

SCALES = ((0.7, 1.5), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
FOLDS, DRAWS = 10, 5
CELL, STRIDE = 16, 8


def plain_stack(made: Array, used: Array, unused: Array) -> dict[str, float]:
    """AUC and share found at 1 % false alarms, means over several divisions into folds."""
    real = np.concatenate([used, unused])
    truth = np.arange(len(real)) < len(used)
    table = np.column_stack(_scores(real, made))
    found = []
    for draw in range(DRAWS):
        fold = np.random.default_rng(draw).permutation(len(real)) % FOLDS
        values = np.empty(len(real))
        for held in range(FOLDS):
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            model.fit(table[fold != held], truth[fold != held])
            values[fold == held] = model.decision_function(table[fold == held])
        found.append((auc(values, truth), tpr_at_fpr(values, truth, 0.01)))
    means = np.mean(found, axis=0)
    return {"auc": float(means[0]), "found at 1 %": float(means[1])}


def _scores(real: Array, made: Array) -> list[Array]:
    scores = []
    for sigma, window in SCALES:
        alike = _unit(_flattened(real, sigma, window)) @ _unit(_flattened(made, sigma, window)).T
        standings = np.sort((alike - alike.mean(axis=0)) / alike.std(axis=0), axis=1)
        hits = np.bincount(alike.argmax(axis=0), minlength=len(real)).astype(float)
        scores += [alike.max(axis=1), standings[:, -10:].mean(axis=1), standings[:, -50:].mean(axis=1), hits]
    scores.append((_unit(_high(real, 2.0)) @ _unit(_high(made, 2.0)).T).max(axis=1))
    ours, theirs = _flattened(real, 2.0, 4.0), _flattened(made, 2.0, 4.0)
    places = range(0, real.shape[1] - CELL + 1, STRIDE)
    cells = [np.s_[:, y : y + CELL, x : x + CELL] for y in places for x in places]
    best = [(_unit(ours[cell]) @ _unit(theirs[cell]).T).max(axis=1) for cell in cells]
    return [*scores, np.max(best, axis=0)]


def _high(stack: Array, sigma: float) -> Array:
    grey = stack.astype(np.float32)
    return np.asarray(grey - gaussian_filter(grey, (0, sigma, sigma)))


def _flattened(stack: Array, sigma: float, window: float) -> Array:
    high = _high(stack, sigma)
    return np.asarray(high / np.sqrt(gaussian_filter(high * high, (0, window, window)) + 16))


def _unit(stack: Array) -> Array:
    rows = stack.reshape(len(stack), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))
