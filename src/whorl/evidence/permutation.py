"""Is a panel of attacks better than chance? Permutations of whole patients, corrected for the panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, floor

import numpy as np
from numpy.typing import NDArray

from whorl.evidence.sets import Kernels
from whorl.evidence.stacking import Stack
from whorl.metrics import mid_ranks
from whorl.records import Array, BadInput

TAIL = 0.05
SLAB_BYTES = 24 << 20
EQUAL = 1e-9  # z values closer than this are ties: they differ by rounding only


@dataclass(frozen=True, eq=False)
class PanelTest:
    """Evidence of each attack against the same permutations; every array is (attacks,) unless said.

    Where the attacks were stacked, the stack is one attack more, the last; `z_set` and `p_set` tell whether
    the whole set of members is nearer to the generated one, and share in the correction, if that was asked.
    `p_adjusted` and `p_below` (AUC below chance: a shift, not a memory) pay for the whole panel.
    `null_mean` and `null_sd` are those of the AUC under
    permutation; `null_maximum` (permutations,) is the largest statistic over attacks, falling; `exact` says
    that every labelling was tried.
    """

    auc: Array
    z_auc: Array
    z_tail: Array
    p_value: Array
    p_adjusted: Array
    p_below: Array
    null_mean: Array
    null_sd: Array
    null_maximum: Array
    exact: bool
    z_set: float = 0.0
    p_set: float = 1.0

    def critical(self, alpha: float = 0.05) -> float:
        """Return the z that an attack has to exceed for `p_adjusted` of at most `alpha`."""
        # p = (1 + exceedances) / (1 + permutations), so this many may reach the observed value.
        exceedances = floor(alpha * (1 + len(self.null_maximum)) + EQUAL) - 1
        if exceedances < 0:
            return float("inf")
        if exceedances >= len(self.null_maximum):
            return float("-inf")
        return float(self.null_maximum[exceedances])


@dataclass(frozen=True, eq=False)
class _Sums:
    """What the statistics need, summed per patient: all whole numbers, so that sums are exact.

    `table` is (patients, 1 + 2 attacks): pictures, doubled rank sums, scaled tail weights;
    `tail_total` (attacks,) is the scaled weight of the whole tail.
    """

    table: Array
    tail_total: Array
    pictures: int

    def statistics(self, selection: NDArray[np.bool_]) -> Array:
        """Return AUC and tail excess of labellings (rows, patients) as (rows, 2, attacks)."""
        sums = selection.astype(np.float64) @ self.table
        attacks = len(self.tail_total)
        count = sums[:, :1]
        rank_sums, tail = sums[:, 1 : attacks + 1] / 2, sums[:, attacks + 1 :]
        auc = (rank_sums - count * (count + 1) / 2) / (count * (self.pictures - count))
        return np.stack([auc, tail / self.tail_total - count / self.pictures], axis=1)


def permutation_test(
    values: Array,
    members: Array,
    patients: Sequence[str],
    draws: int = 9999,
    seed: int = 0,
    stacked: Stack | None = None,
    kernels: Kernels | None = None,
) -> PanelTest:
    """Test (n, attacks) scores, higher = more likely a member, by relabelling whole patients.

    An attack's statistic is the larger z of its AUC and of the share of members in its top 5 %. `stacked`
    weighs the attacks anew under every labelling, `kernels` holds what a contrast of whole sets needs.
    """
    scores = np.asarray(values)
    if scores.ndim != 2 or len(scores) != len(members) or len(members) != len(patients):
        raise ValueError(f"expected (pictures, attacks) scores for {len(members)} pictures")
    if np.isnan(scores).any():
        raise ValueError("scores must not contain NaN")
    if draws < 1:
        raise ValueError("at least one permutation is needed")
    patient, is_member = member_patients(members, patients)
    sums = _sums(scores, patient)
    slabs, contrasts = [], []
    for slab in _labellings(is_member, draws, seed):
        found = sums.statistics(slab)
        if stacked is not None:
            found = np.concatenate([found, _stacked_statistics(stacked, slab[:, patient])], axis=2)
        slabs.append(found)
        if kernels is not None:
            contrasts.append(kernels.contrast(slab))
    whole = np.concatenate(contrasts) if contrasts else None
    return _compare(np.concatenate(slabs), whole, exact=_enumerable(is_member, draws))


def member_patients(members: Array, patients: Sequence[str]) -> tuple[Array, NDArray[np.bool_]]:
    """Return each picture's patient as a number, and for each patient whether it is a member."""
    member = np.asarray(members, np.bool_)
    names, patient = np.unique(np.asarray(patients), return_inverse=True)
    pictures = np.bincount(patient, minlength=len(names))
    used = np.bincount(patient[member], minlength=len(names))
    both = (used > 0) & (used < pictures)
    if both.any():
        raise BadInput(
            f"patient {names[both][0]} has member and holdout pictures ({both.sum()} such patients): "
            "put all pictures of a patient on one side"
        )
    is_member = used > 0
    if is_member.all() or not is_member.any():
        raise BadInput("patients: all are on one side; give both member and holdout patients")
    return patient, is_member


