"""Dealing pictures into folds, whole patients together, without looking at who is asked about first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whorl.records import ImageSet, digest_of


def folds(groups: Sequence[str], count: int) -> NDArray[np.int64]:
    """Deal rows into folds of like size, whole groups together; (n,).

    Groups are dealt from the largest, equal ones by name: the order of the rows makes no difference.
    """
    names, inverse, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    load = np.zeros(min(count, len(names)), np.int64)
    home = np.empty(len(names), np.int64)
    for group in np.lexsort((np.arange(len(names)), -sizes)):
        home[group] = load.argmin()
        load[home[group]] += sizes[group]
    return np.asarray(home[inverse.ravel()])


def folds_of(images: ImageSet, count: int, seed: int) -> NDArray[np.int64]:
    """Deal pictures into folds by what they show: neither names nor order, only content and seed decide."""
    first: dict[str, str] = {}
    owners = images.patients or images.digests
    for owner, digest in zip(owners, images.digests, strict=True):
        first[owner] = min(digest, first.get(owner, digest))
    mixed = {owner: digest_of(seed, digest) for owner, digest in first.items()}
    return folds([mixed[owner] for owner in owners], count)
