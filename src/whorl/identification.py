"""Which of the enrolled generators made a picture, or is it one that nobody has enrolled?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whorl import pipeline, steps
from whorl.disturbances import changes
from whorl.evidence import conformal
from whorl.extraction import networks_of
from whorl.identifier import GAP, LEAST, Comparison, Identifier
from whorl.identities import CANNOT_TELL, MIXED, UNKNOWN, Identification
from whorl.kernels.threads import one_thread
from whorl.library import Enrolled, Library
from whorl.pipeline import Settings
from whorl.records import Array, BadInput, ImageSet, Problem, Recipe, digest_of

FINGERPRINT = "whorl-fingerprint.ward"
ALPHA = 0.01


def enroll(
    *,
    name: str,
    images: ImageSet,
    library: Library,
    recipe: Recipe,
    settings: Settings,
    replace: bool = False,
) -> Enrolled:
    """Store the fingerprint of a generator under a name."""
    library.check_free(name, replace=replace)
    known = [other for other in library.names() if other != name]
    size = library.read(known[0]).size if known else images.pixels.shape[1:]
    if size != images.pixels.shape[1:]:
        raise BadInput(_sizes(images, size, f"'{known[0]}' in {library.root}"))
    enrolled = fingerprint(name, images, recipe, settings)
    library.write(enrolled, replace=replace)
    return enrolled


@one_thread()
def fingerprint(name: str, images: ImageSet, recipe: Recipe, settings: Settings) -> Enrolled:
    """Take the fingerprints of a generator's pictures; patients are kept as numbers only."""
    if len(images) < LEAST:
        raise BadInput(
            f"{images.name}: {len(images)} pictures; at least {LEAST} are needed to enrol '{name}'"
        )
    blocks = _blocks(recipe, images, settings)
    owners = images.patients or images.digests
    numbers = {owner: number for number, owner in enumerate(dict.fromkeys(owners))}
    if len(numbers) == 1:
        raise BadInput(f"{images.name}: all pictures are of one patient or the same: two are needed at least")
    return Enrolled(
        name=name,
        blocks=tuple(np.asarray(block, np.float32) for block in blocks),
        changes=changes(recipe, images, blocks, dataclasses.replace(settings, seed=0)),
        digests=images.digests,
        groups=np.asarray([numbers[owner] for owner in owners]),
        parts=_parts(recipe),
        size=(images.pixels.shape[1], images.pixels.shape[2]),
        recipe=recipe.name,
        fingerprint=version(recipe),
        notes=(*images.notes, *(f"left out: {one.file} ({one.reason})" for one in images.quarantined)),
    )


