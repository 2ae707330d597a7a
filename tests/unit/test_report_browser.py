"""The pages in a real browser: nothing is blocked, nothing is fetched, the gallery opens."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from whorl.ledger import read_lines
from whorl.report.bench_site import bench_site
from whorl.report.page import attribution_page, audit_page, index_page

sys.path.insert(0, str(Path(__file__).parents[1]))
import bench_lines
import report_samples as samples

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium browser found"),
]


def browse(folder: Path, html: str, *options: str) -> tuple[str, list[str]]:
    """Load a page; return the output and what the page's console said."""
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    profile = folder / "profile"
    done = subprocess.run(
        [str(BROWSER), *OPTIONS, f"--user-data-dir={profile}", *options, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def audit_html():
    audit = samples.audit("leak", real=120, attacks=3)
    return audit_page(audit, samples.audit_pictures(audit, 48))


def unsealed(html: str, script: str) -> str:
    """Replace the policy by a script that measures: what a page looks like from within."""
    without = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", html)
    return without.replace("</body>", f"<script>{script}</script></body>")


def test_pages_load_without_a_word_on_the_console(tmp_path, audit_html):
    bag = samples.attribution(pictures=120)
    pages = (
        audit_html,
        attribution_page(bag, samples.attribution_pictures(bag)),
        index_page("Demo", samples.index_rows(), samples.index_attribution(), "whorl demo"),
    )
    for number, html in enumerate(pages):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert browse(folder, html, "--dump-dom")[1] == []


def test_policy_blocks_what_the_page_does_not_need(tmp_path, audit_html):
    # The control of the test above: a violation would have been printed.
    injected = audit_html.replace(
        "</body>", "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x.png'></body>"
    )
    dom, said = browse(tmp_path, injected, "--dump-dom")
    assert "<title>owned" not in dom
    assert any("script" in line and "Content Security Policy" in line for line in said)
    assert any("x.png" in line for line in said)


def test_gallery_opens_to_a_larger_view(tmp_path, audit_html):
    script = """
      const pair = document.getElementById('pair-2'), facts = pair.querySelector('.facts');
      const measure = () => [pair.querySelector('img').getBoundingClientRect().width,
                             facts.checkVisibility({contentVisibilityAuto: true}) ? 1 : 0];
      document.querySelectorAll('img').forEach(one => one.loading = 'eager');
      const closed = measure();
      pair.querySelector('summary').click();
      document.title = 'measured ' + [...closed, ...measure()].join(' ') + ' end';
    """
    dom, _ = browse(tmp_path, unsealed(audit_html, script), "--dump-dom", "--window-size=1360,900")
    found = re.search(r"<title>measured ([\d.]+) (\d) ([\d.]+) (\d) end</title>", dom)
    assert found is not None
    small, hidden, large, shown = map(float, found.groups())
    assert (hidden, shown) == (0, 1)
    assert large > 2.5 * small > 0
    assert re.search(r"<details[^>]*id=\"pair-2\"[^>]*open", dom)


def test_page_fits_a_laptop_and_all_pictures_decode(tmp_path, audit_html):
    script = """
      const root = document.documentElement, all = [...document.images];
      all.forEach(one => one.loading = 'eager');
      addEventListener('load', () => {
        const remote = performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'));
        const shown = all.filter(one => one.complete && one.naturalWidth > 0);
        const wider = root.scrollWidth - root.clientWidth;
        document.title = `measured ${wider} ${shown.length} of ${all.length} ${remote.length} end`;
      });
    """
    dom, _ = browse(tmp_path, unsealed(audit_html, script), "--dump-dom", "--window-size=1280,900")
    assert "<title>measured 0 72 of 72 0 end</title>" in dom


def test_print_shows_what_the_gallery_hides(tmp_path, audit_html):
    # A closed gallery on paper cannot be opened; the print rules are applied to the screen to be measured.
    printed = unsealed(
        audit_html.replace("@media print", "@media all"),
        """
      const facts = document.querySelector('#pair-3 .facts');
      document.title = 'measured ' + Math.round(facts.getBoundingClientRect().height) + ' end';
    """,
    )
    found = re.search(r"<title>measured (\d+) end</title>", browse(tmp_path, printed, "--dump-dom")[0])
    assert found is not None and int(found[1]) > 20


@pytest.mark.parametrize("width", [1280, 500])
def test_a_bench_fits_and_no_words_of_a_drawing_cover_others(tmp_path, width):
    # Chromium has no window narrower than 500 pixels; what is wider there scrolls in its own place.
    lines = [
        bench_lines.line(f"edition-{place}-of-a-generator-with-a-long-name", f"{system}.a", 0.5 + place / 20)
        for place in range(6)
        for system in ("m23-one", "m24-two-with-a-very-long-name-indeed", "whorl")
    ]
    site = bench_site(
        read_lines(bench_lines.write(tmp_path / "runs.jsonl", [*bench_lines.field(), *lines])), {}
    )
    script = """
      const root = document.documentElement;
      let covered = [], cut = [];
      for (const drawn of document.querySelectorAll('figure svg')) {
        const frame = drawn.getBoundingClientRect();
        const boxes = [...drawn.querySelectorAll('text')]
          .map(one => [one.textContent, one.getBoundingClientRect()])
          .filter(([words, box]) => words.length > 3 && box.width > 0);
        boxes.forEach(([words, a], i) => {
          if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1
              || a.bottom > frame.bottom + 1) cut.push(words);
          boxes.slice(0, i).forEach(([others, b]) => {
            if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
              covered.push(words + "/" + others);
          });
        });
      }
      document.title = `measured ${root.scrollWidth - root.clientWidth} cut ${cut} covered ${covered} end`;
    """
    for number, name in enumerate(("index.html", "edition-gan.html", "edition-who.html")):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert browse(folder, site[name], "--dump-dom")[1] == []
        dom, _ = browse(folder, unsealed(site[name], script), "--dump-dom", f"--window-size={width},900")
        found = re.search(r"<title>(measured .*? end)</title>", dom)
        assert found is not None and found[1] == "measured 0 cut  covered  end", found and found[1]
