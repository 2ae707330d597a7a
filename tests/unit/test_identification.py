"""Known generators keep their name as often as promised, strangers are found, and order plays no part."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.base import clone

from whorl import identification, images, recipes
from whorl.estimators import GeneratorIdentifier
from whorl.evidence import conformal
from whorl.folding import folds
from whorl.forge import editions
from whorl.identification import FINGERPRINT, identify
from whorl.identifier import LEAST, Identifier
from whorl.library import Enrolled
from whorl.pipeline import Settings
from whorl.records import BadInput

COLUMNS = (5, 7)
CENTRES = {"red": (0.0, 0.0), "green": (4.0, 0.0), "blue": (0.0, 4.0)}  # the other ten columns are alike


def features(name: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Pictures of a Gaussian source with correlated columns."""
    table = random.normal(size=(count, sum(COLUMNS))) @ (np.eye(12) + 0.3)
    table[:, :2] += CENTRES[name]
    return table.astype(np.float32)


def enrolled(name: str, table: np.ndarray, groups=None) -> Enrolled:
    """A source as the library would hand it out."""
    own = sorted(CENTRES).index(name) if name in CENTRES else 9
    return Enrolled(
        name=name,
        blocks=tuple(np.split(table, [COLUMNS[0]], axis=1)),
        changes=tuple(np.zeros((0, width), np.float32) for width in COLUMNS),
        digests=tuple(
            f"{own:08x}{int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:8]):016x}{place:08x}"
            for place, row in enumerate(table)
        ),
        groups=np.arange(len(table)) if groups is None else groups,
        parts=("first", "second"),
        size=(32, 32),
        recipe=FINGERPRINT,
        fingerprint="none",
    )


def blocks(table: np.ndarray) -> list[np.ndarray]:
    return np.split(table, [COLUMNS[0]], axis=1)


def world(random: np.random.Generator, count: int = 100) -> Identifier:
    return Identifier([enrolled(name, features(name, count, random)) for name in CENTRES])


@pytest.fixture(scope="module")
def many() -> list[tuple[Identifier, dict[str, np.ndarray]]]:
    """Forty enrolments, each with the p-values of 150 new pictures of every source for that source."""
    found = []
    for seed in range(40):
        random = np.random.default_rng([7, seed])
        one = world(random)
        own = {}
        for place, name in enumerate(one.names):
            own[name] = one.compare(blocks(features(name, 150, random))).p_values[:, place]
        found.append((one, own))
    return found


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.10])
def test_known_pictures_are_refused_as_often_as_promised(many, alpha):
    rates = [np.mean(values < alpha) for _, own in many for values in own.values()]
    # The held-out scores of one enrolment are a draw as well as the new pictures.
    spread = np.sqrt(alpha * (1 - alpha) * (1 / 100 + 1 / 150) / len(rates))
    expected = np.ceil(alpha * 101 - 1e-9) / 101 - 1 / 101  # p-values come in steps of 1/101
    expected = max(expected, 1 / 101)
    assert abs(np.mean(rates) - expected) < 4 * spread + 0.1 * alpha


def test_a_folder_of_a_known_source_is_refused_as_often_as_promised(many):
    whole = [values for _, own in many for values in own.values()]
    parts = [part for values in whole for part in np.split(values, 5)]
    assert 0.02 < np.mean([conformal.folder_p_value(part, 100, 0) < 0.05 for part in parts]) < 0.08
    # A large folder rests on few held-out scores: as if they were independent, too many are refused.
    pooled = np.mean([conformal.folder_p_value(values, 100, 0) < 0.05 for values in whole])
    naive = np.mean([chi2.sf(-2 * np.log(values).sum(), 2 * len(values)) < 0.05 for values in whole])
    assert pooled < 0.1 and naive > pooled + 0.02


def test_the_null_of_a_folder_is_that_of_ranks():
    random = np.random.default_rng(0)
    held, new = random.normal(size=(3000, 20)), random.normal(size=(3000, 8))
    values = (1 + (held[:, None, :] >= new[:, :, None]).sum(axis=2)) / 21
    found = np.asarray([conformal.folder_p_value(row, 20, 1) for row in values])
    for alpha in (0.01, 0.1, 0.5):
        assert abs(np.mean(found <= alpha) - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / 3000) + 0.005


