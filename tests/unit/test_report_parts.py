"""What pages are built from: curves, histograms, encoded pictures, numbers in words."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from whorl.outcomes import Attack
from whorl.records import Interval
from whorl.report import curves, figures, pictures, svg, wording
from whorl.report.sections import local_link


def test_curve_is_right_against_counting():
    random = np.random.default_rng(1)
    members, holdout = np.round(random.normal(0.5, 1, 137), 1), np.round(random.normal(0, 1, 90), 1)
    alarms, found = curves.operating_curve(members, holdout)
    for share, reached in zip(alarms, found, strict=True):
        allowed = [t for t in np.unique([*members, *holdout]) if (holdout >= t).sum() <= round(share * 90)]
        expected = max(((members >= t).mean() for t in allowed), default=0.0)
        assert reached == pytest.approx(expected)
    assert found[-1] == 1 and alarms[0] == pytest.approx(1 / 90)
    assert len(curves.operating_curve(random.normal(size=5000), random.normal(size=5000))[0]) <= 300


def test_histograms_share_bins_and_lose_nobody():
    random = np.random.default_rng(2)
    members = np.append(random.normal(size=300), 1e6)
    edges, inside, outside, gathered = curves.histograms(members, random.normal(1, 1, 200))
    assert inside.sum() == pytest.approx(1) and outside.sum() == pytest.approx(1)
    assert gathered and edges[-1] < 100 and len(inside) == len(outside) == len(edges) - 1
    assert not curves.histograms(np.ones(5), np.ones(4))[3]


def test_encoded_pictures_hold_the_values_and_no_metadata():
    image = np.arange(200 * 150, dtype=np.float64).reshape(200, 150) % 256
    shown = pictures.grey(image)
    decoded = Image.open(io.BytesIO(base64.b64decode(shown.address.split(",")[1])))
    assert (np.asarray(decoded) == image).all() and not decoded.info
    assert (pictures.grey(image[:60, :50]).width, pictures.grey(image, 100).height) == (100, 100)
    change = np.array([[-9.0, 0.0, 9.0]] * 200)
    coloured = Image.open(io.BytesIO(base64.b64decode(pictures.signed(change, 9).address.split(",")[1])))
    assert np.asarray(coloured.convert("RGB"))[0].tolist() == [[33, 84, 160], [255, 255, 255], [172, 20, 38]]


@pytest.mark.parametrize(
    ("share", "holdout", "words"),
    [
        (1 / 400, 400, "1 in 400 holdout pictures scores this high"),
        (0.0, 400, "None of the 400 holdout pictures scores this high"),
        (0.5, 400, "200 of 400 holdout pictures score this high"),
        (0.02, 2000, "1 in 50 holdout pictures scores this high"),
    ],
)
def test_rarity_in_words(share, holdout, words):
    assert wording.rarity(share, holdout) == words


def test_numbers_in_words():
    assert wording.interval(Interval(0.8734, 0.8421, 0.9009)) == "0.873 [0.842, 0.901]"
    assert (
        wording.interval_percent(Interval(0.1234, 0.08, 0.175)).replace("\xa0", " ") == "12.3 % [8.0, 17.5]"
    )
    assert (
        wording.chance_of(0.0002).replace("\xa0", " ") == "< 0.001" and wording.chance_of(0.0124) == "0.012"
    )
    assert wording.number(-0.0001) == "0.000" and wording.number(-1.5, 1) == "−1.5"
    assert svg.log_ticks(0.001, 1) == pytest.approx([0.001, 0.01, 0.1, 1])
    assert svg.round_ticks(0.4, 0.9) == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])


@pytest.mark.parametrize("address", ["//evil.example", "/etc/passwd", "\\\\evil\\share", "a\\b"])
def test_links_elsewhere_are_refused(address):
    with pytest.raises(ValueError, match="relative"):
        local_link(address)


def test_links_are_quoted_so_that_no_scheme_is_left():
    assert local_link("audits/clean report.html#scores") == "audits/clean%20report.html#scores"
    assert local_link("javascript:alert(1)") == "javascript%3Aalert%281%29"


def test_hidden_characters_are_shown_and_letters_kept():
    assert wording.visible("a\nb\tc") == "a␤b␉c"
    assert wording.visible("Zürich 肺 \u0645\u06cc\u200c\u062e") == "Zürich 肺 \u0645\u06cc\u200c\u062e"
    assert wording.visible("\u202egnp\udcff") == "\u2329U+202E\u232agnp\u2329U+DCFF\u232a"
    assert wording.shorten("abcdefgh", 5) == "abcd…"


def test_drawings_escape_attributes_and_text():
    made = svg.element("g", '<b>"', class_="\"><i a='", stroke_width=1.234567, dash="")
    assert made == '<g class="&#34;&gt;&lt;i a=&#39;" stroke-width="1.23">&lt;b&gt;&#34;</g>'


@pytest.mark.parametrize(("low", "high"), [(0.45, 0.55), (0.2, 0.99), (0.02, 1.0), (0.5, 0.7)])
def test_axis_labels_stand_where_they_say(low, high):
    attack = Attack("a.b", "A", Interval((low + high) / 2, low, high), Interval(0, 0, 0), 1, 1, 0.6)
    scale = figures.common_scale([attack])
    assert scale.low <= low and high <= scale.high
    labels = re.findall(r'<text x="([\d.]+)" y="26"[^>]*>([\d.]+)</text>', figures.interval_axis(scale))
    assert len(labels) >= 4
    guessing = re.search(r'<text x="([\d.]+)"[^>]*>guessing<', figures.interval_axis(scale))
    assert guessing is not None and float(guessing[1]) == pytest.approx(scale.at(0.5), abs=0.02)
    for place, words in labels:
        assert float(place) == pytest.approx(scale.at(float(words)), abs=0.02)
