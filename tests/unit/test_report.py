"""The pages are inert, complete and honest: parsed with html.parser, compared tag by tag."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from whorl.records import Interval
from whorl.report import wording
from whorl.report.page import attribution_page, audit_page, index_page

sys.path.insert(0, str(Path(__file__).parents[1]))
import report_samples as samples
from report_reading import PAYLOADS, Page, assert_inert

POLICY = re.compile(
    r"default-src 'none'; img-src data:; style-src 'sha256-([^']+)'; base-uri 'none'; form-action 'none'"
)


@pytest.fixture(scope="module")
def leak():
    return samples.audit("leak")


@pytest.fixture(scope="module")
def small():
    return samples.audit("leak", real=80, attacks=2)


@pytest.fixture(scope="module")
def bag():
    return samples.attribution(pictures=200)


@pytest.fixture(scope="module")
def pages(leak, bag):
    return {
        "audit": audit_page(leak),
        "audit with pictures": audit_page(leak, samples.audit_pictures(leak, 32)),
        "attribution": attribution_page(bag),
        "attribution with pictures": attribution_page(bag, samples.attribution_pictures(bag)),
        "index": index_page("Demo", samples.index_rows(), samples.index_attribution(), "whorl demo"),
    }


@pytest.mark.parametrize(
    "name", ["audit", "audit with pictures", "attribution", "attribution with pictures", "index"]
)
def test_page_is_inert_sealed_and_well_formed(pages, name):
    page = Page(pages[name])
    assert_inert(page)
    policy = next(
        found["content"] for _, found in page.tags if found.get("http-equiv") == "Content-Security-Policy"
    )
    match = POLICY.fullmatch(policy)
    assert match is not None
    assert base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode() == match[1]
    places = page.values("id")
    assert len(places) == len(set(places))
    assert {value[1:] for value in page.values("href") if value.startswith("#")} <= set(places)
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all("scope" in found for tag, found in page.tags if tag == "th")
    assert all(found["alt"] for tag, found in page.tags if tag == "img")
    drawings = [index for index, (tag, _) in enumerate(page.tags) if tag == "svg"]
    assert all(
        page.tags[index][1]["role"] == "img" and page.tags[index + 1][0] == "title" for index in drawings
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_in_every_field_of_an_audit_adds_nothing(small, payload):
    shown = samples.audit_pictures(small, 8)
    for images in (None, shown):
        hostile = audit_page(samples.hostile_audit(small, payload), images)
        assert (
            Page(hostile).skeleton == Page(audit_page(samples.hostile_audit(small, "plain"), images)).skeleton
        )
        assert_inert(Page(hostile))
        hostile.encode("utf-8")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_in_every_field_of_an_attribution_and_overview_adds_nothing(bag, payload):
    images = {index: samples.phantom(index, 8) for index in range(3)}
    made = {
        word: (
            attribution_page(samples.hostile_attribution(bag, word), images),
            index_page(
                word,
                [dict.fromkeys(("name", "verdict", "truth", "made", "sentence"), word) | {"href": "a"}],
                dict.fromkeys(("sentence", "count", "truth"), word) | {"href": "b"},
                word,
            ),
        )
        for word in (payload, "plain")
    }
    for hostile, plain in zip(made[payload], made["plain"], strict=True):
        assert Page(hostile).skeleton == Page(plain).skeleton
        assert_inert(Page(hostile))
        hostile.encode("utf-8")


def test_hostile_names_stay_readable(leak):
    page = Page(audit_page(samples.hostile_audit(leak, "a\nb<i>\u202e")))
    assert "a␤b<i>〈U+202E〉" in page.text.replace("\u2329", "〈").replace("\u232a", "〉")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "https://evil.example", "data:text/html,x", "a b.html"]
)
def test_links_to_reports_stay_local(address):
    rows = [{"name": "x", "verdict": "leak", "truth": "leaks", "href": address}]
    assert_inert(Page(index_page("Demo", rows, None, "whorl demo")))


@pytest.mark.parametrize(
    ("verdict", "word", "sign"),
    [
        ("leak", "Leak", "Warning sign"),
        ("no evidence", "No evidence of a leak", "Empty ring"),
        ("cannot tell", "Cannot tell", "Question mark"),
    ],
)
def test_verdict_is_said_by_word_sign_and_class(verdict, word, sign):
    audit = samples.audit(verdict, real=60, attacks=2)
    page = Page(audit_page(audit))
    assert ("section", {"class": f"verdict {verdict.replace(' ', '-')}", "id": "verdict"}) in page.tags
    assert word in page.text and sign in page.text and audit.sentence in page.text
    assert "The smallest AUC this audit could have detected: 0.581." in page.text
    assert "No evidence is not safety." in page.text


def test_evidence_is_complete(leak):
    text = Page(audit_page(leak)).text
    for attack in (*leak.attacks, leak.combined):
        assert attack.title in text and attack.recipe in text
        assert wording.interval(attack.auc) in text
        assert " ".join(wording.interval_percent(attack.tpr).split()) in text
    assert "Guessing finds 1.0 %" in text and "tried 5 attacks" in text
    for file in leak.quarantined:
        assert file.file in text and file.reason in text
    for words in ("200 pictures", "of 100 patients", "500 pictures", leak.notes[0], "3f2a90cc41d8e6b7"):
        assert words in text
    assert leak.provenance["command"] in text and "Seed: 7" in text


def test_an_audit_that_could_see_nothing_says_so(leak):
    for auc in (1.0, float("nan")):
        page = Page(audit_page(dataclasses.replace(leak, detectable_auc=auc)))
        assert "could have detected: none" in page.text


def test_pictures_appear_only_when_given(leak, bag, pages):
    assert not any(tag == "img" for tag, _ in Page(pages["audit"]).tags)
    assert "--with-images" in pages["audit"] and "--with-images" not in pages["audit with pictures"]
    shown = Page(pages["audit with pictures"])
    assert sum(tag == "img" for tag, _ in shown.tags) == 3 * 24
    assert sum(found.get("class") == "pair" for _, found in shown.tags) == 24
    assert "Handle as patient data" in shown.text
    # Without pictures an attribution still shows what the groups have in common: averages, no picture.
    assert sum(tag == "img" for tag, _ in Page(pages["attribution"]).tags) == 2 * len(bag.clusters)
    assert sum(tag == "img" for tag, _ in Page(pages["attribution with pictures"]).tags) > 2 * len(
        bag.clusters
    )


def test_a_missing_twin_and_a_missing_picture_are_said(leak):
    exposed = (dataclasses.replace(leak.exposed[0], twin=-1), leak.exposed[1])
    images = {"real": {leak.exposed[0].row: samples.phantom(1, 32)}, "generated": {}}
    page = Page(audit_page(dataclasses.replace(leak, exposed=exposed), images))
    assert "none known" in page.text
    assert page.text.count("not available") == 5


def test_pages_survive_empty_and_undefined_numbers(leak, bag):
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    attack = dataclasses.replace(
        leak.attacks[0],
        auc=unknown,
        tpr=unknown,
        p_value=float("nan"),
        p_adjusted=float("nan"),
        detectable_auc=float("nan"),
    )
    alone = dataclasses.replace(
        leak,
        attacks=(attack,),
        combined=None,
        values=leak.values[:1, :1],
        nearest=leak.nearest[:1, :1],
        ids=leak.ids[:1],
        roles=("holdout",),
        patients=leak.patients[:1],
        exposed=(),
        quarantined=(),
        notes=(),
        provenance={},
    )
    text = Page(audit_page(alone)).text
    assert "nan" not in text.lower() and "not recorded" in text and "Too few pictures" in text
    none = dataclasses.replace(alone, attacks=(), values=leak.values[:1, :0], nearest=leak.nearest[:1, :0])
    assert "Too few pictures" in Page(audit_page(none, {"real": {}, "generated": {}})).text
    bare = dataclasses.replace(
        bag,
        choices=(),
        clusters=(),
        measures=(),
        coordinates=np.zeros((200, 0)),
        count_given=True,
        notes=(),
        quarantined=(),
        provenance={},
    )
    assert "the number given" in Page(attribution_page(bare)).text


def test_a_large_page_stays_small():
    audit = samples.audit("leak", real=1400, generated=2000, attacks=8)
    html = audit_page(audit, samples.audit_pictures(audit, 256, 40))
    assert len(html.encode()) < 5_000_000
    assert "shown reduced to" in Page(html).text
    scattered = attribution_page(samples.attribution(5, 9000))
    assert len(scattered.encode()) < 1_000_000
    assert "3,000 of 9,000 pictures are shown" in Page(scattered).text