def test_folds_keep_groups_together_whatever_the_order():
    random = np.random.default_rng(3)
    groups = np.asarray([f"p{number}" for number in random.integers(0, 17, 60)])
    places = folds(groups, 5)
    assert all(len(set(places[groups == name])) == 1 for name in groups)
    assert set(places) == set(range(5)) and np.ptp(np.bincount(places)) <= 6
    order = random.permutation(60)
    np.testing.assert_array_equal(folds(groups[order], 5), places[order])


@pytest.mark.parametrize("columns", [slice(0, 2), slice(8, 12)], ids=["where they differ", "elsewhere"])
def test_a_stranger_is_unknown_and_the_block_is_named(columns):
    random = np.random.default_rng(5)
    one = world(random, 150)
    strange = features("red", 60, random)
    strange[:, columns] += 9.0
    found = one.compare(blocks(strange))
    assert np.mean(np.where(found.candidates, found.p_values, 0).max(axis=1) < 0.01) > 0.9
    assert np.mean(found.rarity.argmax(axis=1) == (0 if columns.start == 0 else 1)) > 0.9
    assert found.parts.max(axis=1).min() > 1.0


def test_names_are_right_and_order_makes_no_difference():
    random = np.random.default_rng(6)
    tables = {name: features(name, 60, random) for name in CENTRES}
    new = np.vstack([features(name, 20, random) for name in CENTRES])
    sources = [enrolled(name, table) for name, table in tables.items()]
    found = Identifier(sources).compare(blocks(new))
    truth = np.repeat(list(CENTRES), 20)
    assert np.mean(np.asarray(found.sources)[found.nearest] == truth) > 0.9
    turned = []
    for source in reversed(sources):
        order = random.permutation(60)
        turned.append(
            dataclasses.replace(
                source,
                blocks=tuple(block[order] for block in source.blocks),
                digests=tuple(source.digests[row] for row in order),
                groups=source.groups[order],
            )
        )
    order = random.permutation(60)
    again = Identifier(turned).compare(blocks(new[order]))
    np.testing.assert_array_equal(again.p_values, found.p_values[order])
    np.testing.assert_allclose(again.strangeness, found.strangeness[order], rtol=1e-9)


def test_pictures_of_one_patient_are_held_out_together():
    random = np.random.default_rng(8)
    rates = {"grouped": [], "alone": []}
    for _ in range(15):
        patients = random.normal(size=(30, 12)) * 3
        numbers = np.repeat(np.arange(20), 4)
        own = patients[numbers] + random.normal(size=(80, 12))
        new = np.repeat(patients[20:], 4, axis=0) + random.normal(size=(40, 12))
        for kind, groups in (("grouped", numbers), ("alone", None)):
            one = Identifier([enrolled("red", own.astype(np.float32), groups)])
            rates[kind].append(np.mean(one.compare(blocks(new.astype(np.float32))).p_values < 0.1))
    assert np.mean(rates["grouped"]) < 0.2 < np.mean(rates["alone"])


def test_what_cannot_be_calibrated_is_refused():
    random = np.random.default_rng(9)
    table = features("red", LEAST, random)
    with pytest.raises(BadInput, match="one patient"):
        Identifier([enrolled("red", table, np.zeros(LEAST, np.int64))])
    with pytest.raises(BadInput, match=f"'red' has {LEAST - 1} pictures"):
        Identifier([enrolled("red", table[1:])])


@pytest.mark.parametrize(("alpha", "least"), [(0.01, 100), (0.05, 20), (0.1, 10), (0.3, 3)])
def test_the_least_count_is_the_first_that_can_refuse(alpha, least):
    assert conformal.least_count(alpha) == least
    assert 1 / (least + 1) < alpha <= 1 / least + 1e-12


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """What three generators made, by name."""
    plan = editions.Plan(patients=16, slices=2, generated=48, size=64, seed=4)
    return {name: pixels[:48] for name, pixels in editions.make(plan).generated.items()}


@pytest.fixture(scope="module")
def fitted(made) -> GeneratorIdentifier:
    known = ("leaking", "interpolating")
    return GeneratorIdentifier(alpha=0.05).fit([made[name][:32] for name in known], known)


