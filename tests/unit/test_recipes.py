"""Recipe files: what they may say, how stages are inherited, and what is answered to a mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts import problems
from whorl import pipeline, recipes
from whorl.pipeline import Settings
from whorl.records import BadInput, Recipe

ABOUT = """
[about]
title = "A system"
year = 2024
reference = "A paper of 2024"
task = "membership"
fidelity = "our own"
"""
BASE = """
[base]
features = { step = "pixels.thumbnail", size = 16 }
similarity = "vectors.cosine"
pool = "maximum"
decide = "half"
"""


@pytest.fixture
def write(tmp_path: Path) -> object:
    """Return a function that writes a file with one variant and loads it."""

    def make(variant: str = "", base: str = BASE, about: str = ABOUT, name: str = "mine.toml") -> Recipe:
        file = tmp_path / name
        file.write_text(f"{about}\n{base}\n[variant.one]\n{variant}\n", encoding="utf-8")
        return recipes.load(f"{file}:one")

    return make


def said(recipe: Recipe) -> dict[str, object]:
    return {step.stage: (step.name, dict(step.parameters)) for step in recipe.steps}


def test_a_variant_takes_what_it_does_not_say_from_the_base(write) -> None:
    whole = write()
    assert whole.name == "mine.one"
    assert said(whole)["features"] == ("pixels.thumbnail", {"size": 16})
    other = write('features = "pixels.thumbnail"\nnote = "larger"')
    assert said(other)["features"] == ("pixels.thumbnail", {}), "an override replaces the whole stage"
    assert said(other)["similarity"] == said(whole)["similarity"]
    assert other.note == "larger"


def test_further_features_come_after_those_of_the_base_or_of_the_variant(write) -> None:
    def features(recipe: Recipe) -> list[str]:
        return [step.name for step in recipe.chain("features")]

    further = 'further = { step = "residual.predictor" }'
    assert features(write(further)) == ["pixels.thumbnail", "residual.predictor"]
    own = f'features = "texture.lbp"\n{further}'
    assert features(write(own)) == ["texture.lbp", "residual.predictor"]
    alone = BASE.replace('features = { step = "pixels.thumbnail", size = 16 }', "")
    assert features(write('further = ["texture.lbp", "residual.predictor"]', alone)) == [
        "texture.lbp",
        "residual.predictor",
    ]
    assert write(further).digest != write().digest


def test_a_scorer_takes_the_place_of_pooling_and_back(write) -> None:
    scored = write('scorer = "reconstruction.subspace"')
    assert "pool" not in said(scored)
    assert said(scored)["similarity"] == ("vectors.cosine", {})
    base = BASE.replace('pool = "maximum"', 'scorer = "reconstruction.subspace"')
    assert "scorer" not in said(write('pool = "mean"', base))
    calibrated = write('scorer = "reconstruction.subspace"', BASE + 'calibrate = "difference"')
    assert "calibrate" not in said(calibrated)


def test_words_do_not_enter_the_digest_and_steps_do(write) -> None:
    digest = write().digest
    assert write('note = "words"\nrun = "7"\nreported = { f1 = 0.5 }').digest == digest
    changes = (
        'features = { step = "pixels.thumbnail", size = 17 }',
        'decide = "two_means"',
        'prepare = "equalise"',
        'prepare = { step = "equalise", on = "queries" }',
        'pool = "mean"',
    )
    assert len({digest, *(write(change).digest for change in changes)}) == 6


@pytest.mark.parametrize(
    ("variant", "answer"),
    [
        ('featurs = "pixels.grey"', "unknown key variant.one.featurs; did you mean 'features'?"),
        ('pool = "maximun"', "no pool step is called 'maximun'; did you mean 'maximum'?"),
        ('features = "pixel.grey"', "no features step is called 'pixel.grey'; did you mean 'pixels.grey'?"),
        ('pool = { step = "kth", n = 3 }', "pool step 'kth' takes no parameter 'n'"),
        ('pool = { step = "top_mean", kk = 3 }', "takes no parameter 'kk'; did you mean 'k'?"),
        ('pool = { stop = "kth" }', "pool: a step needs its name"),
        ('pool = "vectors.cosine"', "no pool step is called 'vectors.cosine'"),
        ('pool = { step = "kth", seed = 3 }', "takes no parameter 'seed'"),
        ('prepare = { step = "equalise", on = "members" }', "prepare.equalise: on = 'members'"),
        ('pool = { step = "kth", on = "queries" }', "only prepare has it"),
        ('pool = "mean"\nscorer = "reconstruction.subspace"', "needs either a scorer or a pool step"),
        ("pool = 3", "pool"),
        ("features = []", "features"),
        ('fidelity = "approximation"', "an approximation must give its reason"),
        ('fidelity = "good"', "fidelity"),
        ('reported = { f1 = "high" }', "reported"),
        ('scorer = { step = "combine.vote", recipes = ["two"] }', "no variant 'two'; the file has: one"),
        ('scorer = { step = "combine.vote", recipes = ["one"] }', "is an ensemble itself"),
        ('scorer = "combine.vote"', "an ensemble must name its recipes"),
    ],
)
def test_a_mistake_is_answered_in_one_line(write, variant: str, answer: str) -> None:
    with pytest.raises(BadInput) as caught:
        write(variant)
    assert answer in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "about", "answer"),
    [
        (BASE.replace('decide = "half"', ""), ABOUT, "a recipe needs a decide step"),
        (BASE.replace('similarity = "vectors.cosine"', ""), ABOUT, "pooling needs features and a similarity"),
        ("", ABOUT, "a recipe needs a decide step"),
        (BASE, ABOUT.replace("year = 2024", ""), "about.year"),
        (BASE, ABOUT.replace('"A paper of 2024"', '""'), "about.reference"),
        (BASE, ABOUT.replace("membership", "counting"), "about.task"),
        (BASE, ABOUT + 'titel = "x"', "unknown key about.titel; did you mean 'title'?"),
        (BASE, "about = [", "not a TOML file"),
        (BASE.replace("[base]", "[bases]"), ABOUT, "unknown key bases; did you mean 'base'?"),
    ],
)
def test_a_mistake_in_the_head_is_answered_in_one_line(write, base: str, about: str, answer: str) -> None:
    with pytest.raises(BadInput) as caught:
        write("", base, about)
    assert answer in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variant", "answer"),
    [
        ('features = { step = "pixels.thumbnail", size = "16" }', "size = '16'"),
        ('features = { step = "pixels.thumbnail", size = 16.5 }', "size = 16.5"),
        ('features = { step = "pixels.thumbnail", size = 2024-01-01 }', "size"),
        ('decide = { step = "fixed", threshold = "high" }', "threshold = 'high'"),
        ('decide = { step = "tuned", metric = "f2" }', "metric = 'f2'"),
    ],
)
def test_a_wrong_type_is_answered_before_anything_is_scored(write, variant: str, answer: str) -> None:
    with pytest.raises(BadInput, match=answer):
        pipeline.score(write(variant), problems.membership().problem, Settings())


@pytest.mark.parametrize(
    "variant",
    [
        'pool = { step = "kth", k = 0 }',
        'pool = { step = "top_mean", k = 0 }',
        'features = { step = "pixels.thumbnail", size = 0 }',
        'features = { step = "pixels.thumbnail", size = -4 }',
        'prepare = { step = "crop", size = 0 }',
    ],
)
def test_an_impossible_number_is_answered_in_words(write, variant: str) -> None:
    with pytest.raises(BadInput):
        pipeline.score(write(variant), problems.membership().problem, Settings())


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("whorl.thumbnial", "did you mean 'whorl.thumbnail'?"),
        ("worl.thumbnail", "no system is called 'worl'; did you mean 'whorl'?"),
        ("whorl", "say which variant of whorl"),
        ("zzz.zzz", "`whorl recipes` lists them"),
        ("no/such.toml:one", "cannot read the recipe"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, answer: str) -> None:
    with pytest.raises(BadInput) as caught:
        recipes.load(name)
    assert answer in str(caught.value)


def test_a_changed_file_is_read_again_whatever_its_time_says(write, tmp_path: Path) -> None:
    write('pool = "maximum"')
    before = (tmp_path / "mine.toml").stat()
    (tmp_path / "mine.toml").write_text(f'{ABOUT}\n{BASE}\n[variant.one]\npool = "mean"\n')
    os.utime(tmp_path / "mine.toml", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert said(recipes.load(f"{tmp_path}/mine.toml:one"))["pool"] == ("mean", {})


@pytest.mark.parametrize("name", ["with.dots.toml", "with space.toml", "ümlaut.toml"])
def test_a_file_may_have_any_name(write, name: str) -> None:
    assert write(name=name).name == f"{name.removesuffix('.toml')}.one"


def test_bytes_that_are_no_text_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not a TOML file"):
        recipes.load(f"{tmp_path}/bytes.toml:one")
    with pytest.raises(BadInput, match="cannot read"):
        recipes.load(f"{tmp_path}/none.toml:one")


def test_a_chain_keeps_its_order(write) -> None:
    recipe = write('prepare = ["equalise", { step = "resize", size = 48, on = "generated" }]')
    assert [(step.name, step.on) for step in recipe.chain("prepare")] == [
        ("equalise", "both"),
        ("resize", "generated"),
    ]
