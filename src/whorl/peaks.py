"""Regular patterns in a group's mean power spectrum: where they stand out, their period and probable cause.

The rule: a place of the spectrum is a peak if it is the highest within two places, and stands above its
background by RATIO or more and by DEVIATIONS of the spectrum's own scatter. The background is the median of a
ring around it, or, where that is more, the level along any line through it: the ridges that straight edges
leave in a spectrum are no peaks. Scatter is that of the logarithm about its smooth course, so few pictures
ask for stronger peaks than many. Waves longer than an eighth of the picture are left to the anatomy. What is
named has a whole period: a pattern that made pictures share keeps to the pixel grid. A period above 4 pixels
needs two overtones, because almost any long wave is near some whole period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whorl.outcomes import Peak
from whorl.records import Array

RATIO = 3.0
DEVIATIONS = 6.0
LONGEST = 32  # pixels of the longest period that is looked for
NEAREST = 7.5  # places about the centre that hold the picture's own shapes
GRID = 8  # pixels of a JPEG block
BLOCKS = "JPEG grid of 8 × 8 blocks"
SHORT = 4  # pixels of the longest period for which one spot is enough
OFF = 0.4  # places that a frequency may lie beside its fraction
LARGEST = 6  # peaks that are named, the strongest first
APART = 4.0  # how much stronger a short period must be to be named beside a longer one that holds it too
LINES = ((0, 1), (1, 0), (1, 1), (1, -1))

Direction = Literal["horizontal", "vertical", "diagonal", "both"]
Seen = Literal["pattern", "contrast"]


@dataclass(frozen=True)
class Spot:
    """One place that stands out: cycles per pixel down and across, and power over that of its background."""

    down: float
    across: float
    ratio: float

    @property
    def direction(self) -> Direction:
        """The direction in which the pattern repeats."""
        if self.down == 0:
            return "horizontal"
        return "vertical" if self.across == 0 else "diagonal"


def peaks(pattern: Array, contrast: Array, jpeg: bool = False) -> tuple[Peak, ...]:
    """Name the peaks of two mean power spectra (h, w), of the residual and of how strong its steps are.

    A period that the residual itself shows is not named again for its contrast. `jpeg`: the pictures hold
    quantised coefficients of 8 × 8 blocks, which no seam leaves.
    """
    found = named(spots(pattern), pattern.shape, "pattern", jpeg)
    known = {round(one.period, 1) for one in found}
    beside = named(spots(contrast), contrast.shape, "contrast", jpeg)
    found += [one for one in beside if round(one.period, 1) not in known]
    return tuple(sorted(found, key=lambda one: (-one.ratio, one.period))[:LARGEST])


def spots(power: Array) -> list[Spot]:
    """Return the places of a centred spectrum (h, w) that stand out, one of each mirrored pair."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    height, width = power.shape
    floor = 1e-9 * float(power.max(initial=0.0))
    if min(height, width) < 16 or floor <= 0:
        return []
    plain = np.fft.ifftshift(power)
    mirrored = np.roll(plain[::-1, ::-1], 1, axis=(0, 1))
    level = np.log((plain + mirrored) / 2 + floor)
    course = level - gaussian_filter(level, 3.0, mode="wrap")
    scatter = 1.4826 * float(np.median(np.abs(course - np.median(course))))
    needed = max(float(np.log(RATIO)), DEVIATIONS * scatter)
    down, across = np.fft.fftfreq(height), np.fft.fftfreq(width)
    away = np.hypot(down[:, None], across[None, :])
    # Places in the half plane alone: the other half is its mirror.
    half = (down[:, None] < 0) | ((down[:, None] == 0) & (across[None, :] < 0))
    half |= (down[:, None] == -0.5) | (across[None, :] == -0.5)
    able = (level >= maximum_filter(level, 5, mode="wrap") - 1e-9) & half
    able &= away >= max(1 / LONGEST, NEAREST / min(height, width)) - 1e-9
    able &= course > needed / 2
    found = []
    for row, column in np.argwhere(able):
        above = float(level[row, column]) - _background(level, int(row), int(column))
        if above >= needed:
            found.append(
                Spot(*_place(level, int(row), int(column), down[row], across[column]), float(np.exp(above)))
            )
    return _distinct(found)


def named(found: Sequence[Spot], shape: tuple[int, ...], seen_in: Seen, jpeg: bool = False) -> list[Peak]:
    """Gather spots that are overtones of one period, and name each period."""
    by_period: dict[int, list[Spot]] = {}
    for spot in found:
        period = _whole_period(spot, shape)
        if period is not None:
            by_period.setdefault(period, []).append(spot)
    for period in sorted(by_period):
        longer = [other for other in by_period if other > period and other % period == 0]
        longer = [other for other in longer if other == GRID or _overtones(by_period[other], other) > 1]
        if longer and _strongest(by_period[period]) <= APART * _strongest(by_period[min(longer)]):
            by_period[min(longer)] += by_period.pop(period)
    return [
        _peak(period, group, seen_in, jpeg)
        for period, group in by_period.items()
        if period <= SHORT or _overtones(group, period) > 1
    ]


