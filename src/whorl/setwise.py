"""Describe whole sets of pictures for the question whether the set of members was used."""

from __future__ import annotations

import numpy as np

from whorl import pipeline, recipes
from whorl.evidence.sets import Kernels, kernels
from whorl.pipeline import Settings
from whorl.records import Array, ImageSet, Problem, Recipe

DESCRIBED = "whorl.cells"  # whose features, fine texture at 64 × 64, describe a picture
COMPONENTS = 100


def described(problem: Problem, patient: Array, settings: Settings) -> Kernels:
    """Sum kernels over fine texture on the leading components of real and generated pictures, whitened.

    `patient` (n,) numbers the patient of each query; which of them are members is not asked.
    """
    from sklearn.decomposition import PCA

    recipe = recipes.load(DESCRIBED)
    made = next(iter(problem.generated.values()))
    real = _table(recipe, problem.queries, made, settings)
    generated = _table(recipe, made, problem.queries, settings)
    whole = np.vstack([real, generated])
    count = max(1, min(COMPONENTS, len(whole) // 4, whole.shape[1]))
    with np.errstate(all="ignore"):  # pictures that are all alike: nothing varies
        model = PCA(count, whiten=True, random_state=settings.seed).fit(whole)
        places = np.nan_to_num(model.transform(whole), posinf=0.0, neginf=0.0)
    return kernels(places[: len(real)], places[len(real) :], patient)


def _table(recipe: Recipe, images: ImageSet, beside: ImageSet, settings: Settings) -> Array:
    asked = Problem("membership", images, {beside.name: beside})
    return pipeline.blocks(recipe, asked, settings)[0].astype(np.float32)
