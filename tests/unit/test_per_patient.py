"""Patients as units: one who has many pictures counts once, and where each has one nothing is said twice."""

from __future__ import annotations

import numpy as np
from PIL import Image

import whorl
from whorl.conclusions import Rules


def audited(tmp_path, slices: int):
    """Every member's first picture is copied; the others of a patient were not used for anything."""
    random = np.random.default_rng(5)
    count = 16
    real = {role: random.integers(0, 256, (count * slices, 32, 32), dtype=np.uint8) for role in ("m", "h")}
    folders = {role: tmp_path / role for role in real}
    lines = ["file,patient"]
    for role, stack in real.items():
        folders[role].mkdir()
        for place, picture in enumerate(stack):
            Image.fromarray(picture).save(folders[role] / f"{role}{place:03d}.png")
            lines.append(f"{role}/{role}{place:03d}.png,{role}{place // slices}")
    table = tmp_path / "patients.csv"
    table.write_text("\n".join(lines) + "\n")
    made = np.concatenate([real["m"][::slices], random.integers(0, 256, (20, 32, 32), dtype=np.uint8)])
    return whorl.audit(
        made,
        folders["m"],
        folders["h"],
        patients=table,
        recipes=["whorl.thumbnail"],
        rules=Rules(permutations=99, draws=200),
    ).record


def test_a_patient_with_several_pictures_counts_once(tmp_path):
    found = audited(tmp_path, 3).per_patient
    assert found is not None and (found.members, found.holdout) == (16, 16)
    assert found.auc.estimate == 1.0 and found.tpr is None  # too few patients for a share at 1 %


def test_where_each_patient_has_one_picture_nothing_is_added(tmp_path):
    assert audited(tmp_path, 1).per_patient is None
