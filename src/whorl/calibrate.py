"""Calibration steps: a query's similarity to the generated set against its similarity to a reference set."""

from __future__ import annotations

import numpy as np

from whorl.records import Floats

VERSION = 1


def difference(own: Floats, reference: Floats) -> Floats:
    """How much more alike to the generated than to the reference pictures.

    (q,), (q,) -> (q,).
    """
    return np.asarray(own - reference, np.float32)


def ratio(own: Floats, reference: Floats, floor: float = 1e-6) -> Floats:
    """Distance to the reference over distance to the generated, for similarities that are minus a distance.

    (q,), (q,) -> (q,), above 1 where the generated are nearer.
    """
    near = np.maximum(-own.astype(np.float64), floor)
    far = np.maximum(-reference.astype(np.float64), floor)
    return np.asarray(far / near, np.float32)
