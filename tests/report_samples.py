"""Planted outcomes for the tests of the report: numbers whose truth is known, pictures from a seed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from whorl.outcomes import Attack, Attribution, Audit, Cluster, CountChoice, Exposed, Peak, Separation
from whorl.records import Array, Interval, Measure, Quarantined

PANEL = (
    ("ruach.lbp", "Texture histograms, nearest by chi-square", 1.15),
    ("hive.phash", "Perceptual hash, smallest distance", 0.75),
    ("medgift.patch", "Local patches under correlation", 0.5),
    ("dcr.pixels", "Distance to the closest record", 0.3),
    ("density.ratio", "Density ratio of two Gaussian mixtures", 0.15),
    ("spectrum.radial", "Radial power spectrum", 0.0),
    ("glcm.haralick", "Co-occurrence features", -0.02),
    ("ssim.window", "Structural similarity, sliding window", 0.05),
)


def phantom(seed: int, side: int = 96, noise: float = 6.0) -> Array:
    """Return a chest-like picture: two dark lungs in a bright body, with noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    image = 30 + 150 * (((x / 0.9) ** 2 + (y / 0.95) ** 2) < 1)
    for sign in (-1, 1):
        centre = sign * (0.42 + 0.03 * random.standard_normal()), 0.05 * random.standard_normal()
        lung = ((x - centre[0]) / 0.27) ** 2 + ((y - centre[1]) / (0.6 + 0.05 * random.random())) ** 2 < 1
        image = image - 95 * lung * (1 + 0.15 * np.sin(9 * y + random.random()))
    spot = random.uniform(-0.5, 0.5, 2)
    image = image + 55 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 0.015)
    return np.clip(image + noise * random.standard_normal(image.shape), 0, 255).astype(np.float32)


