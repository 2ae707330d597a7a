"""A bag of pictures in groups, their number told or found; which way pictures lie makes no groups.

A block that depends on it tells generators apart that all else does not. Where it made two groups of which
one is the other turned, it is left out and the bag grouped once more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whorl import clusters, regrouping
from whorl.bearings import turned_copies
from whorl.clusters import Bag, Part
from whorl.compare import Progress, silent
from whorl.records import Array

MOST = 10  # generators, where their number is not told
RESAMPLES = 5
HALF = 500  # pictures of a resample, at most


@dataclass(frozen=True, eq=False)
class Grouping:
    """A bag as it was grouped: its divisions into 1, 2, 3 … parts, how many are supported, labels (n,)."""

    bag: Bag
    divisions: list[list[Part]]
    found: int
    labels: Array


@dataclass(frozen=True, eq=False)
class Half:
    """What a random half of the pictures gives: its rows, its divisions, the number that it supports."""

    rows: Array
    divisions: list[list[Part]]
    found: int


def grouped(bag: Bag, seed: int, count: int | None = None, progress: Progress = silent) -> Grouping:
    """Group a bag into `count` groups, or as many as pictures support."""
    made = _grouped(bag, seed, count, progress)
    if len(bag.directed) == len(bag.blocks):  # nothing else to go by
        return made
    unasked = clusters.labels_of(made.divisions[made.found - 1], len(bag))
    tables = [bag.blocks[place] for place in bag.directed]
    if any(turned_copies(table, labels) for table in tables for labels in (made.labels, unasked)):
        return _grouped(bag.undirected(), seed, count, progress)
    return made


def _grouped(bag: Bag, seed: int, count: int | None, progress: Progress) -> Grouping:
    divisions = clusters.divide(bag, seed, max(MOST, count or 1), progress)
    found = clusters.supported(divisions[:MOST])
    chosen = found if count is None else count
    if chosen > len(divisions):  # where no part can be divided, plain Ward clusters
        labels = clusters.wards(clusters.places(bag), chosen)
    elif count is None:
        labels = clusters.labels_of(divisions[chosen - 1], len(bag))
    else:
        labels = regrouping.regrouped(bag, divisions[chosen - 1], seed, progress)
    return Grouping(bag, divisions, found, labels)


def halves(made: Grouping, seed: int, progress: Progress = silent) -> list[Half]:
    """Divide random halves as the whole was: how far does the answer hang on the pictures at hand?"""
    bag, generator = made.bag, np.random.default_rng(seed)
    found = []
    for draw in range(RESAMPLES if len(bag) >= 4 * clusters.LEAST else 0):
        progress("resampling", draw, RESAMPLES)
        rows = np.sort(generator.permutation(len(bag))[: min(HALF, len(bag) // 2)])
        divisions = clusters.divide(bag.some(rows), seed, min(MOST, made.found + 2))
        found.append(Half(rows, divisions, clusters.supported(divisions)))
    return found
