"""The public edition tells nothing of single people: hostile records go in, none of their words come out."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from whorl.deliverables import AuditReport
from whorl.exports import json_text
from whorl.records import ImageSet, digest_of
from whorl.report import pictures
from whorl.report.page import public_page
from whorl.report.public_view import about, public_content

sys.path.insert(0, str(Path(__file__).parents[1]))
import report_evidence as evidence
import report_samples as samples
from report_reading import PAYLOADS, Page, assert_inert

SECRETS = (
    *PAYLOADS,
    "Mueller^Hans",
    "/srv/hospital/ward 7/P0001",
    "whorl.toml:ward7",
    "1964-03-12",
    "deadbeef-ward7",
    "whorl.ward7",
)


@pytest.fixture(scope="module")
def bare():
    return samples.audit("leak", real=84, attacks=3)


@pytest.fixture(scope="module")
def full(bare):
    return evidence.full(bare)


def both(audit) -> tuple[str, str]:
    """Return the page as a reader sees it, tags included, and the JSON as text."""
    page = Page(public_page(audit))
    assert_inert(page)
    inside = [value or "" for _, found in page.tags for value in found.values()]
    return " ".join([*page.words, *inside]), json.dumps(public_content(audit), ensure_ascii=False)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_word_of_the_record_reaches_the_public_files(bare, secret):
    made = samples.hostile_audit(evidence.hostile(bare, secret), secret)
    facts = {"name": secret, "rule": secret, "sources": {"members": secret}, "platform": secret}
    made = dataclasses.replace(made, provenance={**made.provenance, **facts, "picture_size": [secret]})
    plain = samples.hostile_audit(evidence.hostile(bare, "other"), "other")
    plain = dataclasses.replace(plain, provenance={**plain.provenance, "picture_size": ["other"]})
    for hostile, harmless in zip(both(made), both(plain), strict=True):
        assert hostile == harmless
        assert secret not in hostile


def test_no_name_path_or_number_of_a_person_is_public(full):
    private = {*full.ids, *full.patients, *full.generated_ids, *full.notes, full.sentence}
    private |= {full.provenance["command"], *full.provenance["digests"].values(), "patient 0", "P00"}
    private |= {one.sentence for one in full.hygiene} | {one.reason for one in full.quarantined}
    for words in both(full):
        assert not [one for one in private if one in words]


def test_nothing_public_changes_with_one_person(full):
    # Counts on the same ten, one remembered picture and one near copy more or less.
    fewer = dataclasses.replace(
        full,
        near_copies=full.near_copies[:-1],
        remembrance=dataclasses.replace(full.remembrance, pictures=full.remembrance.pictures[:-1]),
    )
    assert len(full.near_copies) == 13 and both(fewer) == both(full)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "none"),
        (1, "fewer than 10"),
        (9, "fewer than 10"),
        (10, "about 10"),
        (14, "about 10"),
        (15, "about 20"),
        (25, "about 30"),
        (1234, "about 1,230"),
    ],
)
def test_counts_are_rounded_to_tens(count, words):
    assert about(count) == words


def test_every_number_of_people_is_rounded(full):
    content = public_content(full)
    assert [one["pictures"] for one in content["sets"]] == ["about 40", "about 40", "about 500"]
    assert [one["patients"] for one in content["sets"]] == ["about 20", "about 20", ""]
    assert content["near_copies"]["pictures"] == "about 10"
    assert content["remembered"] == {
        "pictures": "about 10",
        "patients": "fewer than 10",
        "wrong_at_most": "5.0\xa0%",
    }
    counts = [line["count"] for line in content["hygiene"]]
    assert counts == ["about 10", "fewer than 10"]
    assert content["privacy_loss"]["epsilon_at_least"] == 0.8
    assert all(round(end, 2) == end for attack in content["attacks"] for end in attack["auc"])


def test_a_decision_is_public_without_what_was_found(full):
    page, content = both(evidence.decided(full))
    said = public_content(evidence.decided(full))["decision"]
    assert said["word"] == "Do not release" and [one["kept"] for one in said["limits"]] == [
        "no",
        "yes",
        "cannot be said",
    ]
    assert "Decision: Do not release" in page
    for words in ("13 of them", "13 (at", "ward rule", "sign the agreement"):
        assert words not in page and words not in content


def test_what_whorl_knows_keeps_its_name_and_what_it_does_not_gets_a_number(full):
    first = dataclasses.replace(full.attacks[0], recipe="whorl.ssim", title="ward 7")
    content = public_content(dataclasses.replace(full, attacks=(first, *full.attacks[1:])))
    titles = [one["title"] for one in content["attacks"]]
    assert titles[0] == "All 3 attacks together" and "ward 7" not in titles
    assert any(title.startswith("Structural similarity") for title in titles)
    assert sum("not of whorl's catalogue" in title for title in titles) == 2
    assert [one["name"] for one in content["baseline"]["families"]] == [
        "intensity",
        "compression",
        "all together",
    ]


@pytest.mark.parametrize("verdict", ["leak", "no evidence", "cannot tell"])
def test_the_page_says_what_the_file_says_and_is_a_whole_page(verdict):
    audit = evidence.full(samples.audit(verdict, real=84, attacks=2))
    page, content = Page(public_page(audit)), public_content(audit)
    assert json.loads(json_text(content)) == content
    assert content["verdict"] == verdict and content["sentence"] in page.text
    assert ("section", {"class": f"verdict {verdict.replace(' ', '-')}", "id": "verdict"}) in page.tags
    assert {value[1:] for value in page.values("href")} <= set(page.values("id"))


def test_an_empty_record_is_published_without_a_number(bare):
    nothing = dataclasses.replace(
        bare, attacks=(), combined=None, values=bare.values[:, :0], provenance={}, detectable_auc=float("nan")
    )
    words, text = both(nothing)
    assert "nan" not in words.lower() and "nan" not in text.lower()
    assert json_text(public_content(nothing))


def test_saved_public_files_hold_no_picture_and_the_report_does(tmp_path, full):
    side = 16
    random = np.random.default_rng(5)

    def made(name: str, count: int) -> ImageSet:
        pixels = random.integers(0, 256, (count, side, side)).astype(np.uint8)
        digests = tuple(digest_of(name, place) for place in range(count))
        return ImageSet(name, tuple(f"{name}{place}" for place in range(count)), pixels, digests)

    members, holdout, generated = made("members", 42), made("holdout", 42), made("generated", 500)
    report = AuditReport(full, (members, holdout), generated)
    report.save(tmp_path, with_images=True, public=True)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    addresses = re.findall(r"data:image/png;base64,[A-Za-z0-9+/=]+", page)
    shown = pictures.grey(members.pixels[full.near_copies[0].row]).address
    assert shown in addresses and base64.b64decode(shown.split(",")[1])
    for name in ("public.html", "public.json"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "data:image" not in text and "base64" not in text
    assert json.loads((tmp_path / "public.json").read_text())["schema"] == "whorl.public/1"
    other = tmp_path / "private"
    report.save(other)
    assert sorted(path.name for path in other.iterdir()) == ["audit.json", "report.html", "scores.csv"]
    # What an earlier audit told the public must not stay beside the files of a later one.
    report.save(tmp_path)
    assert not (tmp_path / "public.html").exists() and not (tmp_path / "public.json").exists()
