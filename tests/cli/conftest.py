"""Hospitals and editions that the tests of the command line share and do not change."""

from __future__ import annotations

import shutil
from pathlib import Path

import hospitals
import pytest

from whorl.forge import editions as forge


@pytest.fixture(scope="session")
def _leaking(tmp_path_factory) -> hospitals.Hospital:
    return hospitals.hospital(tmp_path_factory.mktemp("leaking"))


@pytest.fixture(scope="session")
def _phantom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    forge.write_all(folder, forge.Plan(patients=12, slices=2, generated=24, size=64, seed=1))
    return folder


@pytest.fixture
def leaking(_leaking, tmp_path) -> hospitals.Hospital:
    """A copy of a hospital whose generator copies its members; a test may change it."""
    shutil.copytree(_leaking.root, tmp_path / "hospital")
    return hospitals.Hospital(tmp_path / "hospital")


@pytest.fixture
def phantom(_phantom, tmp_path) -> Path:
    """A copy of a made-up hospital and its editions; a test may change it."""
    shutil.copytree(_phantom, tmp_path / "phantom")
    return tmp_path / "phantom"
