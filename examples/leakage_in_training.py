"""Watch a generator begin to remember: `python examples/leakage_in_training.py [OUT.svg]`.

A small linear autoencoder learns from 60 made-up patients by gradient steps; its samples are audited as
arrays, inside the loop, without a file. What is plotted is the AUC of the audit's combined attack with its
interval against the steps, and the error on the members beside that on the holdout. With a network of your
own, put `whorl.audit(samples, members, holdout)` where this one has it; tensors are taken as they are
(`samples.detach().cpu()`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import whorl
from whorl.conclusions import Rules
from whorl.forge.phantom import draw_hospital

SIDE, PATIENTS, LATENTS, RATE, SAMPLES = 64, 60, 40, 0.3, 200
STOPS = (0, 10, 30, 100, 300)
PANEL = ("whorl.thumbnail", "whorl.texture", "whorl.contrast", "whorl.texture-contrast")
WIDE, HIGH, EDGE = 640, 320, 60


class Autoencoder:
    """x → mean + axes · axesᵀ (x - mean), the axes learnt by Oja's rule; samples are Gaussian."""

    def __init__(self, pictures: np.ndarray, seed: int) -> None:
        self.rows = pictures.reshape(len(pictures), -1).astype(np.float64)
        self.mean = self.rows.mean(axis=0)
        self.random = np.random.default_rng(seed)
        self.axes = np.linalg.qr(self.random.normal(size=(self.rows.shape[1], LATENTS)))[0]
        self.scale = ((self.rows - self.mean) ** 2).sum(axis=1).mean()

    def learn(self) -> None:
        """One step on a batch of eight pictures."""
        batch = self.rows[self.random.integers(len(self.rows), size=8)] - self.mean
        self.axes += RATE * batch.T @ (batch @ self.axes) / (len(batch) * self.scale)
        self.axes = np.linalg.qr(self.axes)[0]

    def error(self, pictures: np.ndarray) -> float:
        """Root mean squared error of rebuilding pictures, in grey levels."""
        rows = pictures.reshape(len(pictures), -1) - self.mean
        return float(np.sqrt(((rows - rows @ self.axes @ self.axes.T) ** 2).mean()))

    def sample(self, count: int) -> np.ndarray:
        """Draw pictures whose latents are distributed like those of the members."""
        spread = np.cov((self.rows - self.mean) @ self.axes, rowvar=False)
        latents = self.random.multivariate_normal(np.zeros(LATENTS), spread, count)
        made = (self.mean + latents @ self.axes.T).reshape(count, SIDE, SIDE)
        return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def watch() -> list[tuple[int, float, float, float, float, float]]:
    """Train, audit at every stop: step, AUC, its limits, error on members and on holdout."""
    people = draw_hospital(patients=2 * PATIENTS, slices=1, size=SIDE, seed=1).pixels
    members, holdout = people[:PATIENTS], people[PATIENTS:]
    generator, found, step = Autoencoder(members, seed=2), [], 0
    for stop in STOPS:
        while step < stop:
            generator.learn()
            step += 1
        samples = generator.sample(SAMPLES)
        report = whorl.audit(
            samples, members, holdout, recipes=PANEL, rules=Rules(permutations=999, draws=500)
        )
        auc = report.record.combined.auc
        errors = generator.error(members), generator.error(holdout)
        found.append((step, auc.estimate, auc.low, auc.high, *errors))
        print(
            f"step {step:5d}: {report.verdict:11s} AUC {auc.estimate:.3f} [{auc.low:.3f}, {auc.high:.3f}]"
            f"   error on members {errors[0]:.1f}, on holdout {errors[1]:.1f}"
        )
    return found


def plot(found: list[tuple[int, float, float, float, float, float]]) -> str:
    """The AUC with its interval against the steps, as SVG; 0.5, guessing, is the dashed line."""
    across = np.linspace(EDGE, WIDE - 20, len(found))

    def down(auc: float) -> float:
        return HIGH - EDGE + 10 - (auc - 0.3) / 0.7 * (HIGH - EDGE - 20)

    dashed = 'stroke="#888" stroke-dasharray="4"'
    parts = [f'<line x1="{EDGE}" x2="{WIDE}" y1="{down(0.5):.1f}" y2="{down(0.5):.1f}" {dashed}/>']
    points = " ".join(f"{x:.1f},{down(one[1]):.1f}" for x, one in zip(across, found, strict=True))
    parts.append(f'<polyline points="{points}" fill="none" stroke="#0b5394" stroke-width="2"/>')
    for x, (step, auc, low, high, *_) in zip(across, found, strict=True):
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{down(low):.1f}" y2="{down(high):.1f}" stroke="#0b5394"/>'
        )
        parts.append(f'<circle cx="{x:.1f}" cy="{down(auc):.1f}" r="4" fill="#0b5394"/>')
        parts.append(f'<text x="{x:.1f}" y="{HIGH - 25}" text-anchor="middle">{step}</text>')
    for auc in (0.5, 0.75, 1.0):
        parts.append(f'<text x="{EDGE - 10}" y="{down(auc) + 4:.1f}" text-anchor="end">{auc}</text>')
    parts.append(f'<text x="{WIDE / 2}" y="{HIGH - 5}" text-anchor="middle">training steps</text>')
    parts.append('<text x="10" y="20">AUC of the combined attack, 95 % interval; dashed: guessing</text>')
    style = f'width="{WIDE}" height="{HIGH}" font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {style}>{"".join(parts)}</svg>\n'


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "leakage_in_training.svg")
    place.write_text(plot(watch()), encoding="utf-8")
    print(f"open {place}")
