"""What else could split a bag of pictures: file, size, range, grey levels, compression, one by one.

A trait of words splits a bag where pictures differ in it; a trait of numbers only where its values fall
into groups with a clear gap between them. Whatever splits the bag is compared with the clusters found:
a cluster whose pictures share what the others lack may be that trait, and not a generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from whorl.evidence.intervals import label_interval
from whorl.metrics import adjusted_rand_index
from whorl.records import Array, Interval
from whorl.traces import Trace

MOST = 8
LEAST = 14
LEAST_SHARE = 0.05
VALLEY = 0.2
SURE = 1e-4
INSIDE = 0.9
OUTSIDE = 0.1
CHANCE = 0.01
SHUFFLES = 999
SAMPLED = 1500
COMPONENTS = 3
BLUR = 0.5
NEAREST = 2.0


@dataclass(frozen=True)
class Group:
    """Pictures that are alike in one trait: what they share, and how many they are."""

    label: str
    size: int


@dataclass(frozen=True, eq=False)
class Confounder:
    """One trait: the groups it makes and, once clusters are known, how far these follow it.

    `agreement` is the adjusted Rand index of groups and clusters with its 95 % interval, `p_value` how
    often shuffled clusters agree as well; both are nothing where either makes one group. `forced` is the
    index if a trait of numbers, gap or no gap, is cut into as many groups as there are clusters.
    `explains` names the clusters nine tenths of whose pictures share what at most a tenth of the others
    have. `members` (n,) is the group of every picture, `numbers` (n, d) what it was grouped by.
    """

    name: str
    what: str
    groups: tuple[Group, ...]
    splits: bool
    members: Array = field(repr=False)
    numbers: Array | None = field(default=None, repr=False)
    agreement: Interval | None = None
    p_value: float | None = None
    forced: float | None = None
    explains: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of pictures in the largest group: how evenly the bag would be split."""
        return max(group.size for group in self.groups) / len(self.members)


def confounders(traces: Sequence[Trace], seed: int = 0) -> tuple[Confounder, ...]:
    """Say for every trait whether it would split the bag, before any clustering."""
    return tuple(_of_words(one) if one.numbers is None else _of_numbers(one, seed) for one in traces)


def compare(found: Sequence[Confounder], labels: Sequence[str], seed: int = 0) -> tuple[Confounder, ...]:
    """Compare every trait with the clusters found; `labels` are theirs, one per picture, in order."""
    clusters = np.asarray(labels)
    return tuple(_compared(one, clusters, seed) for one in found)


def marks(found: Sequence[Confounder]) -> dict[str, tuple[str, ...]]:
    """Return for each cluster that a trait explains the names of those traits."""
    named: dict[str, tuple[str, ...]] = {}
    for one in found:
        for label in one.explains:
            named[label] = (*named.get(label, ()), one.name)
    return named


def content(found: Sequence[Confounder]) -> list[dict[str, Any]]:
    """Return the confounders as plain values for a JSON document."""
    names = ("name", "what", "groups", "splits", "agreement", "p_value", "forced", "explains")
    return [{name: getattr(one, name) for name in names} for one in found]


