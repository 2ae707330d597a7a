"""The organiser's side: real pictures and generators become an edition to publish and a sealed part.

Membership: patients are drawn into used and not used, generators trained on the used, as in 2023 and 2024.
Attribution: every generator is a model, some only in the test. Subsets: a generator per part of the patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from whorl.compare import Progress, silent
from whorl.forge import generators, sealing, splits
from whorl.forge.phantom import Pixels
from whorl.forge.publication import Half, Publication
from whorl.forge.sealing import Former, Home, Value
from whorl.forge.splits import Collection
from whorl.records import BadInput, ImageSet, Quarantined, digest_of

Question = Literal["membership", "attribution", "subsets"]
DEV_SHARE = 0.25
GUESSABLE = 2**48
# What a plan cannot say where another question is asked.
FOREIGN: Mapping[Question, tuple[str, ...]] = {
    "membership": ("unseen", "subsets"),
    "attribution": ("subsets", "dev_share"),
    "subsets": ("unseen", "dev_share"),
}
TRAINING = Path("sealed", "training")  # below the folder of an edition: checkpoints, pictures of samples


@dataclass(frozen=True)
class Plan:
    """What an edition asks and how large it is; generators as texts, counts for each generator."""

    generators: tuple[str, ...]
    question: Question = "membership"
    unseen: tuple[str, ...] = ()
    subsets: int | None = None
    dev_share: float | None = None
    generated: int = 1000
    dev_generated: int | None = None
    name: str = ""
    origin: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if self.question not in get_args(Question):
            raise BadInput(f"--question {self.question}: one of {', '.join(get_args(Question))}")
        if not self.generators:
            raise BadInput(f"--generator is missing; known: {', '.join(generators.GENERATORS)}")
        if self.generated < 1 or (self.dev_generated is not None and self.dev_generated < 1):
            raise BadInput("--generated and --dev-generated: give 1 or more")
        for option, most in (("name", 80), ("origin", 400), ("licence", 400)):
            if not getattr(self, option).isprintable() or len(getattr(self, option)) > most:
                raise BadInput(f"--{option}: one line of at most {most} printable characters is needed")
        object.__setattr__(self, "generators", tuple(map(generators.spelled, self.generators)))
        object.__setattr__(self, "unseen", tuple(map(generators.spelled, self.unseen)))
        for option in FOREIGN[self.question]:
            if getattr(self, option) not in (None, ()):
                raise BadInput(f"--{option.replace('_', '-')} does not go with --question {self.question}")
        _CHECKS[self.question](self)

    @property
    def models(self) -> tuple[str, ...]:
        """Every generator of an attribution edition, those only in the test last."""
        return (*self.generators, *self.unseen)

    @property
    def known(self) -> int:
        """How many pictures of each generator the development part holds."""
        return 250 if self.dev_generated is None else self.dev_generated


@dataclass(frozen=True)
class Organised:
    """What was written: folders, pictures of each part, and what to know."""

    edition: Path
    sealed: Path
    counts: dict[str, int]
    quarantined: tuple[Quarantined, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw of an edition: the plan, the real pictures, the seed, and where everything goes."""

    plan: Plan
    real: Collection
    seed: int
    out: Path
    progress: Progress

    def trained(self, specs: Sequence[str], rows: Sequence[splits.Rows]) -> Iterator[generators.Fitted]:
        """Yield a generator for each text, trained on its rows; fillers know all real pictures alike."""
        for place, (spec, own) in enumerate(zip(specs, rows, strict=True), start=1):
            self.progress("training", place - 1, len(specs))
            kind = generators.make(spec, background=self.real.pixels)
            kind = generators.kept(kind, self.out / TRAINING, self.progress)
            model = kind.fit(self.real.pixels[own], splits.small_seed(self.seed, f"training {place}"))
            generators.save_neural(model, self.out / "sealed" / "generators" / f"model_{place}")
            yield model
            self.progress("training", place, len(specs))

    def sampled(self, model: generators.Fitted, count: int, what: str) -> Pixels:
        """Return `count` new pictures of a generator, in random order."""
        self.progress(f"sampling {what}", 0, 1)
        made = model.sample(count, splits.small_seed(self.seed, f"sampling {what}"))
        self.progress(f"sampling {what}", 1, 1)
        return made[splits.stream(self.seed, f"order of {what}").permutation(count)]

    def publication(self, home: Home) -> Publication:
        """Return what writes the pictures of one edition."""
        told = {"origin": self.plan.origin, "licence": self.plan.licence}
        facts = {key: text for key, text in told.items() if text}
        return Publication(home, self.seed, self.progress, facts)


