"""The organiser's command: what it writes and says, what it leaves out, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hospitals import DAMAGED, call, fine, one_line, people, refused, table, write_pictures

SMALL = ("--generated", "20", "--dev-generated", "8")


@dataclass(frozen=True)
class Collection:
    """A folder of real pictures and the table of their patients."""

    root: Path

    @property
    def real(self) -> Path:
        return self.root / "real"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def command(self, *more: object, generators: tuple[str, ...] = ("kernels",)) -> list[object]:
        """Return the command that makes an edition of these pictures."""
        words = [word for spec in generators for word in ("--generator", spec)]
        sources = ("--real", self.real, "--patients", self.root / "patients.csv", "--out", self.out)
        return ["forge", "edition", *sources, *words, *SMALL, *more]


@pytest.fixture
def collection(tmp_path) -> Collection:
    """Thirty-two patients with two pictures each."""
    names = [f"P{one:03d}_{cut}.png" for one in range(32) for cut in range(2)]
    write_pictures(tmp_path / "real", names, people(np.random.default_rng(0), 32, 2, 32))
    (tmp_path / "patients.csv").write_text("file,patient\n" + "".join(f"{one},{one[:4]}\n" for one in names))
    return Collection(tmp_path)


def test_an_edition_is_made_told_and_can_be_answered(collection, capsys):
    said = fine(capsys, *collection.command("--seed", 2**50, generators=("kernels:bandwidth=0.2",)))
    assert "test real unknown" in said and "48" in said
    assert f"publish {collection.out / 'edition'}" in said and "keep to yourself" in said
    answers = collection.out / "sealed" / "answers.csv"
    assert {row["label"] for row in table(answers)} == {"used", "not_used"}
    command = ("run", "m24-cao.cosine", collection.out / "edition", "--out", collection.root / "run")
    content = json.loads(fine(capsys, *command, "--answers", answers, "--json"))
    measures = {one["name"]: one["interval"]["estimate"] for one in content["evaluation"]["measures"]}
    assert measures["auc"] > 0.7, "narrow kernels copy whom they learned from"


def test_json_names_the_parts_and_no_secret(collection, capsys):
    content = json.loads(fine(capsys, *collection.command("--json")))
    assert (
        content["notes"] == []
        and content["counts"]["test_real_unknown"] == 48
        and content["counts"]["dev_generated"] == 8
    )
    assert content["edition"] == str(collection.out / "edition")
    seed = (collection.out / "sealed" / "sealed.toml").read_text().partition("seed = ")[2].split()[0]
    assert int(seed) > 2**32 and seed not in json.dumps(content)


def test_the_same_command_goes_on_with_its_own_draw(collection, capsys):
    fine(capsys, *collection.command())
    before = (collection.out / "sealed" / "answers.csv").read_bytes()
    assert "written again" in fine(capsys, *collection.command())
    assert (collection.out / "sealed" / "answers.csv").read_bytes() == before
    assert "holds another edition" in refused(capsys, *collection.command("--dev-share", "0.5"))


def test_a_former_edition_gives_the_development_part(collection, capsys):
    fine(capsys, *collection.command("--dev-share", "0.5"))
    command = [word for word in collection.command() if word not in ("--dev-generated", "8")]
    command[command.index("--out") + 1] = collection.root / "next"
    said = fine(capsys, *command, "--dev", collection.out)
    assert "dev real used" in said and "16 patients with 32 pictures are in the test part" in said
    assert len(table(collection.root / "next" / "sealed" / "answers.csv")) == 32


@pytest.mark.parametrize("question", ["attribution", "subsets"])
def test_the_other_questions_are_asked(collection, capsys, question):
    more = ("--unseen", "quilt:patch=12") if question == "attribution" else ("--subsets", "2")
    said = fine(capsys, *collection.command("--question", question, *more))
    assert "test images" in said or "test generated unknown" in said
    labels = [row["label"] for row in table(collection.out / "sealed" / "answers.csv")]
    names = {"attribution": "model_", "subsets": "t"}[question]
    assert {label: labels.count(label) for label in labels} == {f"{names}1": 20, f"{names}2": 20}


def test_unreadable_files_are_named_or_stop_the_run(collection, capsys):
    (collection.real / "cut.png").write_bytes(DAMAGED["cut.png"][0]())
    assert "--strict: 1 file cannot be read" in refused(capsys, *collection.command("--strict"), code=3)
    assert not collection.out.exists()
    assert "left out: cut.png (truncated" in fine(capsys, *collection.command())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--generator", "componets"), "did you mean 'components'"),
        (("--generator", "copies:rate=2"), "give a share from 0 to 1"),
        (("--seed", "-1"), "--seed -1: give a whole number from 0"),
        (("--seed", "9223372036854775808"), "give a whole number from 0"),
        (("--dev-share", "1"), "give a share of the pictures"),
        (("--unseen", "quilt"), "--unseen does not go with --question membership"),
        (("--question", "attribution"), "two models or more"),
        (("--question", "counting"), "question"),
        (("--subsets", "1.5"), "is not a whole number"),
        (("--dev", "nowhere"), "drop --dev-generated"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_written(collection, capsys, more, said):
    assert said in refused(capsys, *collection.command(*more))
    assert not collection.out.exists()


def test_places_that_are_taken_are_refused(collection, capsys):
    command = collection.command()
    for place, said in ((collection.real, "folder of pictures to read"), (collection.root, "is not empty")):
        command[command.index("--out") + 1] = place
        assert said in refused(capsys, *command)
    command[command.index("--out") + 1] = collection.root / "patients.csv"
    assert "that is a file" in refused(capsys, *command)


def test_a_generator_has_to_be_named(collection, capsys):
    said = one_line(call(capsys, *collection.command(generators=())))
    assert "--generator" in said
