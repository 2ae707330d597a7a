"""A scorer whose comparison is learnt: the relation network of Clef-CSE-GAN 2023."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from whorl.learning import devices, roles
from whorl.learning import relation as networks
from whorl.learning.deals import Pairs, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.relation import Form
from whorl.learning.workplace import ALONE, WHAT, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, Count, ImageSet, Problem, Scores

VERSION = 1
SIDE = 256


def network(
    problem: Problem,
    features: Callable[[ImageSet], Array],
    seed: int = 0,
    blocks: Sequence[int] = (3, 4, 23, 3),
    as_published: bool = False,
    judged: Count = 8,
    epochs: Count = 100,
    batch: Count = 8,
    rate: float = 1e-5,
    decay: float = 5e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Mean over the generated pictures of how much a learnt network says a query belongs to them.

    Problem with n queries and g groups -> Scores (n, g) in 0..1. Learnt on pairs of the development part:
    1 for used and generated, 0 for not used and generated. `as_published` puts a softmax over a batch of
    pairs, `judged` at a time: of one pair it is always 1, of eight never above 0.28.
    """
    limits = LIMITS[effort]
    form = Form(tuple(1 for _ in blocks) if effort == "tiny" else tuple(blocks), limits, as_published)
    side, size = min(SIDE, limits.side), min(batch, limits.batch)
    known = roles.membership(problem, side, features)
    made = known["generated"]
    deal = Pairs(((known["members"], made),), ((known["holdout"], made),), size, seed)
    real = len(known["members"]) + len(known["holdout"])
    used = np.isin(np.arange(len(known.pictures)), known["members"])
    weights = learn(
        Task(
            "relation",
            known.pictures,
            deal,
            min(epochs * per_epoch(real * len(made), size), limits.steps),
            seed,
            {"blocks": form.blocks, "as_published": as_published, "pace": [rate, decay]},
        ),
        lambda torch, course: networks.lesson(
            torch, course, networks.build(torch, form), form, used.tolist(), (rate, decay)
        ),
        workplace,
    )
    trained = loaded(lambda torch: networks.build(torch, form), weights, "network", workplace)
    own = outputs(trained.real, roles.sized(features(problem.queries), side), form.scale, workplace)
    columns = []
    for images in problem.generated.values():
        stack = roles.gathered({"generated": features(images)}, side).pictures
        columns.append(_means(trained, own, outputs(trained.made, stack, form.scale, workplace), judged))
    values = np.stack(columns, axis=1).astype(np.float32)
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))


def _means(trained: Any, real: Array, made: Array, judged: int) -> Array:
    """Mean over all generated pictures, in batches of so many pairs, (n,)."""
    torch = devices.torch_or_refusal(WHAT)
    where = next(trained.parameters()).device
    pairs, gallery = networks.judged(torch, trained, judged), torch.from_numpy(made).to(where)
    with devices.steady(torch, 1, 0), torch.inference_mode():
        found = [pairs(torch.from_numpy(one[None]).to(where), gallery).mean() for one in real]
        return np.asarray(torch.stack(found).float().cpu().numpy(), np.float64)
