"""How strange is a picture for each enrolled generator? Distances, calibrated on held-out pictures.

A picture's evidence against a source is the likelihood ratio of "another generator" to "this source":
other generators are expected to differ from the enrolled ones in the directions in which these differ from
one another and in those in which small changes of processing move their pictures. Every direction else
counts a little, so that an unforeseen kind of generator is seen as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whorl.evidence import conformal
from whorl.folding import folds
from whorl.library import Enrolled
from whorl.records import Array, BadInput

FOLDS = 5
LEAST = 10  # pictures of a source
GAMMA = 0.1  # weight of what small changes of processing do
ELSEWHERE = 0.05  # weight of all other directions
PRIOR = 200.0  # pictures that the common covariance counts for beside a source's own
GAP = 6.0  # twice the log of 20: a source 20 times less likely than another is no candidate


@dataclass(frozen=True, eq=False)
class Comparison:
    """Pictures (n,) against sources (s,): all tables are (n, s), strange is high.

    `counts` says how many held-out pictures of the source are as strange or stranger; `parts` (n, blocks)
    is how far the picture is from its nearest source, block by block, in units of the usual distance, and
    `rarity` (n, blocks) how unusual that is.
    """

    sources: tuple[str, ...]
    held: Array
    strangeness: Array
    counts: Array
    candidates: Array
    parts: Array
    rarity: Array

    @property
    def p_values(self) -> Array:
        """P-value of every picture for every source."""
        return conformal.p_values(self.counts, self.held)

    @property
    def nearest(self) -> Array:
        """The source that explains each picture best, (n,)."""
        return np.asarray(self.strangeness.argmin(axis=1))


class Identifier:
    """Enrolled sources, ready to be compared with; cross-fitted, so that no picture is its own judge."""

    def __init__(self, sources: Sequence[Enrolled]) -> None:
        ordered = sorted(sources, key=lambda source: source.name)
        for source in ordered:
            if len(source) < LEAST:
                raise BadInput(f"'{source.name}' has {len(source)} pictures: {LEAST} are needed at least")
        self.names = tuple(source.name for source in ordered)
        self.held = np.asarray([len(source) for source in ordered])
        self.widths = [block.shape[1] for block in ordered[0].blocks]
        tables, places = zip(*(_dealt(source) for source in ordered), strict=True)
        changes = [np.hstack(source.changes).astype(np.float64) for source in ordered]
        self.metrics, self.scores, self.spans = [], [], []
        for fold in range(max(int(place.max()) for place in places) + 1):
            kept = [table[place != fold] for table, place in zip(tables, places, strict=True)]
            metric = _Metric(kept, changes, self.widths)
            out = [table[place == fold] for table, place in zip(tables, places, strict=True)]
            self.metrics.append(metric)
            self.scores.append([metric.strangeness(rows)[:, own] for own, rows in enumerate(out)])
            self.spans.append([metric.spans(rows, own) for own, rows in enumerate(out)])

    def compare(self, blocks: Sequence[Array]) -> Comparison:
        """Compare pictures, one table (n, d) for each block of the fingerprint, with every source."""
        table = np.hstack([np.asarray(block, np.float32) for block in blocks]).astype(np.float64)
        shape = (len(table), len(self.names))
        total, counts = np.zeros(shape), np.zeros(shape, np.int64)
        for metric, held in zip(self.metrics, self.scores, strict=True):
            found = metric.strangeness(table)
            total += found / len(self.metrics)
            for own, scores in enumerate(held):
                counts[:, own] += conformal.at_least(scores, found[:, own])
        candidates = total <= total.min(axis=1, keepdims=True) + GAP
        parts, rarity = self._parts(table, total.argmin(axis=1))
        return Comparison(self.names, self.held, total, counts, candidates, parts, rarity)

    def _parts(self, table: Array, nearest: Array) -> tuple[Array, Array]:
        """Distances to the nearest source, block by block, against those of its held-out pictures."""
        parts, rarity = (np.ones((len(table), len(self.widths))) for _ in range(2))
        for own in np.unique(nearest):
            rows = np.flatnonzero(nearest == own)
            usual = np.log(np.vstack([spans[own] for spans in self.spans]))
            found = np.log(np.mean([metric.spans(table[rows], own) for metric in self.metrics], axis=0))
            middle = np.median(usual, axis=0)
            parts[rows] = np.exp(found - middle)
            rarity[rows] = (found - middle) / np.maximum(usual.std(axis=0), 1e-9)
        return parts, rarity


class _Metric:
    """What one fold's training pictures say about distances."""

    def __init__(self, tables: Sequence[Array], changes: Sequence[Array], widths: Sequence[int]) -> None:
        self.means = np.stack([table.mean(axis=0) for table in tables])
        residuals = [table - mean for table, mean in zip(tables, self.means, strict=True)]
        within = np.vstack(residuals)
        self.whitening = _whitening(within, len(tables))
        ends = np.cumsum(widths)
        self.blocks = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.small = [_whitening(within[:, block], len(tables)) for block in self.blocks]
        self.centre = self.means.mean(axis=0)
        offsets = (self.means - self.centre) @ self.whitening
        moved = np.vstack([change @ self.whitening for change in changes])
        spread, axes = _directions(offsets, moved, len(tables))
        # Means of few pictures differ by chance as well.
        chance = float(np.mean([1 / len(table) for table in tables]))
        self.spread = np.maximum(spread - chance, 0.0) + ELSEWHERE
        self.axes = self.whitening @ axes
        self.own = [_own_covariance(rows @ self.axes) for rows in residuals]

    def strangeness(self, table: Array) -> Array:
        """Twice the log of the likelihood ratio of another generator to each source, (n, s)."""
        found = np.empty((len(table), len(self.means)))
        inside = (table - self.centre) @ self.axes
        anyone = (inside**2 / (1 + self.spread)).sum(axis=1)
        for place, (mean, (inverse, size)) in enumerate(zip(self.means, self.own, strict=True)):
            away = table - mean
            along = away @ self.axes
            rest = ((away @ self.whitening) ** 2).sum(axis=1) - (along**2).sum(axis=1)
            own = ((along @ inverse) ** 2).sum(axis=1) + size
            found[:, place] = own - anyone + rest * ELSEWHERE / (1 + ELSEWHERE)
        return found

    def spans(self, table: Array, own: int) -> Array:
        """Distances to one source's mean, block by block, (n, blocks)."""
        away = table - self.means[own]
        squares = [
            ((away[:, block] @ small) ** 2).mean(axis=1)
            for block, small in zip(self.blocks, self.small, strict=True)
        ]
        return np.asarray(np.sqrt(np.maximum(np.column_stack(squares), 1e-12)))


