"""Question 2 for an analyst: how many generators are in the bag, and which picture belongs to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whorl import clusters, confounders, content, pipeline, scenes, separations
from whorl.agreement import agreement
from whorl.bearings import DIRECTED, directed
from whorl.clusters import Part
from whorl.compression import ASKED, strong
from whorl.evaluate import label_measures
from whorl.fingerprints import looks
from whorl.grouping import MOST, Grouping, Half, grouped, halves
from whorl.identification import FINGERPRINT
from whorl.kernels.threads import one_thread
from whorl.metrics import adjusted_rand_index
from whorl.outcomes import Attribution, CountChoice
from whorl.pipeline import Settings
from whorl.records import Answers, Array, BadInput, ImageSet, Problem, Recipe, Step
from whorl.traces import traces

REPEATS = 4
FOLDS = 5
AFTER_JPEG = "whorl-fingerprint.jpeg"  # recipe for pictures saved as strong JPEG
SAMPLED = 1500


def suited(images: ImageSet) -> str:
    """The recipe of the catalogue whose features tell generators of such pictures apart."""
    return AFTER_JPEG if strong(images.pixels[_order(images)[:ASKED]]) else FINGERPRINT


@one_thread()
def attribute(
    *,
    images: ImageSet,
    recipe: Recipe,
    settings: Settings,
    count: int | None = None,
    answers: Answers | None = None,
    files: Mapping[str, Path] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Attribution:
    """Group the pictures by the fingerprint of their generator.

    What else could split the bag is looked at first; `files` (picture id → path) lets it see the files too.
    """
    _check(images, recipe, count, answers)
    suspects = confounders.confounders(traces(images, files, settings.progress), settings.seed)
    blocks = tuple(pipeline.blocks(recipe, Problem("attribution", images, count=count), settings))
    order = _order(images)
    made = grouped(
        _bag(images, order, blocks, recipe, settings, count), settings.seed, count, settings.progress
    )
    bag, divisions, where = made.bag, made.divisions, clusters.places(made.bag)
    halved = halves(made, settings.seed, settings.progress)
    groups, confidence = _refined(where, made.labels, settings.seed, kept=count is not None)
    numbers, sure = np.empty(len(order), np.int64), np.empty(len(order), np.float32)
    numbers[order], sure[order] = groups, confidence
    names = tuple(str(number + 1) for number in numbers)
    caution = "" if count is not None else _caution(images.pixels[order[:ASKED]])
    return Attribution(
        ids=images.ids,
        labels=names,
        confidence=sure,
        count=made.found if count is None else count,
        count_given=count is not None,
        choices=_choices(divisions, where, halved, settings.seed),
        why=_why(made, halved, count) + caution,
        coordinates=_plane(where[np.argsort(order)]),
        clusters=looks(images, names, sure),
        measures=_measures(images, names, answers, settings.seed),
        quarantined=images.quarantined,
        notes=(*images.notes, *_left_out(recipe, bag)),
        provenance={
            **(provenance or {}),
            **_facts(images, recipe, settings),
            "agreement_of_methods": agreement(where, groups, settings.seed),
        },
        confounders=confounders.compare(suspects, names, settings.seed),
        at_least=bool(caution),
        separations=separations.separations(
            bag,
            [names[row] for row in order],
            where,
            separations.names_of(_used(recipe, bag)),
            settings.seed,
        ),
    )


def _order(images: ImageSet) -> Array:
    """The pictures by what they show: file names and their order mean nothing."""
    return np.argsort(np.asarray(images.digests), kind="stable")


def _check(images: ImageSet, recipe: Recipe, count: int | None, answers: Answers | None) -> None:
    """Stop what cannot be answered before its first picture."""
    if count is not None and not 1 <= count <= len(images):
        raise BadInput(f"-k {count}: give a number from 1 to {len(images)}, the number of pictures")
    if recipe.task != "attribution":
        raise BadInput(f"{recipe.name} answers the {recipe.task} question: take a recipe for attribution")
    if answers is not None:
        _truth(images, answers)


def _bag(
    images: ImageSet,
    order: Array,
    blocks: tuple[Array, ...],
    recipe: Recipe,
    settings: Settings,
    count: int | None,
) -> clusters.Bag:
    """What is known of the pictures, in this order; what they show is only asked where the number is told."""
    varied = content.content(images, order, blocks, recipe, settings)
    shown = None if count is None else scenes.main(scenes.described(images.pixels))
    steps = [step.name for step in recipe.chain("features")]
    return clusters.Bag(blocks, varied, shown, directed(steps)).some(order)


def _refined(where: Array, labels: Array, seed: int, kept: bool) -> tuple[Array, Array]:
    """Give every picture the group that a classifier names which never saw it, and how sure that is.

    A group too small to be held out keeps its pictures, and so do all where a group would vanish, or if
    `kept`: then only how sure it is comes from the classifier.
    """
    names, sizes = np.unique(labels, return_counts=True)
    if len(names) == 1:
        return labels, np.ones(len(labels), np.float32)
    if sizes.min() < FOLDS:
        return labels, np.full(len(labels), 0.5, np.float32)
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold

    chances = np.zeros((len(labels), len(names)))
    for repeat in range(REPEATS):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        for shown, held in folds.split(where, labels):
            model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
            chances[held] += model.fit(where[shown], labels[shown]).predict_proba(where[held])
    chances /= REPEATS
    again = names[chances.argmax(axis=1)]
    stays = kept or (np.bincount(again, minlength=len(names)) <= sizes / 2).any()
    final = labels if stays else again
    return final, np.asarray(chances[np.arange(len(labels)), np.searchsorted(names, final)], np.float32)


def _used(recipe: Recipe, bag: clusters.Bag) -> list[Step]:
    """The steps of the blocks that a bag was grouped by."""
    return [step for step in recipe.chain("features") if step.name != DIRECTED or bag.directed]


def _left_out(recipe: Recipe, bag: clusters.Bag) -> list[str]:
    if len(_used(recipe, bag)) == len(recipe.chain("features")):
        return []
    return [
        "Some pictures seem to lie another way than others, mirrored, turned or cut at odd places: "
        f"{DIRECTED}, which depends on that, was left out."
    ]


def _choices(
    divisions: list[list[Part]], where: Array, halved: list[Half], seed: int
) -> tuple[CountChoice, ...]:
    """How well every number of generators fits: separation, agreement of halves, evidence for one more."""
    found = []
    for count, parts in enumerate(divisions[:MOST], start=1):
        labels = clusters.labels_of(parts, len(where))
        agreed = [
            adjusted_rand_index(
                labels[half.rows], clusters.labels_of(half.divisions[count - 1], len(half.rows))
            )
            for half in halved
            if count <= len(half.divisions)
        ]
        found.append(
            CountChoice(
                count,
                _silhouette(where, labels, seed) if count > 1 else None,
                float(np.mean(agreed)) if agreed and count > 1 else None,
                *_further(parts),
            )
        )
    return tuple(found)


def _further(parts: Sequence[Part]) -> tuple[float, float]:
    """The evidence that some part falls apart further: its p-value and the distance of its two groups."""
    most = max(parts, key=lambda part: (part.evident, part.apart))
    return most.p_value, most.apart


def _silhouette(where: Array, labels: Array, seed: int) -> float:
    from sklearn.metrics import silhouette_score

    if not 1 < len(np.unique(labels)) < len(labels):
        return 0.0
    size = SAMPLED if len(labels) > SAMPLED else None
    return float(silhouette_score(where, labels, sample_size=size, random_state=seed))


def _why(made: Grouping, halved: list[Half], given: int | None) -> str:
    """Say in words how the number was found and how sure it is."""
    divisions, found = made.divisions, made.found
    p_value, apart = _further(divisions[found - 1])
    left = f"(p {p_value:.2g}, {apart:.1f} spreads apart; at least {clusters.APART:g} are asked for)"
    if found == 1:
        reason = f"The pictures do not fall into two groups that others show as well {left}."
    else:
        nearest = min(_further(step)[1] for step in divisions[: found - 1])
        reason = (
            f"Every division up to {found} shows in pictures that it had not seen, {nearest:.1f} spreads "
            f"apart or more; no part falls apart further {left}."
        )
    if halved:
        same = sum(half.found == found for half in halved)
        reason += f" {same} of {len(halved)} random halves of the pictures give the same number."
    if given is None:
        return reason
    agrees = "the same" if found == given else f"{found}"
    return f"The number was given; without it the answer would have been {agrees}. {reason}"


def _caution(pixels: Array) -> str:
    """Say so where pictures were saved in a way after which generators are seldom told apart unasked."""
    quality = strong(pixels)
    if not quality:
        return ""
    return (
        f" The pictures were saved as JPEG, with quality {quality} or so. That hides what tells"
        " generators apart, and the number is often too small then: give it with -k if you know it."
    )


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
