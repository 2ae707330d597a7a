"""Lungs learnt from phantoms: `python -m whorl.forge.lungs FILE` makes the weights that come with whorl."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from whorl.forge.phantom import Pixels, draw_patient, lungs_of
from whorl.learning import segmentation
from whorl.learning.deals import Epochs
from whorl.learning.workplace import ALONE, Task, Workplace, learn
from whorl.store import write_bytes

PATIENTS, STEPS, BATCH, RATE, SEED = 320, 700, 8, 2e-3, 5


def pairs(patients: int, seed: int, first: int = 0) -> Pixels:
    """Draw a phantom each, its lungs' mask below it: (patients, 2 side, side)."""
    side = segmentation.SIDE
    made = np.empty((patients, 2 * side, side), np.uint8)
    for place in range(patients):
        made[place, :side] = draw_patient(seed, first + place, 1, side)[0]
        made[place, side:] = 255 * _whole(lungs_of(seed, first + place, side))
    return made


def learnt(patients: int, steps: int, workplace: Workplace = ALONE) -> dict[str, Any]:
    """Return the weights that so many steps on so many phantoms give, in half precision."""
    shown = np.ones(patients, np.int64)
    deal = Epochs(shown, BATCH, SEED)
    task = Task("lungs", pairs(patients, SEED), deal, steps, SEED, {"rate": RATE})
    weights = learn(
        task,
        lambda torch, course: segmentation.lesson(torch, course, segmentation.build(torch), RATE),
        workplace,
    )
    short = {np.dtype(np.float32): np.float16}
    # Safetensors writes arrays as they lie in memory.
    return {
        key: np.asarray(value.astype(short.get(value.dtype, value.dtype)), order="C")
        for key, value in weights.items()
    }


def _whole(mask: Any) -> Any:
    """Keep what is thick somewhere and large, close vessels and fissures, and fill what is left inside.

    Skin and table have grey levels of lung at their rim, where a pixel is half air.
    """
    thick = ndimage.binary_opening(mask, np.ones((3, 3)))
    regions, _ = ndimage.label(mask)
    sizes = np.bincount(regions.ravel())
    kept = [name for name in np.unique(regions[thick]) if name and sizes[name] >= mask.size * 0.01]
    closed = ndimage.binary_closing(np.isin(regions, kept), iterations=2)
    return ndimage.binary_fill_holes(closed)


def main() -> None:
    """Learn, and write the weights to the file that is named."""
    from safetensors.numpy import save

    write_bytes(Path(sys.argv[1]), save(learnt(PATIENTS, STEPS)))


if __name__ == "__main__":
    main()
