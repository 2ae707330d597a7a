"""What an audit could have noticed: the smallest detectable AUC and the smallest possible p-value."""

from __future__ import annotations

from math import comb, isfinite
from statistics import NormalDist

from whorl.records import BadInput


def detectable_auc(null_sd: float, critical: float, power: float = 0.8) -> float:
    """Return the AUC that `power` of such audits would notice, at most 1.

    `null_sd` is the permutation spread of the AUC, `critical` the z that a finding has to exceed.
    """
    if not isfinite(critical):
        return 1.0  # no outcome at all would have counted as a finding
    effect = (critical + NormalDist().inv_cdf(power)) * null_sd
    return min(1.0, max(0.5, 0.5 + effect))


def least_p_value(member_patients: int, holdout_patients: int, draws: int | None = None) -> float:
    """Return the smallest p-value that this many patients (and permutations, if told) can reach."""
    if member_patients < 1 or holdout_patients < 1:
        raise BadInput("patients: an audit needs at least one member and one holdout patient; add pictures")
    labellings = comb(member_patients + holdout_patients, member_patients)
    if draws is None or labellings <= draws:
        return 1 / labellings
    return 1 / (1 + draws)
