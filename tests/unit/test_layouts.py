"""Published editions as data, and folders held against them: every difference is named, none is made up."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whorl.challenge import inspection, layouts
from whorl.challenge.inspection import inspect
from whorl.challenge.layouts import EDITIONS
from whorl.forge.editions import numbered, write_pictures
from whorl.records import BadInput

TINY = {"dev/generated": 5, "dev/real_used": 3, "dev/real_not_used": 4, "test/generated": 6}


def shrunk(edition):
    """The same edition with a few pictures in each part, so that a test can have them all."""
    models = []
    least = 2 + list(EDITIONS).index(edition.name)
    for place, model in enumerate(edition.models):
        parts = tuple(
            replace(part, count=None if part.count is None else least + place + row)
            for row, part in enumerate(model.parts)
        )
        models.append(replace(model, parts=parts, labels=dict.fromkeys(model.labels, 2)))
    return replace(edition, models=tuple(models))


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    """Let every published edition be tiny; what is published is tested by itself."""
    monkeypatch.setattr(inspection, "EDITIONS", {name: shrunk(one) for name, one in EDITIONS.items()})


def pictures(folder, count, stem="p", shape=(256, 256)):
    write_pictures(folder, numbered(stem, count), np.zeros((count, *shape), np.uint8))


def published(name, folder):
    """Write the tiny form of a published edition, without answers."""
    edition = inspection.EDITIONS[name]
    groups = {"dev/<model>": "model_{}", "dev/real/<class>": "t{}", "dev/generated/<class>": "t{}"}
    for number, model in enumerate(edition.models, start=1):
        home = folder / f"model_{number}" if len(edition.models) > 1 else folder
        for part in model.parts:
            stem = f"real_unknown_{number}" if part.names else "p"
            for group in range(1, (part.folders or 1) + 1):
                name = groups.get(part.role, "").format(group)
                place = home / part.role.partition("<")[0] / name
                pictures(place, part.count or 2, stem)
    if edition.shape == "usage":
        (folder / "dev").rename(folder / "Usage_training-dataset")
    return folder


def said(found):
    return " | ".join(found.differences)


@pytest.mark.parametrize("name", EDITIONS)
def test_an_edition_as_published_differs_in_nothing(tmp_path, name):
    folder = published(name, tmp_path / "edition")
    found = inspect(folder, name)
    assert found.differences == ()
    assert found.layout == layouts.SHAPES[EDITIONS[name].shape]
    assert all(row.difference in (0, None) for row in found.rows) and found.rows
    guessed = inspect(folder)
    assert guessed.published.name == name and guessed.rows == found.rows
    content = inspection.content(found)
    assert content["published"] == name and content["sources"] and content["differences"] == []
    assert set(EDITIONS[name].remarks) <= set(content["notes"])


def _parts(name):
    edition = EDITIONS[name]
    several = len(edition.models) > 1
    return [
        (name, f"model_{place}/{part.role}" if several else part.role, part.count is not None)
        for place, model in enumerate(edition.models, start=1)
        for part in model.parts
    ]


PARTS = [part for name in EDITIONS for part in _parts(name)]


def _folder(name, role):
    """Where the tiny form of an edition has a part; of several models or classes the second."""
    part = role.replace("<model>", "model_2").replace("<class>", "t2")
    return part.replace("dev/", "Usage_training-dataset/") if EDITIONS[name].shape == "usage" else part


@pytest.mark.parametrize(("name", "role", "counted"), PARTS)
def test_a_count_that_differs_by_one_is_named(tmp_path, name, role, counted):
    folder = published(name, tmp_path / "edition")
    part = _folder(name, role)
    files = sorted((folder / part).iterdir())
    count = len(files)
    shutil.copy(files[0], files[0].with_name(f"{files[0].stem[:-6]}999999.png"))
    more = inspect(folder, name)
    for file in files[:2]:
        file.unlink()
    fewer = inspect(folder, name)
    if not counted:
        assert (more.differences, fewer.differences) == ((), ())
        assert all(row.difference is None for row in more.rows if row.part == part)
        return
    assert said(more) == f"{part}: {count + 1} found, {count} published: 1 too many"
    assert said(fewer) == f"{part}: {count - 1} found, {count} published: 1 too few"
    assert [row.difference for row in fewer.rows if row.part == part] == [-1]


@pytest.mark.parametrize(("name", "role", "counted"), PARTS)
def test_a_part_that_is_missing_or_empty_is_named(tmp_path, name, role, counted):
    folder = published(name, tmp_path / "edition")
    part = _folder(name, role)
    count = len(list((folder / part).iterdir()))
    printed = f", {count} published" if counted else ""
    shutil.rmtree(folder / part)
    (folder / part).mkdir()
    assert said(inspect(folder, name)) == f"{part}: no pictures{printed}"
    (folder / part).rmdir()
    words = f"{role}, folders: " if "<" in role else f"{part}: missing{printed}"
    assert said(inspect(folder, name)).startswith(words)


def test_what_is_published_is_what_the_overviews_print():
    def counts(name, model=0):
        return [part.count for part in EDITIONS[name].models[model].parts]

    assert counts("2023") == [500, 80, 80, 10_000, 200]
    assert counts("2024-1", 0) == [10_000, 100, 100, 7_200, 4_000]
    assert counts("2024-1", 1) == [10_000, 3_000, 3_000, 5_000, 4_000]
    assert counts("2024-2") == [200, 3_000] and EDITIONS["2024-2"].models[0].parts[0].folders == 3
    assert counts("2025-1") == [None, 100, 100, None, 500]
    assert counts("2025-2") == [None, None, None]
    for edition in EDITIONS.values():
        assert all(part.source for model in edition.models for part in model.parts)
        assert edition.sources and not any("/" in source for source in edition.sources)


def test_labels_are_counted_where_the_answers_are(tmp_path):
    folder = published("2023", tmp_path / "edition")
    rows = [f"p_{number:06d}.png,{label}" for number, label in enumerate((1, 1, 0, 0), start=1)]
    (folder / "answers.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    assert inspect(folder, "2023").differences == ()
    (folder / "answers.csv").write_text("\n".join(["file,label", *rows[1:]]) + "\n")
    found = inspect(folder, "2023")
    assert said(found) == "answers, used: 1 found, 2 published: 1 too few"
    (folder / "answers.csv").write_text("file,label\nx.png,perhaps\n")
    with pytest.raises(BadInput, match="'perhaps'"):
        inspect(folder, "2023")


def test_models_in_two_halves_and_one_of_them_alone(tmp_path):
    folder = published("2024-1", tmp_path / "edition")
    for half in ("dev", "test"):
        for model in ("model_1", "model_2"):
            (tmp_path / "halves" / half).mkdir(parents=True, exist_ok=True)
            shutil.copytree(folder / model / half, tmp_path / "halves" / half / model)
    found = inspect(tmp_path / "halves", "2024-1")
    assert found.differences == () and {row.part for row in found.rows} >= {"test/model_2/real_unknown"}
    alone = inspect(folder / "model_2", "2024-1")
    assert "model 1 of 2024-1 is not here" in alone.differences
    assert all(row.difference == 0 for row in alone.rows)
    shutil.move(folder / "model_2", tmp_path / "unnumbered")
    assert all(row.difference == 0 for row in inspect(tmp_path / "unnumbered", "2024-1").rows)


def test_pictures_and_names_unlike_the_published_are_named(tmp_path):
    folder = published("2024-1", tmp_path / "edition")
    part = folder / "model_1" / "test" / "real_unknown"
    files = sorted(part.iterdir())
    files[0].rename(part / "real_unknown_1_7.png")
    files[1].rename(part / "real _unknown_1_     8.png")  # as printed
    assert inspect(folder, "2024-1").differences == ()
    files[2].rename(part / "real_unknown_2_000003.png")
    Image.new("RGB", (256, 256)).save(files[3])
    (part / files[4].name).write_bytes(b"\x89PNG\r\n\x1a\n")
    found = inspect(folder, "2024-1")
    assert len(found.differences) == 2
    assert "1 of 7 names are unlike real_unknown_1_000001.png: real_unknown_2_000003.png" in said(found)
    assert "2 of 7 looked at are no 256×256 8-bit grey PNG; " in said(found)
    assert "256×256 8-bit colour PNG" in said(found)


def test_another_layout_and_parts_that_do_not_belong_are_named(tmp_path):
    folder = published("2023", tmp_path / "edition")
    pictures(folder / "test" / "reference", 3)
    pictures(folder / "dev" / "left over", 3)
    found = inspect(folder, "2023")
    assert said(found) == "test/reference: 3 found, no part of 2023"
    assert any(note.startswith("dev/left over: ") for note in found.notes)
    other = inspect(folder, "2024-2")
    assert other.differences[0].startswith("the layout is 'membership, one model', that of 2024-2")
    assert "test/images: missing" in said(other) and "dev/generated: 2 found, no part" in said(other)


def test_no_edition_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    pictures(tmp_path / "flat", 3)
    for folder, words in (("empty", "no edition"), ("flat", "no edition"), ("gone", "no such folder")):
        with pytest.raises(BadInput, match=words) as caught:
            inspect(tmp_path / folder)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="known: 2023"):
        inspect(tmp_path / "empty", "1999")


def test_no_picture_is_counted_where_nothing_is_published_like_it(tmp_path):
    for part, count in {**TINY, "test/real_unknown": 90}.items():
        pictures(tmp_path / part, count + 30)
    found = inspect(tmp_path)
    assert found.published is None and found.differences == ()
    assert {row.part: row.found for row in found.rows} == {
        **{part: count + 30 for part, count in TINY.items()},
        "test/real_unknown": 120,
    }


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "=1+1", "<script>", "t" * 200, "t\u202e", "..."])
def test_hostile_names_of_classes_stay_on_their_line(tmp_path, name):
    folder = published("2025-2", tmp_path / "edition")
    for side in ("real", "generated"):
        (folder / "dev" / side / "t5").rename(folder / "dev" / side / name)
    (folder / "test" / f"{name}.d").mkdir()
    found = inspect(folder, "2025-2")
    hidden = name.startswith(".")
    assert all(word.isprintable() for word in (*found.differences, *found.notes, found.folder))
    assert bool(found.differences) == hidden
    assert sum(row.part.startswith("dev/real/") for row in found.rows) == (5 if hidden else 6)


def test_names_that_are_no_text_are_shown(tmp_path):
    folder = published("2025-2", tmp_path / "edition")
    Path(folder / "dev" / "real" / "t5").rename(folder / "dev" / "real" / "caf\udce9")
    assert any(row.part == r"dev/real/caf\xe9" for row in inspect(folder, "2025-2").rows)
