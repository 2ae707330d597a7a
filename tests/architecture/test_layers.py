"""Imports point down only: the order of the house, written as data."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

import pytest

from architecture.sources import imports, modules
from whorl import steps
from whorl.records import STAGES

# From the top down. A name stands for a module or for a whole package; a module may import from its own
# level and from those below. Parts of one level must not import each other in a circle.
LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
    ("the command line", frozenset({"whorl.cli"})),
    ("what people see", frozenset({"whorl", "whorl.demo", "whorl.listings", "whorl.display"})),
    (
        "the Python surface",
        frozenset(
            {
                "whorl.api",
                "whorl.benching",
                "whorl.cure",
                "whorl.experiments",
                "whorl.fetching",
                "whorl.runlines",
            }
        ),
    ),
    ("what is handed over", frozenset({"whorl.deliverables", "whorl.removals"})),
    ("pages", frozenset({"whorl.report"})),
    (
        "the two questions",
        frozenset(
            {
                "whorl.auditing",
                "whorl.scrubbing",
                "whorl.attribution",
                "whorl.conclusions",
                "whorl.appraisal",
                "whorl.setwise",
                "whorl.planting",
                "whorl.exposure",
                "whorl.challenge",
                "whorl.trials",
                "whorl.identification",
                "whorl.estimators",
                "whorl.untrained",
            }
        ),
    ),
    (
        "parts of the questions",
        frozenset(
            {
                "whorl.fingerprints",
                "whorl.peaks",
                "whorl.separations",
                "whorl.scenes",
                "whorl.content",
                "whorl.standins",
                "whorl.grouping",
                "whorl.bearings",
                "whorl.regrouping",
                "whorl.renaming",
                "whorl.cuts",
                "whorl.mixtures",
                "whorl.agreement",
                "whorl.forge",
                "whorl.executors",
                "whorl.clusters",
                "whorl.disturbances",
                "whorl.alterations",
                "whorl.identifier",
                "whorl.identities",
            }
        ),
    ),
    (
        "what numbers are worth",
        frozenset(
            {
                "whorl.evaluate",
                "whorl.protocols",
                "whorl.ledger",
                "whorl.fields",
                "whorl.standings",
                "whorl.placings",
                "whorl.dials",
                "whorl.metrics",
                "whorl.policy",
                "whorl.evidence",
                "whorl.outcomes",
                "whorl.cohort",
                "whorl.confounders",
                "whorl.appearance",
                "whorl.blind",
                "whorl.hygiene",
                "whorl.quality",
                "whorl.subgroups",
            }
        ),
    ),
    (
        "from problem to scores",
        frozenset(
            {
                "whorl.pipeline",
                "whorl.extraction",
                "whorl.compare",
                "whorl.memory",
                "whorl.running",
                "whorl.preparation",
                "whorl.shortlists",
            }
        ),
    ),
    (
        "recipes",
        frozenset({"whorl.recipes", "whorl.steps", "whorl.library", "whorl.sources", "whorl.installation"}),
    ),
    ("the steps", frozenset(f"whorl.{steps.PLACES.get(stage, stage)}" for stage in STAGES)),
    ("networks that learn", frozenset({"whorl.learning"})),
    ("finished pieces", frozenset({"whorl.store", "whorl.exports"})),
    (
        "reading pictures",
        frozenset(
            f"whorl.{name}"
            for name in (
                "images",
                "decode",
                "folding",
                "folders",
                "tables",
                "arrays",
                "isolation",
                "dicom",
                "headers",
                "traces",
                "compression",
                "duplicates",
                "leftovers",
            )
        ),
    ),
    ("networks trained elsewhere", frozenset({"whorl.networks"})),
    ("arithmetic", frozenset({"whorl.kernels"})),
    ("records", frozenset({"whorl.records"})),
)
MODULES = sorted(modules())


def level(module: str) -> int:
    """The place of a module in the order, by its own name or that of the package around it."""
    if module == "whorl":
        return next(place for place, (_, names) in enumerate(LEVELS) if "whorl" in names)
    around = [module.rsplit(".", cut)[0] for cut in range(module.count("."))]
    for name in (module, *around):
        for place, (_, names) in enumerate(LEVELS):
            if name in names:
                return place
    raise AssertionError(
        f"{module} has no level: add it to LEVELS in {__file__}, on the lowest level that it can stand on "
        "(a new step belongs into the package of its stage and needs no line)"
    )


def is_step(module: str) -> bool:
    """Whether a module holds the steps of a stage."""
    return LEVELS[level(module)][0] == "the steps"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    own = level(module)
    upward = {name: LEVELS[level(name)][0] for name in imports(module) if level(name) < own}
    assert not upward, f"{module} ({LEVELS[own][0]}) imports from above: {upward}"


def test_no_module_imports_itself_in_a_circle() -> None:
    TopologicalSorter({name: imports(name) for name in MODULES}).prepare()


@pytest.mark.parametrize("module", [name for name in MODULES if is_step(name)])
def test_steps_know_only_the_records_the_arithmetic_and_how_networks_learn(module: str) -> None:
    below = ("whorl.kernels", "whorl.learning")
    assert {name for name in imports(module) if not name.startswith(below)} <= {"whorl.records"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_absolute(module: str) -> None:
    found = [node for node in ast.walk(modules()[module]) if isinstance(node, ast.ImportFrom) and node.level]
    assert not found, f"{module}: write the full name of what is imported"


def test_every_name_of_the_order_exists_once() -> None:
    names = [name for _, level_names in LEVELS for name in level_names]
    assert len(set(names)) == len(names)
    assert set(names) <= set(MODULES), "LEVELS names modules that are gone: take them out"


def test_a_module_without_a_level_is_told_what_to_do() -> None:
    with pytest.raises(AssertionError, match="add it to LEVELS"):
        level("whorl.attic")
    assert level("whorl.features.anything") == level("whorl.features")


def test_an_upward_import_would_be_seen() -> None:
    assert "whorl.records" in imports("whorl.pipeline")
    assert "whorl.dicom" in imports("whorl.decode"), "imports inside functions count"
    assert "whorl.api" in imports("whorl"), "imports for type checkers count"
    assert level("whorl.records") > level("whorl.pipeline") > level("whorl.cli.options")
