"""A made-up hospital: axial chest CT pictures of patients who never lived."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from whorl.forge.anatomy import Patient, build
from whorl.forge.brush import Plane, brush
from whorl.forge.organs import shapes
from whorl.records import BadInput

Pixels = NDArray[np.uint8]
STEP = 0.025  # between neighbouring slices, as a share of the lungs' height
LUNG = (-970.0, -600.0)  # Hounsfield units between which tissue is that of a lung
SPAN = 0.5  # from the first slice to the last, at most


@dataclass(frozen=True, eq=False)
class Hospital:
    """Pictures (n, h, w) with the patient of each and a file name of each."""

    pixels: Pixels
    patients: tuple[str, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Scanner:
    """How one patient's scan looks: sharpness, edge lift, noise (Hounsfield), streaks and window."""

    blur: float
    lift: float
    noise: float
    pitch: float
    streak: float
    low: float
    high: float
    circle: bool


def draw_hospital(
    *, patients: int, slices: int, size: int = 128, seed: int = 0, first_patient: int = 0
) -> Hospital:
    """Draw every patient's slices; a patient looks the same whoever is drawn beside them."""
    if patients < 1:
        raise BadInput(f"a hospital needs at least one patient, not {patients}")
    _check(seed, first_patient, slices, size)
    pixels = np.empty((patients, slices, size, size), np.uint8)
    for place in range(patients):
        pixels[place] = draw_patient(seed, first_patient + place, slices, size)
    names = [f"P{first_patient + place + 1:04d}" for place in range(patients)]
    return Hospital(
        pixels.reshape(-1, size, size),
        tuple(name for name in names for _ in range(slices)),
        tuple(f"{name}_s{number:02d}.png" for name in names for number in range(slices)),
    )


def draw_patient(seed: int, patient: int, slices: int, size: int) -> Pixels:
    """Draw neighbouring slices of one patient, top to bottom; (slices, size, size)."""
    _check(seed, patient, slices, size)
    # Separate streams: the body is the same at any size, number of slices or noise.
    body, device, grain = (np.random.default_rng([seed, patient, stream]) for stream in range(3))
    person = build(body)
    reach = min(SPAN, STEP * (slices - 1)) / 2.0
    middle = min(max(person.traits["level"], 0.15 + reach), 0.95 - reach)
    levels = np.linspace(middle - reach, middle + reach, slices)
    planes = _tissue(person, levels, size)
    scanner = _scanner(device)
    _add_texture(planes, levels, grain)
    return _scan(planes, scanner, grain)


def lungs_of(seed: int, patient: int, size: int) -> NDArray[np.bool_]:
    """Return where the tissue of the lungs is in the only slice of `draw_patient`, (size, size)."""
    _check(seed, patient, 1, size)
    person = build(np.random.default_rng([seed, patient, 0]))
    level = min(max(person.traits["level"], 0.15), 0.95)
    (plane,) = _tissue(person, np.linspace(level, level, 1), size)
    return np.asarray((plane > LUNG[0]) & (plane < LUNG[1]))


def _check(seed: int, patient: int, slices: int, size: int) -> None:
    if seed < 0 or patient < 0:
        raise BadInput(f"seed {seed}, patient {patient}: both must be 0 or more")
    if not 1 <= slices <= 200:
        raise BadInput(f"slices {slices}: a patient has 1 to 200")
    if not 32 <= size <= 1024 or size % 2:
        raise BadInput(f"size {size}: pictures are 32 to 1024 pixels wide, an even number")


def _scanner(rng: np.random.Generator) -> Scanner:
    # Sharp kernels resolve more and are noisier, as on a real scanner.
    sharp = rng.uniform()
    return Scanner(
        blur=0.0085 - 0.0045 * sharp,
        lift=0.5 * sharp * rng.uniform(),
        noise=float(np.exp(rng.uniform(2.3, 3.4))) * (0.8 + 0.8 * sharp),
        pitch=0.20 + 0.16 * sharp,
        streak=rng.uniform(0.0, 0.6),
        low=rng.uniform(-1060.0, -980.0),
        high=rng.uniform(260.0, 520.0),
        circle=bool(rng.uniform() < 0.3),
    )


