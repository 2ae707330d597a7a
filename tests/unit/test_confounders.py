"""What splits a bag besides its generators: plants are found and named, one source is not split."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from scipy.ndimage import gaussian_filter

from whorl import headers, images
from whorl.confounders import Confounder, Group, compare, confounders, content, marks
from whorl.exports import json_text
from whorl.metrics import adjusted_rand_index
from whorl.report.confounder_view import confounder_view
from whorl.report.page import environment
from whorl.traces import Trace, traces

HALF = 30
TRUTH = ["a"] * HALF + ["b"] * HALF


def source(count: int, seed: int, side: int = 64) -> np.ndarray:
    """Pictures of one source: soft shapes of varying tone with noise, stretched to the full range."""
    random = np.random.default_rng(seed)
    soft = gaussian_filter(random.normal(size=(count, side, side)), (0, 6, 6))
    soft = soft / soft.std(axis=(1, 2), keepdims=True) * random.uniform(0.8, 1.2, (count, 1, 1))
    grey = soft + gaussian_filter(random.normal(0, 0.5, (count, side, side)), (0, 0.7, 0.7))
    grey -= grey.min(axis=(1, 2), keepdims=True)
    return (grey / grey.max(axis=(1, 2), keepdims=True) * 255.4).astype(np.uint8)


def saved(picture: np.ndarray, **how) -> np.ndarray:
    """The picture after a passage through a file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, **how)
    return np.array(Image.open(buffer))


def cropped_after_jpeg(picture: np.ndarray) -> np.ndarray:
    return saved(np.pad(picture, ((3, 5), (5, 3)), "edge"), format="JPEG", quality=75)[3:-5, 5:-3]


PLANTED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "saved as JPEG": ("JPEG grid", lambda one: saved(one, format="JPEG", quality=90)),
    "JPEG's steps": ("JPEG steps", lambda one: saved(one, format="JPEG", quality=75)),
    "cropped after JPEG": ("JPEG grid", cropped_after_jpeg),
    "another window": ("intensity range", lambda one: (one * 0.7 + 20).astype(np.uint8)),
    "stretched": ("histogram gaps", lambda one: np.clip(one * 1.4 - 40, 0, 255).astype(np.uint8)),
    "6 bits": ("grey step", lambda one: one >> 2 << 2),
    "6 bits spread out": ("histogram gaps", lambda one: ((one >> 2) * 255.0 / 63).astype(np.uint8)),
    "darker": ("grey histogram", lambda one: (255 * (one / 255) ** 8).astype(np.uint8)),
    "a frame": ("constant border", lambda one: np.pad(one[3:-3, 3:-3], 3)),
}


def looked_at(pixels: np.ndarray) -> dict[str, Confounder]:
    """Every confounder of a bag whose first half is one truth and whose second is the other, by name."""
    found = compare(confounders(traces(images.load(pixels, name="bag"))), TRUTH)
    return {one.name: one for one in found}


@pytest.mark.parametrize("plant", PLANTED)
def test_what_was_planted_in_half_of_the_bag_is_found_and_named(plant):
    name, change = PLANTED[plant]
    pixels = source(2 * HALF, seed=1)
    found = looked_at(np.concatenate([np.stack([change(one) for one in pixels[:HALF]]), pixels[HALF:]]))[name]
    assert found.splits and [group.size for group in found.groups] == [HALF, HALF] and found.share == 0.5
    assert found.agreement is not None and found.agreement.estimate > 0.95 and found.p_value == 0.001
    assert found.explains == ("a", "b")


def test_two_jpeg_qualities_are_told_apart_by_their_steps():
    pixels = source(2 * HALF, seed=2)
    again = [
        saved(one, format="JPEG", quality=quality)
        for one, quality in zip(pixels, [80, 50] * HALF, strict=True)
    ]
    found = looked_at(np.stack(again[::2] + again[1::2]))
    assert found["JPEG steps"].agreement.estimate > 0.95
    assert found["JPEG steps"].groups[0].label.startswith("log2 of the step")


@pytest.mark.parametrize("seed", range(6))
def test_one_source_is_not_split(seed):
    found = looked_at(source(2 * HALF, seed=10 + seed))
    assert not [one.name for one in found.values() if one.splits or one.explains]
    assert all(one.agreement is None and one.share == 1 for one in found.values())


SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda random, count: random.normal(size=count),
    "uniform": lambda random, count: random.uniform(size=count),
    "exponential": lambda random, count: random.exponential(size=count),
    "heavy tails": lambda random, count: random.standard_cauchy(size=count),
    "an atom at the end": lambda random, count: np.maximum(random.normal(-0.3, 1, count), 0),
    "small counts": lambda random, count: random.poisson(3, count) * 1.0,
    "all the same": lambda random, count: np.ones(count),
}


def of_numbers(values: np.ndarray, grain: float = 0.001) -> Confounder:
    return confounders([Trace("trait", "made up", (), values.reshape(len(values), -1), ("value",), grain)])[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_with_one_mode_make_one_group(shape):
    random = np.random.default_rng(3)
    for count in (40, 100, 200):
        grain = 1.0 if shape == "small counts" else 0.001
        split = [of_numbers(SHAPES[shape](random, count), grain).splits for _ in range(20)]
        assert sum(split) <= 1


@pytest.mark.parametrize("count", [2, 3, 5])
def test_numbers_with_clear_gaps_make_as_many_groups(count):
    truth = np.repeat(np.arange(count), 40)
    values = truth**2 * 1.0 + np.random.default_rng(4).normal(0, 0.1, len(truth))
    found = of_numbers(values)
    assert [group.size for group in found.groups] == [40] * count
    assert adjusted_rand_index(truth, found.members) == 1
    few = of_numbers(np.append(np.zeros(60), np.ones(3)))
    assert not few.splits, "three pictures are no group"


def test_words_split_where_more_than_a_few_pictures_differ():
    def split(*words: str) -> Confounder:
        return confounders([Trace("trait", "made up", words)])[0]

    assert not split(*["x"] * 20).splits and not split(*["x"] * 59, "y").splits
    assert split(*["x"] * 15, *["y"] * 5).groups == (Group("x", 15), Group("y", 5))
    assert not split(*(f"every one its own {row}" for row in range(60))).splits


def test_only_what_a_cluster_has_and_the_others_lack_explains_it():
    words = ["x"] * 20 + ["y"] * 20 + ["z"] * 20
    (bare,) = confounders([Trace("trait", "made up", tuple(words))])
    (found,) = compare([bare], ["1"] * 19 + ["2"] * 21 + ["3", "2"] * 10)
    assert found.explains == ("1",) and marks([found]) == {"1": ("trait",)}
    (mixed,) = compare([bare], ["1", "2"] * 30)
    assert mixed.explains == () and mixed.p_value > 0.5 and abs(mixed.agreement.estimate) < 0.1
    (alone,) = compare([found], ["1"] * 60)
    assert (alone.agreement, alone.p_value, alone.forced, alone.explains) == (None, None, None, ())
    assert (alone.splits, len(alone.groups)) == (True, 3)


def test_a_small_cluster_is_not_explained_by_luck():
    words = tuple(f"word {row % 12}" for row in range(60))
    clusters = ["1"] * 60
    clusters[7] = "2"
    assert compare(confounders([Trace("trait", "made up", words)]), clusters)[0].explains == ()


def test_the_p_value_is_that_of_shuffled_clusters():
    random = np.random.default_rng(5)
    words = tuple(random.choice(list("xyz"), 40))
    clusters = [word if random.uniform() < 0.3 else "x" for word in words]
    (found,) = compare(confounders([Trace("trait", "made up", words)]), clusters)
    shuffled = [adjusted_rand_index(words, random.permutation(clusters)) for _ in range(1000)]
    by_hand = np.mean(np.asarray(shuffled) >= found.agreement.estimate - 1e-12)
    assert found.p_value == pytest.approx(by_hand, abs=0.04)


def test_a_trait_without_a_gap_can_still_go_with_the_clusters():
    values = np.random.default_rng(6).normal(size=90)
    (found,) = compare([of_numbers(values)], ["low" if value < 0 else "high" for value in values])
    assert not found.splits and found.agreement is None and found.explains == ()
    assert found.forced > 0.6


def test_the_order_of_the_pictures_does_not_matter():
    pixels = source(2 * HALF, seed=7)
    pixels[:HALF] = pixels[:HALF] >> 2 << 2
    order = np.random.default_rng(8).permutation(2 * HALF)
    plain = compare(confounders(traces(images.load(pixels, name="bag"))), TRUTH)
    told = [TRUTH[row] for row in order]
    mixed = compare(confounders(traces(images.load(pixels[order], name="bag"))), told)
    assert json_text({"all": content(plain)}) == json_text({"all": content(mixed)})
    for one, other in zip(plain, mixed, strict=True):
        assert (one.members[order] == other.members).all()


def of_files(folder, how: Callable[[int], dict], size: int | None = None, side=lambda row: 64) -> dict:
    """The confounders of a folder of 24 pictures of which `how` says how each is saved, by name."""
    for row, one in enumerate(source(24, seed=9)):
        options = {"suffix": "png"} | how(row)
        picture = Image.fromarray(one).resize((side(row), side(row)))
        picture.save(folder / f"{row:02d}.{options.pop('suffix')}", **options)
    bag = images.load(folder, name="bag", size=size)
    truth = [str(int(name[:2]) % 2) for name in bag.ids]
    return {one.name: one for one in compare(confounders(traces(bag, headers.paths(folder))), truth)}


def noted(row: int) -> dict:
    note = PngImagePlugin.PngInfo()
    note.add_text("Software" if row % 2 else "Comment", "generator 7")
    return {"pnginfo": note}


FILES: dict[str, tuple[str, Callable[[int], dict]]] = {
    "a text chunk": ("metadata", lambda row: noted(row) if row % 2 else {}),
    "the software's name": ("software", noted),
    "JPEG beside PNG": ("file format", lambda row: {"suffix": "jpg" if row % 2 else "png"}),
    "tables of JPEG": ("encoder settings", lambda row: {"suffix": "jpg", "quality": 90 + row % 2}),
    "effort of PNG": ("encoder settings", lambda row: {"compress_level": 1 + 8 * (row % 2)}),
}


@pytest.mark.parametrize("plant", FILES)
def test_what_files_say_is_found_and_named(tmp_path, plant):
    name, how = FILES[plant]
    found = of_files(tmp_path, how)
    assert found[name].splits and found[name].agreement.estimate == 1 and found[name].explains == ("0", "1")
    assert not found["size"].splits and not found["bit depth"].splits


def test_sizes_before_resizing_are_found(tmp_path):
    found = of_files(tmp_path, lambda row: {}, size=64, side=lambda row: 64 if row % 2 else 128)
    assert {group.label for group in found["size"].groups} == {"64×64", "128×128"}
    assert found["size"].agreement.estimate == 1


def test_files_of_one_source_are_not_split(tmp_path):
    found = of_files(tmp_path, lambda row: {})
    assert not [one.name for one in found.values() if one.splits]


def shown(found, count: int) -> str:
    view = confounder_view(found, count)
    template = "{% import 'confounders.html' as parts %}{{ parts.confounding(view) }}"
    return environment().from_string(template).render(view=view)


def test_the_page_names_what_explains_the_groups_and_escapes_it():
    words = ("<script>\x07",) * 20 + ("plain",) * 20
    bare = confounders(
        [Trace("metadata", "names of blocks", words), Trace("size", "in pixels", ("8×8",) * 40)]
    )
    text = shown(compare(bare, ["1"] * 20 + ["2"] * 20), 2)
    assert "All groups found can be explained without any generator" in text
    assert "Explains groups 1 and 2" in text and "1.000 [" in text and "The same in all pictures" in text
    assert "<script>" not in text and "&lt;script&gt;␇: 50.0" in text
    crossed = shown(compare(bare, ["1", "2"] * 20), 2)
    assert "no group found is explained" in crossed and "otherwise than the groups" in crossed
    assert "Would split the pictures by itself" in shown(compare(bare, ["1"] * 40), 1)
    assert "Not looked at" in shown((), 1)


def test_the_document_holds_no_table_of_pictures():
    bare = confounders([Trace("trait", "made up", ("x", "y") * 10)])
    text = json_text({"confounders": content(compare(bare, ["1", "2"] * 10))})
    assert '"explains": [' in text and "members" not in text and "numbers" not in text