def organise(
    images: ImageSet,
    plan: Plan,
    out: Path,
    *,
    seed: int | None = None,
    former: Path | None = None,
    progress: Progress = silent,
) -> Organised:
    """Write OUT/edition to publish and OUT/sealed to keep; the test part of `former` becomes the dev part."""
    real = splits.collection(images)
    known = _former(plan, real, former, progress)
    if known:
        digests = {digest for one in known for digest in one.digests}
        owners = {owner for one in known for owner in one.owners}
        real = real.without(digests, owners, "in the test part of the former edition")
    facts: dict[str, Value] = {
        key: value for key, value in asdict(plan).items() if value is not None and value != ""
    }
    facts |= {"pictures": len(real), "patients": len(real.sizes)}
    facts |= {"real_digest": images.digest, "real_patients_digest": digest_of(list(real.owners))}
    facts |= {"former_answers_sha256": [one.commitment for one in known]} if known else {}
    plan_digest = digest_of(facts)
    again = sealing.begun(out)
    drawn = sealing.claim(out, plan_digest, seed)
    sealing.write_sealed(out, {"plan": plan_digest, "seed": drawn, "numpy": np.__version__, **facts})
    work = Draw(plan, real, drawn, out, progress)
    counts = _WAYS[plan.question](work, known)
    notes = [*images.notes, *real.notes]
    notes += ["the folder held this very edition already: written again from its seed"] if again else []
    notes += [_guessable(drawn)] if seed is not None and seed < GUESSABLE else []
    return Organised(out / "edition", out / "sealed", counts, images.quarantined, tuple(notes))


def _membership(work: Draw, former: Sequence[Former]) -> dict[str, int]:
    """Draw whole patients into used and not used, of dev and of test; train on all used; write each model."""
    plan, real = work.plan, work.real
    share = DEV_SHARE if plan.dev_share is None else plan.dev_share
    share = 0.0 if former else share
    shares = [(1 - share) / 2] * 2 + [share / 2] * 2  # test used, test not used, dev used, dev not used
    shares = shares if share else shares[:2]
    places = splits.draw(real.sizes, shares, splits.stream(work.seed, "sides"), "used and not used")
    part = places[real.groups]
    used = part % 2 == 0
    people = sorted({name for one in former for name in one.patients})
    named = splits.names(len(real.sizes) + len(people), splits.stream(work.seed, "patients"))
    neutral = dict(zip(people, named[len(real.sizes) :], strict=True))
    everywhere = sealing.homes(work.out, len(plan.generators))
    counts: dict[str, int] = {}
    models = work.trained(plan.generators, [np.flatnonzero(used)] * len(plan.generators))
    for place, (model, home) in enumerate(zip(models, everywhere, strict=True)):
        made = work.sampled(model, plan.generated, f"test {home.number}".strip())
        test = _half(real, np.flatnonzero(part < 2), used, named, made)
        dev = None
        if former:
            dev = _former_half(former[place], neutral)
        elif share:
            drawn = work.sampled(model, plan.known, f"dev {home.number}".strip())
            dev = _half(real, np.flatnonzero(part >= 2), used, named, drawn)
        counts |= work.publication(home).membership(plan.name, dev, test)
    if len(everywhere) > 1:
        name = plan.name or str(sealing.read_toml(everywhere[0].edition / "edition.toml")["name"])
        about: dict[str, Value] = {"name": name, "task": "membership", "models": len(everywhere)}
        sealing.write_about(work.out / "edition", about)
    return counts


