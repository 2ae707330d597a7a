"""Describe whole sets of pictures for the question whether the set of members was used."""

from __future__ import annotations

import numpy as np

from whorl import pipeline, recipes
from whorl.arrays import allocate
from whorl.evidence.sets import Kernels, kernels
from whorl.kernels.principal import Rows, axes
from whorl.kernels.slabs import release, slabs
from whorl.pipeline import Settings
from whorl.records import Array, ImageSet, Problem

DESCRIBED = "whorl.cells"  # whose features, fine texture at 64 × 64, describe a picture
COMPONENTS = 100
LEAST_VARIANCE = 1e-9  # of pictures that are all alike, nothing varies


def described(problem: Problem, patient: Array, settings: Settings) -> Kernels:
    """Sum kernels over fine texture on the leading components of real and generated pictures, whitened.

    `patient` (n,) numbers the patient of each query; which of them are members is not asked.
    """
    made = next(iter(problem.generated.values()))
    real, generated = _table(problem.queries, made, settings), _table(made, problem.queries, settings)
    whole = allocate((len(real) + len(generated), real.shape[1]), real.dtype, settings.spill_bytes)
    for table, start in ((real, 0), (generated, len(real))):
        for part, some in slabs(table):
            whole[start + part.start : start + part.stop] = some
            release(whole)
    rows = Rows(whole, np.arange(len(whole)))
    found = axes(rows, min(COMPONENTS, len(whole) // 4), settings.seed)
    places = found.placed(rows)[0] / np.sqrt(np.maximum(found.variance, LEAST_VARIANCE))
    return kernels(places[: len(real)], places[len(real) :], patient)


def _table(images: ImageSet, beside: ImageSet, settings: Settings) -> Array:
    asked = Problem("membership", images, {beside.name: beside})
    return pipeline.blocks(recipes.load(DESCRIBED), asked, settings, np.float32)[0]
