"""The organiser's other editions: several models, a former test as dev, attribution, subsets."""

from __future__ import annotations

import hashlib
import shutil
from itertools import pairwise

import numpy as np
import pytest

from organised import KERNELS, SEED, SMALL, pictures, rows, toml
from whorl.arrays import digest_of_picture
from whorl.challenge import editions
from whorl.forge import splits
from whorl.forge.organiser import Plan, organise
from whorl.records import BadInput, ImageSet


@pytest.fixture(scope="module")
def real():
    return pictures()


@pytest.fixture(scope="module")
def former(real, tmp_path_factory):
    out = tmp_path_factory.mktemp("former")
    organise(real, KERNELS, out, seed=SEED)
    return out


def test_several_models_share_the_split_but_no_names(real, tmp_path):
    plan = Plan(("kernels:bandwidth=0", "components:components=5"), **SMALL)
    organise(real, plan, tmp_path, seed=SEED)
    found = editions.read_all(tmp_path / "edition", answers=tmp_path / "sealed")
    truth, names = [], []
    for number, edition in enumerate(found, start=1):
        queries = edition.problem.queries
        assert queries.ids == tuple(f"real_unknown_{number}_{n:06d}.png" for n in range(1, 37))
        labels = [edition.answers.labels[one] for one in queries.ids]
        truth.append(dict(zip(queries.digests, labels, strict=True)))
        names.append(queries.digests)
        sealed = tmp_path / "sealed" / f"model_{number}" / "answers.csv"
        about = toml(tmp_path / "edition" / f"model_{number}" / "edition.toml")
        assert about["answers_sha256"] == hashlib.sha256(sealed.read_bytes()).hexdigest()
    assert truth[0] == truth[1] and names[0] != names[1]
    assert toml(tmp_path / "edition" / "edition.toml")["models"] == 2
    # The first model copies its members: of those of dev and of test, and of nobody else.
    first = found[0].problem
    made = {*first.generated["generated"].digests, *first.development.problem.generated["generated"].digests}
    used = {digest for digest, label in truth[0].items() if label == "used"}
    dev = first.development
    used |= {digest for digest, one in zip(dev.problem.queries.digests, dev.used(), strict=True) if one}
    assert made <= used and not made & ({*first.queries.digests, *dev.problem.queries.digests} - used)


def test_a_former_test_with_its_answers_becomes_the_development_part(former, real, tmp_path):
    # The collection has grown: the patients of the former test are not asked about again.
    everyone = pictures(48)
    done = organise(everyone, Plan(("quilt:patch=12",), generated=5), tmp_path, seed=SEED + 1, former=former)
    assert any("18 patients with 36 pictures are in the test part" in note for note in done.notes)
    before = editions.read(former / "edition", answers=former / "sealed" / "answers.csv")
    after = editions.read(tmp_path / "edition", answers=tmp_path / "sealed" / "answers.csv")
    dev = after.problem.development
    known = set(before.problem.queries.digests)
    assert set(dev.problem.queries.digests) == known and not known & set(after.problem.queries.digests)
    assert len(after.problem.queries) == 96 - 36
    old = {
        digest: before.answers.labels[one]
        for one, digest in zip(before.problem.queries.ids, before.problem.queries.digests, strict=True)
    }
    for one, digest in zip(dev.problem.queries.ids, dev.problem.queries.digests, strict=True):
        assert dev.answers.labels[one] == old[digest]
    made = before.problem.generated["generated"].digests
    assert sorted(dev.problem.generated["generated"].digests) == sorted(made)
    patients = set(dev.problem.queries.patients)
    assert len(patients) == 18 and not patients & set(after.answers.patients.values())


def test_other_pictures_of_former_patients_are_left_out_too(former, tmp_path):
    """The collection holds new pictures of the same patients, and one of the old ones shows that it is."""
    new, old = pictures(48, slices=3), pictures(48)
    pixels = np.concatenate([new.pixels, old.pixels[:48]])
    ids, patients = (*new.ids, *(f"old_{one}" for one in old.ids[:48])), (*new.patients, *old.patients[:48])
    both = ImageSet("real", ids, pixels, tuple(map(digest_of_picture, pixels)), patients)
    organise(both, Plan(("kernels",), generated=5), tmp_path, seed=SEED, former=former)
    asked = {
        row["origin_patient"]
        for row in rows(tmp_path / "sealed" / "origin.csv")
        if row["file"].startswith("test/")
    }
    before = {
        row["origin_patient"]
        for row in rows(former / "sealed" / "origin.csv")
        if row["file"].startswith("test/")
    }
    assert len(before) == 18 and asked == set(both.patients) - before
    strangers = ImageSet("other", new.ids, 255 - new.pixels, new.digests, new.patients)
    done = organise(strangers, Plan(("kernels",), generated=5), tmp_path / "b", seed=SEED, former=former)
    assert not any("left out" in note for note in done.notes), "the same names in another hospital"


