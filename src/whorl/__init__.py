"""Whose pictures does this generator remember, and which generator made this picture?

`whorl.audit(...)` and `whorl.attribute(...)` answer the two questions, `whorl.enroll(...)` and
`whorl.identify(...)` keep and compare fingerprints, `whorl.run(...)` runs a published recipe on an edition.
Nothing heavy is imported before one of them is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "BadInput",
    "GeneratorIdentifier",
    "Rules",
    "Running",
    "__version__",
    "attribute",
    "audit",
    "enroll",
    "identify",
    "run",
    "scrub",
]

if TYPE_CHECKING:
    from whorl.api import Running, attribute, audit, enroll, identify, run
    from whorl.conclusions import Rules
    from whorl.cure import scrub
    from whorl.estimators import GeneratorIdentifier
    from whorl.records import BadInput

_HOMES = {
    "BadInput": "whorl.records",
    "GeneratorIdentifier": "whorl.estimators",
    "Rules": "whorl.conclusions",
    "Running": "whorl.api",
    "attribute": "whorl.api",
    "audit": "whorl.api",
    "enroll": "whorl.api",
    "identify": "whorl.api",
    "run": "whorl.api",
    "scrub": "whorl.cure",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'whorl' has no attribute '{name}'")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
