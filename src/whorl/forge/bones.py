"""The bones of a made-up chest as an axial slice shows them: hard rims with marrow inside."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from whorl.forge.anatomy import (
    BONE,
    CARTILAGE,
    CENTRE,
    FAT,
    IN_BODY,
    MARROW,
    MUSCLE,
    Patient,
    Row,
    blob,
    bump,
    mirrored,
    rod,
)


def scapula(patient: Patient, level: float, size: tuple[float, float], side: float) -> list[Row]:
    """One shoulder blade with its muscle; it ends in the lower half of the lungs."""
    grown = 1.0 - level / 0.58
    if grown <= 0.0:
        return []
    across, deep = size
    far = patient.traits["scapula"] * across
    middle = (side * far * 0.90, deep * 0.72)
    long = 0.12 + 0.10 * grown
    turn = (math.cos(0.85), side * math.sin(0.85))
    start = (middle[0] + side * long * turn[0], middle[1] - side * long * turn[1])
    end = (middle[0] - side * long * turn[0], middle[1] + side * long * turn[1])
    look = (1.0, 0.0, IN_BODY)
    muscle = blob(middle, (long + 0.06, 0.05 + 0.05 * grown), MUSCLE, tilt=-side * 0.85, look=look)
    return [muscle, rod(start, end, 0.015, BONE - 150.0), rod(start, end, 0.006, MARROW)]


def ribs(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """Cut ribs along the cavity's edge, sliding forwards as the level falls; hard rim, marrow within."""
    traits, (across, deep) = patient.traits, size
    phase = (level / 0.105 + traits["rib_phase"]) % 1.0
    rows: list[Row] = []
    for side in (-1.0, 1.0):
        shells: list[Row] = []
        cores: list[Row] = []
        for number in range(6):
            angle = 1.18 - 0.47 * (number + phase + 0.13 * side)
            if angle < -1.28:
                continue
            half = 0.10 + 0.045 * math.cos(1.3 * angle)
            turns = angle + half * np.linspace(-1.0, 1.0, 5)
            xs, ys = side * (across + 0.030) * np.cos(turns), CENTRE + (deep + 0.028) * np.sin(turns)
            points = list(zip(xs.tolist(), ys.tolist(), strict=True))
            soft = angle < -0.95  # near the breastbone ribs are cartilage
            thick = traits["rib_thick"] * min(1.0, (angle + 1.35) / 0.2)
            for one, two in pairwise(points):
                shells.append(rod(one, two, thick, CARTILAGE if soft else BONE))
                if not soft:
                    cores.append(rod(one, two, thick * 0.45, MARROW))
        rows += shells + cores
    return rows


def breastbone(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """Breastbone, with cartilage to its sides."""
    deep = size[1]
    y = CENTRE - deep - 0.022
    wide = 0.075 + 0.03 * bump(level, 0.2, 0.2)
    rows = [blob((0.0, y), (wide + 0.10, 0.045), MUSCLE)]
    joint = bump((level * 9.0 + patient.traits["rib_phase"]) % 1.0, 0.5, 0.35)
    if joint > 0.0:
        rows += [rod((x, y), (2.4 * x, y + 0.035), 0.022 * joint, CARTILAGE) for x, _ in mirrored(wide, y)]
    rows += [
        blob((0.0, y), (wide, 0.030), BONE - 220.0),
        blob((0.0, y), (wide - 0.014, 0.018), MARROW - 60.0),
    ]
    return rows


def spine(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """Vertebra: body, canal, arch and processes; discs between bodies come and go with the level."""
    deep, scale = size[1], patient.traits["spine"]
    top = CENTRE + deep * 0.66
    phase = math.cos(2.0 * math.pi * (level / 0.095 + patient.traits["rib_phase"]))
    bone = BONE - 60.0 - 160.0 * max(0.0, -phase)
    marrow = MARROW - 50.0 * max(0.0, -phase)
    out = 0.5 + 0.5 * phase
    canal = top + 0.135 * scale
    arch = canal + 0.055 * scale
    # Nothing of the back may stand out through the skin.
    skin = patient.traits["width"] * patient.traits["depth"] - 0.03
    bulk = min(0.11 * scale, skin - canal - 0.05)
    rows = [
        blob((0.0, canal + 0.05), (0.20 * scale, bulk), MUSCLE),
        blob((0.0, top + 0.03), (0.135 * scale, 0.105 * scale), MUSCLE - 20.0),
    ]
    for x, _ in mirrored(0.07 * scale, 0.0):
        rows.append(
            rod((x, top + 0.05), (1.05 * x, canal + 0.03), 0.020 * scale, bone - 100.0, 0.4 + 0.6 * out)
        )
        rows.append(rod((1.05 * x, canal + 0.03), (0.0, arch + 0.03), 0.019 * scale, bone))
        if out > 0.25:
            end = (x * (1.2 + 1.7 * out), canal + 0.055)
            rows.append(rod((x, canal + 0.02), end, 0.021 * scale, bone - 60.0))
            rows.append(rod((x, canal + 0.02), end, 0.010 * scale, marrow))
    tip = min(arch + 0.05 + 0.07 * (1.0 - out), skin - 0.02)
    rows.append(rod((0.0, arch + 0.02), (0.0, tip), 0.018 * scale, bone))
    outline = (0.0, 0.0, 0.03, 0.0, 0.0, -0.05, -0.02, 0.0)
    rows.append(blob((0.0, top), (0.118 * scale, 0.092 * scale), bone, outline=outline))
    rows.append(
        blob((0.0, top), (0.100 * scale, 0.075 * scale), marrow, outline=outline, look=(1.0, 0.02, 0.0))
    )
    rows.append(blob((0.0, canal), (0.056 * scale, 0.047 * scale), FAT + 100.0))
    rows.append(blob((0.0, canal), (0.036 * scale, 0.030 * scale), 35.0))
    return rows
