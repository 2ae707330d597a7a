"""Toy problems with planted answers: small pictures that have nothing in common unless one copies another.

Every picture is a smooth random field of its own, so a picture that resembles another was made from it.
All pixels are read-only: whatever writes into its input fails every test that uses these problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from whorl import images as reading
from whorl.arrays import digest_of_picture
from whorl.records import Answers, Array, Development, ImageSet, Problem

SIZE = 64


@dataclass(frozen=True, eq=False)
class Toy:
    """A membership problem with the truth of its queries, (n,) of bool."""

    problem: Problem
    truth: Array


def fields(count: int, seed: int, size: int = SIZE) -> Array:
    """Draw smooth random pictures, (count, size, size) of 8 bits, no two of them related."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((count, size, size)), (0.0, 2.0, 2.0), mode="wrap")
    smooth *= 45.0 / smooth.std(axis=(1, 2), keepdims=True)
    return _grey(128.0 + smooth + 3.0 * rng.standard_normal(smooth.shape))


def near_copies(pixels: Array, count: int, seed: int) -> Array:
    """Copy pictures in turn with fresh noise and a little more or less light, (count, h, w) of 8 bits."""
    rng = np.random.default_rng(seed)
    copied = pixels[np.arange(count) % len(pixels)].astype(np.float64)
    light = rng.uniform(-4.0, 4.0, (count, 1, 1))
    return _grey(copied + light + 3.0 * rng.standard_normal(copied.shape))


def image_set(name: str, pixels: Array, ids: Sequence[str] | None = None) -> ImageSet:
    """Name the pictures name_000.png and so on, and lock their pixels."""
    locked = np.ascontiguousarray(pixels)
    locked.flags.writeable = False
    known = tuple(ids or (f"{name}_{place:03d}.png" for place in range(len(pixels))))
    return ImageSet(name, known, locked, tuple(map(digest_of_picture, locked)))


def membership(
    *, members: int = 12, holdout: int = 12, generated: int = 30, leaking: bool = True, seed: int = 0
) -> Toy:
    """Mix members and holdout in an order that tells nothing; half of what a leaky generator makes copies."""
    part = _part(members, holdout, generated, leaking, seed)
    known = _part(6, 6, 12, leaking, seed + 1000)
    labels = {
        name: "used" if used else "not_used"
        for name, used in zip(known.problem.queries.ids, known.truth, strict=True)
    }
    development = Development(known.problem, Answers(labels))
    reference = image_set("reference", fields(10, seed + 2000))
    return replace(part, problem=replace(part.problem, development=development, reference=reference))


def attribution(each: int = 12, seed: int = 0) -> tuple[Problem, list[str]]:
    """Mix what three generators made whose grain differs: white, blocky and in lines.

    Each copied real pictures of its own, which are there as the subset it was trained on.
    """
    rng = np.random.default_rng(seed)
    real = fields(3 * each, seed)
    pixels = real.astype(np.float64)
    white, blocky, lines = (pixels[place * each : (place + 1) * each] for place in range(3))
    white += 8.0 * rng.standard_normal(white.shape)
    blocky[:] = blocky[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    lines += gaussian_filter(30.0 * rng.standard_normal(lines.shape), (0.0, 0.0, 3.0))
    order = rng.permutation(3 * each)
    kinds = ("white", "blocky", "lines")
    names = [kinds[place // each] for place in order]
    subsets = {
        kind: image_set(f"real {kind}", real[place * each : (place + 1) * each])
        for place, kind in enumerate(kinds)
    }
    return Problem("attribution", image_set("bag", _grey(pixels[order])), subsets, count=3), names


def known_generators() -> Development:
    """Show pictures of two of the three generators of an attribution problem, and which made which."""
    shown, made = attribution(each=6, seed=1000)
    rows = [row for row, maker in enumerate(made) if maker != "lines"]
    part = replace(subset(shown, rows), count=2)
    answers = {name: made[row] for name, row in zip(part.queries.ids, rows, strict=True)}
    return Development(part, Answers(answers))


def subset(problem: Problem, rows: Sequence[int]) -> Problem:
    """Ask about some of the queries only."""
    return replace(problem, queries=reading.select(problem.queries, list(rows)))


def plant(problem: Problem, rows: Sequence[int]) -> Problem:
    """Put exact copies of some queries behind what every generator made."""
    copies = problem.queries.pixels[list(rows)]
    planted = {
        name: image_set(name, np.concatenate([images.pixels, copies]))
        for name, images in problem.generated.items()
    }
    return replace(problem, generated=planted)


@cache
def lopsided() -> Problem:
    """Ask about twelve pictures of which the generator copied the first one twelve times, and no other."""
    pictures = fields(12, 77)
    copies = image_set("copies", near_copies(pictures[:1], 12, 78))
    return _with_development(image_set("many", pictures), copies)


def exchanged(problem: Problem) -> Problem:
    """Let queries and generated pictures change places."""
    (images,) = problem.generated.values()
    return replace(problem, queries=images, generated={problem.queries.name: problem.queries})


@cache
def narrow(task: str) -> Problem:
    """Ask about oblong pictures, one of them of one grey level, another the only generated one."""
    rng = np.random.default_rng(5)
    pixels = _grey(rng.uniform(0, 255, (6, 40, 57)))
    pixels[3] = 128
    queries = image_set("oblong", pixels)
    if task == "attribution":
        return Problem("attribution", queries, count=2)
    return _with_development(queries, image_set("lone", pixels[:1]))


@cache
def tiny(task: str) -> Problem:
    """Ask about the smallest pictures that are read at all."""
    rng = np.random.default_rng(6)
    queries = image_set("tiny", _grey(rng.uniform(0, 255, (6, 8, 8))))
    if task == "attribution":
        return Problem("attribution", queries, count=2)
    return _with_development(queries, image_set("made", _grey(rng.uniform(0, 255, (5, 8, 8)))))


def auc(values: Array, truth: Array) -> float:
    """Chance that a member scores above a holdout picture, ties half; counted pair by pair."""
    gap = values[truth][:, None].astype(np.float64) - values[~truth][None, :]
    return float((gap > 0).mean() + (gap == 0).mean() / 2)


def _part(members: int, holdout: int, generated: int, leaking: bool, seed: int) -> Toy:
    pictures = fields(members + holdout, seed)
    made = fields(generated, seed + 3000)
    if leaking:
        half = generated // 2
        made[:half] = near_copies(pictures[:members], half, seed + 4000)
    order = np.random.default_rng(seed + 5000).permutation(len(pictures))
    problem = Problem(
        "membership", image_set("real", pictures[order]), {"generator": image_set("generated", made)}
    )
    return Toy(problem, order < members)


def _with_development(queries: ImageSet, generated: ImageSet) -> Problem:
    labels = {name: "used" if row % 2 else "not_used" for row, name in enumerate(queries.ids)}
    inner = Problem("membership", queries, {"generator": generated})
    return replace(inner, development=Development(inner, Answers(labels)), reference=queries)


def _grey(pictures: Array) -> Array:
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8)
