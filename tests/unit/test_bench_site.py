"""The site of a bench: inert, whole, linked, honest in its words, and unmoved by hostile names."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from whorl.ledger import read_lines
from whorl.report import bench_figures
from whorl.report.bench_site import bench_site

sys.path.insert(0, str(Path(__file__).parents[1]))
import bench_lines
from bench_lines import line
from report_reading import PAYLOADS, Page, assert_inert

ABOUT = {"command": "whorl bench all --seeds 2", "seeds": [0, 1], "versions": {"whorl": "0.1.0"}}
VOID = {"meta", "img", "br", "link", "hr"}


class Balance(HTMLParser):
    """Whether every element that begins also ends, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def site_of(tmp_path):
    def make(lines, about=ABOUT):
        return bench_site(read_lines(bench_lines.write(tmp_path / "runs.jsonl", lines)), about)

    return make


@pytest.fixture
def site(site_of):
    return site_of(bench_lines.field())


def check(site):
    for html in site.values():
        Balance(html)
        page = Page(html)
        assert_inert(page)
        ids = page.values("id")
        assert len(set(ids)) == len(ids)
        assert set(re.findall(r"url\(#([\w-]+)\)", html)) <= set(ids)
        for href in page.values("href"):
            assert href[1:] in ids if href.startswith("#") else href in site, href
        assert not {"nan", "None", "inf"} & set(re.findall(r"[A-Za-z]+", page.text))
        numbers = page.values("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "d", "width", "height", "points")
        assert not [value for value in numbers if re.search("nan|inf|None", value)]


def test_every_page_is_inert_whole_and_linked(site):
    check(site)
    assert list(site) == [
        "index.html",
        *(f"edition-{name}.html" for name in ("rate-0", "rate-20", "rate-50")),
        "edition-vae.html",
        "edition-gan.html",
        "edition-who.html",
    ]
    front = Page(site["index.html"])
    assert set(front.values("href")) >= set(site) - {"index.html"}
    sections = {"systems", "ranking", "cost", "dials", "gaps", "quality", "attribution", "failed", "repeat"}
    assert sections <= set(front.values("id"))


def test_the_front_page_counts(site_of):
    lines = [
        line("e", "m1.a", 0.7, p_value=0.0001),
        line("e", "m2.a", 0.5, p_value=0.9),
        line("f", "m1.a", 0.7, p_value=0.0001),
        line("f", "m2.a", 0.7, p_value=0.0001, measures={"auc": [0.7, 0.6, 0.8], "f1": [0.8, 0.7, 0.9]}),
        line("e", "whorl.x", 0.8, p_value=0.0001),
        line("f", "whorl.x", 0.8, p_value=0.0001),
    ]
    text = Page(site_of(lines)["index.html"]).text.replace("\xa0", " ")
    assert (
        "Of 2 published recipes on 2 editions, all see anything at q ≤ 5 % on at least one "
        "and 1 on every one; 1 has an F1 surely above that of the constant answer on at least one."
    ) in text
    assert "The best published recipe reaches a mean AUC of 0.700 [0.650, 0.750] (m1.a)" in text
    assert "the best of whorl's own reaches a mean AUC of 0.800 [0.750, 0.850] (whorl.x)" in text
    assert "picked on these very editions" in text


def test_what_failed_and_what_is_untrained_is_said(site):
    front, edition = Page(site["index.html"]).text, Page(site["edition-vae.html"]).text
    assert "needs torch: install whorl[deep]" in front and "m4.net" in front
    assert "untrained features" in edition and "untrained features" in front
    assert "Not ranked: ran on some editions only" in front
    assert "whorl bench all --seeds 2" in front and "0, 1" in front


def test_a_killed_run_says_so(tmp_path):
    file = bench_lines.write(tmp_path / "runs.jsonl", [line("e", "m1.a")])
    file.write_bytes(file.read_bytes() + b'{"edition": "e", "rec')
    site = bench_site(read_lines(file), ABOUT)
    assert "half written" in Page(site["index.html"]).text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_names_change_nothing_but_words(site_of, payload):
    def made(word):
        dials = [{word: word}, {word: 0.5}]
        lines = [
            line(word, f"{word}.a", 0.6, system=word, fidelity=word, device=word, dials=dials[0], kind=word),
            line(f"{word}2", f"{word}.a", 0.7, system=word, device=word, dials=dials[1], kind=word),
            line(f"{word}2", "whorl.x", 0.7, generator=word, model=word),
            bench_lines.failed(word, f"{word}.b", f"because {word}"),
            bench_lines.grouping(f"{word}3", f"{word}.a", 0.5),
            bench_lines.quality(word),
        ]
        lines[0]["development"] = [
            [word, "auc", *[[0.1, 0.0, 0.2]] * 3],
            [word, word, *[[0.1, 0.0, 0.2]] * 3],
        ]
        about = {
            "command": word,
            "versions": {word: word},
            "digests": {word: word},
            word: word,
            "title": word,
        }
        return site_of(lines, about)

    hostile, plain = made(payload), made("plain")
    check(hostile)
    assert len(hostile) == len(plain) == 5
    for bad, good in zip(hostile.values(), plain.values(), strict=True):
        same = [[tag for tag, _ in Page(html).skeleton if tag not in ("text", "g")] for html in (bad, good)]
        assert same[0] == same[1]
        assert re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\u2028\ud800-\udfff]", bad) is None
    assert all(re.fullmatch(r"edition-[A-Za-z0-9_-]{1,90}\.html|index\.html", name) for name in hostile)