def _sums(scores: Array, patient: Array) -> _Sums:
    """Rank every attack's scores once and add up ranks and tail weights by patient."""
    ranks = [mid_ranks(column) for column in scores.T]
    tails = [_tail_weights(each) for each in ranks]
    columns = np.stack([np.ones(len(scores)), *(2 * each for each in ranks), *tails], axis=1)
    order = np.argsort(patient, kind="stable")
    starts = np.flatnonzero(np.diff(patient[order], prepend=-1))
    table = np.add.reduceat(columns[order], starts, axis=0)
    return _Sums(table, np.array([each.sum() for each in tails]), len(scores))


def _stacked_statistics(stacked: Stack, members: NDArray[np.bool_]) -> Array:
    """Return AUC and tail excess of the stack under labellings (rows, n) as (rows, 2, 1)."""
    pictures = members.shape[1]
    order = np.argsort(stacked.scores(members), axis=1, kind="stable")
    ordered = np.take_along_axis(members, order, axis=1)
    count = members.sum(axis=1)
    rank_sums = ordered @ np.arange(1.0, pictures + 1)
    auc = (rank_sums - count * (count + 1) / 2) / (count * (pictures - count))
    size = max(1, round(TAIL * pictures))
    tail = ordered[:, -size:].mean(axis=1) - count / pictures
    return np.stack([auc, tail], axis=1)[:, :, None]


def _tail_weights(ranks: Array) -> Array:
    """Weight the top 5 % of the pictures; ties at the border share what is left.

    Scaled by the number of tied pictures, so that every weight is a whole number.
    """
    size = max(1, round(TAIL * len(ranks)))
    border = np.sort(ranks)[-size]
    above, tied = ranks > border, ranks == border
    weights = above * float(tied.sum()) + tied * float(size - above.sum())
    return np.asarray(weights, np.float64)


def _enumerable(is_member: NDArray[np.bool_], draws: int) -> bool:
    return comb(len(is_member), int(is_member.sum())) <= draws


def _labellings(is_member: NDArray[np.bool_], draws: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield slabs of labellings (rows, patients): the observed one first, then the others."""
    yield is_member[None, :]
    patients, chosen = len(is_member), int(is_member.sum())
    rows = max(1, SLAB_BYTES // (8 * patients))
    if _enumerable(is_member, draws):
        every = np.array(list(combinations(range(patients), chosen)))
        others = _mark(every, patients)
        others = others[(others != is_member).any(axis=1)]
        yield from (others[start : start + rows] for start in range(0, len(others), rows))
        return
    generator = np.random.default_rng(seed)
    for start in range(0, draws, rows):
        # Random keys are drawn row by row: how many rows a slab has changes nothing.
        keys = generator.random((min(rows, draws - start), patients))
        yield _mark(np.argpartition(keys, chosen, axis=1)[:, :chosen], patients)


def _mark(chosen: Array, patients: int) -> NDArray[np.bool_]:
    """Turn chosen patient numbers (rows, chosen) into labellings (rows, patients)."""
    marks = np.zeros((len(chosen), patients), np.bool_)
    np.put_along_axis(marks, chosen, True, axis=1)
    return marks


def _compare(statistics: Array, contrasts: Array | None, exact: bool) -> PanelTest:
    """Turn statistics (1 + permutations, 2, attacks) and contrasts, the observed first, into p-values."""
    # The observed labelling is studentised like all others: only then are all rows exchangeable.
    z = _studentised(statistics)
    largest = z.max(axis=1)
    below = -z[:, 0]
    null = largest[1:].max(axis=1)
    whole = np.zeros(len(z))
    if contrasts is not None:
        whole = _studentised(contrasts / max(float(np.abs(contrasts).max()), 1e-300))
        null = np.maximum(null, whole[1:])
    return PanelTest(
        auc=statistics[0, 0],
        z_auc=z[0, 0],
        z_tail=z[0, 1],
        p_value=_p_values(largest[0], largest[1:]),
        p_adjusted=_p_values(largest[0], null[:, None]),
        p_below=_p_values(below[0], below[1:].max(axis=1)[:, None]),
        null_mean=statistics[1:, 0].mean(axis=0),
        null_sd=statistics[1:, 0].std(axis=0),
        null_maximum=np.sort(null)[::-1],
        exact=exact,
        z_set=float(whole[0]),
        p_set=float(_p_values(whole[0], null[:, None])[0]) if contrasts is not None else 1.0,
    )


def _studentised(statistics: Array) -> Array:
    centred = statistics - statistics.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    varies = spread > 1e-12  # a constant score has no spread, only rounding
    studentised: Array = np.where(varies, centred, 0.0) / np.where(varies, spread, 1.0)
    return studentised


def _p_values(observed: Array, null: Array) -> Array:
    """Share of permutations, the observed labelling included, that reach the observed value."""
    reached = (null >= observed - EQUAL).sum(axis=0)
    share: Array = (1 + reached) / (1 + len(null))
    return share