def _of_words(trace: Trace) -> Confounder:
    names, members, sizes = np.unique(np.asarray(trace.words), return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    groups = tuple(Group(str(names[place]), int(sizes[place])) for place in order)
    enough = max(2.0, LEAST_SHARE * len(members))
    splits = sum(group.size >= enough for group in groups) > 1
    return Confounder(trace.name, trace.what, groups, splits, rank[members])


def _of_numbers(trace: Trace, seed: int) -> Confounder:
    assert trace.numbers is not None
    # Sorted by value, so that the order of the pictures means nothing to what is random here.
    order = np.lexsort(trace.numbers.T)
    members = np.empty(len(order), np.int64)
    members[order] = _clear_groups(_places(trace.numbers[order], trace.grain, seed), seed)
    groups = []
    for name in range(members.max() + 1):
        inside = trace.numbers[members == name]
        groups.append(Group(_around(inside, trace.columns, trace.grain), len(inside)))
    return Confounder(trace.name, trace.what, tuple(groups), len(groups) > 1, members, trace.numbers)


def _around(inside: Array, columns: Sequence[str], grain: float) -> str:
    """Name a group of numbers by the medians of its columns, at most three, no finer than the grain."""
    shown = np.linspace(0, len(columns) - 1, min(3, len(columns))).astype(np.int64)
    middle = np.median(inside, axis=0)
    digits = max(0, int(np.ceil(-np.log10(grain))))
    # Adding 0 makes minus nothing nothing.
    return ", ".join(f"{columns[place]} {round(middle[place], digits) + 0.0:.{digits}f}" for place in shown)


def _places(numbers: Array, grain: float, seed: int) -> Array:
    """Return numbers in units of the grain, (n, at most 3), blurred by less than one.

    Without the blur the few values that a count can take would look like as many groups. The columns of
    a trace have one unit, so that one which hardly varies stays small.
    """
    blur = np.random.default_rng(seed).uniform(-BLUR, BLUR, numbers.shape)
    places = (numbers - numbers.mean(axis=0)) / grain + blur
    if places.shape[1] <= COMPONENTS:
        return np.asarray(places)
    _, _, directions = np.linalg.svd(places - places.mean(axis=0), full_matrices=False)
    return np.asarray(places @ directions[:COMPONENTS].T)


def _clear_groups(places: Array, seed: int) -> Array:
    """Return the division into most groups that all have a gap between them, largest first, (n,)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    count = len(places)
    least = max(LEAST, int(np.ceil(LEAST_SHARE * min(count, SAMPLED))))
    if count < 2 * least:
        return np.zeros(count, np.int64)
    taken = places[np.sort(np.random.default_rng(seed).permutation(count)[:SAMPLED])]
    tree = linkage(taken, "ward")
    best = places[:1]
    for wanted in range(2, MOST + 1):
        names = fcluster(tree, wanted, "maxclust")
        parts = [taken[names == name] for name in np.unique(names)]
        centres = np.asarray([np.median(part, axis=0) for part in parts if len(part) >= least])
        if len(centres) > len(best):
            # What is too small to be a group joins the nearest: it may be what fills the gap.
            near = _nearest(taken, centres)
            if _all_apart([taken[near == place] for place in range(len(centres))]):
                best = centres
    return _by_size(_nearest(places, best))


def _nearest(places: Array, centres: Array) -> Array:
    return np.asarray(((places[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1))


def _all_apart(parts: Sequence[Array]) -> bool:
    pairs = [(one, other) for place, one in enumerate(parts) for other in parts[:place]]
    return all(min(map(len, pair)) > 0 and _apart(*pair) for pair in pairs)


def _apart(one: Array, other: Array) -> bool:
    """Say whether there is a gap between two groups, seen along the line through their medians.

    Where values have one mode, a band half way is at least as full as the emptier of two bands of its
    width around the medians, whatever the shape. So a count that is far too low for a fair coin between
    these two bands speaks for a gap; to be called clear it must be low enough for the eye as well.
    """
    from scipy.special import bdtr

    start, line = np.median(one, axis=0), np.median(other, axis=0) - np.median(one, axis=0)
    length = float(line @ line)
    if length < NEAREST**2:
        return False
    along = (np.concatenate([one, other]) - start) @ line / length
    first, between, second = (int((np.abs(along - place) <= 1 / 6).sum()) for place in (0.0, 0.5, 1.0))
    beside = min(first, second)
    return between <= VALLEY * beside and bool(bdtr(between, between + beside, 0.5) <= SURE)


def _by_size(members: Array) -> Array:
    """Number groups from the largest; equal sizes in order of their first picture."""
    names, first, sizes = np.unique(members, return_index=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(names))
    return np.asarray(rank[np.searchsorted(names, members)])


def _compared(one: Confounder, clusters: Array, seed: int) -> Confounder:
    count = len(np.unique(clusters))
    if count < 2:
        return replace(one, agreement=None, p_value=None, forced=None, explains=())
    cut = None if one.numbers is None else _cut(one.numbers, count, seed)
    forced = None if cut is None else adjusted_rand_index(clusters, cut)
    order = np.lexsort((one.members, clusters))
    if len(one.groups) < 2:
        return replace(one, agreement=None, p_value=None, forced=forced, explains=())
    return replace(
        one,
        agreement=label_interval(adjusted_rand_index, clusters[order], one.members[order], seed=seed),
        p_value=_by_chance(clusters, one.members, seed),
        forced=forced,
        explains=_explained(clusters, one.members),
    )


def _cut(numbers: Array, count: int, seed: int) -> Array | None:
    """Cut numbers into as many groups, gap or no gap, (n,), unless they take fewer values."""
    from sklearn.cluster import KMeans

    if len(np.unique(numbers, axis=0)) < count:
        return None
    order = np.lexsort(numbers.T)
    found = np.empty(len(numbers), np.int64)
    found[order] = KMeans(count, n_init=4, random_state=seed).fit_predict(numbers[order])
    return found


def _by_chance(clusters: Array, members: Array, seed: int) -> float:
    """How often shuffled clusters agree at least as well; at most one in SHUFFLES + 1 can be seen."""
    from scipy.stats import random_table

    sizes = [np.unique(side, return_counts=True)[1] for side in (clusters, members)]
    drawn = random_table(*sizes).rvs(SHUFFLES, random_state=seed)
    # With both sides' sizes fixed the index rises with the pairs that both keep together.
    together = (drawn * (drawn - 1)).sum(axis=(1, 2))
    table = _table(clusters, members)
    return float((1 + (together >= (table * (table - 1)).sum()).sum()) / (1 + SHUFFLES))


def _table(clusters: Array, members: Array) -> Array:
    """Count the pictures of every cluster in every group, (clusters, groups)."""
    names, rows = np.unique(clusters, return_inverse=True)
    table = np.zeros((len(names), int(members.max()) + 1))
    np.add.at(table, (rows, members), 1)
    return table


def _explained(clusters: Array, members: Array) -> tuple[str, ...]:
    """Name the clusters that share what the others lack, unless chance would do that too."""
    from scipy.stats import hypergeom

    table = _table(clusters, members)
    sizes, groups = table.sum(axis=1, keepdims=True), table.sum(axis=0)
    total = table.sum()
    inside, outside = table / sizes, (groups - table) / np.maximum(total - sizes, 1)
    luck = hypergeom.sf(table - 1, total, groups, sizes) * table.size
    told = (inside >= INSIDE) & (outside <= OUTSIDE) & (luck <= CHANCE)
    return tuple(
        str(name) for name, found in zip(np.unique(clusters), told.any(axis=1), strict=True) if found
    )