def test_names_that_collide_get_a_number(site_of):
    names = ["a b", "a/b", "A-b", "../..", "", "x" * 300]
    lines = [line(name or "...", "m1.a") for name in names]
    site = site_of([*lines, line("a", "m1.a", model="b")])
    stems = [name.removeprefix("edition-").removesuffix(".html") for name in site if name != "index.html"]
    assert stems == ["a-b", "a-b-2", "A-b-3", "unnamed", "unnamed-2", "x" * 80, "a-b-4"]
    check(site)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line("e", "m1.a")],
        [line("e", "whorl.x", 1.0, p_value=0.0001), line("f", "whorl.x", 0.0, p_value=1.0)],
        [line("e", "m1.a", 0.5, seconds=0.0), line("e", "m2.a", 0.5, seconds=0.0)],
        [bench_lines.failed("e", f"m{place}.a", "no") for place in range(80)],
        [bench_lines.grouping("who", "a1.gmm", 0.2)],
        [line("e", "m1.a", measures={}, p_value=None, development=[], chance={}, share_used=None)],
        [line(f"edition-{place}-with-a-very-long-name-of-a-generator", f"m{place}.a") for place in range(20)],
        [line("e", "m1.a"), bench_lines.quality("e", 1)],
        [line("e", "m1.a", seconds=1e300), line("e", "m2.a", seconds=1e-300)],
    ],
)
def test_little_or_odd_makes_a_site_too(site_of, lines):
    site = site_of(lines, {})
    check(site)
    assert "not recorded" in Page(site["index.html"]).text


def test_names_are_wrapped_and_keep_both_ends():
    for words in ("near-copies-1", "ldm-high-duplication-4000-steps-model_2", "x" * 60 + "end", "", "a b c"):
        rows = bench_figures.wrapped(words, 14, 3)
        assert 1 <= len(rows) <= 3 and all(len(row) <= 14 for row in rows)
        head, _, tail = "".join(rows).replace(" ", "").partition("…")
        bare = words.replace(" ", "")
        assert head + tail == bare if not tail else bare.startswith(head) and bare.endswith(tail) and head


def test_a_recipe_that_ran_with_two_efforts_is_one_recipe(site_of):
    efforts = [line("e1", "m1.a", 0.5), line("e1", "m1.a+small-effort", 0.5), line("e1", "m1.b", 0.5)]
    text = " ".join(Page(site_of(efforts)["index.html"]).text.split())
    assert "Of 2 published recipes on 1 edition" in text
    assert "published recipes 2 of whorl's own 0" in text
