"""Neural generators: the same bytes from a seed, nothing lost when killed, and memory of their members."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest

from whorl.forge import generators, neural
from whorl.forge.phantom import draw_hospital
from whorl.learning.loop import Running
from whorl.records import BadInput

SIDE = 16
SPECS = (
    "vae:steps=6,threads=1",
    "vae:steps=3,threads=1,upsampling=bilinear",
    "gan:steps=6,threads=1",
    "gan:steps=3,threads=1,upsampling=nearest",
    "gan:steps=6,threads=1,objective=wasserstein,upsampling=shuffle",
    "diffusion:steps=6,threads=1,denoisings=3",
    "latent:steps=6,threads=1,denoisings=3",
)
EACH = (SPECS[0], SPECS[2], *SPECS[4:])


def phantoms(patients, seed):
    pixels = draw_hospital(patients=patients, slices=1, size=2 * SIDE, seed=seed).pixels
    return pixels.reshape(patients, SIDE, 2, SIDE, 2).mean((2, 4)).astype(np.uint8)


class Killed(Exception):
    """What ends a training in the middle."""


@pytest.fixture(scope="module")
def torch():
    pytest.importorskip("safetensors")
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def members():
    return phantoms(20, 3)


@pytest.fixture(scope="module")
def trained(torch, members):
    return {spec: generators.make(spec).fit(members, 5) for spec in SPECS}


def running(spec, **settings):
    return dataclasses.replace(generators.make(spec), running=Running(**settings))


def killed_after(step):
    def watch(moment):
        if moment.step == step:
            raise Killed

    return watch


def test_every_neural_kind_is_held_to_the_contract():
    kinds = {name for name, kind in generators.GENERATORS.items() if issubclass(kind, neural.Neural)}
    assert {spec.partition(":")[0] for spec in SPECS} == kinds
    for spec in SPECS:
        assert generators.make(generators.spelled(spec)) == generators.make(spec)


def test_without_torch_one_line_says_what_to_install(members, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for spec in EACH:
        with pytest.raises(BadInput) as caught:
            generators.make(spec).fit(members, 0)
        assert str(caught.value) == "this generator needs torch: pip install 'whorl[deep]'"


@pytest.mark.parametrize("spec", SPECS)
def test_samples_are_different_pictures_of_the_members_size(trained, spec):
    made = trained[spec].sample(7, 1)
    assert made.shape == (7, SIDE, SIDE) and made.dtype == np.uint8
    assert len({picture.tobytes() for picture in made}) == 7


@pytest.mark.parametrize("spec", SPECS)
def test_a_seed_decides_training_and_samples(members, trained, spec):
    before = members.copy()
    one, again, other = (trained[spec].sample(5, seed) for seed in (8, 8, 9))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert np.array_equal(generators.make(spec).fit(members, 5).sample(5, 8), one)
    assert not np.array_equal(generators.make(spec).fit(members, 6).sample(5, 8), one)
    assert np.array_equal(members, before)


@pytest.mark.parametrize("spec", EACH)
def test_a_killed_training_goes_on_and_ends_the_same(tmp_path, members, trained, spec):
    with pytest.raises(Killed):
        running(spec, folder=tmp_path, every=2, watch=killed_after(5)).fit(members, 5)
    steps = []
    model = running(spec, folder=tmp_path, every=2, watch=lambda moment: steps.append(moment.step)).fit(
        members, 5
    )
    assert steps == [5, 6], "it went on after the last checkpoint, that of step 4"
    assert np.array_equal(model.sample(6, 2), trained[spec].sample(6, 2))


def test_a_training_that_is_done_is_not_done_again(tmp_path, members, trained):
    steps = []
    for _ in range(2):
        kind = running(SPECS[0], folder=tmp_path, watch=lambda moment: steps.append(moment.step))
        made = kind.fit(members, 5).sample(4, 1)
    assert steps == [1, 2, 3, 4, 5, 6]
    assert np.array_equal(made, trained[SPECS[0]].sample(4, 1))


def test_a_damaged_checkpoint_is_not_used(tmp_path, members, trained):
    with pytest.raises(Killed):
        running(SPECS[0], folder=tmp_path, every=2, watch=killed_after(3)).fit(members, 5)
    (numbers,) = tmp_path.rglob("*.safetensors")
    content = bytearray(numbers.read_bytes())
    content[-5] ^= 1
    numbers.write_bytes(content)
    steps = []
    model = running(SPECS[0], folder=tmp_path, watch=lambda moment: steps.append(moment.step)).fit(members, 5)
    assert steps[0] == 1
    assert np.array_equal(model.sample(4, 2), trained[SPECS[0]].sample(4, 2))


def test_checkpoints_of_other_members_seeds_and_settings_lie_apart(torch, tmp_path, members):
    for spec, seed, own in ((SPECS[1], 5, members), (SPECS[1], 6, members), (SPECS[1], 5, members[1:])):
        running(spec, folder=tmp_path).fit(own, seed)
    running(f"{SPECS[1]},duplication=low", folder=tmp_path).fit(members, 5)
    assert len(list(tmp_path.iterdir())) == 4


def test_checkpoints_come_with_a_picture_of_samples(torch, tmp_path, members):
    from PIL import Image

    running(SPECS[2], folder=tmp_path, every=3).fit(members, 5)
    pictures = sorted(tmp_path.rglob("*.png"))
    assert [path.name for path in pictures] == ["samples-0000003.png", "samples-0000006.png"]
    with Image.open(pictures[0]) as picture:
        assert picture.size == (8 * SIDE, 8 * SIDE)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1, "those of the checkpoint before are gone"


def test_progress_is_told_with_loss_and_time_left(torch, members):
    told, moments = [], []
    kind = running(SPECS[0], progress=lambda *words: told.append(words), watch=moments.append)
    kind.fit(members, 5)
    assert told == [("training variational", step, 6) for step in range(1, 7)]
    assert all(np.isfinite(moment.loss) and moment.seconds_left >= 0 for moment in moments)
    assert moments[-1].seconds_left == 0


def test_training_leaves_torch_as_it_was(torch, members):
    torch.manual_seed(77)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    generators.make("vae:steps=1,threads=3").fit(members, 5).sample(1, 1)
    assert torch.equal(torch.random.get_rng_state(), before) and torch.get_num_threads() == threads


@pytest.mark.parametrize("spec", EACH)
def test_a_generator_read_from_disk_makes_the_same_pictures(tmp_path, trained, spec):
    generators.save(trained[spec], tmp_path)
    again = generators.load(tmp_path)
    assert again.kind == trained[spec].kind
    assert np.array_equal(again.sample(4, 3), trained[spec].sample(4, 3))


def test_what_is_no_whole_generator_is_refused(torch, tmp_path, trained):
    with pytest.raises(BadInput, match=r"generator\.json"):
        generators.load(tmp_path)
    generators.save(trained[SPECS[0]], tmp_path)
    facts = json.loads((tmp_path / "generator.json").read_text())
    (tmp_path / facts["file"]).write_bytes(b"something else")
    with pytest.raises(BadInput, match="save the generator again"):
        generators.load(tmp_path)


@pytest.mark.parametrize("shape", [(4, 16, 24), (4, 18, 18), (4, 8, 8), (1, 16, 16)])
def test_pictures_that_no_network_takes_are_refused(torch, shape):
    with pytest.raises(BadInput) as caught:
        generators.make("gan:steps=1").fit(np.zeros(shape, np.uint8), 0)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("spec", ["vae", "gan", "diffusion"])
def test_impossible_settings_and_draws_are_refused(spec):
    for entry in ("steps=-1", "threads=0", "size=large", "duplication=some", "device=tpu"):
        with pytest.raises(BadInput):
            generators.make(f"{spec}:{entry}")
    for entry in (
        "tolerance=0" if spec == "vae" else "denoisings=0" if spec == "diffusion" else "objective=x",
    ):
        with pytest.raises(BadInput):
            generators.make(f"{spec}:{entry}")


def test_duplication_shows_its_share_of_the_members_more_often():
    for duplication, (share, often) in neural.REPEATS.items():
        shown = neural.repeats(40, duplication, 7)
        assert (shown == often).sum() == (round(40 * share) if often > 1 else 40)
        assert set(shown) <= {1, often}
    assert not np.array_equal(neural.repeats(40, "high", 7), neural.repeats(40, "high", 8))


def test_repeated_members_are_remembered_more_than_others_and_these_more_than_strangers(torch):
    everyone = phantoms(48, 8)
    members, holdout = everyone[:24], everyone[24:]
    kind = generators.make("vae:steps=400,threads=1,tolerance=3,duplication=high")
    made = kind.fit(members, 1).sample(300, 2)
    table = [
        (one := picture.ravel().astype(float) - picture.mean()) / np.linalg.norm(one) for picture in made
    ]
    nearest = [
        max(np.corrcoef(real.ravel(), other)[0, 1] for other in table) for real in (*members, *holdout)
    ]
    often = neural.repeats(24, "high", 1) > 1
    own, strangers = np.asarray(nearest[:24]), np.asarray(nearest[24:])
    assert own[often].mean() > own[~often].mean() > strangers.mean()