@one_thread()
def identify(
    *,
    images: ImageSet,
    sources: Sequence[Enrolled],
    recipe: Recipe,
    settings: Settings,
    alpha: float = ALPHA,
    identifier: Identifier | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Identification:
    """Answer for every picture, and for all of them together."""
    check_alpha(alpha)
    if images.pixels.shape[1:] != sources[0].size:
        raise BadInput(_sizes(images, sources[0].size, f"the enrolled '{sources[0].name}'"))
    blocks = _blocks(recipe, images, settings)
    settings.progress("comparing", 0, 1)
    found = (identifier or Identifier(sources)).compare(blocks)
    single = _answers(found, alpha)
    whole = _folder(found, single, alpha, settings.seed)
    settings.progress("comparing", 1, 1)
    facts = {
        "seed": settings.seed,
        "counts": {"images": len(images), **{one.name: len(one) for one in sources}},
        "picture_size": list(images.pixels.shape[1:]),
        "digests": {images.name: images.digest, **{one.name: digest_of(*one.digests) for one in sources}},
        "recipes": {recipe.name: version(recipe)},
    }
    return Identification(
        ids=images.ids,
        sources=found.sources,
        answers=single.names,
        p_value=single.p_value,
        nearest=tuple(found.sources[place] for place in found.nearest),
        reasons=_reasons(found, single, sources[0].parts),
        p_values=found.p_values,
        folder_answer=whole.answer,
        folder_p_value=whole.p_value,
        folder_p_values=whole.p_values,
        why=whole.why,
        alpha=alpha,
        quarantined=images.quarantined,
        notes=(*images.notes, *_notes(images, sources, alpha)),
        provenance={**(provenance or {}), **facts},
    )


def version(recipe: Recipe) -> str:
    """Return the digest of what a fingerprint is made by; the rule that groups pictures is no part of it."""
    if networks_of(recipe):
        raise BadInput(
            f"{recipe.name}: a library does not know weights of networks; take a recipe without one"
        )
    return digest_of([step.digest for step in (*recipe.chain("prepare"), *recipe.chain("features"))])


def check_alpha(alpha: float) -> None:
    """Refuse a level that is no probability."""
    if not 0 < alpha < 1:
        raise BadInput(f"--alpha {alpha:g}: give a number between 0 and 1")


@dataclass(frozen=True, eq=False)
class _Single:
    """Answers for the pictures one by one: name, p-value, index of the source or -1."""

    names: tuple[str, ...]
    p_value: Array
    places: Array


@dataclass(frozen=True, eq=False)
class _Whole:
    """The answer for all pictures together."""

    answer: str
    p_value: float
    p_values: Array
    why: str


def _answers(found: Comparison, alpha: float) -> _Single:
    """Name the candidate with the largest p-value, unless all are refused or too few pictures can refuse."""
    p_values = np.where(found.candidates, found.p_values, -1.0)
    open_still = p_values >= alpha
    fits = open_still & (found.counts > 0)
    names, best, places = [], [], []
    for row in range(len(p_values)):
        choice = fits[row] if fits[row].any() else found.candidates[row]
        order = np.lexsort((found.strangeness[row], -np.where(choice, p_values[row], -1.0)))
        place = int(order[0])
        fitting = bool(fits[row].any())
        refused = CANNOT_TELL if open_still[row].any() else UNKNOWN
        names.append(found.sources[place] if fitting else refused)
        best.append(p_values[row, place])
        places.append(place if fitting else -1)
    return _Single(tuple(names), np.asarray(best), np.asarray(places))


def _folder(found: Comparison, single: _Single, alpha: float, seed: int) -> _Whole:
    """Pool the pictures' evidence; where no source made all of them, see what made the most."""
    draws = max(conformal.DRAWS, math.ceil(20 / alpha))
    table, total = found.p_values, found.strangeness.sum(axis=0)

    def pooled(rows: Array, place: int) -> float:
        return conformal.folder_p_value(table[rows, place], int(found.held[place]), seed, draws)

    count = len(table)
    everything = np.arange(count)
    p_values = np.asarray([pooled(everything, place) for place in range(len(found.sources))])
    if count == 1:
        why = "One picture: the answer for it is the answer for all."
        return _Whole(single.names[0], float(single.p_value[0]), p_values, why)
    likely = np.where(total <= total.min() + GAP, p_values, -1.0)
    best = int(np.lexsort((total, -likely))[0])
    name, p_value = found.sources[best], float(p_values[best])
    pictures = f"the {count} pictures together"
    if p_value >= alpha and single.names.count(CANNOT_TELL) > count / 2:
        why = f"'{name}' has too few enrolled pictures to be told from another generator."
        return _Whole(CANNOT_TELL, p_value, p_values, why)
    if p_value >= alpha:
        why = f"{pictures} look like pictures of '{name}' (p {p_value:.2g})."
        return _Whole(name, p_value, p_values, _capital(why))
    groups = [np.flatnonzero(single.places == place) for place in range(len(found.sources))]
    fitting = [len(rows) for place, rows in enumerate(groups) if len(rows) and pooled(rows, place) >= alpha]
    refused = f"no enrolled generator made all of them (best '{name}', p {p_value:.2g})"
    if 2 * sum(fitting) >= count:
        why = f"{sum(fitting)} of {count} pictures fit enrolled generators, but {refused}."
        return _Whole(MIXED, p_value, p_values, why)
    return _Whole(UNKNOWN, p_value, p_values, _capital(f"{pictures}: {refused}."))


def _reasons(found: Comparison, single: _Single, parts: Sequence[str]) -> tuple[str, ...]:
    """Say of every picture without a name how it differs from its nearest source."""
    reasons = []
    for row, name in enumerate(single.names):
        if name not in (UNKNOWN, CANNOT_TELL):
            reasons.append("")
            continue
        nearest, part = int(found.nearest[row]), int(found.rarity[row].argmax())
        held, count = int(found.held[nearest]), int(found.counts[row, nearest])
        share = f"all {held}" if count == 0 else f"{held - count} of {held}"
        reasons.append(
            f"stranger than {share} pictures of '{found.sources[nearest]}'; differs most in {parts[part]} "
            f"({found.parts[row, part]:.1f} times the usual distance)"
        )
    return tuple(reasons)


def _notes(images: ImageSet, sources: Sequence[Enrolled], alpha: float) -> list[str]:
    least = conformal.least_count(alpha)
    notes = [
        f"'{one.name}' has {len(one)} pictures: its p-values cannot fall below 1/{len(one) + 1}; "
        f"'unknown' at {alpha:g} needs {least} pictures or more"
        for one in sources
        if len(one) < least
    ]
    for one in sources:
        again = len(set(images.digests) & set(one.digests))
        if again:
            notes.append(f"{again} of the pictures were enrolled as '{one.name}': their p-values say nothing")
    return notes


def _blocks(recipe: Recipe, images: ImageSet, settings: Settings) -> list[Array]:
    if recipe.task != "attribution" or not recipe.chain("features"):
        raise BadInput(f"{recipe.name} takes no fingerprints: choose a recipe such as {FINGERPRINT}")
    for step in recipe.chain("features"):
        if steps.find("features", step.name).fitted:
            raise BadInput(
                f"{recipe.name}: {step.name} is fitted to the pictures it sees: nothing to compare with"
            )
    # What is drawn at random must be drawn alike for enrolled and for new pictures.
    return pipeline.blocks(recipe, Problem("attribution", images), dataclasses.replace(settings, seed=0))


def _parts(recipe: Recipe) -> tuple[str, ...]:
    """Names of the blocks; steps that come twice are told apart by their parameters."""
    chain = recipe.chain("features")
    named = [step.name for step in chain]
    return tuple(
        step.name
        if named.count(step.name) == 1
        else f"{step.name} ({', '.join(f'{key} {value}' for key, value in step.parameters.items())})"
        for step in chain
    )


def _sizes(images: ImageSet, size: Sequence[int], other: str) -> str:
    own = "×".join(map(str, images.pixels.shape[:0:-1]))
    return (
        f"{images.name} has pictures of {own}, {other} of {size[1]}×{size[0]}: a fingerprint holds for "
        "one size; compare pictures as they were made, or enrol and identify with the same --size"
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
