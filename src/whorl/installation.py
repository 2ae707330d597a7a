"""What numbers were made with: the command, the versions of what they rest on, the machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

VERSIONED = ("whorl", "numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "numba", "ImageHash")
DEEP = ("torch", "timm", "safetensors", "transformers")


def versions() -> dict[str, str]:
    """Return the versions of Python, whorl and what its numbers rest on; those of networks where they are."""
    found = {"python": platform.python_version()}
    for package in (*VERSIONED, *DEEP):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package in VERSIONED:
                found[package] = "not installed"
    return found


def provenance(command: str) -> dict[str, Any]:
    """Return what a record says of how it was made."""
    return {"command": command, "versions": versions(), "platform": platform.platform()}
