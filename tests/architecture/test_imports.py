"""The root is light, nothing in it runs foreign code or reaches the network, nothing is left undone."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys

import pytest

import whorl
from architecture.sources import PACKAGE, imported_packages, modules

HEAVY = ("sklearn", "skimage", "torch", "numba", "faiss", "pandas", "scipy", "PIL", "timm", "ray", "pydicom")
UNSAFE_MODULES = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"})
UNSAFE_CALLS = frozenset(
    {"eval", "exec", "joblib.load", "torch.load", "pandas.read_pickle", "pd.read_pickle"}
)
NETWORK = frozenset(
    {
        "urllib.request",
        "http.client",
        "http.server",
        "requests",
        "socket",
        "socketserver",
        "ftplib",
        "smtplib",
        "httpx",
        "aiohttp",
        "urllib3",
        "huggingface_hub",
    }
)
# The one module that reaches out, when a file is asked for by name.
REACHES_OUT = {"whorl.fetching": frozenset({"urllib.request", "http.client"})}
# Types of compiled values stand at the top; these modules are themselves imported inside functions.
KERNELS = ("lanes", "windows", "statistics", "bounds", "pairs", "patterns", "products", "blurs", "turns")
COMPILED = frozenset(f"whorl.kernels.{name}" for name in KERNELS)
# What does not run when a module is imported; `if` stands for `if TYPE_CHECKING`.
BODIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If)
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
LIGHT_USES = {
    "import": "import whorl",
    "names": "import whorl; dir(whorl)",
    "help": "from whorl.cli import main; assert main(['--help']) == 0",
    "version": "from whorl.cli import main; assert main(['--version']) == 0",
    "command help": "from whorl.cli import main; assert main(['audit', '--help']) == 0",
    "recipes": "from whorl import recipes; recipes.names()",
    "steps": "from whorl import steps; steps.describe_all()",
}


def called(node: ast.AST) -> str:
    """The dotted name that a call calls, or nothing."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@pytest.mark.parametrize("use", LIGHT_USES.values(), ids=LIGHT_USES.keys())
def test_light_uses_import_nothing_heavy(use: str) -> None:
    code = f"import sys\n{use}\nprint('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("module", sorted(modules()))
def test_heavy_packages_are_imported_where_they_are_used(module: str) -> None:
    """Inside the function that needs them; NumPy, Pillow and SciPy may stand at the top."""
    at_the_top = ast.Module([node for node in modules()[module].body if not isinstance(node, BODIES)], [])
    loaded = {name.partition(".")[0] for name in imported_packages(at_the_top)}
    assert not loaded & (set(HEAVY) - {"PIL", "scipy"} - ({"numba"} if module in COMPILED else set()))


def test_compiled_modules_are_imported_in_functions() -> None:
    for module in modules().keys() - COMPILED:
        at_the_top = ast.Module([node for node in modules()[module].body if not isinstance(node, BODIES)], [])
        assert not imported_packages(at_the_top) & COMPILED, module


@pytest.mark.parametrize("name", whorl.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(whorl, name) is not None
    assert name in dir(whorl)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'audits'"):
        getattr(whorl, "audits")  # noqa: B009


@pytest.mark.parametrize("module", sorted(modules()))
def test_no_foreign_code_and_no_network(module: str) -> None:
    tree = modules()[module]
    network = NETWORK - REACHES_OUT.get(module, frozenset())
    forbidden = imported_packages(tree) & (UNSAFE_MODULES | network)
    forbidden |= {
        name
        for node in ast.walk(tree)
        if (name := called(node)) in UNSAFE_CALLS and "weights_only=True" not in ast.unparse(node)
    }
    forbidden |= {
        "allow_pickle=True"
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
    }
    assert not forbidden


def test_every_array_that_is_read_refuses_pickles() -> None:
    loads = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if called(node) in {"np.load", "numpy.load"} and "allow_pickle=False" not in ast.unparse(node)
    ]
    assert not loads, "write allow_pickle=False"


def test_nothing_is_left_undone() -> None:
    left = [
        f"{file.relative_to(PACKAGE)}:{number}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if UNDONE.search(line)
    ]
    assert not left


def test_every_module_can_be_imported() -> None:
    for name in modules():
        importlib.import_module(name)
