"""The training loop: best checkpoint, early stop, resuming after a kill, and deals that a seed decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from whorl.learning import checkpoints
from whorl.learning.deals import Epochs, Together, per_epoch
from whorl.learning.loop import Course, Running, train
from whorl.records import BadInput

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
PICTURES = np.random.default_rng(0).integers(0, 255, (12, 4, 4), np.uint8)


class Killed(Exception):
    """What ends a training in the middle."""


class Line:
    """One weight drawn towards the mean grey level; its checks follow a script."""

    def __init__(self, script=()):
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(1, 1)
        self.networks = {"line": self.layer}
        self.optimisers = {"only": torch.optim.Adam(self.layer.parameters(), 0.01)}
        self.script, self.seen = list(script), []

    def step(self, batch):
        self.seen.append(batch.rows.tolist())
        grey = batch.pictures.float().mean((1, 2))[:, None] / 255
        noise = torch.randn(grey.shape, generator=batch.noise) / 100
        loss = (self.layer(grey + noise) - grey).square().mean()
        self.optimisers["only"].zero_grad()
        loss.backward()
        self.optimisers["only"].step()
        return loss.detach()

    def checked(self):
        return self.script.pop(0)

    def finished(self, weights):
        return weights


def course(**changes):
    deal = Epochs(np.ones(12, np.int64), 5, 3)
    made = Course("line", PICTURES, deal, 10, 3, "cpu", {"kind": "line"}, keep="last")
    return dataclasses.replace(made, **changes)


def killed_after(step):
    def watch(moment):
        if moment.step == step:
            raise Killed

    return watch


def test_the_best_checkpoint_is_kept_and_waiting_ends_the_training():
    moments = []
    lesson = Line([5.0, 3.0, 4.0, 6.0, 1.0])
    told = course(steps=10, keep="best", check_every=2, patience=2)
    found = train(torch, lesson, told, Running(watch=moments.append))
    assert [moment.step for moment in moments][-1] == 8, "two checks without a better one"
    assert moments[-1].best == 3.0
    _, kept = _followed(10)
    assert np.array_equal(found["line.weight"], kept[4]), "the weights of the best check, at step 4"


def _followed(steps):
    """A plain training, and its weights after every step."""
    lesson, kept = Line(), {}

    def watch(moment):
        kept[moment.step] = lesson.layer.weight.detach().numpy().copy()

    return train(torch, lesson, course(steps=steps), Running(watch=watch)), kept


def test_a_killed_training_goes_on_with_its_best_and_its_waiting(tmp_path):
    script = [5.0, 3.0, 4.0, 2.0, 6.0]
    told = course(keep="best", check_every=2, patience=2)
    whole = train(torch, Line(script), told, Running())
    with pytest.raises(Killed):
        train(torch, Line(script), told, Running(folder=tmp_path, every=3, watch=killed_after(7)))
    again = Line(script[3:])
    steps = []
    found = train(torch, again, told, Running(tmp_path, 3, watch=lambda moment: steps.append(moment.step)))
    assert steps == [7, 8, 9, 10]
    assert all(np.array_equal(found[key], whole[key]) for key in whole)


def test_a_training_that_is_done_leaves_its_network_alone(tmp_path):
    first = train(torch, Line(), course(), Running(folder=tmp_path, every=2))
    (folder,) = tmp_path.iterdir()
    assert checkpoints.read(folder, "state") is None
    assert len(list(folder.glob("*.safetensors"))) == 1
    lesson = Line()
    second = train(torch, lesson, course(), Running(folder=tmp_path))
    assert lesson.seen == [] and np.array_equal(first["line.weight"], second["line.weight"])


@pytest.mark.parametrize(
    "changes", [{"seed": 4}, {"steps": 9}, {"facts": {"kind": "other"}}, {"pictures": PICTURES[::-1].copy()}]
)
def test_a_training_is_named_by_all_that_it_depends_on(changes):
    assert course(**changes).digest != course().digest
    assert course().digest == course().digest


def test_a_loss_that_is_no_number_stops_in_words():
    lesson = Line()
    with torch.no_grad():
        lesson.layer.weight.fill_(float("nan"))
    with pytest.raises(BadInput, match="not a number after step 0"):
        train(torch, lesson, course(), Running())


def test_epochs_show_every_picture_as_often_as_told():
    deal = Epochs(np.asarray([1, 2, 1]), 4, 0)
    assert sorted(deal.rows(0).tolist()) == [0, 1, 1, 2]
    assert deal.rows(3).tolist() == deal.rows(3).tolist()
    assert per_epoch(9, 4) == 3 and per_epoch(1, 32) == 1


def test_together_deals_every_pool_to_its_place_and_no_picture_twice():
    members, others = np.arange(3), np.arange(3, 9)
    deal = Together((members, others, members), 3, 5)
    rows = np.stack([deal.rows(step) for step in range(40)])
    assert set(rows[:, 0].ravel()) == set(rows[:, 2].ravel()) == {0, 1, 2}
    assert set(rows[:, 1].ravel()) == set(range(3, 9))
    assert (rows[:, 0] != rows[:, 2]).all()
    assert all(sorted(one.tolist()) == [0, 1, 2] for one in rows[:, 0]), "an epoch shows each once"
    with pytest.raises(BadInput):
        Together((members, np.empty(0, np.int64)), 2, 0)
