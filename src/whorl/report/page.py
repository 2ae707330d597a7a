"""One self-contained page per outcome: no script, no remote address, every text escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from whorl.outcomes import Attribution, Audit
from whorl.records import Array, Interval
from whorl.report import figures, wording
from whorl.report.attribution_view import attribution_view
from whorl.report.audit_view import audit_view
from whorl.report.public_view import public_view
from whorl.report.release_view import HEADLINES
from whorl.report.sections import local_link


def audit_page(audit: Audit, pictures: Mapping[str, Mapping[int, Array]] | None = None) -> str:
    """Return the page of an audit.

    `pictures` (only if the user asked for them): {"real": {row: image}, "generated": {index: image}}.
    """
    return render("audit.html", audit_view(audit, pictures))


def public_page(audit: Audit) -> str:
    """Return the public edition of an audit's page: no pictures, no names, rounded counts."""
    return render("public.html", public_view(audit))


def attribution_page(attribution: Attribution, pictures: Mapping[int, Array] | None = None) -> str:
    """Return the page of an attribution; `pictures` maps an index to a picture, if the user asked."""
    return render("attribution.html", attribution_view(attribution, pictures))


def index_page(
    title: str,
    rows: Sequence[Mapping[str, object]],
    attribution: Mapping[str, object] | None,
    command: str,
) -> str:
    """Return the page that puts verdicts beside known truth and links to the reports.

    A row has `name`, `verdict`, `truth` and `href`, and may have `made` (how), `sentence`, `auc`
    (interval or number), `p_value` and `right` (bool). `attribution` has `href`, and may have `sentence`,
    `count`, `truth` and `ari` (interval or number).
    """
    view = {
        "title": title,
        "rows": [_index_row(row) for row in rows],
        "attribution": None if attribution is None else _attribution_row(attribution),
        "command": command,
    }
    return render("index.html", view)


@functools.cache
def environment() -> jinja2.Environment:
    """Return the template environment: escaping always on, unknown names refused."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("whorl.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=wording.visible,
    )
    made.filters |= {
        "interval": wording.interval,
        "interval_percent": wording.interval_percent,
        "chance": wording.chance_of,
        "number": wording.number,
        "whole": wording.whole,
        "visible": wording.visible,
    }
    return made


def render(template: str, view: Mapping[str, Any]) -> str:
    """Return a page from its template, the style inlined and sealed by its hash."""
    style = _style()
    seal = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{seal}'; base-uri 'none'; form-action 'none'"
    )
    return environment().get_template(template).render(view, style=Markup(style), policy=policy)


@functools.cache
def _style() -> str:
    folder = resources.files("whorl.report") / "templates"
    # A browser hashes the text with plain line ends, however the file was checked out.
    return (folder / "style.css").read_text(encoding="utf-8").replace("\r\n", "\n").strip()


def _index_row(row: Mapping[str, object]) -> dict[str, Any]:
    """Return one generator's line: verdict as sign and word, truth, link."""
    verdict = str(row["verdict"])
    known = next((kind for kind in HEADLINES if kind == verdict), None)
    return {
        "name": str(row["name"]),
        "made": str(row.get("made", "")),
        "truth": str(row["truth"]),
        "href": local_link(row["href"]),
        "headline": HEADLINES[known] if known else verdict,
        "kind": verdict.replace(" ", "-") if known else "unknown",
        "sign": figures.verdict_sign(known, "sign small") if known else "",
        "sentence": str(row.get("sentence", "")),
        "auc": _measured(row.get("auc")),
        "p_value": _probability(row.get("p_value")),
        "right": {True: "as known", False: "not as known"}.get(bool(row["right"]), "")
        if "right" in row
        else "",
    }


def _attribution_row(row: Mapping[str, object]) -> dict[str, Any]:
    return {
        "href": local_link(row["href"]),
        "sentence": str(row.get("sentence", "")),
        "count": str(row.get("count", wording.MISSING)),
        "count_given": bool(row.get("count_given", False)),
        "truth": str(row.get("truth", wording.MISSING)),
        "ari": _measured(row.get("ari")),
    }


def _measured(value: object) -> str:
    if isinstance(value, Interval):
        return wording.interval(value)
    return wording.number(float(value)) if isinstance(value, int | float) else wording.MISSING


def _probability(value: object) -> str:
    return wording.chance_of(float(value)) if isinstance(value, int | float) else wording.MISSING
