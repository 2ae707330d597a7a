"""`whorl challenge inspect`: what a folder holds beside what was published, in a table and in words."""

from __future__ import annotations

import json
import shutil
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hospitals import call, fine, refused

from whorl.challenge.layouts import EDITIONS
from whorl.cli import checking
from whorl.forge.editions import numbered, write_pictures


@pytest.fixture(scope="module")
def _edition(tmp_path_factory):
    """The parts of 2023 that are quick to write: all but the generated pictures."""
    folder = tmp_path_factory.mktemp("inspect") / "gans 2023"
    for part, count in (("dev/real_used", 80), ("dev/real_not_used", 79), ("test/real_unknown", 200)):
        blank = np.zeros((1, 256, 256), np.uint8)
        write_pictures(folder / part, numbered("p", count), np.broadcast_to(blank, (count, 256, 256)))
    for part in ("dev/generated", "test/generated"):
        write_pictures(folder / part, numbered("g", 2), np.zeros((2, 64, 64), np.uint8))
    return folder


@pytest.fixture
def edition(_edition, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(_edition, tmp_path / "gans 2023")
    return tmp_path / "gans 2023"


def test_differences_are_named_and_the_exit_code_is_0(edition, capsys):
    for words in (("--as", "2023"), ()):
        text = fine(capsys, "challenge", "inspect", edition, *words)
        lines = [" ".join(line.split()) for line in text.splitlines()]
        assert "layout: membership, one model" in lines
        assert "dev/real_used 80 80 0" in lines and "dev/real_not_used 79 80 -1" in lines
        assert "difference: dev/real_not_used: 79 found, 80 published: 1 too few" in lines
        assert "difference: test/generated: 2 found, 10,000 published: 9,998 too few" in lines
        assert any(line.startswith("difference: dev/generated: 2 of 2 looked at are no") for line in lines)
        assert sum(line.startswith("difference: ") for line in lines) == 5
        assert "source: overview 2023, section 2.1" in lines
        assert any(line.startswith("note: ") and "inferred" in line for line in lines)


def test_json_is_the_whole_answer(edition, capsys):
    found = json.loads(fine(capsys, "challenge", "inspect", edition, "--as", "2025-1", "--json"))
    assert (found["schema"], found["published"]) == ("whorl.inspection/1", "2025-1")
    parts = {row["part"]: row for row in found["parts"]}
    assert parts["dev/generated"] == {
        "part": "dev/generated",
        "found": 2,
        "published": None,
        "difference": None,
    }
    assert parts["test/real_unknown"]["difference"] == -300
    assert "test/real_unknown: 200 found, 500 published: 300 too few" in found["differences"]


def test_an_edition_like_none_is_counted_all_the_same(phantom, capsys):
    text = fine(capsys, "challenge", "inspect", phantom / "membership-leaking")
    assert "no published edition has such a layout" in text and "difference" not in text
    assert "attribution" in fine(capsys, "challenge", "inspect", phantom / "attribution", "--as", "2024-2")


def test_no_edition_is_refused_with_code_2(phantom, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a\nb\x1b[31m").mkdir()
    (tmp_path / "file").write_text("x")
    for name, words in (
        ("empty", "no edition"),
        ("a\nb\x1b[31m", "no edition"),
        ("gone", "no such folder"),
        ("file", "not a folder"),
        ("x" * 300, "name too long"),
    ):
        assert words in refused(capsys, "challenge", "inspect", tmp_path / name).lower()
    said = call(capsys, "challenge", "inspect", phantom / "attribution", "--as", "2022")
    assert said.code == 2 and "2024-2" in said.err
    (phantom / "attribution" / "answers.csv").write_text("file\nx\n")
    assert "file,label" in refused(capsys, "challenge", "inspect", phantom / "attribution")


def test_hostile_names_of_parts_stay_on_their_line(phantom, capsys):
    dev = phantom / "attribution" / "dev"
    for model, name in zip(sorted(dev.iterdir()), ("a\nb", "\x1b[31m", "caf\udce9"), strict=True):
        model.rename(dev / name)
    text = fine(capsys, "challenge", "inspect", phantom / "attribution", "--as", "2024-2")
    assert all(line.isprintable() for line in text.split("\n"))
    assert "dev/a\\nb" in text and "caf\\xe9" in text


def test_the_command_knows_every_published_edition():
    names = get_type_hints(checking.inspect)["published"]
    assert next(get_args(one) for one in get_args(names)) == tuple(EDITIONS)
