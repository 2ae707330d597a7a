"""The documentation is true: generated pages are fresh, links lead somewhere, and what it shows works."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError

import whorl
from whorl import (
    attribution,
    clusters,
    compression,
    conclusions,
    content,
    grouping,
    images,
    pipeline,
    recipes,
    standins,
    steps,
)
from whorl.cli import app
from whorl.conclusions import Rules
from whorl.pipeline import Settings
from whorl.records import STAGES, BadInput, Problem

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = generator()


def blocks(page, kind=None):
    """The fenced blocks of a page, of one language if told."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for language, text in found if kind in (None, language)]


def section(page, heading):
    """A page's text from one heading to the next of the same rank."""
    _, found, rest = f"\n{page.read_text(encoding='utf-8')}".partition(f"\n## {heading}\n")
    assert found, f"{page.name} has no section '{heading}'"
    return rest.partition("\n## ")[0]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_lines(text):
    """The words of every `whorl …` line of a block; a backslash at the end joins lines."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.match(r"(?:\$ |Example: )?whorl( .*)?$", line.strip()):
            yield shlex.split(found[1] or "", comments=True)


def parse(words):
    """The command and its arguments, as the command line itself reads them."""
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return command, bound.arguments


@pytest.mark.parametrize("name", GENERATE.PAGES)
def test_generated_pages_are_fresh(name):
    made = GENERATE.PAGES[name]()
    assert GENERATE.is_fresh(DOCS / name, made), f"docs/{name} is stale: run `make docs`"


def test_pages_do_not_depend_on_the_terminal(monkeypatch):
    usual = GENERATE.cli_page()
    for key, value in {"COLUMNS": "40", "FORCE_COLOR": "1", "TERM": "dumb", "LC_ALL": "C"}.items():
        monkeypatch.setenv(key, value)
    assert GENERATE.cli_page() == usual
    assert not re.search(r"\x1b| $", usual, re.MULTILINE)
    assert max(map(len, FENCE.search(usual)[2].splitlines())) <= GENERATE.WIDTH


def test_check_names_stale_pages_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(GENERATE, "FOLDER", tmp_path)
    assert GENERATE.main([]) == 0
    assert GENERATE.main(["--check"]) == 0
    (tmp_path / "steps.md").write_text("old\n")
    (tmp_path / "cli.md").unlink()
    assert GENERATE.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "steps.md" in said and "cli.md" in said and "recipes.md" not in said
    assert (tmp_path / "steps.md").read_text() == "old\n" and not (tmp_path / "cli.md").exists()


def test_every_command_and_option_is_on_its_page():
    commands = list(GENERATE.commands(app))
    assert {("audit",), ("attribute",), ("run",), ("forge", "phantom")} <= set(commands)
    for words in commands:
        text = section(DOCS / "cli.md", " ".join(["whorl", *words]))
        part = app
        for word in words:
            part = part[word]
        found = part.assemble_argument_collection() if part.default_command else []
        options = [name for argument in found for name in argument.names if name.startswith("-")]
        assert bool(options) == bool(part.default_command)
        assert not [name for name in options if name not in text], words


def test_every_recipe_is_in_the_section_of_its_system():
    for name in recipes.names():
        recipe = recipes.load(name)
        text = section(DOCS / "recipes.md", name.partition(".")[0])
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{step.name}`" in row for step in recipe.steps)
        assert recipe.about["reference"] in text and recipe.about["fidelity"] in text
        assert (recipe.run or "") in row
        assert all(f"{value:g}" in row for value in recipe.reported.values())


@pytest.mark.parametrize("stage", STAGES)
def test_every_step_is_in_the_section_of_its_stage(stage):
    rows = section(DOCS / "steps.md", stage).splitlines()
    own = [step for step in steps.describe_all() if step.stage == stage and step.module.startswith("whorl.")]
    assert own
    for step in own:
        row = next(line for line in rows if line.startswith(f"| `{step.name}`"))
        assert step.transductive == ("**transductive**" in row)
        assert all(f"`{key} = {value}`" in row for key, value in step.parameters.items() if value)
        assert "->" in row, "shapes and direction"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.exists() and file.is_relative_to(ROOT), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_command_lines_are_valid(page):
    for words in (words for block in blocks(page) for words in command_lines(block)):
        try:
            command, arguments = parse(words)
        except (CycloptsError, BadInput) as error:
            pytest.fail(f"{page.name}: whorl {shlex.join(words)}: {error}")
        named = [arguments.get("recipe"), *getattr(arguments.get("attacking"), "recipes", ())]
        named += [arguments.get("name")] if command.__name__ == "recipes" else []
        for name in named:
            if name and ".toml:" not in name:
                assert name in {*recipes.names(), *recipes.systems()}, f"{page.name}: {name}"


@pytest.mark.parametrize(
    "line",
    [
        "whorl audti x",
        "whorl audit x --members y",
        "whorl demo --nosuch",
        "whorl forge phantom --patients many",
    ],
)
def test_wrong_command_lines_would_be_noticed(line):
    (words,) = command_lines(f"$ {line}  # as in a page\n")
    with pytest.raises(CycloptsError):
        parse(words)


def test_command_lines_are_found():
    found = [words for page in PAGES for block in blocks(page) for words in command_lines(block)]
    assert len(found) > 20
    assert list(command_lines("a\nwhorl demo \\\n  --out x # y\nwhorl: no\n")) == [["demo", "--out", "x"]]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_examples_use_what_exists(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "whorl":
                assert node.attr in whorl.__all__
            if isinstance(node, ast.Call) and getattr(getattr(node.func, "value", None), "id", "") == "whorl":
                known = inspect.signature(getattr(whorl, node.func.attr)).parameters
                assert {keyword.arg for keyword in node.keywords} <= known.keys()


@cache
def toml_with(page, word):
    return next(block for block in blocks(DOCS / page, "toml") if word in block)


def test_the_example_recipe_is_what_its_page_says(tmp_path):
    file = tmp_path / "edges.toml"
    file.write_text(toml_with("add-a-recipe.md", "[about]"))
    found = {recipe.name for recipe in recipes.read(file)}
    text = (DOCS / "add-a-recipe.md").read_text()
    assert found == set(re.findall(r"^\| `(edges\.\w+)` \| 0", text, re.MULTILINE))
    file.write_text(file.read_text().replace("k = 5", "kk = 5"))
    with pytest.raises(BadInput) as caught:
        recipes.read(file)
    assert str(caught.value).endswith(re.search(r"`edges\.toml(: pool step[^`]*'kk'[^`]*)`", text)[1])


@pytest.fixture
def mylab(tmp_path, monkeypatch):
    """The package of add-a-step.md, installed beside whorl as its page says."""
    project = tomllib.loads(toml_with("add-a-step.md", "[project]"))["project"]
    (package,) = project["entry-points"]["whorl.steps"].values()
    (tmp_path / package / "features").mkdir(parents=True)
    (code,) = blocks(DOCS / "add-a-step.md", "python")
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / "features" / "__init__.py").touch()
    (tmp_path / package / "features" / "edges.py").write_text(code)
    about = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = [f"{key} = {value}" for key, value in project["entry-points"]["whorl.steps"].items()]
    (about / "entry_points.txt").write_text("\n".join(["[whorl.steps]", *points, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    steps.describe_all.cache_clear()
    yield tmp_path
    steps.describe_all.cache_clear()


def test_the_example_step_joins_and_runs(mylab):
    file = mylab / "turns.toml"
    file.write_text(toml_with("add-a-step.md", "[about]"))
    (recipe,) = recipes.read(file)
    stripes = np.indices((8, 32, 32))[1] * 30 % 256
    pixels = np.concatenate([stripes, stripes.transpose(0, 2, 1)]).astype(np.uint8)
    pixels[:, 0, 0] = np.arange(16)  # no two pictures alike
    problem = Problem("attribution", images.load(pixels, name="stripes"), count=2)
    (table,) = pipeline.blocks(recipe, problem, Settings())
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-5)
    labels = pipeline.judge(recipe, pipeline.score(recipe, problem, Settings()), problem, Settings()).labels
    assert len(set(labels[:8])) == len(set(labels[8:])) == 1 and labels[0] != labels[8]


def test_concepts_state_the_thresholds_of_the_code():
    text = " ".join((DOCS / "concepts.md").read_text(encoding="utf-8").split())
    rules = Rules()
    for phrase in (
        f"adjusted p is at most {rules.alpha:g} (`--alpha`)",
        f"adjusted p is at most {conclusions.WEAK:g} |",
        f"could have been noticed is above {conclusions.TOO_COARSE:g} |",
        f"shuffled {rules.permutations:,} times",
        f"{rules.draws:,} resamples of whole patients",
        f"p ≤ {clusters.SIGNIFICANT:g} (Silverman",
        f"humps at least {clusters.APART:g} of their own spreads apart, and {clusters.LEAST} pictures a side",
        f"halved {clusters.HALVES} times",
        f"at most {clusters.BLOCK_COMPONENTS} principal components",
        f"the whole is reduced to {clusters.COMPONENTS}. Otherwise",
        f"Then, {clusters.ROUNDS} times,",
        f"up to {content.LOOKED_AT} pictures of the bag",
        f"So {len(standins.KINDS)} stand-ins",
        f"learn from up to {standins.LEARNED} pictures of the bag and make up to {standins.MADE} each",
        f"{grouping.RESAMPLES} random halves of the pictures",
        f"{attribution.FOLDS} folds, {attribution.REPEATS} times",
        f"After JPEG below quality {compression.STRONG} little",
        f"divided further, 1 to {grouping.MOST}.",
    ):
        assert phrase in text, phrase


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    newest = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert {whorl.__version__, project, cited, newest} == {whorl.__version__}


def test_the_picture_of_the_report_is_small():
    picture = DOCS / "images" / "report.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size <= 300_000
