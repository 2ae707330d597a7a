"""Question 2 for an analyst: how many generators are in the bag, and which picture belongs to which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whorl import pipeline
from whorl.evaluate import label_measures
from whorl.fingerprints import looks
from whorl.metrics import adjusted_rand_index
from whorl.outcomes import Attribution, CountChoice
from whorl.pipeline import Settings
from whorl.records import Answers, Array, BadInput, ImageSet, Problem, Recipe

MOST = 10
BLOCK_COMPONENTS = 12
RESAMPLES = 20
SHARE = 0.8
NULL_DRAWS = 39
SAMPLED = 1500
STABLE = 0.8
SEPARATE = 0.25


def attribute(
    *,
    images: ImageSet,
    recipe: Recipe,
    settings: Settings,
    count: int | None = None,
    answers: Answers | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Attribution:
    """Group the pictures by the fingerprint of their generator."""
    if count is not None and not 1 <= count <= len(images):
        raise BadInput(f"-k {count}: give a number from 1 to {len(images)}, the number of pictures")
    if recipe.task != "attribution":
        raise BadInput(f"{recipe.name} answers the {recipe.task} question: take a recipe for attribution")
    if answers is not None:
        _truth(images, answers)  # a bad table shall stop the run before its first picture
    problem = Problem("attribution", images, count=count)
    places = fingerprints(pipeline.blocks(recipe, problem, settings))
    settings.progress("grouping", 0, 2)
    choices = _choices(places, settings.seed)
    chosen, why = _choose(places, choices, settings.seed)
    if count is not None:
        agrees = "the same" if chosen == count else f"{chosen}"
        chosen, why = count, f"The number was given; without it the answer would have been {agrees}. {why}"
    labels = _groups(places, chosen)
    settings.progress("grouping", 1, 2)
    confidence = _confidence(places, labels, chosen, settings.seed)
    names = tuple(str(label + 1) for label in labels)
    settings.progress("grouping", 2, 2)
    return Attribution(
        ids=images.ids,
        labels=names,
        confidence=confidence,
        count=chosen,
        count_given=count is not None,
        choices=choices,
        why=why,
        coordinates=_plane(places),
        clusters=looks(images, names, confidence),
        measures=_measures(images, names, answers, settings.seed),
        quarantined=images.quarantined,
        notes=tuple(images.notes),
        provenance={**(provenance or {}), **_facts(images, recipe, settings)},
    )


def fingerprints(blocks: list[Array]) -> Array:
    """Join blocks of features (n, d) so that each has the same total weight; (n, components), float64.

    Every block is standardised and reduced on its own first: a wide block would drown a narrow one.
    """
    parts = []
    for block in blocks:
        spread = block.std(axis=0)
        kept = spread > 1e-9 * max(1.0, float(np.abs(block).max()))
        if not kept.any():
            continue
        scaled = (block[:, kept] - block[:, kept].mean(axis=0)) / spread[kept]
        reduced = _principal(scaled, BLOCK_COMPONENTS)
        parts.append(reduced / np.sqrt(max(float((reduced**2).sum(axis=1).mean()), 1e-12)))
    if not parts:
        return np.zeros((len(blocks[0]), 1))
    return _principal(np.hstack(parts), BLOCK_COMPONENTS)


def _principal(table: Array, components: int) -> Array:
    """Principal coordinates with a fixed sign, so that no run mirrors another."""
    centred = table - table.mean(axis=0)
    left, scale, right = np.linalg.svd(centred, full_matrices=False)
    count = min(components, int((scale > 1e-9 * max(scale[0], 1e-300)).sum()) or 1)
    signs = np.sign(right[np.arange(count), np.abs(right[:count]).argmax(axis=1)])
    return np.asarray(left[:, :count] * scale[:count] * np.where(signs == 0, 1.0, signs))


def _groups(places: Array, count: int) -> Array:
    """Ward clusters, numbered from the largest; equal sizes in order of their first picture."""
    from sklearn.cluster import AgglomerativeClustering

    if count == 1 or len(places) < 2:
        return np.zeros(len(places), np.int64)
    labels = AgglomerativeClustering(count).fit_predict(places)
    names, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(names))
    return np.asarray(rank[np.searchsorted(names, labels)])


def _choices(places: Array, seed: int) -> tuple[CountChoice, ...]:
    """Separation and stability for every number of generators worth a thought."""
    most = min(MOST, len(places) - 1)
    if most < 2 or len(np.unique(places.round(9), axis=0)) < 3:
        return ()
    generator = np.random.default_rng(seed)
    take = max(3, round(SHARE * len(places)))
    draws = [np.sort(generator.permutation(len(places))[:take]) for _ in range(RESAMPLES // 2)]
    return tuple(
        CountChoice(
            count, _silhouette(places, _groups(places, count), seed), _stability(places, draws, count)
        )
        for count in range(2, most + 1)
    )


def _stability(places: Array, draws: list[Array], count: int) -> float:
    """Mean agreement (adjusted Rand index) of the groups of resamples with those of all pictures."""
    whole = _groups(places, count)
    found = [adjusted_rand_index(whole[rows], _groups(places[rows], min(count, len(rows)))) for rows in draws]
    return float(np.mean(found))


def _silhouette(places: Array, labels: Array, seed: int) -> float:
    from sklearn.metrics import silhouette_score

    if not 1 < len(np.unique(labels)) < len(labels):
        return 0.0
    size = SAMPLED if len(labels) > SAMPLED else None
    return float(silhouette_score(places, labels, sample_size=size, random_state=seed))


def _choose(places: Array, choices: tuple[CountChoice, ...], seed: int) -> tuple[int, str]:
    """Best separation among the stable numbers, if one bell-shaped cloud would not look the same."""
    if not choices:
        return 1, "The fingerprints do not differ: one generator, as far as this can tell."
    stable = [choice for choice in choices if choice.stability >= STABLE] or list(choices)
    best = max(stable, key=lambda choice: choice.silhouette)
    p_value = _one_cloud(places, best, seed)
    figures = (
        f"silhouette {best.silhouette:.2f}, agreement under resampling {best.stability:.2f}, "
        f"p {p_value:.2g} against a single cloud (at least {1 / (1 + NULL_DRAWS):.2g} by its draws)"
    )
    gap = best.silhouette >= SEPARATE and best.stability >= STABLE and p_value <= 0.05
    if not gap or (_density_clusters(places) == 1 and best.silhouette < 2 * SEPARATE):
        return 1, f"No split leaves a clear and stable gap; the best, into {best.count}: {figures}."
    return best.count, f"{best.count} groups are the best separated among the stable splits: {figures}."


def _one_cloud(places: Array, best: CountChoice, seed: int) -> float:
    """How often a Gaussian cloud of the same spread splits as well: the test of one generator only."""
    generator = np.random.default_rng(seed)
    rows = min(len(places), SAMPLED)
    spread = places.std(axis=0)
    clouds = (generator.normal(size=(rows, places.shape[1])) * spread for _ in range(NULL_DRAWS))
    found = [_silhouette(cloud, _groups(cloud, min(best.count, rows)), seed) for cloud in clouds]
    return (1 + sum(value >= best.silhouette for value in found)) / (1 + NULL_DRAWS)


def _density_clusters(places: Array) -> int:
    from sklearn.cluster import HDBSCAN

    least = int(np.clip(len(places) // 20, 5, 25))
    if len(places) <= least:
        return 1
    labels = HDBSCAN(min_cluster_size=least, allow_single_cluster=True, copy=True).fit_predict(places)
    return max(1, len(np.unique(labels[labels >= 0])))


def _confidence(places: Array, labels: Array, count: int, seed: int) -> Array:
    """Share of resamples in which the nearest group centre is that of the picture's own group, (n,)."""
    if count == 1:
        return np.ones(len(labels), np.float32)
    generator = np.random.default_rng(seed + 1)
    agreed = np.zeros(len(labels))
    for _ in range(RESAMPLES):
        rows = generator.permutation(len(labels))[: max(count, round(SHARE * len(labels)))]
        known = np.unique(labels[rows])
        found = _groups(places[rows], min(count, len(rows)))
        centres = np.stack([places[rows[found == name]].mean(axis=0) for name in np.unique(found)])
        closest = ((places[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
        agreed += _renamed(closest, labels, max(len(centres), int(known.max()) + 1, count)) == labels
    return np.asarray(agreed / RESAMPLES, np.float32)


def _renamed(found: Array, labels: Array, count: int) -> Array:
    """Give the groups of a resample the names of the groups they overlap most with, one to one."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((count, count))
    np.add.at(table, (found, labels), 1)
    return np.asarray(linear_sum_assignment(-table)[1][found])


def _plane(places: Array) -> Array:
    padded = np.zeros((len(places), 2))
    padded[:, : min(2, places.shape[1])] = places[:, :2]
    return padded


def _measures(
    images: ImageSet, labels: tuple[str, ...], answers: Answers | None, seed: int
) -> tuple[Any, ...]:
    if answers is None:
        return ()
    truth = _truth(images, answers)
    patients = None if images.patients is None else list(images.patients)
    return label_measures(truth, labels, patients, seed)


def _truth(images: ImageSet, answers: Answers) -> list[str]:
    missing = [name for name in images.ids if name not in answers.labels]
    if missing:
        raise BadInput(f"answers: {len(missing)} pictures have none, first '{missing[0]}'")
    return [answers.labels[name] for name in images.ids]


def _facts(images: ImageSet, recipe: Recipe, settings: Settings) -> dict[str, Any]:
    return {
        "seed": settings.seed,
        "counts": {"images": len(images)},
        "picture_size": list(images.pixels.shape[1:]),
        "digests": {images.name: images.digest},
        "recipes": {recipe.name: recipe.digest},
    }
