"""Where a pool looks at the largest similarities alone, and a similarity can find these without all pairs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from whorl import pooling
from whorl.kernels.neighbours import Kind
from whorl.records import Array, Floats
from whorl.similarity import maps, vectors

# Beyond so many the bounds leave too little out.
MOST = 16
KINDS: dict[Callable[..., Any], Kind] = {
    vectors.cosine: "cosine",
    vectors.correlation: "correlation",
    vectors.euclidean: "euclidean",
}
Search = Callable[[Array, Array, int], tuple[Floats, Array]]


def shortlist(similarity: Callable[..., Any], pool: Callable[..., Any]) -> Search | None:
    """Return a search for the largest similarities that this pool needs, or nothing where all are needed.

    The search takes queries, gallery and the bytes it may take. It gives (q, k) values, the largest first,
    and their places; pooling them is pooling whole rows.
    """
    measure, given = _taken_apart(similarity)
    rule, chosen = _taken_apart(pool)
    counts = {pooling.maximum: 1, pooling.kth: chosen.get("k", 5), pooling.top_mean: chosen.get("k", 10)}
    wanted = counts.get(rule)
    if wanted is None or wanted > MOST:
        return None
    if measure is maps.ssim:
        return _of_pictures(given, wanted)
    return _of_vectors(KINDS[measure], wanted) if measure in KINDS else None


def closest(similarity: Callable[..., Any]) -> Callable[[Array, int], float] | None:
    """Return a search for the largest similarity within one set of two or more, where there is one."""
    measure, given = _taken_apart(similarity)
    if measure is not maps.ssim or not _searchable(given):
        return None

    def search(pictures: Array, room: int) -> float:
        from whorl.kernels import nearest

        return nearest.closest(pictures, data_range=given.get("data_range", 255.0), room=room)

    return search


def _searchable(given: dict[str, Any]) -> bool:
    plain = {"window": "uniform", "device": "cpu"}
    return all(given.get(name, value) == value for name, value in plain.items())


def _of_pictures(given: dict[str, Any], wanted: int) -> Search | None:
    if not _searchable(given):
        return None

    def search(queries: Array, gallery: Array, room: int) -> tuple[Floats, Array]:
        from whorl.kernels import nearest

        data_range, few = given.get("data_range", 255.0), min(wanted, len(gallery))
        return nearest.best(queries, gallery, data_range=data_range, k=few, room=room)

    return search


def _of_vectors(kind: Kind, wanted: int) -> Search:
    def search(queries: Array, gallery: Array, room: int) -> tuple[Floats, Array]:
        from whorl.kernels import neighbours

        return neighbours.best(queries, gallery, min(wanted, len(gallery)), kind)

    return search


def _taken_apart(function: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The function of a step and the parameters that it is bound to."""
    if isinstance(function, functools.partial):
        return function.func, dict(function.keywords)
    return function, {}
