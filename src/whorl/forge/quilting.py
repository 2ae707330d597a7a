"""A generator that stitches pictures from its members' patches (image quilting, Efros and Freeman 2001)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whorl.forge.classical import check_members
from whorl.forge.phantom import Pixels
from whorl.records import BadInput

Places = NDArray[np.int64]
CANDIDATES = 32  # patches tried at every place
ALIKE = 12  # members that one picture is stitched from
LAYOUT = 0.1  # weight of the likeness to the guide beside the fit of the overlap
SMALL = 16  # side of the pictures by which members are called alike
BATCH = 256  # pictures at a time


@dataclass(frozen=True)
class Quilt:
    """Patches of `patch` pixels that share `overlap` pixels with the one before."""

    patch: int = 16
    overlap: int = 4

    def __post_init__(self) -> None:
        if not 4 <= self.patch <= 256:
            raise BadInput(f"patch {self.patch}: give 4 to 256 pixels")
        if not 1 <= self.overlap <= self.patch // 2:
            raise BadInput(f"overlap {self.overlap}: give 1 to {self.patch // 2}, half a patch at most")

    def fit(self, images: Pixels, seed: int) -> FittedQuilt:
        """Keep the members (n, h, w) and learn which of them look alike."""
        check_members(images, 1, seed)
        if min(images.shape[1:]) < 2 * self.patch:
            size = f"{images.shape[2]}×{images.shape[1]}"
            raise BadInput(
                f"patch {self.patch}: members of {size} allow {min(images.shape[1:]) // 2} at most"
            )
        return FittedQuilt(
            self.patch, self.overlap, images.copy(), _alike(images), _means(images, self.patch // 2)
        )


@dataclass(frozen=True, eq=False)
class FittedQuilt:
    """The members, and for each of them the rows of those most alike, itself first."""

    patch: int
    overlap: int
    members: Pixels
    alike: Places
    means: Pixels  # over half a patch right and down of each pixel

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w)."""
        check_members(self.members, count, seed)
        made = np.empty((count, *self.members.shape[1:]), np.uint8)
        for start in range(0, count, BATCH):
            self._stitch(made[start : start + BATCH], np.random.default_rng([seed, start]))
        return made

    def _stitch(self, canvas: Pixels, rng: np.random.Generator) -> None:
        """Fill the canvas (n, h, w) patch by patch, all pictures at once."""
        _, height, width = canvas.shape
        # Column 0 is the guide itself: it sets the layout, and the patches come from it and the others.
        pools = self.alike[rng.integers(0, len(self.members), len(canvas))]
        tops, lefts = (_starts(side, self.patch, self.overlap) for side in (height, width))
        for row, top in enumerate(tops):
            above = tops[row - 1] + self.patch - top if row else 0
            for column, left in enumerate(lefts):
                before = lefts[column - 1] + self.patch - left if column else 0
                target = canvas[:, top : top + self.patch, left : left + self.patch]
                chosen = self._fitting(target, pools, (top, left), (above, before), rng)
                keep = _kept(target, chosen, above, before)
                target[...] = np.where(keep, target, chosen)

    def _fitting(
        self,
        target: Pixels,
        pools: Places,
        place: tuple[int, int],
        shared: tuple[int, int],
        rng: np.random.Generator,
    ) -> Pixels:
        """Return the patches (n, p, p), of some near the place, that agree best where they overlap."""
        count, (above, before), reach = len(target), shared, self.overlap // 2
        rows = np.take_along_axis(pools, rng.integers(0, pools.shape[1], (count, CANDIDATES)), 1)
        starts = []
        for start, side in zip(place, self.members.shape[1:], strict=True):
            moved = start + rng.integers(-reach, reach + 1, (count, CANDIDATES))
            starts.append(np.clip(moved, 0, side - self.patch))
        costs = np.zeros((count, CANDIDATES), np.float32)
        for height, width in ((above, self.patch), (self.patch, before)):
            if height and width:
                strips = _cut(self.members, rows, starts[0], starts[1], (height, width))
                difference = strips.astype(np.float32) - target[:, None, :height, :width]
                costs += np.einsum("ncij,ncij->nc", difference, difference)
        half = self.patch // 2
        guide = np.broadcast_to(pools[:, :1], rows.shape)
        for down, across in ((0, 0), (0, half), (half, 0), (half, half)):
            own = self.means[rows, starts[0] + down, starts[1] + across].astype(np.float32)
            difference = own - self.means[guide, place[0] + down, place[1] + across]
            costs += np.float32(LAYOUT * half**2) * difference**2
        best = costs.argmin(1)[:, None]
        row, top, left = (np.take_along_axis(each, best, 1) for each in (rows, *starts))
        return _cut(self.members, row, top, left, (self.patch, self.patch))[:, 0]


