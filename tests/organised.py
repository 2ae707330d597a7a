"""What the tests of editions made of real pictures share: pictures to divide, and readers of the result."""

from __future__ import annotations

import csv
import tomllib

from whorl.arrays import digest_of_picture
from whorl.forge.organiser import Plan
from whorl.forge.phantom import draw_hospital
from whorl.records import ImageSet

SEED = 2**60 + 7
SMALL = {"generated": 6, "dev_generated": 4}
KERNELS = Plan(("kernels:bandwidth=0.2",), **SMALL)


def pictures(patients=24, slices=2, first=0, size=32):
    hospital = draw_hospital(patients=patients, slices=slices, size=size, seed=2, first_patient=first)
    digests = tuple(map(digest_of_picture, hospital.pixels))
    return ImageSet("real", hospital.ids, hospital.pixels, digests, hospital.patients)


def rows(file):
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def toml(file):
    return tomllib.loads(file.read_text(encoding="utf-8"))