def test_the_estimator_names_generators_and_finds_a_stranger(made, fitted):
    assert list(fitted.classes_) == ["interpolating", "leaking"]
    for name in fitted.classes_:
        assert fitted.score(made[name][32:], [name] * 16) > 0.8
        assert fitted.identify(made[name][32:]).folder_answer == name
    found = fitted.identify(made["clean"])
    assert fitted.score(made["clean"], ["unknown"] * 48) > 0.8
    assert found.folder_answer == "unknown" and found.folder_p_value < 0.01
    unknown = found.answers.index("unknown")
    assert (
        "times the usual distance" in found.reasons[unknown]
        and found.nearest[unknown] in found.reasons[unknown]
    )


def test_a_mixture_is_called_one(made, fitted):
    bag = np.concatenate([made[name][32:] for name in ("leaking", "interpolating")])
    found = fitted.identify(bag)
    assert found.folder_answer == "mixed" and set(found.shares()) >= {"leaking", "interpolating"}
    assert sum(found.shares().values()) == 32 == len(found.to_frame())


def test_one_picture_alone_gets_the_answer_it_has_in_a_folder(made, fitted):
    bag = np.concatenate([made["clean"][:3], made["leaking"][32:35]])
    together = fitted.identify(bag)
    for row, picture in enumerate(bag):
        alone = fitted.identify(picture[None])
        assert alone.answers == (alone.folder_answer,) == (together.answers[row],)
        np.testing.assert_allclose(alone.p_values[0], together.p_values[row])


def test_saved_and_loaded_it_answers_the_same(made, fitted, tmp_path):
    loaded = GeneratorIdentifier.load(fitted.save(tmp_path / "known"), alpha=0.05)
    for pixels in made.values():
        one, other = fitted.identify(pixels[:20]), loaded.identify(pixels[:20])
        assert one.answers == other.answers and one.reasons == other.reasons
        np.testing.assert_array_equal(one.p_values, other.p_values)


def test_a_table_of_labels_does_as_well_as_a_list_of_sets(made, fitted):
    known = ("leaking", "interpolating")
    stack = np.concatenate([made[name][:32] for name in known])
    other = clone(fitted).fit(stack, np.repeat(known, 32))
    np.testing.assert_array_equal(other.p_values(made["clean"][:5]), fitted.p_values(made["clean"][:5]))
    assert other.get_params() == {"alpha": 0.05, "recipe": FINGERPRINT, "size": None, "seed": 0}


def test_too_few_pictures_cannot_tell_and_what_was_enrolled_says_nothing(made):
    few = GeneratorIdentifier().fit([made["leaking"][:12]], ["leaking"])
    found = few.identify(made["clean"][:6])
    assert set(found.answers) == {"cannot tell"} and found.p_value.min() == 1 / 13
    assert found.folder_answer == "unknown", "six together can be told where one cannot"
    assert few.identify(made["clean"][:1]).folder_answer == "cannot tell"
    assert any("needs 100 pictures or more" in note for note in found.notes)
    again = few.identify(made["leaking"][10:14])
    assert any(note.startswith("2 of the pictures were enrolled") for note in again.notes)


def test_what_is_asked_wrongly_is_told(made, fitted, tmp_path):
    with pytest.raises(BadInput, match="64×64: a fingerprint holds for one size"):
        fitted.identify(np.zeros((2, 48, 48), np.uint8) + np.arange(48, dtype=np.uint8))
    with pytest.raises(BadInput, match="call fit"):
        GeneratorIdentifier().predict(made["clean"])
    with pytest.raises(BadInput, match="no path"):
        GeneratorIdentifier().fit([made["clean"]], ["../clean"])
    with pytest.raises(BadInput, match="alpha 0"):
        GeneratorIdentifier(alpha=0).fit([made["clean"]], ["clean"])
    with pytest.raises(BadInput, match="48 sets of pictures and 1 names"):
        GeneratorIdentifier().fit(made["clean"], ["clean"])
    bag = images.load(made["clean"], name="bag")
    with pytest.raises(BadInput, match="takes no fingerprints"):
        identify(
            images=bag,
            sources=fitted.sources_,
            recipe=recipes.load("whorl.thumbnail"),
            settings=Settings(),
        )


def test_a_recipe_with_a_network_is_refused():
    with pytest.raises(BadInput, match="a library does not know weights of networks"):
        identification.version(recipes.load("whorl-fingerprint.mobilenet"))