def _alike(images: Pixels) -> Places:
    """For each member the rows of the members closest to it in a small picture, (n, at most ALIKE)."""
    count, height, width = images.shape
    step = (max(1, height // SMALL), max(1, width // SMALL))
    cropped = images[:, : height // step[0] * step[0], : width // step[1] * step[1]]
    blocks = cropped.reshape(count, height // step[0], step[0], width // step[1], step[1])
    small = blocks.mean((2, 4)).reshape(count, -1)
    squares = (small**2).sum(1)
    distances = squares[:, None] + squares[None, :] - 2.0 * small @ small.T
    np.fill_diagonal(distances, -np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :ALIKE]


def _means(images: Pixels, side: int) -> Pixels:
    """Mean over the side × side pixels right and down of each pixel, where all lie inside; 0 elsewhere."""
    means = np.zeros_like(images)
    for image, out in zip(images, means, strict=True):
        sums = np.pad(image.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        out[: boxes.shape[0], : boxes.shape[1]] = np.rint(boxes / side**2)
    return means


def _starts(side: int, patch: int, overlap: int) -> list[int]:
    """Where patches begin; the last ends with the picture and may overlap more."""
    starts = list(range(0, side - patch, patch - overlap))
    return [*starts, side - patch]


def _cut(members: Pixels, rows: Places, tops: Places, lefts: Places, size: tuple[int, int]) -> Pixels:
    """Cut patches (n, candidates, height, width) out of the members."""
    down = tops[..., None] + np.arange(size[0])
    across = lefts[..., None] + np.arange(size[1])
    patches: Pixels = members[rows[..., None, None], down[..., :, None], across[..., None, :]]
    return patches


def _kept(target: Pixels, chosen: Pixels, above: int, before: int) -> NDArray[np.bool_]:
    """Where the canvas stays as it is: before the seams of least difference, (n, p, p)."""
    keep = np.zeros(target.shape, bool)
    difference = (target.astype(np.float32) - chosen) ** 2
    if before:
        keep[:, :, :before] |= _left_of_seam(difference[:, :, :before])
    if above:
        keep[:, :above] |= _left_of_seam(difference[:, :above].transpose(0, 2, 1)).transpose(0, 2, 1)
    return keep


def _left_of_seam(costs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """True left of the cheapest path from the first row to the last through costs (n, rows, columns)."""
    count, rows, columns = costs.shape
    total = np.pad(costs, ((0, 0), (0, 0), (1, 1)), constant_values=np.inf)
    for row in range(1, rows):
        previous = total[:, row - 1]
        reachable = np.minimum(np.minimum(previous[:, :-2], previous[:, 1:-1]), previous[:, 2:])
        total[:, row, 1:-1] += reachable
    seam = np.empty((count, rows), np.int64)
    seam[:, -1] = total[:, -1].argmin(1)
    for row in range(rows - 2, -1, -1):
        # The margins are infinite, so the path never enters them.
        near = seam[:, row + 1, None] + np.arange(-1, 2)
        best = np.take_along_axis(total[:, row], near, 1).argmin(1)
        seam[:, row] = near[np.arange(count), best]
    return np.arange(1, columns + 1) < seam[..., None]
