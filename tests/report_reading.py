"""Reads a page as tags and words, and says whether it is inert; hostile texts to put into pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

PAYLOADS = (
    "<script>alert(1)</script>",
    "</title></style><script src=//evil.example/x.js></script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "x style=background:url(//evil.example) ",
    "a\nb\r\tc\x00\x1b[31m",
    "<svg onload=alert(1)><a href=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "]]></title><!--",
    "\u202egnp.exe\u2028\udcff Zürich 肺 ﷺ",
    "&lt;b&gt;&#x3c;script&#x3e;",
    "</bdi></td></tr></table><iframe srcdoc='x'>",
)


class Page(HTMLParser):
    """Tags with their attributes in order, and the text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.style = ""
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(sorted(attributes))) for tag, attributes in self.tags]

    def values(self, *names: str) -> list[str]:
        return [value for _, found in self.tags for name, value in found.items() if name in names]


def assert_inert(page: Page) -> None:
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "embed", "link", "base", "form", "input", "a:href"}
    attributes = {name for _, found in page.tags for name in found}
    assert not {name for name in attributes if name.startswith("on")}
    assert not attributes & {"style", "srcdoc", "action", "formaction", "xlink:href", "srcset"}
    assert all(value.startswith("data:image/png;base64,") for value in page.values("src"))
    for value in page.values("href"):
        assert not re.match(r"\s*([a-z][a-z0-9+.-]*:|//|\\|/)", value, re.IGNORECASE), value
    assert all(re.fullmatch(r"url\(#[\w-]+\)|[#\w.-]+", value) for value in page.values("fill"))
    assert "url(" not in page.style and "@import" not in page.style
