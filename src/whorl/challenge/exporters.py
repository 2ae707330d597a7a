"""Bundles for challenge platforms: configuration, pages, answers, and a scorer in plain Python."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from whorl.challenge.scoring import ERRATUM, MEANS, Truth, columns
from whorl.challenge.submissions import Form
from whorl.records import BadInput
from whorl.store import write_bytes

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
LONGEST_TITLE = 80
SIDE = 256


@dataclass(frozen=True)
class Challenge:
    """What a platform has to know besides the answers; days as YYYY-MM-DD."""

    title: str
    start: str
    end: str
    most_runs: int = 10

    def __post_init__(self) -> None:
        if not (self.title.isprintable() and 0 < len(self.title) <= LONGEST_TITLE):
            raise BadInput(f"--title: one line of at most {LONGEST_TITLE} printable characters is needed")
        for name, day in (("start", self.start), ("end", self.end)):
            if not DAY.fullmatch(day):
                raise BadInput(f"--{name} {day}: a day is written as YYYY-MM-DD")
        if self.start >= self.end or self.most_runs < 1:
            raise BadInput("the challenge has to end after it starts, and to allow at least one run")


def codabench(out: Path, truths: Sequence[Truth], form: Form, challenge: Challenge) -> Path:
    """Write a Codabench bundle (competition.yaml, version 2) and return the archive to upload."""
    pages = _pages(truths, form, challenge, zipped=True)
    files = {
        "competition.yaml": _yaml(_competition(truths, form, challenge)),
        "logo.png": _logo(),
        "overview.md": pages["overview"],
        "terms.md": pages["terms"],
        "reference_data.zip": _archive({"reference.json": _reference(truths, form)}),
        "scoring_program.zip": _archive(
            {
                "metadata.yaml": b"command: python3 /app/program/scorer.py /app/input /app/output\n",
                "scorer.py": _template("scorer.py"),
            }
        ),
    }
    return _written(out, files, "bundle.zip")


def evalai(out: Path, truths: Sequence[Truth], form: Form, challenge: Challenge) -> Path:
    """Write an EvalAI challenge configuration and return the archive to upload."""
    pages = _pages(truths, form, challenge, zipped=False)
    overview, terms = (_as_html(pages[name]) for name in ("overview", "terms"))
    files = {
        "challenge_config.yaml": _yaml(_configuration(truths, form, challenge)),
        "logo.png": _logo(),
        "annotations/test.json": _reference(truths, form),
        "evaluation_script.zip": _archive(
            {"__init__.py": b"from .main import evaluate\n", "main.py": _template("scorer.py")}
        ),
        "templates/description.html": overview,
        "templates/evaluation_details.html": overview,
        "templates/submission_guidelines.html": overview,
        "templates/phase_description.html": overview,
        "templates/terms_and_conditions.html": terms,
    }
    return _written(out, files, "challenge_config.zip")


EXPORTERS = {"codabench": codabench, "evalai": evalai}


def rank_key(truths: Sequence[Truth], form: Form) -> str:
    """Return the key of the column that ranks: ARI, kappa in the format of 2025, or F1."""
    names = MEANS[truths[0].task]
    return f"mean_{'kappa' if 'kappa' in names and form.name == '2025' else names[0]}"


def _board(truths: Sequence[Truth], form: Form) -> dict[str, str]:
    """Return the columns of the leaderboard, the one that ranks first."""
    found = columns(truths[0].task, _models(truths))
    first = rank_key(truths, form)
    return {first: found[first]} | found


def _competition(truths: Sequence[Truth], form: Form, challenge: Challenge) -> dict[str, Any]:
    shown = [
        {"title": title, "key": key, "index": place, "sorting": "desc", "precision": 4}
        for place, (key, title) in enumerate(_board(truths, form).items())
    ]
    task = {
        "index": 0,
        "name": "Test",
        "description": "The test list",
        "is_public": False,
        "reference_data": "reference_data.zip",
        "scoring_program": "scoring_program.zip",
    }
    phase = {
        "index": 0,
        "name": "Test",
        "description": "Runs on the test pictures",
        "start": challenge.start,
        "end": challenge.end,
        "max_submissions": challenge.most_runs,
        "max_submissions_per_day": challenge.most_runs,
        "execution_time_limit": 600,
        "tasks": [0],
    }
    board = {"index": 0, "title": "Results", "key": "results", "submission_rule": "Add", "columns": shown}
    return {
        "version": 2,
        "title": challenge.title,
        "description": challenge.title,
        "image": "logo.png",
        "terms": "terms.md",
        "registration_auto_approve": False,
        "docker_image": "python:3.11-slim",
        "make_programs_available": True,
        "make_input_data_available": False,
        "pages": [{"title": "Overview", "file": "overview.md"}],
        "tasks": [task],
        "phases": [phase],
        "leaderboards": [board],
    }


def _configuration(truths: Sequence[Truth], form: Form, challenge: Challenge) -> dict[str, Any]:
    board = _board(truths, form)
    start, end = f"{challenge.start} 00:00:00", f"{challenge.end} 23:59:59"
    phase = {
        "id": 1,
        "name": "Test",
        "description": "templates/phase_description.html",
        "leaderboard_public": False,
        "is_public": True,
        "is_submission_public": False,
        "start_date": start,
        "end_date": end,
        "test_annotation_file": "annotations/test.json",
        "codename": "test",
        "max_submissions_per_day": challenge.most_runs,
        "max_submissions_per_month": challenge.most_runs,
        "max_submissions": challenge.most_runs,
        "allowed_submission_file_types": ".csv, .zip",
    }
    split = {
        "challenge_phase_id": 1,
        "leaderboard_id": 1,
        "dataset_split_id": 1,
        "visibility": 1,
        "leaderboard_decimal_precision": 4,
        "is_leaderboard_order_descending": True,
    }
    return {
        "title": challenge.title,
        "short_description": challenge.title,
        "description": "templates/description.html",
        "evaluation_details": "templates/evaluation_details.html",
        "terms_and_conditions": "templates/terms_and_conditions.html",
        "submission_guidelines": "templates/submission_guidelines.html",
        "image": "logo.png",
        "evaluation_script": "evaluation_script.zip",
        "remote_evaluation": False,
        "start_date": start,
        "end_date": end,
        "published": False,
        "leaderboard": [{"id": 1, "schema": {"labels": list(board), "default_order_by": next(iter(board))}}],
        "challenge_phases": [phase],
        "dataset_splits": [{"id": 1, "name": "Test", "codename": "test_split"}],
        "challenge_phase_splits": [split],
    }


def _reference(truths: Sequence[Truth], form: Form) -> bytes:
    """Return the answers as the scorer reads them."""
    models = {}
    for model, truth in zip(_models(truths), truths, strict=True):
        names = truth.groups if truth.task == "attribution" else ("0", "1")
        ids = (name.decode("utf-8", "surrogateescape") for name in truth.ids.tolist())
        models[model] = {name: names[label] for name, label in zip(ids, truth.labels, strict=True)}
    content = {
        "schema": "whorl.reference/1",
        "task": truths[0].task,
        "headers": [header.decode() for header in form.headers],
        "means": MEANS[truths[0].task],
        "models": models,
    }
    return json.dumps(content, ensure_ascii=True, indent=0).encode()


def _pages(truths: Sequence[Truth], form: Form, challenge: Challenge, *, zipped: bool) -> dict[str, bytes]:
    import jinja2

    # Markdown pages: what a title holds of HTML is escaped for the platform that renders them.
    plain = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    view = {
        "title": challenge.title,
        "task": truths[0].task,
        "headers": [header.decode() for header in form.headers],
        "models": _models(truths),
        "rank": rank_key(truths, form),
        "erratum": ERRATUM,
        "most_runs": challenge.most_runs,
        "zipped": zipped,
    }
    return {
        name: plain.from_string(_template(f"{name}.md").decode()).render(view).encode() + b"\n"
        for name in ("overview", "terms")
    }


def _as_html(markdown: bytes) -> bytes:
    """Return one of our pages, already escaped, as HTML: headings, lists, paragraphs."""
    parts = []
    for paragraph in re.split(r"\n{2,}", markdown.decode().strip()):
        lines = re.sub(r"`([^`\n]*)`", r"<code>\1</code>", paragraph).split("\n")
        level = len(lines[0]) - len(lines[0].lstrip("#"))
        if level:
            parts.append(f"<h{level}>{lines[0].lstrip('# ')}</h{level}>")
            lines = lines[1:]
        if lines and lines[0].startswith("- "):
            parts.append("<ul>" + "".join(f"<li>{line.removeprefix('- ')}</li>" for line in lines) + "</ul>")
        elif lines:
            parts.append(f"<p>{' '.join(lines)}</p>")
    return "\n".join([*parts, ""]).encode()


def _yaml(content: Mapping[str, Any]) -> bytes:
    """Return YAML: one line for each key and entry, their content as JSON, which YAML includes."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {json.dumps(each, ensure_ascii=False)}" for each in value)]
        else:
            lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    return ("\n".join(lines) + "\n").encode()


def _models(truths: Sequence[Truth]) -> list[str]:
    return [str(place) for place in range(1, len(truths) + 1)]


def _template(name: str) -> bytes:
    return (resources.files("whorl.challenge") / "templates" / name).read_bytes()


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP archive, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _written(out: Path, files: Mapping[str, bytes], bundle: str) -> Path:
    for name, data in files.items():
        write_bytes(out / name, data)
    write_bytes(out / bundle, _archive(files))
    return out / bundle


def _logo() -> bytes:
    """Return a whorl of ridges as PNG."""
    from PIL import Image

    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    ridges = np.sin(42 * np.hypot(x, 0.8 * y) + np.arctan2(y, x)) > 0
    shown = np.where(ridges & (x**2 + (0.8 * y) ** 2 < 0.72), 27, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "PNG")
    return buffer.getvalue()
