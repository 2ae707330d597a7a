"""From pictures to features: prepared and described a batch at a time, kept for the next recipe."""

from __future__ import annotations

import ast
import multiprocessing
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from whorl import steps
from whorl.arrays import SPILL_BYTES, allocate
from whorl.compare import Progress
from whorl.kernels.slabs import release
from whorl.learning import classifiers
from whorl.learning.backbones import Start
from whorl.learning.effort import LIMITS
from whorl.learning.workplace import UNTOLD, Workplace
from whorl.networks.embedding import Networks
from whorl.preparation import prepared, resolved
from whorl.records import Array, ImageSet, Recipe, Step, digest_of
from whorl.store import Store

BATCH_BYTES = 16 * 2**20
MOST_THREADS = 8  # each has a batch at hand
# What a step may be handed and still be a plain function of each picture: no network learns or answers in it.
PLAIN = frozenset({"image", "images", "seed"})
# Pictures whose network features are one piece of the store.
CHUNK, CHUNK_BYTES = 512, 256 * 2**20
Extractor = tuple[Step, Callable[..., Array]]


@dataclass(frozen=True)
class Extraction:
    """How features are taken: by which steps, in which batches, kept where, told to whom."""

    name: str
    preparations: tuple[Step, ...]
    extractors: tuple[Extractor, ...]
    networks: Networks
    workplace: Workplace
    seed: int
    batch_bytes: int
    progress: Progress
    store: Store | None = None
    spill_bytes: int = SPILL_BYTES

    def __call__(self, images: ImageSet) -> Array:
        """Return the features of all pictures; several steps' are joined end to end, (n, …)."""
        if not self.preparations and [step.name for step, _ in self.extractors] == ["pixels.grey"]:
            return images.pixels
        named = any(uses_network(step) for step, _ in self.extractors)
        if not named:
            return self._described(images)
        found = [self._kept(*one, images) for one in self.extractors]
        return found[0] if len(found) == 1 else np.hstack([part.reshape(len(part), -1) for part in found])

    def _described(self, images: ImageSet) -> Array:
        """The features of all steps side by side, each picture prepared once."""
        size = max(1, self.batch_bytes // (8 * int(np.prod(images.pixels.shape[1:]))))
        plain = all(map(_is_plain, (*self.preparations, *(step for step, _ in self.extractors))))
        batches = _rows(images, size)

        def told(rows: range) -> None:
            self.progress(f"{self.name}: features", rows.stop, len(images))

        def taken(rows: range) -> list[Array]:
            stack = self._batch(images, rows)
            return [extract(stack) for _, extract in self.extractors]

        def put(rows: range, parts: list[Array]) -> None:
            for place, part in zip(places, parts, strict=True):
                shape = len(rows), *place.shape[1:]
                np.copyto(place[rows.start : rows.stop], part.reshape(shape), casting="safe")
            release(table)
            release(images.pixels)

        # The first batch alone: it imports, compiles and tells how wide the table is.
        told(batches[0])
        first = taken(batches[0])
        table, places = _table(first, len(images), self.spill_bytes)
        put(batches[0], first)
        _spread(batches[1:], lambda rows: put(rows, taken(rows)), told, threads() if plain else 1)
        return table

    def _kept(self, step: Step, extract: Callable[..., Array], images: ImageSet) -> Array:
        """The features of one step, a network's as pieces of the store."""
        size = max(1, min(CHUNK, CHUNK_BYTES // (4 * int(np.prod(images.pixels.shape[1:])))))
        return np.concatenate([self._piece(step, extract, images, rows) for rows in _rows(images, size)])

    def _piece(self, step: Step, extract: Callable[..., Array], images: ImageSet, rows: range) -> Array:
        """Features of some pictures, a network's from the store if they were taken before."""
        if self.store is None or not uses_network(step):
            return self._extracted(step, extract, images, rows)
        handed = [steps.find("prepare", one.name).handed for one in self.preparations]
        key = digest_of(
            "features",
            [one.digest for one in (*self.preparations, step)],
            self.seed if any("seed" in each for each in handed) else None,
            [images.digests[row] for row in rows],
            list(images.pixels.shape[1:]),
            identity(step, self.networks),
        )
        piece = self.store.get(key)
        if piece is not None and "features" in piece and len(piece["features"]) == len(rows):
            return piece["features"]
        made = self._extracted(step, extract, images, rows)
        self.store.put(key, {"features": made})
        return made

    def _extracted(self, step: Step, extract: Callable[..., Array], images: ImageSet, rows: range) -> Array:
        """Features of some pictures; a network tells of every batch, for it may be long at work."""
        label, total = f"{self.name}: features", len(images)
        if not uses_network(step):
            self.progress(label, rows.stop, total)
            return extract(self._batch(images, rows))
        label = f"{self.name}: {network_of(step)}"
        self.progress(label, rows.start, total)
        watched = replace(self.networks, told=lambda done: self.progress(label, rows.start + done, total))
        return extract(self._batch(images, rows), networks=watched)

    def _batch(self, images: ImageSet, rows: range) -> Array:
        stack = images.pixels[rows.start : rows.stop]
        if not self.preparations:
            return stack
        functions = resolved(self.preparations, self.workplace)
        return np.stack(
            [prepared(functions, stack[row - rows.start], images.digests[row], self.seed) for row in rows]
        )


def _rows(images: ImageSet, size: int) -> list[range]:
    """Some rows after another."""
    return [range(start, min(start + size, len(images))) for start in range(0, len(images), size)]


def threads() -> int:
    """Return how many threads take features: one in a worker process, which has neighbours of its own."""
    return 1 if multiprocessing.parent_process() else min(MOST_THREADS, os.cpu_count() or 1)


def _table(parts: list[Array], count: int, spill_bytes: int) -> tuple[Array, list[Array]]:
    """Room for the features of so many pictures, and each step's columns of it."""
    if len(parts) == 1:
        table = allocate((count, *parts[0].shape[1:]), parts[0].dtype, spill_bytes)
        return table, [table]
    widths = [int(np.prod(part.shape[1:])) for part in parts]
    table = allocate((count, sum(widths)), np.result_type(*(part.dtype for part in parts)), spill_bytes)
    return table, np.split(table, np.cumsum(widths)[:-1], axis=1)


def _spread(
    batches: list[range], work: Callable[[range], None], told: Callable[[range], None], count: int
) -> None:
    """Work on all batches, on several threads if there are so many; told of in order, a few in flight."""
    if count == 1 or len(batches) < 2:
        for rows in batches:
            told(rows)
            work(rows)
        return
    pool = ThreadPoolExecutor(min(count, len(batches)))
    waiting: deque[Future[None]] = deque()
    ahead = iter(batches)
    try:
        waiting.extend(pool.submit(work, rows) for rows in islice(ahead, 2 * count))
        for rows in batches:
            told(rows)
            waiting.popleft().result()
            waiting.extend(pool.submit(work, following) for following in islice(ahead, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _is_plain(step: Step) -> bool:
    """Whether a step of whorl's own is a plain function, which several threads can call at a time."""
    description = steps.find(step.stage, step.name)
    own = description.module.partition(".")[0] == "whorl"
    return own and not description.fitted and PLAIN.issuperset(description.handed)


def uses_network(step: Step) -> bool:
    """Return whether a step is handed networks."""
    return step.stage == "features" and "networks" in steps.find("features", step.name).handed


def network_of(step: Step) -> str:
    """Return the network that a step names, or its default."""
    default = steps.find("features", step.name).parameters["network"]
    return str(step.parameters.get("network", ast.literal_eval(default)))


def identity(step: Step, networks: Networks) -> str:
    """Return what else the features of a step depend on: a network's weights and how it runs."""
    return networks.identity(network_of(step)) if uses_network(step) else ""


def networks_of(recipe: Recipe) -> list[str]:
    """Return the networks whose features a recipe and its members take, and those that they train further."""
    return [*_named(recipe, _taken), *_named(recipe, _begun)]


def weights_of(recipe: Recipe, networks: Networks) -> list[str]:
    """Return the identities of the networks that a recipe and its members name; missing ones are refused."""
    taken = [networks.identity(name) for name in _named(recipe, _taken)]
    full = LIMITS["full"]
    begun = (Start(name, "pretrained", full, networks) for name in _named(recipe, _begun))
    return taken + [start.identity for start in begun]


def _named(recipe: Recipe, find: Callable[[Recipe], list[str]]) -> list[str]:
    return find(recipe) + [name for member in recipe.members.values() for name in _named(member, find)]


def _taken(recipe: Recipe) -> list[str]:
    """The networks whose features a recipe takes."""
    scorer = recipe.one("scorer")
    asked = scorer is None or {"features", "compare"} & set(steps.find("scorer", scorer.name).handed)
    return [network_of(step) for step in recipe.chain("features") if asked and uses_network(step)]


def _begun(recipe: Recipe) -> list[str]:
    """The pretrained networks that a recipe trains further."""
    found = []
    for step in recipe.steps:
        defaults = steps.find(step.stage, step.name).parameters
        if not {"network", "weights", "effort"} <= defaults.keys():
            continue
        known = {key: ast.literal_eval(defaults[key]) for key in ("network", "weights", "effort")}
        known |= step.parameters
        limits = LIMITS.get(known["effort"], LIMITS["full"])  # a wrong word is told where steps are resolved
        start = Start(known["network"], known["weights"], limits, UNTOLD)
        if start.needs_weights and start.name not in classifiers.OWN:
            found.append(start.name)
    return found