def _dealt(source: Enrolled) -> tuple[Array, Array]:
    """Features and fold of every picture, in an order that does not hang on the order of the files."""
    order = np.lexsort((source.groups, np.asarray(source.digests)))
    first: dict[int, str] = {}
    for row in order:
        first.setdefault(int(source.groups[row]), source.digests[row])
    places = folds([first[int(source.groups[row])] for row in order], FOLDS)
    if places.max() == 0:
        raise BadInput(f"'{source.name}': all pictures belong to one patient; pictures of two are needed")
    return np.hstack(source.blocks).astype(np.float64)[order], places


def _whitening(within: Array, sources: int) -> Array:
    """Matrix (d, d) after which differences inside of sources have covariance one, shrunk (Ledoit-Wolf)."""
    from sklearn.covariance import ledoit_wolf

    freedom = max(len(within) - sources, 1)
    scale = np.sqrt((within**2).sum(axis=0) / freedom)
    scale[scale < 1e-9 * max(1.0, float(np.abs(within).max()))] = 1.0
    covariance, _ = ledoit_wolf(within / scale, assume_centered=True)
    values, vectors = np.linalg.eigh(covariance * (len(within) / freedom))
    values = np.maximum(values, 1e-6 * max(float(values.mean()), 1e-12))
    return np.asarray(vectors / np.sqrt(values) / scale[:, None])


def _directions(offsets: Array, moved: Array, sources: int) -> tuple[Array, Array]:
    """Axes (d, r) in which generators are expected to differ, and by how much (variance, (r,))."""
    rows = np.vstack([offsets / np.sqrt(max(sources - 1, 1)), moved * np.sqrt(GAMMA / sources)])
    _, scale, axes = np.linalg.svd(rows, full_matrices=False)
    kept = scale**2 > 1e-6 * max(float(scale[0] ** 2), 1e-12)
    return np.asarray(scale[kept] ** 2), np.asarray(axes[kept].T)


def _own_covariance(along: Array) -> tuple[Array, float]:
    """Whitening by a source's own covariance, drawn to the common one, and its log determinant."""
    size = along.shape[1]
    covariance = (along.T @ along + PRIOR * np.eye(size)) / (len(along) + PRIOR)
    factor = np.linalg.cholesky(covariance)
    inverse = np.linalg.solve(factor, np.eye(size)).T
    return np.asarray(inverse), float(2 * np.log(np.diag(factor)).sum())
