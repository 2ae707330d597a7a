"""What the two questions end in: an audit and an attribution, as plain frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whorl.blind import Blind
from whorl.confounders import Confounder
from whorl.evidence.rates import Recognition
from whorl.hygiene import Finding
from whorl.records import Array, Floats, Interval, Measure, Quarantined
from whorl.subgroups import Subgroup

Verdict = Literal["leak", "no evidence", "cannot tell"]
Word = Literal["release", "release with conditions", "cannot tell", "do not release"]


@dataclass(frozen=True)
class Attack:
    """One recipe's evidence: members against holdout.

    `tpr` is the share of members found at 1 % false alarms, `tpr_rare` at 0.1 %: nothing where the holdout
    has too few patients to show such a threshold; `p_value` counts permutations of whole
    patients; `p_adjusted` also pays for having tried the whole panel; `detectable_auc` is the smallest
    AUC that four such audits in five would have noticed; `weight` is its share in the combined attack.
    """

    recipe: str
    title: str
    auc: Interval
    tpr: Interval | None
    p_value: float
    p_adjusted: float
    detectable_auc: float
    weight: float | None = None
    tpr_rare: Interval | None = None


@dataclass(frozen=True)
class Exposed:
    """A real member picture with the generated picture nearest to it.

    `row` indexes the audit's real pictures, `twin` its generated ones (-1: none known); `rarity` is the
    share of holdout pictures that score at least as high under `recipe` (small = more exposed).
    """

    row: int
    twin: int
    recipe: str
    rarity: float


@dataclass(frozen=True)
class NearCopy:
    """A member and the generated picture that lies over it: `row` and `twin` as in `Exposed`.

    `likeness` is their correlation in detail; `q_value` bounds the share of false entries down to this one.
    """

    row: int
    twin: int
    likeness: float
    q_value: float


@dataclass(frozen=True)
class Remembered:
    """A member picture or patient on the list of those remembered: of such a list at most a share q is wrong.

    `name` is the picture's or the patient's; `q_value` bounds the share of false entries down to this one.
    """

    name: str
    p_value: float
    q_value: float


@dataclass(frozen=True)
class Remembrance:
    """Who is remembered: lists of pictures and patients, at most `q` of either by mistake.

    `possible` says whether a list could have held anything at all with this holdout.
    """

    q: float
    pictures: tuple[Remembered, ...]
    patients: tuple[Remembered, ...]
    possible: bool


@dataclass(frozen=True)
class PrivacyLoss:
    """A lower limit of ε (at `delta`) that holds with `confidence`; `strategy` chose the threshold."""

    epsilon: float
    delta: float
    confidence: float
    strategy: str


@dataclass(frozen=True)
class WholeSet:
    """Whether the set of members lies nearer to the generated pictures than the holdout does."""

    z: float
    p_adjusted: float


@dataclass(frozen=True)
class Planted:
    """Copies of known pictures hidden among the generated ones: how many, how many were named as near copies.

    `fewest` of them were enough for the first to be named; 0 where none was.
    """

    altered: str
    planted: int
    found: int
    fewest: int


@dataclass(frozen=True)
class Ruling:
    """One limit held against what was found; `holds` is None where the figure could not be computed."""

    limit: str
    allowed: float
    found: float | None
    holds: bool | None
    sentence: str
    word: Word
    condition: str = ""


@dataclass(frozen=True)
class Decision:
    """The one word about a release, the rule that led to it, and what is asked for."""

    word: Word
    sentence: str
    rulings: tuple[Ruling, ...]
    conditions: tuple[str, ...]
    policy: str


@dataclass(frozen=True)
class Gap:
    """One figure of the development part beside that of the test part, and what was lost between them.

    `protocol` says how the development part was scored; positive gaps mean that it promised too much.
    """

    protocol: str
    metric: str
    development: Interval
    test: Interval | None
    gap: Interval | None


@dataclass(frozen=True, eq=False)
class Audit:
    """Question 1 answered: is there evidence that the generator remembers its members?

    `values` and `nearest` are (real pictures, attacks); `roles` says `member` or `holdout`. `margin` is what
    the strongest attack's AUC has over that of the blind baseline.
    """

    verdict: Verdict
    sentence: str
    attacks: tuple[Attack, ...]
    detectable_auc: float
    alpha: float
    ids: tuple[str, ...]
    roles: tuple[str, ...]
    patients: tuple[str, ...]
    values: Floats
    nearest: NDArray[np.int64]
    generated_ids: tuple[str, ...]
    exposed: tuple[Exposed, ...]
    quarantined: tuple[Quarantined, ...]
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]
    combined: Attack | None = None
    combined_scores: Array = field(default_factory=lambda: np.zeros(0))
    whole_set: WholeSet | None = None
    near_copies: tuple[NearCopy, ...] = ()
    planted: tuple[Planted, ...] = ()
    remembrance: Remembrance | None = None
    privacy_loss: PrivacyLoss | None = None
    blind: Blind | None = None
    margin: Interval | None = None
    hygiene: tuple[Finding, ...] = ()
    decision: Decision | None = None
    subgroups: tuple[Subgroup, ...] = ()
    per_patient: Recognition | None = None

    @property
    def pseudonyms(self) -> dict[str, str]:
        """A neutral name for every member patient."""
        sides = zip(self.patients, self.roles, strict=True)
        return pseudonyms(patient for patient, role in sides if role == "member")


def pseudonyms(patients: Iterable[str]) -> dict[str, str]:
    """Return a neutral name for every patient, numbered in the order of their own names."""
    names = sorted(set(patients))
    width = max(3, len(str(len(names))))
    return {name: f"patient {number:0{width}d}" for number, name in enumerate(names, 1)}


@dataclass(frozen=True)
class CountChoice:
    """How well one number of generators fits.

    Separation (silhouette) and agreement of divisions of random halves, None for one generator or where
    none was made. The evidence for one generator more: `p_further` says how often one generator's pictures
    look as divided as some part here, `apart_further` how many spreads lie between that part's two groups.
    """

    count: int
    silhouette: float | None
    stability: float | None
    p_further: float
    apart_further: float


@dataclass(frozen=True)
class Peak:
    """A regular pattern that a group's pictures share: period in pixels, direction, strength, likely cause.

    `ratio` is its power over that of its neighbourhood. `seen_in` says where: in the residual itself
    ("pattern"), or in how strong the steps from pixel to pixel are ("contrast").
    """

    period: float
    direction: Literal["horizontal", "vertical", "diagonal", "both"]
    ratio: float
    seen_in: Literal["pattern", "contrast"]
    cause: str


@dataclass(frozen=True, eq=False)
class Cluster:
    """One presumed generator: its size, typical pictures (indices) and what its fingerprint looks like.

    `residual` (h, w) is the mean high-pass residual, `spectrum` (h, w) the centred mean log power
    spectrum of the residual, `radial` (r,) its average over rings from low to high frequency,
    `autocorrelation` (2 r + 1, 2 r + 1) how like the residual is to itself moved by up to r pixels.
    """

    label: str
    size: int
    examples: tuple[int, ...]
    residual: Array
    spectrum: Array
    radial: Array
    autocorrelation: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    peaks: tuple[Peak, ...] = ()


@dataclass(frozen=True)
class Separation:
    """How far two groups lie apart in every block of features, in spreads: (name, spreads) a block.

    `intervals` are 95 % intervals of the same, in the same order; empty where none were made.
    """

    one: str
    other: str
    blocks: tuple[tuple[str, float], ...]
    intervals: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Attribution:
    """Question 2 answered: how many generators, and which picture belongs to which."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    confidence: Array
    count: int
    count_given: bool
    choices: tuple[CountChoice, ...]
    why: str
    coordinates: Array
    clusters: tuple[Cluster, ...]
    measures: tuple[Measure, ...]
    quarantined: tuple[Quarantined, ...]
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]
    confounders: tuple[Confounder, ...] = ()
    separations: tuple[Separation, ...] = ()
    at_least: bool = False  # there may well be more: compression hides what tells them apart