def _tissue(person: Patient, levels: NDArray[np.float64], size: int) -> Plane:
    """Paint the slices in Hounsfield units, without texture, blur or noise."""
    rows = [shapes(person, float(level)) for level in levels]
    ends = np.cumsum([0, *(len(part) for part in rows)])
    planes = np.full((len(levels), size, size), -1000.0, np.float32)
    brush()(planes, np.concatenate(rows), ends)
    return planes


def _add_texture(planes: Plane, levels: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Mottle lung and soft tissue with a field that turns slowly from slice to slice."""
    size = planes.shape[-1]
    lung, soft = np.float32(rng.uniform(12.0, 36.0)), np.float32(rng.uniform(5.0, 16.0))
    gravity = np.linspace(-1.0, 1.0, size, dtype=np.float32)[:, None] * np.float32(rng.uniform(20.0, 80.0))
    first = _mottle(rng, size)
    second = first if len(levels) == 1 else _mottle(rng, size)
    for plane, level in zip(planes, levels, strict=True):
        turn = 9.0 * (level - levels.mean())
        mottle = np.float32(np.cos(turn)) * first + np.float32(np.sin(turn)) * second
        inside = (plane > LUNG[0]) & (plane < LUNG[1])
        mottle *= np.where(inside, lung, soft * (plane > -200.0))
        mottle += inside * gravity
        plane += mottle


def _mottle(rng: np.random.Generator, size: int) -> Plane:
    """A smooth random field of unit variance, up to 48 cycles a picture: the same at any size."""
    down, across = np.fft.fftfreq(96, 1 / 96)[:, None], np.arange(48)[None, :]
    shape = (1.0 + (down**2 + across**2) / 14.0**2) ** -0.9
    shape *= size * size / np.sqrt(4.0 * (shape**2).sum())
    waves = rng.standard_normal((96, 48, 2), dtype=np.float32).view(np.complex64)[..., 0]
    waves *= shape.astype(np.float32)
    keep = min(48, size // 2)
    spread = np.zeros((size, size // 2 + 1), np.complex64)
    spread[:keep, :keep] = waves[:keep, :keep]
    spread[-keep + 1 :, :keep] = waves[-keep + 1 :, :keep]
    field: Plane = fft.irfft2(spread, s=(size, size))
    return field


def _scan(planes: Plane, scanner: Scanner, rng: np.random.Generator) -> Pixels:
    """Blur as the scanner's kernel does, add noise of the kernel's own grain, window to 0..255."""
    size = planes.shape[-1]
    frequency, vertical = _frequencies(size)
    cycles = frequency * np.float32(size)
    # Lengths are in half pictures; the blur is physical, so fine pictures resolve more.
    passed = np.exp(-2.0 * (np.pi * cycles * scanner.blur / 2.0) ** 2)
    passed *= 1.0 + scanner.lift * (1.0 - np.exp(-((cycles / 40.0) ** 2)))
    grain = np.sqrt(frequency + 0.02) * np.exp(-((frequency / scanner.pitch) ** 2))
    grain *= 1.0 + scanner.streak * vertical
    passed, grain = passed.astype(np.float32), grain.astype(np.float32)
    grain *= np.float32(scanner.noise * size * size / (2.0 * np.sqrt(float((grain**2).sum()))))
    result = np.empty(planes.shape, np.uint8)
    slope = np.float32(255.0 / (scanner.high - scanner.low))
    outside = _outside(size) if scanner.circle else None
    for plane, out in zip(planes, result, strict=True):
        waves = fft.rfft2(plane) * passed
        waves += grain * rng.standard_normal((*grain.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
        picture = fft.irfft2(waves, s=(size, size))
        if outside is not None:
            picture[outside] = -2000.0
        picture -= np.float32(scanner.low)
        picture *= slope
        np.rint(picture, out=picture)
        np.clip(picture, 0.0, 255.0, out=picture)
        out[...] = picture
    return result


@cache
def _frequencies(size: int) -> tuple[Plane, NDArray[np.bool_]]:
    """Cycles per pixel over the half plane, and which of its waves run up and down."""
    down, across = fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :]
    return np.hypot(down, across).astype(np.float32), np.abs(down) > 2.0 * across


@cache
def _outside(size: int) -> NDArray[np.bool_]:
    """Where a round field of view shows nothing."""
    axis = (np.arange(size) + 0.5) * (2.0 / size) - 1.0
    circle: NDArray[np.bool_] = axis[:, None] ** 2 + axis[None, :] ** 2 > 1.02
    return circle
