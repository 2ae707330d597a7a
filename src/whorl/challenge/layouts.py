"""What the published editions of ImageCLEFmedical GANs hold, as data, each figure with its source.

A part is named by its role (see `parts`). A figure that no text gives is unknown, not guessed; what is
concluded and not printed is called inferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from whorl.challenge.parts import Place

Shape = Literal["membership", "models", "attribution", "usage", "subsets"]
SHAPES: Mapping[Shape, str] = {
    "membership": "membership, one model",
    "models": "membership, several models",
    "attribution": "attribution, a folder for each model",
    "usage": "membership, usage of training data as in 2025",
    "subsets": "subsets of training data as in 2025",
}
GREY = "256×256 8-bit grey PNG"
TEXT_2023 = "overview 2023, section 2.1"
TEXT_2024 = "overview 2024, section 2.1.2"
TEXT_2024_2 = "overview 2024, section 2.3"
CODE_USAGE = "code and output published by team Neural Nexus, 2025"
CODE_SUBSETS = "code published by AI Multimedia Lab, 2025"


@dataclass(frozen=True)
class Expected:
    """One part as published: its role, pictures (none: unknown), folders where it has one for each group."""

    role: str
    count: int | None
    source: str
    folders: int | None = None
    names: str = ""
    example: str = ""


@dataclass(frozen=True)
class Model:
    """The parts of one model, and how many test pictures have which label; `told` is where that is from.

    `groups` is the number of different labels where nobody knows how many pictures each has.
    """

    parts: tuple[Expected, ...]
    labels: Mapping[str, int] = field(default_factory=dict)
    groups: int | None = None
    told: str = ""


@dataclass(frozen=True)
class Published:
    """One published edition: what it holds, and what about it is inferred or unknown."""

    name: str
    title: str
    shape: Shape
    models: tuple[Model, ...]
    remarks: tuple[str, ...]
    pictures: str = GREY

    @property
    def sources(self) -> tuple[str, ...]:
        """Return where the figures are from, each source once."""
        parts = [part.source for model in self.models for part in model.parts]
        told = [f"labels of the test part: {model.told}" for model in self.models if model.told]
        return tuple(dict.fromkeys([*parts, *told]))


def _membership(
    counts: Sequence[int | None], source: str, names: tuple[str, str] = ("", "")
) -> list[Expected]:
    roles = ("dev/generated", "dev/real_used", "dev/real_not_used", "test/generated")
    made = [Expected(role, count, source) for role, count in zip(roles, counts, strict=False)]
    return [*made, Expected("test/real_unknown", counts[4], source, None, *names)]


def _numbered(model: int) -> tuple[str, str]:
    return rf"real[ _]*unknown_{model}_[ 0-9]{{1,6}}\.png", f"real_unknown_{model}_000001.png"


EDITIONS: Mapping[str, Published] = {
    edition.name: edition
    for edition in (
        Published(
            "2023",
            "2023: which real pictures were used",
            "membership",
            (
                Model(
                    tuple(_membership((500, 80, 80, 10_000, 200), TEXT_2023)),
                    {"used": 100, "not_used": 100},
                    told=f"{TEXT_2024}, where this test part is the development part of model 1",
                ),
            ),
            (
                "the overview prints 8-bit PNG of 256×256; that they are grey is inferred",
                "names of folders and files are not printed; the names of parts are ours",
            ),
        ),
        Published(
            "2024-1",
            "2024, sub-task 1: which real pictures were used, two models",
            "models",
            (
                Model(
                    tuple(_membership((10_000, 100, 100, 7_200, 4_000), TEXT_2024, _numbered(1))),
                    {"used": 2_000, "not_used": 2_000},
                    told="inferred: every printed accuracy, precision and recall fits one half",
                ),
                Model(
                    tuple(_membership((10_000, 3_000, 3_000, 5_000, 4_000), TEXT_2024, _numbered(2))),
                    {"used": 2_000, "not_used": 2_000},
                    told="inferred: every printed accuracy, precision and recall fits one half",
                ),
            ),
            (
                "the development part of model 1 is the test part of 2023 with its truth (printed)",
                "that test folder 1 belongs to model 1 is inferred; so is which of the two is the GAN",
                "names of test pictures are printed as 'real _unknown_1_%6d'; their form on disk is inferred",
                "the overview prints 8-bit PNG of 256×256; that they are grey is inferred",
            ),
        ),
        Published(
            "2024-2",
            "2024, sub-task 2: which model made which picture",
            "attribution",
            (
                Model(
                    (
                        Expected("dev/<model>", 200, TEXT_2024_2, folders=3),
                        Expected("test/images", 3_000, TEXT_2024_2),
                    ),
                    groups=4,
                    told=f"{TEXT_2024_2}: the three models of development and one more",
                ),
            ),
            (
                "sizes of the four test groups are unknown; that they differ is inferred from a printed ARI",
                "256×256 is printed for this sub-task; 8-bit grey PNG is inferred from sub-task 1",
                "names of folders and files are not printed; the names of parts are ours",
            ),
        ),
        Published(
            "2025-1",
            "2025, sub-task 1: which real pictures were used",
            "usage",
            (Model(tuple(_membership((None, 100, 100, None, 500), CODE_USAGE))),),
            (
                "the numbers of generated pictures are unknown, and so is the share used of the test part",
                "500 test pictures are inferred from the number of labels that a team's code printed",
                "256×256 grey is inferred from what published code takes without resizing",
            ),
        ),
        Published(
            "2025-2",
            "2025, sub-task 2: which subset was the generator trained on",
            "subsets",
            (
                Model(
                    (
                        Expected("dev/real/<class>", None, CODE_SUBSETS, folders=5),
                        Expected("dev/generated/<class>", None, CODE_SUBSETS, folders=5),
                        Expected("test/generated_unknown", None, CODE_SUBSETS),
                    ),
                    groups=5,
                    told=f"{CODE_SUBSETS}: five classes in development; inferred for the test part",
                ),
            ),
            (
                "all sizes are unknown; a comment names one class t3, so t1 to t5 are inferred",
                "256×256 grey is inferred from what published code takes without resizing",
            ),
        ),
    )
}


def shape_of(places: Sequence[Place]) -> Shape:
    """Say which layout an edition has."""
    first = places[0]
    if first.kind != "membership":
        return first.kind
    if len(places) > 1:
        return "models"
    half = "" if first.development is None else first.development.name
    return "usage" if "training" in half.lower() else "membership"


def alike(one: Shape, other: Shape) -> bool:
    """Say whether two layouts hold the same parts for each model."""
    membership = ("membership", "models", "usage")
    return one == other or (one in membership and other in membership)
