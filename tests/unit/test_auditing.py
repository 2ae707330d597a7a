"""Audits of planted truth: leaks are found, nothing is not mistaken for one, methods never see roles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from whorl import auditing, images, pipeline, recipes
from whorl.conclusions import Found, Rules, conclude, number
from whorl.executors import InProcess
from whorl.outcomes import Attack, Audit, NearCopy, WholeSet
from whorl.pipeline import Settings
from whorl.records import BadInput, ImageSet, Interval

THUMBNAIL = (recipes.load("whorl.thumbnail"),)
QUICK = Rules(alpha=0.05, permutations=199, draws=100)
SIDE = 16


def people(random: np.random.Generator, count: int, slices: int) -> np.ndarray:
    """Pictures (count * slices, 16, 16) of patients, each much like the others of the same patient."""
    whole = random.normal(size=(count, 1, SIDE, SIDE)) + 0.2 * random.normal(size=(count, slices, SIDE, SIDE))
    smooth = gaussian_filter(whole, [0, 0, 1.5, 1.5]).reshape(-1, SIDE, SIDE)
    return np.clip(np.rint(120 + 40 * smooth / smooth.std()), 0, 255).astype(np.uint8)


def pictures(name: str, pixels: np.ndarray, first: int = 0, slices: int = 1) -> ImageSet:
    """A set whose names and patients tell the role, as those of a careless hospital would."""
    made = images.load(pixels, name=name)
    patients = tuple(f"{name} {first + row // slices}" for row in range(len(made)))
    return replace(made, ids=tuple(f"{name}-{one}" for one in made.ids), patients=patients)


def question(seed: int, leak: float = 0.0, patients: int = 12, slices: int = 3, generated: int = 40):
    """Members, holdout, and generated pictures of which a share are noisy copies of members."""
    random = np.random.default_rng(seed)
    members, holdout = (people(random, patients, slices) for _ in range(2))
    made = people(random, generated, 1).astype(float)
    copies = round(leak * generated)
    sources = random.integers(0, len(members), copies)
    made[:copies] = members[sources]
    made = np.clip(made + random.normal(0, 5, made.shape), 0, 255).astype(np.uint8)
    return {
        "generated": pictures("generated", made),
        "members": pictures("members", members, slices=slices),
        "holdout": pictures("holdout", holdout, slices=slices),
    }, sources


def audit(asked: dict[str, ImageSet], rules: Rules = QUICK, panel=THUMBNAIL, **more) -> Audit:
    return auditing.audit(**asked, recipes=panel, settings=Settings(), rules=rules, **more)


def test_a_planted_leak_is_found_by_name():
    asked, sources = question(1, leak=0.5)
    found = audit(asked, Rules(permutations=999, draws=100))
    assert found.verdict == "leak" and found.attacks[0].auc.estimate > 0.6
    copied = set(sources.tolist())
    assert {entry.row for entry in found.exposed[:10]} <= copied
    for entry in found.exposed[:10]:
        assert found.roles[entry.row] == "member" and sources[entry.twin] == entry.row
    rarity = [entry.rarity for entry in found.exposed]
    assert rarity == sorted(rarity) and rarity[0] >= 0 and rarity[-1] <= 1


def test_without_a_leak_one_audit_in_twenty_at_most_says_there_is_one():
    questions = [question(seed, slices=6)[0] for seed in range(100, 200)]
    most = binom.ppf(0.999, len(questions), QUICK.alpha)
    assert [audit(asked).verdict for asked in questions].count("leak") <= most
    # The limit is one that an audit which forgets about patients does not keep.
    bare = [{name: replace(one, patients=None) for name, one in asked.items()} for asked in questions]
    alone = [audit(asked) for asked in bare]
    assert sum(found.attacks[0].p_adjusted <= QUICK.alpha for found in alone) > most
    assert "cannot tell" in {found.verdict for found in alone}  # the sides seem to differ in themselves


def test_a_planted_leak_is_found_again_and_again():
    found = [audit(question(seed, leak=0.5)[0]).verdict for seed in range(100, 110)]
    # So few patients can differ by chance in what no generator made: then nobody can tell.
    assert found.count("leak") >= 8 and "no evidence" not in found


def test_the_whole_panel_is_paid_for():
    asked, _ = question(3)
    panel = tuple(recipes.load(name) for name in ("whorl.thumbnail", "whorl.pixels", "whorl.neighbourhood"))
    alone = audit(asked)
    together = audit(asked, panel=panel)
    assert together.attacks[0].p_value == alone.attacks[0].p_value == alone.attacks[0].p_adjusted
    assert together.attacks[0].p_adjusted >= alone.attacks[0].p_adjusted
    np.testing.assert_array_equal(together.values[:, :1], alone.values)


class Spy:
    """Runs the jobs here and remembers what they were given."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def run(self, task, shared, jobs) -> Iterator[tuple[int, object]]:
        self.seen.append(shared)
        yield from InProcess().run(task, shared, jobs)


