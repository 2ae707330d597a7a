"""Features made short by a small autoencoder of the very features (Csmorgan 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from whorl.learning.deals import Epochs, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.layers import chain, module
from whorl.learning.lessons import Learning, adam
from whorl.learning.loop import Batch, Course
from whorl.learning.workplace import Task, Workplace, learn, loaded, outputs
from whorl.records import Array, Floats

WIDTHS = (512, 128, 32)


@dataclass(frozen=True)
class Pace:
    """Epochs, rows of a step, rate of learning, how much it may cost, and the seed."""

    epochs: int
    batch: int
    rate: float
    effort: Effort
    seed: int


def codes(table: Array, pace: Pace, workplace: Workplace) -> Floats:
    """Standardised features (n, d) -> codes (n, 32) of an autoencoder that learnt to make them again."""
    rows = np.asarray(table.reshape(len(table), -1), np.float64)
    spread = rows.std(axis=0)
    rows = ((rows - rows.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)).astype(np.float32)
    shown = rows[np.asarray(sorted(range(len(rows)), key=lambda row: rows[row].tobytes()))][:, None, :]
    limits = LIMITS[pace.effort]
    size = min(pace.batch, limits.batch)
    task = Task(
        "compression",
        shown,
        Epochs(np.ones(len(shown), np.int64), size, pace.seed),
        min(pace.epochs * per_epoch(len(shown), size), limits.steps),
        pace.seed,
        {"rate": pace.rate, "narrow": limits.narrow},
    )

    def build(torch: Any) -> Any:
        return _build(torch, rows.shape[1], [limits.width(width) for width in WIDTHS])

    def lesson(torch: Any, course: Course) -> Learning:
        network = build(torch)

        def loss(batch: Batch) -> Any:
            own = batch.pictures.flatten(1)
            return (network(own) - own).square().mean()

        return Learning(torch, course, {"network": network}, loss, adam(torch, pace.rate))

    network = loaded(build, learn(task, lesson, workplace), "network", workplace)
    return outputs(lambda own: network.encoder(own.flatten(1)), rows[:, None, :], "raw", workplace)


def _build(torch: Any, width: int, widths: list[int]) -> Any:
    """Build rows (n, width) -> the same, through three dense layers down and three up."""
    layers = torch.nn

    def dense(before: int, after: int, place: int) -> list[Any]:
        return [*([layers.ReLU()] if place else []), layers.Linear(before, after)]

    down, up = [width, *widths], [*widths[::-1], width]
    encoder, decoder = chain(torch, down, dense), chain(torch, up, dense)
    return module(
        torch, lambda parts, own: parts.decoder(parts.encoder(own)), encoder=encoder, decoder=decoder
    )
