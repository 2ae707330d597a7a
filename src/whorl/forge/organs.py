"""What an axial slice of a made-up chest shows, as rows of shapes in the order they are painted."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from whorl.forge.anatomy import (
    AIR,
    CENTRE,
    COLUMNS,
    FAT,
    HEIGHT,
    IN_BODY,
    IN_LUNG,
    LUNG,
    MUSCLE,
    ROD,
    ROUND,
    Patient,
    Row,
    Rows,
    blob,
    bump,
    cavity,
    mirrored,
    rod,
)
from whorl.forge.bones import breastbone, ribs, scapula, spine

HEART = np.array((0.04, 0.0, 0.0, 0.03, 0.035, 0.0, 0.0, 0.0))  # pointed towards the apex
# Along and across the heart's axes, both half widths, and the share of contrast agent each holds.
CHAMBERS = (
    (0.42, 0.22, 0.36, 0.42, 1.0),
    (-0.22, -0.38, 0.40, 0.40, 0.8),
    (0.34, -0.48, 0.40, 0.24, 0.8),
    (-0.42, 0.40, 0.36, 0.36, 1.0),
)


def shapes(patient: Patient, level: float) -> Rows:
    """The rows of one slice, painted first to last; (shapes, COLUMNS)."""
    across, deep = (float(length) for length in cavity(patient.traits, level))
    size = (across, deep)
    outer = np.array(_table(patient) + _skin(patient, level) + _wall(patient, level, size))
    inner = np.array(
        _fissures(patient, level, size)
        + _lesions(patient, level)
        + _diaphragm(patient, level, size)
        + _mediastinum(patient, level, size)
        + _heart(patient, level, size)
        + _great_vessels(patient, level, size)
        + _airways(level)
        + ribs(patient, level, size)
        + breastbone(patient, level, size)
        + spine(patient, level, size)
    )
    return _lean(np.concatenate((outer, _vessels(patient, level), inner)), patient)


def _lean(rows: Rows, patient: Patient) -> Rows:
    """Turn and shift the whole slice as the patient lies on the table."""
    angle = patient.traits["lean"]
    offset = np.array((patient.traits["across"], patient.traits["along"]))
    turn = np.array(((math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))))
    rods = rows[:, 0] == ROD
    rows[:, 5:7] = rows[:, 5:7] @ turn + offset
    rows[rods, 7:9] = rows[rods, 7:9] @ turn + offset
    rows[~rods, 9] += angle
    return rows


def _table(patient: Patient) -> list[Row]:
    bend = patient.traits["table"]
    if bend < 0.0:
        return []
    low = patient.traits["width"] * patient.traits["depth"] + 0.05
    xs = np.linspace(-0.75, 0.75, 7)
    ys = low + 0.02 - 0.22 * bend * xs**2
    points = list(zip(xs.tolist(), ys.tolist(), strict=True))
    return [rod(one, two, 0.009, -420.0, 0.8) for one, two in pairwise(points)]


def _skin(patient: Patient, level: float) -> list[Row]:
    traits = patient.traits
    width = traits["width"] * (0.98 + 0.03 * level)
    depth = traits["width"] * traits["depth"]
    outline = patient.outlines[0].copy()
    outline[5] += 0.02  # flatter at the back, rounder in front
    outline[6] -= 0.035  # fuller shoulders and flanks than an ellipse
    rows = []
    swell = traits["breast"] * bump(level, 0.62, 0.5)
    for value, inset in ((-20.0, 0.0), (FAT, 0.013)):
        if swell > 0.0:
            axes = (0.22 * swell + 0.18 - inset, 0.16 * swell + 0.10 - inset)
            for side, place in zip((-1.0, 1.0), mirrored(0.50 * width, -0.74 * depth), strict=True):
                rows.append(blob(place, axes, value, tilt=side * 0.45))
        rows.append(blob((0.0, 0.0), (width - inset, depth - inset), value, outline=outline))
    if swell > 0.1:
        gland = (0.15 * swell, 0.08 * swell)
        for place in mirrored(0.54 * width, -0.80 * depth):
            look = (0.7, 0.06, IN_BODY)
            rows.append(blob(place, gland, 20.0, outline=4.0 * patient.outlines[5], look=look))
    return rows


def _wall(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """Muscles of the chest wall, the layer that holds the ribs, and the lungs themselves."""
    traits, (across, deep) = patient.traits, size
    bulk, outline = traits["muscle"], patient.outlines[1].copy()
    outline[6] -= 0.03
    rows = []
    high = max(0.0, 1.0 - level / 0.75)
    inside = (1.0, 0.0, IN_BODY)
    for side in (-1.0, 1.0):
        chest = (across * 0.52, 0.045 * bulk + 0.06 * high * bulk)
        flank = (0.045 * bulk + 0.02 * high, deep * 0.70)
        back, stretcher = (across * 0.5, 0.06 * bulk), (0.13, 0.085 * bulk)
        place = (side * across * 0.60, CENTRE - deep * 0.90)
        rows.append(blob(place, chest, MUSCLE, tilt=side * 0.38, look=inside))
        rows.append(blob((side * (across + 0.050), 0.10), flank, MUSCLE, tilt=side * 0.12, look=inside))
        rows.append(blob((side * across * 0.55, deep * 0.96), back, MUSCLE, tilt=-side * 0.42, look=inside))
        rows.append(blob((side * 0.15, deep + 0.03), stretcher, MUSCLE, tilt=-side * 0.2, look=inside))
        rows += scapula(patient, level, size, side)
    rows.append(blob((0.0, CENTRE), (across + 0.062, deep + 0.058), FAT, outline=outline, look=inside))
    rows.append(blob((0.0, CENTRE), (across + 0.052, deep + 0.050), MUSCLE - 10.0, outline=outline))
    value = LUNG + traits["density"]
    rows.append(blob((0.0, CENTRE), (across, deep), value, outline=outline))
    return rows


def _vessels(patient: Patient, level: float) -> Rows:
    """Lung vessels cut to the slab of this slice, brightening lung only."""
    tree, slab = patient.vessels, patient.traits["slab"] * HEIGHT
    middle = level * HEIGHT
    start, end = tree[:, 2], tree[:, 5]
    near = (np.minimum(start, end) < middle + slab) & (np.maximum(start, end) > middle - slab)
    tree = tree[near]
    rise = tree[:, 5] - tree[:, 2]
    rise = np.where(np.abs(rise) < 1e-6, 1e-6, rise)
    cuts = np.sort(
        np.stack(((middle - slab - tree[:, 2]) / rise, (middle + slab - tree[:, 2]) / rise)), axis=0
    )
    cuts = np.clip(cuts, 0.0, 1.0)[:, :, None]
    path = tree[:, 3:5] - tree[:, 0:2]
    rows = np.zeros((len(tree), COLUMNS))
    rows[:, 0] = ROD
    rows[:, 1] = 20.0 + 0.4 * max(0.0, patient.traits["contrast"])
    rows[:, 2] = 0.9
    rows[:, 4] = IN_LUNG
    rows[:, 5:7] = tree[:, 0:2] + cuts[0] * path
    rows[:, 7:9] = tree[:, 0:2] + cuts[1] * path
    thick = tree[:, 6:7] + cuts[:, :, 0].T * (tree[:, 7:8] - tree[:, 6:7])
    rows[:, 9:11] = thick
    rows[:, [6, 8]] += CENTRE
    return rows


def _fissures(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """The faint line between two lobes of each lung, further forward the lower the slice."""
    across, deep = size
    rows = []
    for side, delay in ((-1.0, 0.06), (1.0, 0.0)):
        y = CENTRE + deep * (1.1 - 2.0 * (level - delay)) * 0.8
        points = [
            (side * across * x, y + 0.06 * (x - 0.5) * patient.traits["heart"]) for x in (0.25, 0.6, 0.97)
        ]
        points[1] = (points[1][0], points[1][1] - 0.03)
        for one, two in pairwise(points):
            rows.append(rod(one, two, 0.0035, -650.0, 0.8, IN_LUNG))
    return rows


def _lesions(patient: Patient, level: float) -> list[Row]:
    rows = []
    for x, y, at, radius, value, strength, softness, *outline in patient.lesions:
        left = 1.0 - ((level - at) * HEIGHT / radius) ** 2
        if left > 0.02:
            here = radius * math.sqrt(left)
            look = (strength, softness, IN_LUNG)
            rows.append(blob((x, y + CENTRE), (here, here * 0.85), value, outline=outline, look=look))
    return rows


def _diaphragm(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """Liver dome, left dome below it, and fluid behind the lungs where a patient has it."""
    traits, (across, deep) = patient.traits, size
    rows = []
    value = 55.0 + 0.4 * max(0.0, traits["contrast"])
    for side, delay in ((-1.0, 0.0), (1.0, 0.07)):
        grown = (level - traits["liver"] - delay) / 0.2
        if grown > 0.0:
            grown = min(1.0, math.sqrt(grown))
            place = (side * across * 0.52, CENTRE - 0.04)
            axes = (across * 0.46 * grown, deep * 0.80 * grown)
            rows.append(blob(place, axes, value, outline=patient.outlines[2], look=(1.0, 0.02, 0.0)))
    fluid = traits["effusion"] * (0.4 + level)
    if fluid > 0.02:
        sides = (-1.0,) if traits["heart"] < 1.0 else (-1.0, 1.0)
        for side in sides:
            place = (side * across * 0.50, CENTRE + deep * 1.02)
            rows.append(
                blob(
                    place,
                    (across * 0.62, deep * (0.15 + fluid)),
                    8.0,
                    tilt=-side * 0.45,
                    outline=ROUND,
                    look=(1.0, 0.012, IN_LUNG),
                )
            )
    return rows


def _mediastinum(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """The fat between the lungs that the organs lie in."""
    _, deep = size
    wide = 0.15 + 0.5 * patient.traits["fat"]
    outline = patient.outlines[3]
    return [
        blob((0.01, CENTRE - 0.02), (wide + 0.008, deep * 0.62), MUSCLE - 30.0, outline=outline),
        blob((0.01, CENTRE - 0.02), (wide, deep * 0.61), FAT + 15.0, outline=outline),
        blob((0.0, CENTRE - deep * 0.66), (0.075, deep * 0.42), FAT + 25.0, outline=outline),
        blob((0.02, CENTRE + deep * 0.35), (0.12, deep * 0.30), FAT + 35.0, outline=outline),
    ]


def _heart(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    traits, deep = patient.traits, size[1]
    grown = math.sqrt(max(0.0, 1.0 - ((level - 0.80) / 0.36) ** 2)) * traits["heart"]
    if grown <= 0.05:
        return []
    tilt, outline = traits["heart_tilt"], patient.outlines[4] + HEART
    fit = grown * min(1.0, deep / 0.45)
    x, y = 0.10 * grown, CENTRE - deep * 0.26
    axes = (0.335 * fit, 0.235 * fit)
    fat = 0.012 + 0.15 * traits["fat"]
    agent = max(0.0, traits["contrast"])
    cos, sin = math.cos(tilt), math.sin(tilt)
    wrap = (axes[0] + fat, axes[1] + fat)
    rows = [
        blob((x, y), wrap, FAT + 10.0, tilt=tilt, outline=outline),
        blob((x, y), axes, 45.0 + 0.3 * agent, tilt=tilt, outline=outline),
    ]
    for along, over, long, short, share in CHAMBERS:
        u, v = axes[0] * along, axes[1] * over
        place, room = (x + u * cos - v * sin, y + u * sin + v * cos), (axes[0] * long, axes[1] * short)
        rows.append(blob(place, room, 42.0 + share * agent, tilt=tilt, look=(0.95, 0.025, 0.0)))
    groove = (x + 0.1 * axes[0] * cos + 0.75 * axes[1] * sin, y + 0.1 * axes[0] * sin - 0.75 * axes[1] * cos)
    rows.append(rod(groove, (x - 0.55 * axes[0] * cos, y - 0.55 * axes[0] * sin), 0.010, FAT + 60.0, 0.3))
    return rows


def _great_vessels(patient: Patient, level: float, size: tuple[float, float]) -> list[Row]:
    """Aorta, caval vein, pulmonary trunk, with contrast where the patient had it."""
    traits, deep = patient.traits, size[1]
    blood = 42.0 + max(0.0, traits["contrast"])
    girth = 0.062 * traits["aorta"]
    down = (0.115, CENTRE + deep * 0.52)
    up = (-0.035, CENTRE - deep * 0.36)
    rows = []
    arch = bump(level, 0.33, 0.045)
    if arch > 0.0:
        rows.append(rod(up, (down[0] + 0.01, down[1] - 0.06), girth * math.sqrt(arch), blood))
    if 0.31 < level < 0.70:
        rows.append(blob(up, (girth * 1.2, girth * 1.15), blood))
    if level > 0.31:
        rows.append(blob(down, (girth, girth), blood))
    else:
        rows += [blob((x, CENTRE - deep * 0.22), (0.032, 0.032), blood) for x in (-0.10, 0.015, 0.09)]
    if level < 0.66:
        rows.append(blob((-0.135, CENTRE - deep * 0.26), (0.042, 0.05), blood * 1.1))
    trunk = bump(level, 0.48, 0.075)
    if trunk > 0.0:
        thick = 0.058 * math.sqrt(trunk)
        start = (0.075, CENTRE - deep * 0.42)
        rows.append(rod(start, (0.13, CENTRE - 0.03), thick * 1.15, blood))
        rows.append(rod((0.09, CENTRE - deep * 0.2), (-0.20, CENTRE + 0.02), thick * 0.9, blood))
        rows.append(rod((0.13, CENTRE - 0.03), (0.22, CENTRE + 0.05), thick * 0.8, blood))
    for side in (-1.0, 1.0):
        hilum = bump(level, 0.53, 0.13)
        if hilum > 0.0:
            end = (side * (0.17 + 0.09 * hilum), CENTRE + 0.05 + 0.10 * (level - 0.5))
            rows.append(rod((side * 0.12, CENTRE + 0.03), end, 0.036 * math.sqrt(hilum), blood))
    return rows


def _airways(level: float) -> list[Row]:
    """Gullet, windpipe, and the main bronchi below its fork."""
    rows = [blob((0.045, CENTRE + 0.155), (0.030, 0.022), 30.0)]
    if level < 0.46:
        place = (-0.005, CENTRE + 0.035)
        rows += [blob(place, (0.050, 0.052), 20.0), blob(place, (0.040, 0.043), AIR)]
    elif level < 0.62:
        apart = 0.03 + 1.05 * (level - 0.46)
        for x, y in mirrored(apart, CENTRE + 0.05):
            rows += [blob((x, y), (0.040, 0.036), 0.0), blob((x, y), (0.030, 0.026), AIR)]
    return rows
