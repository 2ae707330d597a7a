"""Functions that are compiled on their first call."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from whorl.kernels.compiling import compiled, part

# A process in which numba finds no folder to keep machine code in.
NOWHERE = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
from whorl.kernels.compiling import compiled
def doubled(one): return 2 * one
assert compiled(doubled)(21) == 42
"""


def test_a_piece_is_woven_into_the_kernel_that_calls_it():
    @part
    def third(one):
        return one / 3.0

    def summed(count):
        total = 0.0
        for one in range(count):
            total += third(one)
        return total

    assert compiled(summed)(10) == pytest.approx(15.0)
    assert compiled(summed) is compiled(summed)


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_looked_for_again_when_compiling_ends_or_fails(enabled):
    def good(one):
        return one + 1

    def bad(one):
        return one.nothing_of_the_kind()

    try:
        (gc.enable if enabled else gc.disable)()
        assert compiled(good)(1) == 2 and gc.isenabled() == enabled
        with pytest.raises(Exception, match="nothing_of_the_kind"):
            compiled(bad)(1)
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_without_a_folder_to_keep_it_in_code_is_compiled_all_the_same():
    done = subprocess.run([sys.executable, "-c", NOWHERE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
