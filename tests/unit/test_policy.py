"""A steward's policy: read strictly, held against figures, one word and why."""

from __future__ import annotations

import math

import pytest

from whorl.policy import KNOWN, WORDS, decide, default, judge, read
from whorl.records import BadInput, Interval

FINE = {
    "tpr_at_1_percent": Interval(0.02, 0.0, 0.06),
    "tpr_at_0_1_percent": Interval(0.0, 0.0, 0.01),
    "flagged_patients": 0,
    "flagged_pictures": 0,
    "near_copies": 0,
    "epsilon": 0.2,
    "detectable_auc": 0.58,
}


@pytest.fixture
def written(tmp_path):
    """Write a policy file and read it."""

    def write(text, title='title = "Ours"\n'):
        file = tmp_path / "policy.toml"
        file.write_text(title + text, encoding="utf-8")
        return read(file)

    return write


def test_the_default_releases_what_is_fine_and_refuses_each_broken_limit():
    policy = default()
    fine = decide(policy, FINE, "no evidence")
    assert (fine.word, fine.conditions) == ("release", ())
    assert all(ruling.holds for ruling in fine.rulings)
    assert set(policy.limits) <= set(KNOWN)
    for name, limit in policy.limits.items():
        broken = Interval(0.9, 0.8, 1.0) if KNOWN[name][2] else 2.5
        found = decide(policy, FINE | {name: broken}, "no evidence")
        assert found.word == limit.otherwise != "release"
        assert [ruling.limit for ruling in found.rulings if not ruling.holds] == [name]
        assert KNOWN[name][0] in found.sentence


def test_what_could_not_be_computed_is_no_pass():
    found = decide(default(), {}, "no evidence")
    assert found.word == "cannot tell"
    assert all(ruling.holds is None and ruling.found is None for ruling in found.rulings)
    assert "could not be computed" in found.sentence
    few = FINE | {"tpr_at_1_percent": None, "tpr_at_0_1_percent": math.nan}
    found = decide(default(), few, "no evidence")
    assert found.word == "release with conditions"
    assert found.conditions == ("the next audit has at least 300 holdout patients",)


def test_the_verdict_alone_can_refuse():
    assert decide(default(), FINE, "leak").word == "do not release"
    found = decide(default(), FINE, "cannot tell")
    assert (found.word, found.sentence) == ("cannot tell", "the verdict is 'cannot tell'.")


@pytest.mark.parametrize(("bound", "holds"), [("lower", True), ("estimate", False), ("upper", False)])
def test_a_limit_says_which_end_of_the_interval_it_means(written, bound, holds):
    policy = written(f'[limits.tpr_at_1_percent]\nat_most = 0.1\nbound = "{bound}"\n')
    (ruling,) = judge(policy, {"tpr_at_1_percent": Interval(0.2, 0.05, 0.4)})
    assert ruling.holds is holds
    found = {"lower": "at least 5 %", "estimate": "20 %", "upper": "up to 40 %"}[bound]
    assert ruling.sentence == f"members found at 1 % false alarms: {found} (at most 10 % allowed)"


def test_a_limit_is_kept_where_it_is_just_reached(written):
    policy = written("[limits]\nnear_copies = { at_most = 3 }\nflagged_patients_share = { at_most = 0.02 }\n")
    (copies, share) = judge(policy, {"near_copies": 3, "flagged_patients_share": 0.021})
    assert copies.holds and not share.holds
    assert copies.sentence.endswith(": 3 (at most 3 allowed)")
    assert share.sentence.endswith(": 2.1 % (at most 2 % allowed)")


def test_the_gravest_rule_wins_and_conditions_are_kept(written):
    policy = written(
        "[limits.near_copies]\n"
        'at_most = 0\notherwise = "release with conditions"\ncondition = "remove them"\n'
        '[limits.detectable_auc]\nat_most = 0.6\notherwise = "cannot tell"\n'
        "[limits.epsilon]\nat_most = 1\n"
    )
    assert policy.verdicts.leak == "do not release"
    figures = {"near_copies": 4, "detectable_auc": 0.5, "epsilon": 0.0}
    words = [decide(policy, figures, "no evidence").word]
    words += [decide(policy, figures | {"detectable_auc": 0.7}, "no evidence").word]
    words += [decide(policy, figures | {"detectable_auc": 0.7, "epsilon": 2.0}, "no evidence").word]
    assert tuple(words) == WORDS[1:]
    last = decide(policy, figures | {"detectable_auc": 0.7, "epsilon": 2.0}, "no evidence")
    assert last.conditions == ("remove them",)
    assert last.sentence == "lower limit of epsilon: 2 (at most 1 allowed)."


def test_a_steward_may_let_the_verdict_pass_on_conditions(written):
    text = '[verdicts]\ncannot_tell = "release with conditions"\ncondition = "no public release"\n'
    found = decide(written(text), {}, "cannot tell")
    assert (found.word, found.conditions) == ("release with conditions", ("no public release",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits.tpr_at_1_procent]\nat_most = 0.1\n", "did you mean 'tpr_at_1_percent'"),
        ("[limits.epsilon]\nat_mots = 0.1\n", "unknown key limits.epsilon.at_mots; did you mean 'at_most'"),
        ("[limit]\n", "unknown key limit; did you mean 'limits'"),
        ('[verdicts]\nleaks = "release"\n', "unknown key verdicts.leaks; did you mean 'leak'"),
        ("[limits.epsilon]\n", "limits.epsilon.at_most: Field required"),
        ("[limits.epsilon]\nat_most = -1\n", "greater than or equal to 0"),
        ('[limits.epsilon]\nat_most = "1"\n', "limits.epsilon.at_most"),
        ("[limits.epsilon]\nat_most = nan\n", "limits.epsilon.at_most"),
        ('[limits.epsilon]\nat_most = 1\nbound = "upper"\n', "leave out bound"),
        ('[limits.epsilon]\nat_most = 1\notherwise = "maybe"\n', "limits.epsilon.otherwise"),
        ('[limits.epsilon]\nat_most = 1\notherwise = "release"\n', "leave the limit out"),
        ('[limits.epsilon]\nat_most = 1\nunknown = "release with conditions"\n', 'condition = "..."'),
        ('[limits.epsilon]\nat_most = 1\ncondition = "ask"\n', "a condition needs"),
        ('[verdicts]\nleak = "release with conditions"\n', 'condition = "..."'),
        ("[limits\n", "not a TOML file"),
    ],
)
def test_a_faulty_policy_is_one_clear_line(written, text, message):
    with pytest.raises(BadInput) as error:
        written(text)
    assert message in str(error.value)
    assert "policy.toml: " in str(error.value) and "\n" not in str(error.value)


def test_a_policy_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadInput, match="cannot read the policy"):
        read(tmp_path / "none.toml")
