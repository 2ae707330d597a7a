"""The blind baseline: silent where members and holdout are alike, loud where they were made differently."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from whorl import appearance, images
from whorl.alterations import jpeg as as_jpeg
from whorl.appearance import Facts
from whorl.blind import TOGETHER, blind, margin, of_facts
from whorl.evidence.crossfit import RIDGE, crossfit, deal, labellings, normal_scores
from whorl.evidence.permutation import member_patients
from whorl.headers import Header
from whorl.metrics import auc
from whorl.records import ImageSet

SIDE = 64


def scans(seed: int, count: int) -> np.ndarray:
    """Pictures (count, 64, 64) of smooth shapes with grain."""
    random = np.random.default_rng(seed)
    shapes = gaussian_filter(random.normal(size=(count, SIDE, SIDE)), [0, 8, 8])
    grain = gaussian_filter(random.normal(size=(count, SIDE, SIDE)), [0, 0.7, 0.7])
    light = random.uniform(0.8, 1.2, (count, 1, 1))
    return np.clip(np.rint(110 * light + 1500 * shapes + 12 * grain), 0, 255).astype(np.uint8)


def named(pixels: np.ndarray, name: str) -> ImageSet:
    made = images.load(pixels, name=name)
    return replace(made, patients=tuple(f"{name} {row}" for row in range(len(made))))


def blurred(pixels: np.ndarray) -> np.ndarray:
    return np.rint(gaussian_filter(pixels.astype(np.float32), [0, 0.5, 0.5])).astype(np.uint8)


def cropped(pixels: np.ndarray) -> np.ndarray:
    inside = (Image.fromarray(one[4:-4, 4:-4]) for one in pixels)
    return np.stack([np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for one in inside])


DIFFERENCES = {
    "JPEG 85": lambda pixels: as_jpeg(pixels, 85),
    "JPEG 75": lambda pixels: as_jpeg(pixels, 75),
    "blurred": blurred,
    "3 % brighter": lambda pixels: np.clip(np.rint(pixels * 1.03), 0, 255).astype(np.uint8),
    "another crop": cropped,
}


def noise(seed: int, patients: int, slices: int) -> tuple[list[Facts], np.ndarray, list[str]]:
    """Facts in which nothing tells sides apart; slices of a patient agree."""
    random = np.random.default_rng(seed)
    tables = [
        np.repeat(random.normal(size=(patients, width)), slices, axis=0)
        + 0.3 * random.normal(size=(patients * slices, width))
        for width in (3, 12, 20)
    ]
    used = np.isin(np.arange(patients), random.permutation(patients)[: patients // 2])
    owners = [f"P{row // slices}" for row in range(patients * slices)]
    facts = [
        Facts(f"kind {table.shape[1]}", "", tuple(map(str, range(table.shape[1]))), table) for table in tables
    ]
    return facts, np.repeat(used, slices), owners


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    return scans(1, 50), scans(2, 50)


@pytest.mark.parametrize("slices", [1, 4])
def test_silent_where_nothing_differs(slices):
    audits = 70
    found = [of_facts(*noise(seed, 24, slices), seed=seed, permutations=99) for seed in range(audits)]
    alarms = sum(bool(each.confounded(0.05)) for each in found)
    assert alarms <= binom.ppf(0.999, audits, 0.05)
    alone = [one.p_value for each in found for one in each.families]
    assert 0.4 < np.mean(alone) < 0.6
    covered = np.mean([one.auc.low <= 0.5 <= one.auc.high for each in found for one in each.families])
    assert covered > 0.88


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_another_making_is_noticed(pair, difference):
    members, holdout = DIFFERENCES[difference](pair[0]), pair[1]
    found = blind(named(members, "m"), named(holdout, "h"), permutations=199)
    assert found.confounded(0.05)
    assert max(one.auc.estimate for one in found.families) > 0.8
    assert "without any generated picture" in found.sentence()


def test_the_kind_of_difference_is_named(pair):
    found = blind(named(as_jpeg(pair[0], 85), "m"), named(pair[1], "h"), permutations=199)
    compression = next(one for one in found.families if one.name == "compression")
    assert compression.p_adjusted <= 0.05 and compression.auc.estimate > 0.95
    assert compression.leading[0][0] == "JPEG grid at the corner"
    assert compression.leading[0][1] > compression.leading[0][2]
    assert "compression" in found.sentence()


def test_pictures_of_one_making_are_alike(pair):
    found = blind(named(pair[0], "m"), named(pair[1], "h"), permutations=199)
    assert not found.confounded(0.01)
    assert found.sentence() == "Without the generated pictures members cannot be told from the holdout."


def test_same_numbers_again_and_others_for_another_seed():
    asked = noise(3, 30, 2)
    first, again, other = (of_facts(*asked, seed=seed, permutations=49) for seed in (0, 0, 1))
    assert np.array_equal(first.scores, again.scores) and first.families == again.families
    assert not np.array_equal(first.scores, other.scores)


def test_refitting_is_what_a_plain_fit_on_every_labelling_gives():
    facts, used, owners = noise(5, 20, 3)
    facts[0].table[used] += 0.8
    patient, is_member = member_patients(used, owners)
    found = crossfit([facts[0].table], patient, is_member, permutations=60, seed=4)
    assert found is not None
    table, folds = normal_scores(facts[0].table), deal(is_member, 4)
    labels = np.concatenate([is_member[None], *labellings(is_member, folds, 60, 4)])
    home = folds[patient]
    plain = []
    for row in labels:
        truth, scores = row[patient], np.zeros(len(table))
        for fold in range(5):
            train = table[home != fold]
            design = np.column_stack([np.ones(len(train)), train])
            penalty = np.diag([0.0, *[RIDGE * len(train)] * table.shape[1]])
            weights = np.linalg.solve(design.T @ design + penalty, design.T @ truth[home != fold])
            own = table[home == fold] @ weights[1:]
            scores[home == fold] = (own - own.mean()) / own.std()
        plain.append(scores[truth].mean() - scores[~truth].mean())
        if row is labels[0] or np.array_equal(row, is_member):
            assert np.allclose(scores, found.scores[:, 0], atol=1e-4)
    assert found.p_value[0] == pytest.approx(np.mean(np.asarray(plain) >= plain[0] - 1e-6))


def test_labels_stay_balanced_in_every_fold():
    is_member = np.arange(40) % 3 == 0
    folds = deal(is_member, 0)
    for row in np.concatenate(list(labellings(is_member, folds, 50, 0))):
        assert np.array_equal(np.bincount(folds[row]), np.bincount(folds[is_member]))


def test_no_picture_helps_to_judge_itself():
    random = np.random.default_rng(0)
    table = random.normal(size=(40, 60))  # more facts than pictures: a fit on all would be perfect
    found = of_facts(
        [Facts("any", "", tuple(map(str, range(60))), table)], np.arange(40) < 20, [*map(str, range(40))]
    )
    assert 0.25 < found.families[0].auc.estimate < 0.75
    assert found.families[0].inflation > 1


def test_facts_that_never_vary_say_nothing():
    facts = [Facts("flat", "", ("one", "two"), np.ones((30, 2)))]
    found = of_facts(facts, np.arange(30) < 15, [*map(str, range(30))], permutations=99)
    assert [one.auc.estimate for one in found.families] == [0.5, 0.5]
    assert all(one.p_value == one.p_adjusted == 1 for one in found.families)
    assert not found.confounded()


def header(kind: str, **more) -> Header:
    return Header(kind, "64×64", "8 bits, grey", bytes_per_pixel=0.5, **more)


def test_files_tell_too(pair):
    members, holdout = (named(pixels[:20], name) for pixels, name in zip(pair, "mh", strict=True))
    alike = blind(members, holdout, [header("PNG")] * 20, [header("PNG")] * 20, permutations=99)
    assert next(one for one in alike.families if one.name == "file").p_value == 1
    made = [header("DICOM", software="Maker A")] * 20
    apart = blind(members, holdout, made, [header("DICOM", software="Maker B")] * 20, permutations=99)
    told = next(one for one in apart.families if one.name == "file")
    assert told.auc.estimate == 1 and told.p_adjusted <= 0.05
    assert "Maker" in told.leading[0][0]
    assert "file" not in [one.name for one in blind(members, holdout, permutations=49).families]


def test_an_attack_must_beat_the_baseline():
    random = np.random.default_rng(2)
    used = np.arange(120) < 60
    owners = [*map(str, range(120))]
    table = random.normal(size=(120, 3))
    table[used] += 1.2
    found = of_facts([Facts("shift", "", ("a", "b", "c"), table)], used, owners, permutations=199)
    assert found.confounded()
    same = margin(found, found.scores[:, 0])
    assert same.low <= 0 <= same.high
    worse = margin(found, random.normal(size=120))
    assert worse.high < 0
    table[used] -= 1.2
    fair = of_facts([Facts("none", "", ("a", "b", "c"), table)], used, owners, permutations=199)
    attack = used + 0.3 * random.normal(size=120)
    better = margin(fair, attack)
    assert better.low > 0.3
    if not fair.confounded():
        assert better.estimate == pytest.approx(auc(attack, used) - 0.5)


def test_too_few_patients_say_so(pair):
    few = blind(named(pair[0][:1], "m"), named(pair[1][:5], "h"))
    assert few.families == () and few.scores.shape == (6, 0)
    assert not few.confounded() and "Too few patients" in few.sentence()


def test_only_all_together_can_be_named():
    found = of_facts(*noise(1, 20, 1), permutations=49)
    together = replace(found.families[-1], p_adjusted=0.001)
    assert together.name == TOGETHER
    said = replace(found, families=(*found.families[:-1], together)).sentence(0.002)
    assert "several facts taken together" in said


def test_facts_of_a_picture_do_not_depend_on_those_beside_it():
    pixels = scans(7, 70)
    whole = appearance.of_pixels(images.load(pixels, name="all"))
    part = appearance.of_pixels(images.load(pixels[60:], name="some"))
    for one, other in zip(whole, part, strict=True):
        assert np.allclose(one.table[60:], other.table)
        assert len(one.columns) == one.table.shape[1] and np.isfinite(one.table).all()


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 40, 90), (2, 25, 300)])
def test_any_shape_and_kind_of_pixels(shape):
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    pixels[0] = 17.0
    for one in appearance.of_pixels(images.load(pixels, name="any")):
        assert np.isfinite(one.table).all()