def test_methods_see_neutral_names_in_an_order_that_tells_nothing():
    asked, _ = question(5, leak=0.5)
    spy, other = Spy(), Spy()
    found = audit(asked, executor=spy)
    exchanged = audit({**asked, "members": asked["holdout"], "holdout": asked["members"]}, executor=other)
    (problem, _), (swapped, _) = spy.seen[0], other.seen[0]
    queries = problem.queries
    assert all(re.fullmatch(r"query \d+", name) for name in queries.ids)
    assert all(re.fullmatch(r"patient \d+", name) for name in queries.patients)
    assert (queries.quarantined, queries.notes) == ((), ())
    assert "member" not in queries.name and "holdout" not in queries.name
    assert problem.development is None and set(problem.generated) == {"generated"}
    # Nothing a method is given depends on which side is which: exchanged, it is the same problem.
    assert problem.digest == swapped.digest
    np.testing.assert_array_equal(queries.pixels, swapped.queries.pixels)
    np.testing.assert_allclose(
        found.attacks[0].auc.estimate, 1 - exchanged.attacks[0].auc.estimate, atol=1e-12
    )
    assert sorted(found.values[:, 0]) == sorted(exchanged.values[:, 0])


def test_scores_come_back_to_their_own_pictures(monkeypatch):
    asked, _ = question(6)

    def brightness(recipe, problem, settings):
        scores = original(recipe, problem, settings)
        return replace(
            scores, values=problem.queries.pixels.mean((1, 2), keepdims=False)[:, None].astype("f4")
        )

    original = pipeline.score
    monkeypatch.setattr(pipeline, "score", brightness)
    found = audit(asked)
    means = np.concatenate([asked[role].pixels.mean((1, 2)) for role in ("members", "holdout")])
    np.testing.assert_allclose(found.values[:, 0], means, rtol=1e-6)
    assert found.ids == (*asked["members"].ids, *asked["holdout"].ids)
    assert found.roles == ("member",) * 36 + ("holdout",) * 36


def test_the_order_of_the_files_changes_no_number():
    asked, _ = question(7, leak=0.3)
    order = np.random.default_rng(0).permutation(36)
    shuffled = {**asked, "members": images.select(asked["members"], order)}
    one, other = audit(asked), audit(shuffled)
    assert (one.verdict, one.attacks) == (other.verdict, other.attacks)
    np.testing.assert_array_equal(one.values[:36][order], other.values[:36])


def test_unknown_patients_are_said_to_make_p_values_small():
    asked, _ = question(8)
    bare = {name: replace(found, patients=None) for name, found in asked.items()}
    found = audit(bare)
    assert len(set(found.patients)) == 72 and not found.provenance["patients_known"]
    assert any("patients unknown" in note and "p-values too small" in note for note in found.notes)


def test_copies_among_the_generated_pictures_are_noted():
    asked, _ = question(9)
    pixels = asked["generated"].pixels.copy()
    pixels[3] = asked["holdout"].pixels[5]
    found = audit({**asked, "generated": pictures("generated", pixels)})
    [finding] = [one for one in found.hygiene if one.kind == "generated identical to real"]
    assert finding.severity == "stop" and finding.count == 1 and "holdout" in finding.sentence
    assert finding.examples[0][1].endswith("holdout-0005")
    assert found.values[36 + 5, 0] == pytest.approx(1, abs=1e-6)


