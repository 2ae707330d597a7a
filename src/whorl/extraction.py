"""From pictures to features: prepared and described a batch at a time, kept for the next recipe."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from whorl import steps
from whorl.compare import Progress
from whorl.learning.workplace import Workplace
from whorl.networks.embedding import Networks
from whorl.preparation import prepared, resolved
from whorl.records import Array, ImageSet, Recipe, Step, digest_of
from whorl.store import Store

BATCH_BYTES = 16 * 2**20
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

    def __call__(self, images: ImageSet) -> Array:
        """Return the features of all pictures; several steps' are joined end to end, (n, …)."""
        if not self.preparations and [step.name for step, _ in self.extractors] == ["pixels.grey"]:
            return images.pixels
        named = any(uses_network(step) for step, _ in self.extractors)
        found = [self._kept(*one, images) for one in self.extractors] if named else self._described(images)
        return found[0] if len(found) == 1 else np.hstack([part.reshape(len(part), -1) for part in found])

    def _described(self, images: ImageSet) -> list[Array]:
        """The features of every step, each picture prepared once."""
        size = max(1, self.batch_bytes // (8 * int(np.prod(images.pixels.shape[1:]))))
        made = []
        for rows in _rows(images, size):
            stack = self._batch(images, rows)
            made.append([extract(stack) for _, extract in self.extractors])
        return [np.concatenate(parts) for parts in zip(*made, strict=True)]

    def _kept(self, step: Step, extract: Callable[..., Array], images: ImageSet) -> Array:
        """The features of one step, a network's as pieces of the store."""
        size = max(1, min(CHUNK, CHUNK_BYTES // (4 * int(np.prod(images.pixels.shape[1:])))))
        return np.concatenate([self._piece(step, extract, images, rows) for rows in _rows(images, size)])

    def _piece(self, step: Step, extract: Callable[..., Array], images: ImageSet, rows: range) -> Array:
        """Features of some pictures, a network's from the store if they were taken before."""
        if self.store is None or not uses_network(step):
            return extract(self._batch(images, rows))
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
        made = extract(self._batch(images, rows))
        self.store.put(key, {"features": made})
        return made

    def _batch(self, images: ImageSet, rows: range) -> Array:
        self.progress(f"{self.name}: features", rows.stop, len(images))
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
    """Return the networks whose features a recipe and its members take."""
    scorer = recipe.one("scorer")
    asked = scorer is None or {"features", "compare"} & set(steps.find("scorer", scorer.name).handed)
    own = [network_of(step) for step in recipe.chain("features") if asked and uses_network(step)]
    return own + [name for member in recipe.members.values() for name in networks_of(member)]


def weights_of(recipe: Recipe, networks: Networks) -> list[str]:
    """Return the identities of the networks that a recipe and its members name; missing ones are refused."""
    return [networks.identity(name) for name in networks_of(recipe)]
