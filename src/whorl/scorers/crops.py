"""Scorers on parts of pictures with trained networks: VCMI's matching and replacing patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whorl.learning import autoencoders as networks
from whorl.learning import devices, roles
from whorl.learning.autoencoders import Block
from whorl.learning.deals import Epochs, Together, per_epoch
from whorl.learning.effort import LIMITS, Effort, Limits
from whorl.learning.layers import on_scale
from whorl.learning.lessons import Learning, adam
from whorl.learning.loop import Batch, Course
from whorl.learning.workplace import ALONE, WHAT, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
TRANSDUCTIVE = ("matched", "replaced")
Features = Callable[[ImageSet], Array]
NOISE = 0.1  # spread of what is added while learning, on the scale -1 to 1
MARGIN = 0.5  # mean squared difference at which two crops are far enough apart
SLAB = 64


def matched(
    problem: Problem,
    features: Features,
    seed: int = 0,
    deviations: float = 1.0,
    epochs: Count = 800,
    batch: Count = 16,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Nearest generated crop, against how far two crops of one real picture lie apart, by a learnt embedding.

    Problem with n queries -> Scores (n, 1), above 0 = used. Crops have half the side; two of a query are
    pulled together in training, one of another query is pushed away. One place for all queries, another for
    their partners, a third for all generated.
    """
    limits = LIMITS[effort]
    side = min(networks.SIDE, limits.side)
    real = roles.gathered({"queries": features(problem.queries)}, side).pictures
    pool, size = np.arange(len(real)), min(batch, limits.batch)
    task = Task(
        "crops",
        real,
        Together((pool, pool), size, seed),
        min(epochs * per_epoch(len(real), size), limits.steps),
        seed,
        {"rate": rate, "narrow": limits.narrow},
    )
    weights = learn(task, lambda torch, course: _crop_lesson(torch, course, limits, rate), workplace)
    network = loaded(lambda torch: networks.encoder(torch, limits, "plain"), weights, "network", workplace)
    places = np.random.default_rng([seed, 6]).integers(0, side // 2 + 1, (3, 2)).tolist()
    queries = roles.sized(features(problem.queries), side)
    made = roles.sized(features(next(iter(problem.generated.values()))), side)
    own, partner, other = (
        outputs(network, _cut(stack, place, side // 2), networks.SIGNED, workplace).astype(np.float64)
        for stack, place in zip((queries, queries, made), places, strict=True)
    )
    apart = ((own - partner) ** 2).mean(axis=1)
    cut = apart.mean() - deviations * apart.std()
    nearest = np.asarray([((one - other) ** 2).mean(axis=1).min() for one in own])
    return one_column(problem, cut - nearest)


def replaced(
    problem: Problem,
    features: Features,
    seed: int = 0,
    blocks: Block = "plain",
    deviations: float = 2.0,
    epochs: Count = 200,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Whether a generated picture's bottom centre, put into a query, is made again better than real ones'.

    Problem with n queries -> Scores (n, 1), above 0 = used. An autoencoder of generated pictures and queries;
    the error is taken against the original, the cut is so many deviations below the mean of real donors.
    """
    limits = LIMITS[effort]
    side, size = min(networks.SIDE, limits.side), min(batch, limits.batch)
    stacks = {"queries": features(problem.queries)}
    stacks["generated"] = features(next(iter(problem.generated.values())))
    known = roles.gathered(stacks, side)
    shown = np.ones(len(known.pictures), np.int64)
    steps = min(epochs * per_epoch(len(shown), size), limits.steps)
    said = {"blocks": blocks, "rate": rate, "narrow": limits.narrow}

    def build(torch: Any) -> Any:
        return networks.several(torch, side, limits, blocks, 1)

    weights = learn(
        Task("replaced", known.pictures, Epochs(shown, size, seed), steps, seed, said),
        lambda torch, course: networks.plain_lesson(torch, course, build(torch), networks.SIGNED, rate),
        workplace,
    )
    network = loaded(build, weights, "network", workplace)
    real, made = (roles.sized(stack, side) for stack in stacks.values())
    among = _errors(network, real, real)
    np.fill_diagonal(among, among.mean(axis=1))
    cut = among.mean() - deviations * among.std()
    return one_column(problem, cut - _errors(network, real, made).min(axis=1))


def _crop_lesson(torch: Any, course: Course, limits: Limits, rate: float) -> Learning:
    """Return the lesson of crops; batches are (2, n): a picture, and another one to be told from it."""
    network = networks.encoder(torch, limits, "plain")
    half = course.pictures.shape[1] // 2

    def loss(batch: Batch) -> Any:
        own = on_scale(batch.pictures, networks.SIGNED)
        places = torch.randint(0, half + 1, (3, 2), generator=batch.noise).tolist()
        crops = torch.cat([_cut(own[of], place, half) for of, place in zip((0, 0, 1), places, strict=True)])
        noise = torch.randn(crops.shape, generator=batch.noise).to(crops.device)
        anchor, positive, negative = network(crops + NOISE * noise).chunk(3)
        far = (anchor - negative).square().mean()
        return (anchor - positive).square().mean() + (MARGIN - far).clamp_min(0.0)

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate))


def _cut(stack: Any, place: list[int], half: int) -> Any:
    return stack[..., place[0] : place[0] + half, place[1] : place[1] + half]


def _errors(network: Any, real: Array, donors: Array) -> Array:
    """Mean squared error of every real picture with each donor's bottom centre in it, (n, donors)."""
    torch = devices.torch_or_refusal(WHAT)
    where, side = next(network.parameters()).device, real.shape[1]
    region = slice(side // 2, None), slice(side // 4, side // 4 + side // 2)
    others = on_scale(torch.from_numpy(np.array(donors)).to(where), networks.SIGNED)
    found = []
    with devices.steady(torch, 1, 0), torch.inference_mode():
        for one in real:
            own = on_scale(torch.from_numpy(np.array(one[None])).to(where), networks.SIGNED)
            row = []
            for some in others.split(SLAB):
                mixed = own.repeat(len(some), 1, 1, 1)
                mixed[:, :, region[0], region[1]] = some[:, :, region[0], region[1]]
                row.append((network(mixed) - own).square().mean((1, 2, 3)))
            found.append(torch.cat(row))
        return np.asarray(torch.stack(found).cpu().numpy(), np.float64)
