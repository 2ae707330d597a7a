"""A run that is killed goes on where it was: the same numbers, nothing half-written, nothing trusted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hospitals import Hospital, fine, hospital, refused, spawn, start

# Attacks that load quickly, so that the run is spent on work; two of them draw noise from the seed.
RECIPES = (
    *("whorl.thumbnail", "whorl.pixels", "whorl.texture", "whorl.texture-retrieval", "whorl.neighbourhood"),
    *("m24-cao.cosine", "m24-cao.euclidean", "m24-cao.gaussian-noise", "m24-cao.salt-and-pepper"),
)
PANEL = ("--permutations", "1999", "--seed", "3", *(word for name in RECIPES for word in ("--recipes", name)))
LONG = ("--permutations", "99999", *PANEL[2:])  # not over before somebody who is kept waiting interrupts it
KILLS = (
    (0, 2),
    (1, 5),
    (3, 8),
)  # finished pieces at which runs of one folder are killed, one after the other


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Hospital:
    """A hospital audited to the end."""
    made = hospital(tmp_path_factory.mktemp("resume"), patients=40, slices=2, generated=120, side=48)
    said = spawn(*made.audit(*PANEL))
    assert (said.code, said.err) == (0, "")
    return made


def _check_store(folder: Path) -> int:
    """Check every kept piece against the sum in its first line; return how many there are.

    What was being written when the run was killed has a name of its own, and no reader takes it.
    """
    pieces = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".partial"]
    for piece in pieces:
        head, _, content = piece.read_bytes().partition(b"\n")
        assert head.split()[-1] == hashlib.sha256(content).hexdigest().encode(), piece
    return len(pieces)


def _check_finished(out: Path, wanted: Path) -> None:
    """Check what a finished audit leaves behind against one that nobody disturbed."""
    assert (out / "scores.csv").read_bytes() == (wanted / "scores.csv").read_bytes()
    content, other = (json.loads((folder / "audit.json").read_text()) for folder in (out, wanted))
    for key in ("schema", "verdict", "sentence", "attacks", "exposed", "detectable_auc"):
        assert content[key] == other[key], key
    assert not list(out.rglob("*.partial")) and not list(out.rglob(".*.partial"))
    assert _check_store(out / ".store") == _check_store(wanted / ".store") == len(RECIPES)
    assert {file.name for file in out.iterdir()} == {".store", "audit.json", "report.html", "scores.csv"}


def test_a_run_killed_at_any_moment_goes_on_to_the_same_numbers(undisturbed):
    made, rng = undisturbed, np.random.default_rng(7)
    kept = []
    for chain in KILLS:
        out = made.root / f"killed at {chain}"
        for pieces in chain:
            with start(*made.audit(*PANEL, out=out)) as process:
                until = time.monotonic() + 120
                while process.poll() is None and time.monotonic() < until and _pieces(out) < pieces:
                    time.sleep(0.002)
                time.sleep(0.03 * rng.random())
                process.kill()
            assert process.returncode in (-signal.SIGKILL, 0)
            kept.append(_check_store(out / ".store") if out.exists() else 0)
        said = spawn(*made.audit(*PANEL, out=out))
        assert (said.code, said.err) == (0, "")
        _check_finished(out, made.out)
    assert sum(0 < pieces < len(RECIPES) for pieces in kept) >= len(kept) // 3, kept


def _pieces(out: Path) -> int:
    return sum(file.suffix == ".npz" for file in (out / ".store").rglob("*")) if out.exists() else 0


def test_an_interrupted_run_says_that_it_can_go_on(undisturbed):
    made = undisturbed
    out = made.root / "interrupted"
    with start(*made.audit(*LONG, out=out)) as process:
        for _ in range(600):
            if out.exists() and list(out.rglob("*.npz")):
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, "")
    assert complaint == "whorl: interrupted; the same command goes on where it was\n"
    assert not (out / "scores.csv").exists()


def test_two_runs_at_once_do_not_disturb_one_another(undisturbed):
    made = undisturbed
    out = made.root / "twice"
    both = [start(*made.audit(*PANEL, out=out)) for _ in range(2)]
    for process in both:
        _, complaint = process.communicate(timeout=100)
        assert (process.returncode, complaint) == (0, "")
    _check_finished(out, made.out)


def _flip(piece: Path, others: list[Path]) -> None:
    data = bytearray(piece.read_bytes())
    data[len(data) // 2] ^= 1
    piece.write_bytes(bytes(data))


def _flip_sum(piece: Path, others: list[Path]) -> None:
    data = bytearray(piece.read_bytes())
    data[20] ^= 1
    piece.write_bytes(bytes(data))


def _cut(piece: Path, others: list[Path]) -> None:
    piece.write_bytes(piece.read_bytes()[:-7])


def _empty(piece: Path, others: list[Path]) -> None:
    piece.write_bytes(b"")


def _exchange(piece: Path, others: list[Path]) -> None:
    shutil.copyfile(others[0], piece)


def _half_written(piece: Path, others: list[Path]) -> None:
    # As a killed process leaves it: no process has this number.
    (piece.parent / f".{piece.name}.999999999.partial").write_bytes(b"x")


@pytest.mark.parametrize("harm", [_flip, _flip_sum, _cut, _empty, _exchange, _half_written])
def test_a_damaged_piece_is_noticed_and_made_again(undisturbed, tmp_path, capsys, harm):
    made = undisturbed
    out = tmp_path / "out"
    shutil.copytree(made.out, out)
    pieces = sorted((out / ".store").rglob("*.npz"))
    before = [piece.read_bytes() for piece in pieces]
    for place in (0, len(pieces) - 1):
        harm(pieces[place], pieces[1:-1])
    fine(capsys, *made.audit(*PANEL, out=out))
    _check_finished(out, made.out)
    for piece, content in zip(pieces, before, strict=True):
        assert piece.read_bytes() == content


def test_what_a_killed_run_left_beside_the_results_is_swept_away(undisturbed, tmp_path, capsys):
    made = undisturbed
    out = tmp_path / "out"
    shutil.copytree(made.out, out)
    for name in ("scores.csv", "audit.json", "report.html"):
        (out / f".{name}.999999999.partial").write_bytes(b"half")
    fine(capsys, *made.audit(*PANEL, out=out))
    _check_finished(out, made.out)


def test_finished_pieces_are_not_made_again(undisturbed, tmp_path, capsys, monkeypatch):
    from whorl import pipeline

    made = undisturbed
    out = tmp_path / "out"
    shutil.copytree(made.out, out)
    monkeypatch.setattr(pipeline, "_by_pooling", None)
    monkeypatch.setattr(pipeline, "_by_scorer", None)
    fine(capsys, *made.audit(*PANEL, out=out))
    _check_finished(out, made.out)


def test_other_pictures_do_not_share_pieces(undisturbed, tmp_path, capsys):
    made = undisturbed
    out = tmp_path / "out"
    shutil.copytree(made.out, out)
    few = Hospital(tmp_path / "few")
    shutil.copytree(made.members, few.members)
    shutil.copytree(made.holdout, few.holdout)
    shutil.copytree(made.generated, few.generated)
    shutil.copy(made.patients, few.patients)
    shutil.copy(few.members / "P000_0.png", few.generated / "g000.png")
    fine(capsys, *few.audit(*PANEL, out=out))
    fine(capsys, *few.audit(*PANEL))
    assert (out / "scores.csv").read_bytes() == (few.out / "scores.csv").read_bytes()
    assert (out / "scores.csv").read_bytes() != (made.out / "scores.csv").read_bytes()
    assert _check_store(out / ".store") == 2 * len(RECIPES)


def test_a_result_that_cannot_be_written_is_one_line(undisturbed, tmp_path, capsys):
    made = undisturbed
    (tmp_path / "scores.csv").mkdir()
    line = refused(capsys, *made.audit(*PANEL, out=tmp_path))
    assert "scores.csv: cannot write" in line and os.linesep not in line