def test_a_former_edition_that_does_not_fit_is_refused(former, real, tmp_path):
    forged = tmp_path / "forged"
    shutil.copytree(former, forged)
    answers = forged / "sealed" / "answers.csv"
    answers.write_text(answers.read_text().replace(",used,", ",not_used,", 1))
    cases = (
        (Plan(("quilt",), dev_share=0.5), former, pictures(48), "drop --dev-share"),
        (Plan(("quilt",), question="subsets"), former, pictures(48), "drop --question subsets"),
        (Plan(("quilt", "kernels")), former, pictures(48), "has 1 models, this edition 2"),
        (KERNELS, forged, pictures(48), "drop --dev-generated"),
        (Plan(("kernels",)), forged, pictures(48), "not the file that edition.toml commits to"),
        (Plan(("kernels",)), former, pictures(48, size=64), "use --size"),
        (Plan(("kernels",)), former / "edition", pictures(48), "no sealed/sealed.toml"),
    )
    for plan, folder, images, said in cases:
        with pytest.raises(BadInput, match=said):
            organise(images, plan, tmp_path / "out", former=folder)
    assert not (tmp_path / "out").exists()


def test_an_unseen_model_is_in_the_test_alone_and_nothing_says_which(real, tmp_path):
    plan = Plan(
        ("components:components=5", "kernels"),
        "attribution",
        ("copies:rate=0",),
        generated=20,
        dev_generated=3,
    )
    organise(real, plan, tmp_path, seed=SEED)
    assert {path.name for path in (tmp_path / "edition" / "dev").iterdir()} == {"model_1", "model_2"}
    found = editions.read(tmp_path / "edition", answers=tmp_path / "sealed" / "answers.csv")
    assert (found.problem.task, found.problem.count, len(found.problem.queries)) == ("attribution", 3, 60)
    labels = [found.answers.labels[one] for one in found.problem.queries.ids]
    assert {label: labels.count(label) for label in labels} == {f"model_{n}": 20 for n in (1, 2, 3)}
    changes = sum(one != other for one, other in pairwise(labels))
    assert 25 < changes < 55, "40 in a random order, 2 in a sorted one"
    about = (tmp_path / "edition" / "edition.toml").read_text()
    assert "unseen" not in about and "copies" not in about and "generators = 3" in about
    sealed = toml(tmp_path / "sealed" / "sealed.toml")
    assert [*sealed["generators"], *sealed["unseen"]] == list(plan.models)
    assert not list((tmp_path / "edition").rglob("real*"))


def test_subsets_are_whole_patients_and_a_generator_knows_its_own(real, tmp_path):
    plan = Plan(("kernels:bandwidth=0",), "subsets", subsets=3, generated=10, dev_generated=5)
    organise(real, plan, tmp_path, seed=SEED)
    found = editions.read(tmp_path / "edition", answers=tmp_path / "sealed" / "answers.csv")
    assert len(found.problem.queries) == 30 and found.problem.count == 3
    sets = found.problem.generated
    assert list(sets) == ["t1", "t2", "t3"] and [len(one) for one in sets.values()] == [16, 16, 16]
    owners = [set(one.patients) for one in sets.values()]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 24
    # Every generator copies pictures of its own subset: that is how the answers can be checked.
    for one, digest in zip(found.problem.queries.ids, found.problem.queries.digests, strict=True):
        assert [name for name, part in sets.items() if digest in part.digests] == [found.answers.labels[one]]
    origins = {row["file"]: row["origin_patient"] for row in rows(tmp_path / "sealed" / "origin.csv")}
    assert len(origins) == 48 and set(origins.values()) == set(real.patients)


def test_sides_of_equal_share_are_drawn_with_equal_chance():
    """The largest patient of 9 is on the first side as often as on the second; 200 draws, error 7."""
    sizes = [9, *range(1, 9)]
    first = sum(
        splits.draw(sizes, [0.5, 0.5], np.random.default_rng(seed), "sides")[0] == 0 for seed in range(200)
    )
    assert 75 < first < 125


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"generators": ()}, "--generator is missing; known: components"),
        ({"generators": ("kernel",)}, "did you mean 'kernels'"),
        ({"unseen": ("quilt",)}, "--unseen does not go with --question membership"),
        ({"subsets": 3}, "--subsets does not go with --question membership"),
        ({"dev_share": 1.0}, "--dev-share 1.0: give a share"),
        ({"dev_share": float("nan")}, "--dev-share nan: give a share"),
        ({"generated": 0}, "give 1 or more"),
        ({"name": "two\nlines"}, "--name: one line"),
        ({"question": "attribution"}, "needs two models or more"),
        ({"question": "attribution", "unseen": ("kernels:bandwidth=0.5",)}, "given twice"),
        ({"question": "attribution", "unseen": ("quilt",), "dev_share": 0.2}, "--dev-share does not go"),
        ({"question": "subsets", "generators": ("kernels", "quilt")}, "takes one --generator"),
        ({"question": "subsets", "subsets": 1}, "give 2 or more"),
    ],
)
def test_plans_that_cannot_be_are_refused_in_one_line(plan, said):
    with pytest.raises(BadInput) as caught:
        Plan(**{"generators": ("kernels",), **plan})
    assert said in str(caught.value) and "\n" not in str(caught.value)