def _strongest(group: Sequence[Spot]) -> float:
    return max(spot.ratio for spot in group)


def _overtones(group: Sequence[Spot], period: int) -> int:
    """How many different multiples of a period's lowest frequency lie on the axes."""
    straight = [max(spot.down, spot.across) for spot in group if spot.direction != "diagonal"]
    return len({round(frequency * period) for frequency in straight})


def _peak(period: int, group: Sequence[Spot], seen_in: Seen, jpeg: bool) -> Peak:
    axes = {spot.direction for spot in group}
    straight = axes - {"diagonal"}
    direction: Direction = "both" if len(straight) == 2 else min(straight, default="diagonal")
    cause = _cause(period, direction, seen_in)
    if jpeg and GRID % period == 0 and seen_in == "contrast":
        # In small pictures only some overtones of the grid stand out, or those of one direction.
        cause = BLOCKS if period == GRID else f"{BLOCKS}, or {cause}"
    return Peak(float(period), direction, _strongest(group), seen_in, f"probable cause: {cause}")


def _cause(period: int, direction: Direction, seen_in: Seen) -> str:
    """What most often leaves such a pattern; more than one name where the spectrum cannot tell them apart."""
    if period == GRID and direction == "both":
        return BLOCKS if seen_in == "contrast" else f"{BLOCKS}, or three levels of ×2 upsampling"
    if period == GRID:
        return f"{BLOCKS}, or regular seams or tiles every {period} pixels"
    if period == 4:
        other = "×4 at once" if seen_in == "pattern" else "resizing by a quarter step such as 4/3"
        return f"two levels of ×2 upsampling, or {other}"
    if period == 3 and seen_in == "contrast":
        return "resizing by ×3 or by a third step such as 3/2"
    if period == 2 and seen_in == "pattern":
        return "checkerboard of ×2 upsampling (transposed convolution or pixel shuffle)"
    if period == 2:
        return "×2 enlarging (nearest or interpolated), or ×2 upsampling in the generator"
    return f"regular seams or tiles every {period} pixels"


def _background(level: Array, row: int, column: int) -> float:
    """The level around a place: of the ring about it, or along a line through it where that is higher."""
    height, width = level.shape
    reach = np.arange(-6, 7)
    window = level[np.ix_((row + reach) % height, (column + reach) % width)]
    ring = np.maximum(np.abs(reach)[:, None], np.abs(reach)[None, :]) >= 3
    found = [float(np.median(window[ring]))]
    steps = np.concatenate([np.arange(-8, -2), np.arange(3, 9)])
    for down, across in LINES:
        along = level[(row + down * steps) % height, (column + across * steps) % width]
        # The lower third: overtones of the same pattern may lie on the line too.
        found.append(float(np.quantile(along, 0.34)))
    return max(found)


def _place(level: Array, row: int, column: int, down: float, across: float) -> tuple[float, float]:
    """Frequencies of a peak, between places, where a parabola through its neighbours has its top."""
    height, width = level.shape
    centre = float(level[row, column])
    sides = (level[row - 1, column], level[(row + 1) % height, column])
    ends = (level[row, column - 1], level[row, (column + 1) % width])
    moved = [_top(float(low), centre, float(high)) for low, high in (sides, ends)]
    at = abs(float(down) + moved[0] / height), abs(float(across) + moved[1] / width)
    return 0.0 if at[0] < OFF / height else at[0], 0.0 if at[1] < OFF / width else at[1]


def _top(low: float, centre: float, high: float) -> float:
    bend = low - 2 * centre + high
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5))


def _whole_period(spot: Spot, shape: tuple[int, ...]) -> int | None:
    """The shortest whole number of pixels after which both frequencies of a spot repeat."""
    sides = [(value, side) for value, side in zip((spot.down, spot.across), shape, strict=True)]
    for period in range(2, LONGEST + 1):
        if all(abs(value - round(value * period) / period) <= OFF / side for value, side in sides):
            return period
    return None


def _distinct(found: Sequence[Spot]) -> list[Spot]:
    """The strongest of spots at the same two frequencies."""
    kept: dict[tuple[float, float], Spot] = {}
    for spot in sorted(found, key=lambda one: -one.ratio):
        kept.setdefault((round(spot.down, 2), round(spot.across, 2)), spot)
    return list(kept.values())