def _attribution(work: Draw, former: Sequence[Former]) -> dict[str, int]:
    """Train every model on all real pictures; label the known ones for dev, mix all for the test."""
    plan, everyone = work.plan, np.arange(len(work.real))
    dev: dict[str, Pixels] = {}
    test: dict[str, Pixels] = {}
    models = work.trained(plan.models, [everyone] * len(plan.models))
    for place, model in enumerate(models, start=1):
        name = f"model_{place}"
        if place <= len(plan.generators):
            dev[name] = work.sampled(model, plan.known, f"dev {name}")
        test[name] = work.sampled(model, plan.generated, f"test {name}")
    return work.publication(sealing.homes(work.out, 1)[0]).attribution(plan.name, dev, test)


def _subsets(work: Draw, former: Sequence[Former]) -> dict[str, int]:
    """Split whole patients into subsets and train one generator on each."""
    plan, real, count = work.plan, work.real, work.plan.subsets or 5
    places = splits.draw(real.sizes, [1 / count] * count, splits.stream(work.seed, "subsets"), "the subsets")
    named = splits.names(len(real.sizes), splits.stream(work.seed, "patients"))
    rows = [np.flatnonzero(places[real.groups] == place) for place in range(count)]
    halves, test = {}, {}
    models = work.trained(plan.generators * count, rows)
    for place, model in enumerate(models):
        name = f"t{place + 1}"
        made = work.sampled(model, plan.known, f"dev {name}")
        halves[name] = _half(real, rows[place], np.ones(len(real), bool), named, made)
        test[name] = work.sampled(model, plan.generated, f"test {name}")
    return work.publication(sealing.homes(work.out, 1)[0]).subsets(plan.name, halves, test)


def _half(
    real: Collection, rows: splits.Rows, used: NDArray[np.bool_], named: Sequence[str], made: Pixels
) -> Half:
    return Half(
        real.pixels[rows],
        used[rows],
        tuple(named[real.groups[row]] for row in rows),
        tuple(real.origins[row] for row in rows),
        tuple(real.owners[row] for row in rows),
        made,
    )


def _former_half(former: Former, neutral: dict[str, str]) -> Half:
    patients = tuple(neutral[name] for name in former.patients)
    return Half(former.pixels, former.used, patients, former.origins, former.patients, former.generated)


def _former(plan: Plan, real: Collection, folder: Path | None, progress: Progress) -> tuple[Former, ...]:
    """Open the former edition and see that it goes with this one."""
    if folder is None:
        return ()
    given = [name for name in ("dev_share", "dev_generated") if getattr(plan, name) is not None]
    if given or plan.question != "membership":
        other = f"--{given[0].replace('_', '-')}" if given else f"--question {plan.question}"
        raise BadInput(f"--dev {folder}: the former test part is the development part; drop {other}")
    found = sealing.read_former(folder, progress)
    if len(found) != len(plan.generators):
        raise BadInput(f"--dev {folder}: has {len(found)} models, this edition {len(plan.generators)}")
    for one in found:
        sizes = [f"{width}×{height}" for _, height, width in (one.pixels.shape, real.pixels.shape)]
        if sizes[0] != sizes[1]:
            raise BadInput(
                f"--dev {folder}: has pictures of {sizes[0]}, the real ones are {sizes[1]}: use --size"
            )
    return found


def _guessable(seed: int) -> str:
    return (
        f"the seed {seed} is small enough to be guessed: whoever has the same real pictures can repeat the "
        "draw; leave --seed away for an edition that is judged"
    )


def _check_membership(plan: Plan) -> None:
    if plan.dev_share is not None and not 0.0 <= plan.dev_share < 1.0:
        raise BadInput(f"--dev-share {plan.dev_share}: give a share of the pictures from 0 to below 1")


def _check_attribution(plan: Plan) -> None:
    if len(plan.models) < 2:
        raise BadInput("--question attribution needs two models or more: repeat --generator or give --unseen")
    for spec in plan.models:
        if plan.models.count(spec) > 1:
            raise BadInput(f"'{spec}' is given twice: one generator cannot be told from itself")


def _check_subsets(plan: Plan) -> None:
    if len(plan.generators) > 1:
        raise BadInput("--question subsets takes one --generator, trained once for each subset")
    if plan.subsets is not None and plan.subsets < 2:
        raise BadInput(f"--subsets {plan.subsets}: give 2 or more")


_CHECKS = {"membership": _check_membership, "attribution": _check_attribution, "subsets": _check_subsets}
_WAYS = {"membership": _membership, "attribution": _attribution, "subsets": _subsets}