def test_impossible_audits_are_refused():
    asked, _ = question(10)
    with pytest.raises(BadInput, match="share 36 of 36 pictures"):
        audit({**asked, "holdout": asked["members"]})
    with pytest.raises(BadInput, match="at least one recipe"):
        audit(asked, panel=())
    both = replace(asked["holdout"], patients=asked["members"].patients)
    with pytest.raises(BadInput, match="put all pictures of a patient on one side"):
        audit({**asked, "holdout": both})
    with pytest.raises(BadInput, match="attribution"):
        audit(asked, panel=(recipes.load("a24-aiml.lbp-ward"),))


def _attack(p_adjusted: float, auc: float = 0.6, detectable: float = 0.6) -> Attack:
    interval = Interval(auc, auc - 0.1, auc + 0.1)
    return Attack("system.variant", "title", interval, interval, p_adjusted / 2, p_adjusted, detectable)


MANY = (40, 40)
VERDICTS = {
    "a leak": ([0.002, 0.9], [0.9, 0.9], MANY, "leak", "traces of the members"),
    "a leak beside a shift": ([0.002, 0.9], [0.9, 0.001], MANY, "leak", "traces of the members"),
    "at the level": ([0.01], [0.9], MANY, "leak", "adjusted p 0.01"),
    "just above the level": ([0.0101], [0.9], MANY, "cannot tell", "weak sign"),
    "too few patients": ([0.3], [0.9], (2, 3), "cannot tell", "2 member and 3 holdout patients"),
    "holdout nearer": ([0.3, 0.4], [0.5, 0.01], MANY, "cannot tell", "holdout lies nearer"),
    "a weak sign": ([0.05, 0.8], [0.9, 0.9], MANY, "cannot tell", "weak sign"),
    "nothing": ([0.051, 0.8], [0.9, 0.9], MANY, "no evidence", "not a proof of safety"),
}


def _found(attacks, below, *, whole=1.0, copies=()):
    return Found(attacks, None, np.asarray(below), WholeSet(0.0, whole), copies)


@pytest.mark.parametrize("kind", VERDICTS)
def test_every_verdict_has_its_reason(kind):
    adjusted, below, sides, verdict, words = VERDICTS[kind]
    attacks = [_attack(p_value) for p_value in adjusted]
    found, sentence = conclude(_found(attacks, below), sides, Rules())
    assert found == verdict and words in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_near_copies_and_whole_sets_are_called_too():
    quiet = [_attack(0.4), _attack(0.5)]
    copy = NearCopy(0, 1, 0.9, 1e-6)
    verdict, sentence = conclude(_found(quiet, [0.9, 0.9], copies=[copy]), MANY, Rules())
    assert verdict == "leak" and "1 member picture has a near copy" in sentence
    verdict, sentence = conclude(_found(quiet, [0.9, 0.9], whole=0.005), MANY, Rules())
    assert verdict == "leak" and "as a set" in sentence
    verdict, sentence = conclude(_found(quiet, [0.9, 0.9], whole=0.03), MANY, Rules())
    assert verdict == "cannot tell" and "whole sets, adjusted p 0.03" in sentence


def test_an_audit_too_coarse_to_see_anything_cannot_tell():
    attacks = [_attack(0.4), _attack(0.5, detectable=0.76)]
    found, sentence = conclude(_found(attacks, [0.9, 0.9]), MANY, Rules())
    assert found == "cannot tell" and "0.76 or more" in sentence


def test_rules_that_cannot_be_are_refused_and_p_values_read_well():
    for wrong in ({"alpha": 0}, {"alpha": 1}, {"alpha": float("nan")}, {"permutations": 98}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            Rules(**wrong)
    assert [number(value) for value in (0.25, 0.034, 0.001, 0.0002)] == ["0.25", "0.034", "0.001", "2e-4"]
