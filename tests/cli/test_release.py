"""A policy file gates a release: limits of one's own, exit codes, hostile files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli.hospitals import QUICK, fine, refused
from whorl import api, cli
from whorl.policy import default

LENIENT = """
title = "Anything goes"
[verdicts]
leak = "release"
cannot_tell = "release"
"""


def test_a_policy_that_is_not_kept_ends_in_exit_code_4(leaking, capsys, tmp_path):
    strict = tmp_path / "strict.toml"
    strict.write_text('title = "Ours"\n[limits.near_copies]\nat_most = 0\n')
    arguments = [str(one) for one in leaking.audit(*QUICK, "--policy", str(strict), "--json")]
    assert cli.main(arguments) == 4
    content = json.loads(capsys.readouterr().out)
    assert content["decision"]["word"] == "do not release" and content["decision"]["policy"] == "Ours"
    lenient = tmp_path / "lenient.toml"
    lenient.write_text(LENIENT)
    assert cli.main([str(one) for one in leaking.audit(*QUICK, "--policy", str(lenient))]) == 0
    assert "decision by 'Anything goes': release" in capsys.readouterr().out


def test_without_a_policy_the_default_decides_and_the_exit_code_stays_0(leaking, capsys):
    content = json.loads(fine(capsys, *leaking.audit(*QUICK, "--json")))
    assert content["decision"]["policy"] == default().title
    assert content["decision"]["word"] == "do not release"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = 'x'\n[limits.near_copy]\nat_most = 0\n", "did you mean 'near_copies'"),
        ("title = 'x'\n[limits.near_copies]\nat_most = -1\n", "at_most"),
        ("title = 'x'\n[verdict]\nleak = 'release'\n", "verdicts"),
        ("limits = \x00", "not a TOML file"),
        ("", "title"),
    ],
)
def test_a_wrong_policy_is_one_line(leaking, capsys, tmp_path, text, words):
    file = tmp_path / "policy.toml"
    file.write_text(text)
    assert words in refused(capsys, *leaking.audit(*QUICK, "--policy", str(file)))


class Tensor:
    """What a tensor of another library is to whorl: something that says how to become an array."""

    def __init__(self, values, broken: str = "") -> None:
        self.values, self.broken = values, broken

    def __array__(self, dtype=None, copy=None):
        if self.broken:
            raise RuntimeError(self.broken)
        return np.asarray(self.values, dtype)


def test_tensors_are_audited_as_arrays():
    random = np.random.default_rng(0)
    made, members, holdout = (random.integers(0, 255, (12, 16, 16)).astype(np.uint8) for _ in range(3))
    how = {"recipes": ["whorl.thumbnail"]}
    wanted = api.audit(made, members, holdout, **how).record
    found = api.audit(Tensor(made[:, None]), Tensor(members / 255.0), Tensor(holdout), **how).record
    assert found.attacks[0].p_value == pytest.approx(wanted.attacks[0].p_value, abs=0.05)
    with pytest.raises(api.BadInput, match=r"Can't call numpy.*tensor.detach\(\).cpu\(\)"):
        api.audit(Tensor(made, "Can't call numpy() on Tensor that requires grad"), members, holdout, **how)
