"""What a hospital must see stands on the page, follows from the record, and says where it knows nothing."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from whorl.evidence.rates import least_patients
from whorl.evidence.tails import copy_p_values
from whorl.exposure import FALSE_COPIES, too_few_for_copies
from whorl.outcomes import PrivacyLoss, Remembrance, WholeSet
from whorl.records import Interval
from whorl.report.page import audit_page, public_page

sys.path.insert(0, str(Path(__file__).parents[1]))
import report_evidence as evidence
import report_samples as samples
from report_reading import PAYLOADS, Page, assert_inert

ORDER = (
    "verdict",
    "rule",
    "compared",
    "attacker",
    "attacks",
    "baseline",
    "power",
    "copies",
    "people",
    "hygiene",
    "limits",
    "sign-off",
    "repeat",
)


@pytest.fixture(scope="module")
def bare():
    return samples.audit("leak", real=80, attacks=3)


@pytest.fixture(scope="module")
def full(bare):
    return evidence.full(bare)


@pytest.fixture(scope="module")
def text(full):
    return Page(audit_page(full)).text.replace("\xa0", " ")


def said(audit) -> str:
    return Page(audit_page(audit)).text.replace("\xa0", " ")


def test_sections_come_in_the_order_of_a_decision(full):
    page = Page(audit_page(full))
    assert tuple(found["id"] for tag, found in page.tags if tag == "section") == ORDER
    assert_inert(page)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_in_the_new_parts_adds_nothing(bare, payload):
    shown = samples.audit_pictures(bare, 8)
    for images in (None, shown):
        made = {
            word: Page(audit_page(samples.hostile_audit(evidence.hostile(bare, word), word), images))
            for word in (payload, "plain")
        }
        assert made[payload].skeleton == made["plain"].skeleton
        assert_inert(made[payload])


def test_every_attack_has_its_weight_and_its_shares(full, text):
    assert "60.0 %" in text and "−20.0 %" in text
    assert text.count("20.0 % [10.0, 31.0]") == 1 + len(full.attacks)
    assert "Not given" not in text


def test_shares_that_the_holdout_cannot_support_have_no_column(full):
    without = dataclasses.replace(
        full,
        attacks=tuple(map(evidence.unsupported, full.attacks)),
        combined=evidence.unsupported(full.combined),
    )
    words = said(without)
    held = len({name for name, role in zip(full.patients, full.roles, strict=True) if role == "holdout"})
    assert least_patients(0.01) == 300 and least_patients(0.001) == 3000
    assert f"at 1 % needs 300 and at 0.1 % needs 3,000 holdout patients; there are {held}." in words
    assert "20.0 % [10.0, 31.0]" not in words
    assert not [words for words in Page(audit_page(without)).words if words.startswith("Members found at 1")]


@pytest.mark.parametrize(("p_value", "words"), [(0.0012, "lie nearer to"), (0.4, "lie no nearer to")])
def test_whole_sets_in_words(full, p_value, words):
    assert words in said(dataclasses.replace(full, whole_set=WholeSet(3.4, p_value)))


def test_privacy_loss_says_what_it_bounds_and_how_it_was_chosen(full, text):
    assert "ε is at least 0.87, with 95 % confidence." in text
    assert "names member patients 2.39 times as often" in text and "fixed beforehand" in text
    none = said(dataclasses.replace(full, privacy_loss=PrivacyLoss(0.0, 0.0, 0.95, "split")))
    assert "No ε above 0 can be claimed with 95 % confidence." in none
    assert "no promise" in none and "tested on the others" in none


def test_the_three_risks_are_answered_by_name(bare, text):
    assert "13 pictures and" in text and "at most 5.0 % of either list is wrong" in text
    assert "13 member pictures of" in text and "have a near copy: who holds the real picture" in text
    assert "where 0.5 is guessing; ε is at least 0.87." in text
    words = said(bare)
    assert (
        "no list of remembered pictures" in words and "no attack of this panel looks for near copies" in words
    )


def test_a_confounded_comparison_is_said_and_marked(bare, text):
    assert (
        "members cannot be told from the holdout" in text
        and "less 0.5, which is guessing: 0.210 [0.130, 0.280], clearly more." in text
    )
    page = Page(audit_page(evidence.confounded(bare)))
    assert "Members can be told from the holdout without any generated picture, by intensity" in page.text
    assert "less that of this baseline: −0.020 [−0.100, 0.070], not clearly more." in page.text
    assert sum(found.get("class") == "marked" for tag, found in page.tags if tag == "tr") == 1


def test_planted_copies_are_the_control(full, text):
    for one in full.planted:
        assert one.altered in text
    assert "3 of 20" in text and "none was noticed" in text
    assert "planted copies found 51 of 80" in text


def test_too_few_holdout_pictures_for_any_copy_is_said(full):
    few = evidence.full(samples.audit("leak", real=60, attacks=3))
    beside = few.roles.count("holdout")
    words = said(dataclasses.replace(few, near_copies=()))
    assert beside < 40 and f"With {beside} holdout pictures no near copy can be listed" in words
    assert "40 or more are needed to keep the wrong ones below 1 %" in words
    assert full.roles.count("holdout") >= 40
    assert "no near copy can be listed" not in said(dataclasses.replace(full, near_copies=()))


@pytest.mark.parametrize(
    ("count", "possible"), [(1, False), (30, False), (39, False), (40, True), (200, True)]
)
def test_a_perfect_copy_is_listed_only_beside_enough_holdout(count, possible):
    beside = np.random.default_rng(count).normal(0.3, 0.05, count)
    smallest = float(copy_p_values(beside, np.array([1.0]))[0])
    assert (smallest <= FALSE_COPIES) == possible == (not too_few_for_copies(["holdout"] * count))


def test_near_copies_stand_side_by_side_only_if_asked(full):
    shown = Page(audit_page(full, samples.audit_pictures(full, 24)))
    places = [found["id"] for _, found in shown.tags if found.get("class") == "pair"]
    assert [place for place in places if place.startswith("copy-")] == [
        f"copy-{rank}" for rank in range(1, evidence.COPIES + 1)
    ]
    # A member with a near copy is not shown again among the most exposed.
    assert sum(place.startswith("pair-") for place in places) == min(24, len(full.exposed) - evidence.COPIES)
    assert "likeness 0.98, q 0.002" in shown.text
    without = Page(audit_page(full))
    assert not any(tag == "img" for tag, _ in without.tags) and "likeness 0.98, q 0.002" in without.text


def test_pseudonyms_are_numbers_in_the_order_of_names_whatever_that_of_pictures(full):
    names = full.pseudonyms
    members = sorted({n for n, role in zip(full.patients, full.roles, strict=True) if role == "member"})
    assert [names[name] for name in members] == [f"patient {k:03d}" for k in range(1, len(members) + 1)]
    turned = dataclasses.replace(full, patients=full.patients[::-1], roles=full.roles[::-1])
    assert turned.pseudonyms == names


def test_patients_that_count_once_are_told_of(full, bare):
    page = said(full)
    told = page[page.index("By patient:") :][:300]
    assert "300 member patients from 310 holdout patients with an AUC of 0.810 [0.770, 0.850]" in told
    assert "30.0 % [20.0, 40.0] of the member patients found at 1 %" in told and "0.1 %" not in told
    assert "By patient:" not in said(bare)


def test_groups_of_patients_are_told_only_where_they_are_many(full, bare):
    page = said(full)
    assert "By group of patients" in page and "<b>sex</b>" in page and "0.710 [0.600, 0.800]" in page
    few = page[page.index("M</table>") :]
    assert few.split("\n")[0] and "too few to tell" in few[:200] and "41" not in few[:40]
    assert "By group of patients" not in said(bare)
    assert ("not looked at apart" in page, "not looked at apart" in said(bare)) == (False, True)
    assert "sex" not in Page(public_page(full)).text


def test_the_patients_table_begins_with_those_who_have_copies(full):
    html = audit_page(full)
    table = html[html.index('id="patients"') : html.index('id="exposed"')]
    words = Page(table).text
    copied = {full.patients[one.row] for one in full.near_copies}
    first = words.index("patient 0")
    listed = [name for name in words[first:].split() if name in set(full.patients)]
    assert set(listed[: len(copied)]) == copied and len(listed) == 20
    assert f"{len(copied)} of 20 member patients have a near copy or are on a list above" in words


def test_nobody_listed_is_told_from_nothing_could_be_listed(full):
    none = Remembrance(0.05, (), (), possible=True)
    assert "Nobody: no picture and no patient stands out" in said(dataclasses.replace(full, remembrance=none))
    unable = dataclasses.replace(none, possible=False)
    assert "no list at 5.0 % wrong entries could have held anybody" in said(
        dataclasses.replace(full, remembrance=unable)
    )


def test_hygiene_is_listed_by_weight_with_examples(full, bare, text):
    for one in full.hygiene:
        assert one.sentence in text
    assert "members/a4.png · holdout/b4.png" in text and "members/a5.png" not in text
    assert "and 9 more" in text
    assert "No doubles" in said(bare)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("release", "no-evidence"),
        ("release with conditions", "cannot-tell"),
        ("cannot tell", "cannot-tell"),
        ("do not release", "leak"),
    ],
)
def test_a_decision_leads_and_every_limit_is_ruled_on(full, word, kind):
    page = Page(audit_page(evidence.decided(full, word)))
    assert ("section", {"class": f"verdict {kind}", "id": "verdict"}) in page.tags
    assert f"Decision: {word.capitalize()}" in page.text and "Finding of the audit: Leak" in page.text
    assert (
        f"Sign of the decision: {word}" in page.text
        and "ward rule" in page.text
        and "sign the agreement" in page.text
    )
    kept = [found["class"] for tag, found in page.tags if tag == "td" and "kept" in found.get("class", "")]
    assert kept == ["kept no", "kept yes", "kept unsure"]
    assert "No limits were set" not in page.text


def test_there_is_room_to_sign_and_the_limits_are_said(text):
    for words in ("Data steward", "Signature", "To be reviewed on", "Absence of evidence", "Not covered:"):
        assert words in text
    assert "No limits were set for this release" in text


def test_unknown_patients_are_said_where_people_are_listed(full):
    words = said(dataclasses.replace(full, provenance={**full.provenance, "patients_known": False}))
    assert "every picture counts as one" in words
    assert "13 member pictures have a generated picture that lies nearer" in words


def test_undefined_numbers_do_not_reach_the_page(full):
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    broken = dataclasses.replace(full, margin=unknown, whole_set=WholeSet(float("nan"), float("nan")))
    assert "nan" not in said(broken).lower()