def audit(
    verdict: str = "leak", real: int = 400, generated: int = 500, attacks: int = 5, seed: int = 7
) -> Audit:
    """Return an audit whose members score higher by the planted amount, or not at all without a leak."""
    random = np.random.default_rng(seed)
    members = real // 2
    is_member = np.arange(real) < members
    scale = {"leak": 1.0, "no evidence": 0.05, "cannot tell": 0.4}[verdict]
    panel = PANEL[:attacks]
    shift = np.array([planted for *_, planted in panel]) * scale
    values = random.standard_normal((real, len(panel))) + shift * is_member[:, None]
    values[: members // 20] += 2.5 * scale
    found = tuple(
        _attack(name, title, values[:, index], is_member) for index, (name, title, _) in enumerate(panel)
    )
    top = np.argsort(-values[:members, 0])[:30]
    nearest = random.integers(0, generated, (real, len(panel)))
    return Audit(
        verdict=verdict,
        sentence=SENTENCES[verdict],
        attacks=found,
        detectable_auc=0.581,
        alpha=0.05,
        ids=tuple(f"real/study_{row:04d}.png" for row in range(real)),
        roles=tuple("member" if one else "holdout" for one in is_member),
        patients=tuple(f"P{row // 2:04d}" for row in range(real)),
        values=values.astype(np.float32),
        nearest=nearest,
        generated_ids=tuple(f"generated/sample_{row:05d}.png" for row in range(generated)),
        exposed=tuple(
            Exposed(
                int(row),
                int(nearest[row, 0]),
                panel[0][0],
                float((values[members:, 0] >= values[row, 0]).mean()),
            )
            for row in top
        ),
        quarantined=(
            Quarantined("real/broken_01.png", "not a readable picture: the file ends after 812 bytes"),
            Quarantined("real/huge.tif", "121 million pixels: more than the limit of 64 million"),
        ),
        notes=("3 pictures occur twice among the members; each counts once.",),
        provenance=_provenance(real, members, generated),
        combined=_attack("combined.rank", "All attacks together (mean rank)", values.mean(axis=1), is_member),
    )


def audit_pictures(one: Audit, side: int = 96, noise: float = 6.0) -> dict[str, dict[int, Array]]:
    """Return pictures for the exposed rows: every third generated one is a near copy."""
    real = {item.row: phantom(item.row, side, noise) for item in one.exposed}
    generated = {}
    for rank, item in enumerate(one.exposed):
        other = phantom(10_000 + item.twin, side, noise)
        near = np.clip(real[item.row] + np.random.default_rng(rank).normal(0, 5, (side, side)), 0, 255)
        generated[item.twin] = near.astype(np.float32) if rank % 3 == 0 else other
    return {"real": real, "generated": generated}


def attribution(count: int = 4, pictures: int = 600, side: int = 64, seed: int = 3) -> Attribution:
    """Return pictures in clearly separate groups, each group with a grid of its own period."""
    random = np.random.default_rng(seed)
    group = np.sort(random.integers(0, count, pictures))
    angle = 2 * np.pi * group / count
    places = 6 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + random.standard_normal((pictures, 2))
    return Attribution(
        ids=tuple(f"bag/picture_{row:05d}.png" for row in range(pictures)),
        labels=tuple(f"generator {index + 1}" for index in group),
        confidence=random.uniform(0.4, 1, pictures),
        count=count,
        count_given=False,
        choices=tuple(_choice(tried, count) for tried in range(2, 11)),
        why=f"{count} groups separate best and stay the same in 97 of 100 resamplings.",
        coordinates=places,
        clusters=tuple(_cluster(index, group, side, random) for index in range(count)),
        measures=(
            Measure("adjusted Rand index", Interval(0.93, 0.9, 0.955), {"shuffled labels": 0.0}),
            Measure("accuracy after matching", Interval(0.97, 0.95, 0.982), {"largest group": 0.27}),
        ),
        quarantined=(Quarantined("bag/text.txt", "not a picture"),),
        notes=("All pictures were brought to 64×64.",),
        provenance=_provenance(0, 0, pictures) | {"command": "whorl attribute bag --seed 3"},
        separations=tuple(_separation(one, other) for other in range(count) for one in range(other)),
    )


def attribution_pictures(one: Attribution) -> dict[int, Array]:
    """Return the example pictures of every cluster."""
    return {index: phantom(index, 64) for cluster in one.clusters for index in cluster.examples}


def index_rows() -> list[dict[str, object]]:
    """Return four generators with a verdict and the truth each."""
    return [
        {
            "name": "Copier",
            "made": "copies one training picture in five, with noise",
            "truth": "leaks",
            "verdict": "leak",
            "sentence": "Members score higher.",
            "auc": Interval(0.87, 0.84, 0.9),
            "p_value": 0.0004,
            "right": True,
            "href": "copier.html",
        },
        {
            "name": "Clean",
            "made": "never saw the members",
            "truth": "does not leak",
            "verdict": "no evidence",
            "sentence": "No attack does better than guessing.",
            "auc": Interval(0.51, 0.47, 0.55),
            "p_value": 0.61,
            "right": True,
            "href": "clean report.html",
        },
        {"name": "Small", "truth": "leaks a little", "verdict": "cannot tell", "href": "small.html"},
    ]


def index_attribution() -> dict[str, object]:
    """Return the attribution line of the overview."""
    return {
        "sentence": "600 pictures were divided among 4 generators.",
        "count": 4,
        "truth": 4,
        "ari": Interval(0.93, 0.9, 0.955),
        "href": "attribution.html",
    }


def hostile_audit(one: Audit, payload: str) -> Audit:
    """Return the audit with the payload in every field that holds free text."""
    attack = dataclasses.replace(one.attacks[0], recipe=payload, title=payload)
    provenance = {
        "command": payload,
        "seed": payload,
        "versions": {payload: payload},
        "digests": {payload: payload},
        "counts": dict(one.provenance["counts"]),
        "patients_known": True,
        "time": payload,
    }
    return dataclasses.replace(
        one,
        sentence=payload,
        attacks=(attack, *one.attacks[1:]),
        ids=tuple(payload for _ in one.ids),
        patients=tuple(payload for _ in one.patients),
        generated_ids=tuple(payload for _ in one.generated_ids),
        exposed=tuple(dataclasses.replace(item, recipe=payload) for item in one.exposed),
        quarantined=tuple(Quarantined(payload, payload) for _ in one.quarantined),
        notes=tuple(payload for _ in one.notes),
        provenance=provenance,
        combined=None
        if one.combined is None
        else dataclasses.replace(one.combined, title=payload, recipe=payload),
    )


def hostile_attribution(one: Attribution, payload: str) -> Attribution:
    """Return the attribution with the payload in every field that holds free text."""
    rename = {cluster.label: f"{payload}{index}" for index, cluster in enumerate(one.clusters)}
    return dataclasses.replace(
        one,
        ids=tuple(payload for _ in one.ids),
        labels=tuple(rename[label] for label in one.labels),
        clusters=tuple(
            dataclasses.replace(
                item, label=rename[item.label], peaks=(Peak(2, "both", 9, "pattern", payload),)
            )
            for item in one.clusters
        ),
        separations=tuple(
            Separation(rename[pair.one], rename[pair.other], ((payload, 1.0),)) for pair in one.separations
        ),
        measures=tuple(Measure(payload, item.interval, {payload: 0.0}) for item in one.measures),
        why=payload,
        quarantined=tuple(Quarantined(payload, payload) for _ in one.quarantined),
        notes=tuple(payload for _ in one.notes),
        provenance=dict(one.provenance)
        | {"command": payload, "versions": {payload: payload}, "digests": {payload: payload}},
    )


SENTENCES = {
    "leak": "Generated pictures give away which real pictures the generator was trained on: "
    "5 of 5 attacks rank members above holdout pictures.",
    "no evidence": "No attack tells members from holdout pictures better than guessing.",
    "cannot tell": "There are too few holdout patients to tell members from holdout pictures.",
}


def _attack(recipe: str, title: str, values: Array, is_member: Array) -> Attack:
    inside, outside = values[is_member], values[~is_member]
    auc = float((inside[:, None] > outside[None, :]).mean())
    error = 0.5 / np.sqrt(len(outside))
    found = float((inside > np.quantile(outside, 0.99)).mean())
    p_value = max(0.0002, 0.5 * math.erfc((auc - 0.5) / error * 1.96 / math.sqrt(2)))
    return Attack(
        recipe,
        title,
        Interval(auc, auc - error, auc + error),
        Interval(found, max(0.0, found - 0.03), found + 0.04),
        p_value,
        min(1.0, p_value * 8),
        0.581,
    )


def _choice(tried: int, count: int) -> CountChoice:
    away = abs(tried - count)
    return CountChoice(
        tried,
        0.68 * 0.82**away,
        max(0.2, 0.97 - 0.16 * away),
        0.02 if tried < count else 0.4,
        14.0 if tried < count else 3.1,
    )


def _cluster(index: int, group: Array, side: int, random: np.random.Generator) -> Cluster:
    y, x = np.mgrid[0:side, 0:side]
    period = (2, 4, 8, 3, 6, 5)[index % 6]
    pattern = 0.8 * np.cos(2 * np.pi * (x if index % 2 else y) / period)
    residual = pattern + random.normal(0, 0.4, (side, side))
    grid = np.abs(np.fft.fftshift(np.fft.fft2(pattern))) ** 2 / 40
    away = np.hypot(x - side / 2, y - side / 2) / side
    power = grid + 400 * np.exp(-(((away - 0.2) / 0.15) ** 2)) * random.gamma(60, 1 / 60, (side, side))
    rings = np.linspace(0.5 / 48, 0.5, 48)
    bump = np.exp(-(((rings - 1 / period) / 0.012) ** 2))
    radial = 2 + 4 * np.exp(-((rings - 0.2) ** 2) / 0.02) + 2.5 * bump
    size = int((group == index).sum())
    examples = tuple(int(row) for row in np.flatnonzero(group == index)[:8])
    found = (Peak(float(period), "horizontal", 14.0, "pattern", "probable cause: a planted grid"),)
    name = f"generator {index + 1}"
    return Cluster(name, size, examples, residual, np.log1p(power), radial, peaks=found[: index % 3])


def _separation(one: int, other: int) -> Separation:
    blocks = (("spectrum", 6.5), ("texture", 2.25))
    return Separation(f"generator {one + 1}", f"generator {other + 1}", blocks, ((5.9, 7.2), (1.6, 2.9)))


def _provenance(real: int, members: int, generated: int) -> dict[str, object]:
    return {
        "name": "planted sample",
        "counts": {
            "generated": generated,
            "members": members,
            "holdout": real - members,
            "member_patients": members // 2,
            "holdout_patients": (real - members) // 2,
        },
        "patients_known": True,
        "command": "whorl audit --generated generated --members real/used --holdout real/unused --seed 7",
        "seed": 7,
        "versions": {"whorl": "0.1.0", "numpy": "2.1.0"},
        "digests": {"members": "3f2a90cc41d8e6b7", "holdout": "90aa0c11b2d4e5f6"},
        "seconds": 41.5,
    }
