"""Sixteen numbers at once in compiled code: what a processor does side by side, written as one value.

A compiler left to itself finds the parallel work in short loops rarely and differently from release to
release. Here it is spelled out: a value of sixteen lanes is loaded from sixteen neighbouring numbers,
added, multiplied and stored as one, and becomes one, two or four registers on whatever machine it runs.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from whorl.records import Array

LANES = 16
ALIGNED = 64  # bytes: a register never crosses the border of a cache line


class Lanes(types.Type):
    """The type of sixteen floating numbers of one kind."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        super().__init__(name=f"Lanes({kind})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    """How sixteen numbers lie in a register."""

    def __init__(self, manager: Any, kind: Any) -> None:
        scalar = ir.FloatType() if kind.kind == types.float32 else ir.DoubleType()
        super().__init__(manager, kind, ir.VectorType(scalar, LANES))


def row_of(count: int, kind: Any) -> Array:
    """Zeros in one row, beginning where a cache line begins."""
    width = np.dtype(kind).itemsize
    room = np.zeros(count + ALIGNED // width, kind)
    start = -room.ctypes.data % ALIGNED // width
    return room[start : start + count]


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _width(array_type: Any) -> int:
    return 4 if array_type.dtype == types.float32 else 8


def _everywhere(builder: Any, vector: Any, scalar: Any) -> Any:
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


def _called(builder: Any, name: str, vector: Any, values: Any) -> Any:
    kind = "f32" if vector.element == ir.FloatType() else "f64"
    signature = ir.FunctionType(vector, [vector] * len(values))
    full_name = f"llvm.{name}.v{LANES}{kind}"
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, full_name), values)


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, array: Any, index: Any) -> Any:
    """Sixteen neighbouring numbers of a flat array."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], *values)
        vector = context.get_value_type(signature.return_type)
        return builder.load(builder.bitcast(place, vector.as_pointer()), align=_width(signature.args[0]))

    return Lanes(array.dtype)(array, types.intp), made


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Put sixteen numbers side by side into a flat array."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], *values[:2])
        pointer = builder.bitcast(place, values[2].type.as_pointer())
        builder.store(values[2], pointer, align=_width(signature.args[0]))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), made


@intrinsic  # type: ignore[untyped-decorator]
def spread(typing: Any, array: Any, index: Any) -> Any:
    """One number of a flat array in all lanes."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = builder.load(_place(context, builder, signature.args[0], *values))
        return _everywhere(builder, context.get_value_type(signature.return_type), number)

    return Lanes(array.dtype)(array, types.intp), made


@intrinsic  # type: ignore[untyped-decorator]
def every(typing: Any, number: Any) -> Any:
    """One number in all lanes."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _everywhere(builder, context.get_value_type(signature.return_type), values[0])

    return Lanes(number)(number), made


@intrinsic  # type: ignore[untyped-decorator]
def fused(typing: Any, one: Any, other: Any, third: Any) -> Any:
    """The sum one · other + third, rounded once where the machine can."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _called(builder, "fmuladd", context.get_value_type(signature.return_type), values)

    return one(one, one, one), made


@intrinsic  # type: ignore[untyped-decorator]
def less(typing: Any, one: Any, other: Any, third: Any) -> Any:
    """The difference third - one · other, rounded once where the machine can."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector = context.get_value_type(signature.return_type)
        return _called(builder, "fmuladd", vector, [builder.fneg(values[0]), *values[1:]])

    return one(one, one, one), made


@intrinsic  # type: ignore[untyped-decorator]
def widened(typing: Any, lanes: Any) -> Any:
    """The same numbers in float64."""
    return _converted(lanes, types.float64)


@intrinsic  # type: ignore[untyped-decorator]
def converted(typing: Any, lanes: Any, like: Any) -> Any:
    """The same numbers in the kind of a flat array."""
    result, made = _converted(lanes, like.dtype)
    return result.return_type(lanes, like), made


def _converted(lanes: Any, kind: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector = context.get_value_type(signature.return_type)
        if lanes.kind == kind:
            return values[0]
        change = builder.fpext if kind == types.float64 else builder.fptrunc
        return change(values[0], vector)

    return Lanes(kind)(lanes), made


def _binary(symbol: Any, instruction: str) -> None:
    """Give two values of sixteen lanes an arithmetic sign."""

    class Alike(AbstractTemplate):  # type: ignore[misc]
        key = symbol

        def generic(self, given: Any, named: Any) -> Any:
            both = len(given) == 2 and isinstance(given[0], Lanes) and given[0] == given[1]
            return signature(given[0], *given) if both and not named else None

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return getattr(builder, instruction)(*values)

    infer_global(symbol)(Alike)
    lower_builtin(symbol, Lanes, Lanes)(made)


_binary(operator.add, "fadd")
_binary(operator.sub, "fsub")
_binary(operator.mul, "fmul")
_binary(operator.truediv, "fdiv")


@intrinsic  # type: ignore[untyped-decorator]
def larger(typing: Any, one: Any, other: Any) -> Any:
    """The larger number of every lane; neither may be a NaN."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return one(one, one), made


@intrinsic  # type: ignore[untyped-decorator]
def root(typing: Any, one: Any) -> Any:
    """Square root of every lane."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _called(builder, "sqrt", context.get_value_type(signature.return_type), values)

    return one(one), made


def _shuffled(builder: Any, pair: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(ir.IntType(32), LANES), places))


def _following(place: int) -> Any:
    """Every lane's right neighbour; the last one's is one lane of a second value."""

    @intrinsic  # type: ignore[untyped-decorator]
    def moved(typing: Any, one: Any, other: Any) -> Any:
        def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return _shuffled(builder, values, [*range(1, LANES), LANES + place])

        return one(one, other), made

    return moved


def _fourth(first: int) -> Any:
    """Every fourth of sixty-four numbers side by side."""

    @intrinsic  # type: ignore[untyped-decorator]
    def taken(typing: Any, one: Any, other: Any, third: Any, fourth: Any) -> Any:
        def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            places = list(range(first, 2 * LANES, 4))
            left = _shuffled(builder, values[:2], places + places)
            right = _shuffled(builder, values[2:], places + places)
            return _shuffled(builder, (left, right), [*range(LANES // 2), *range(LANES, LANES + LANES // 2)])

        return one(one, other, third, fourth), made

    return taken


following_0, following_1, following_2, following_3, following_4, following_5 = map(_following, range(6))
fourth_0, fourth_1, fourth_2, fourth_3 = map(_fourth, range(4))


@intrinsic  # type: ignore[untyped-decorator]
def mark(typing: Any, one: Any, other: Any) -> Any:
    """The second number of every lane whose first one is not below 0, else 0."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        nothing = ir.Constant(values[0].type, None)
        return builder.select(builder.fcmp_ordered(">=", values[0], nothing), values[1], nothing)

    return one(one, one), made


@intrinsic  # type: ignore[untyped-decorator]
def together(typing: Any, one: Any) -> Any:
    """The sum of all lanes, in any order."""

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector = values[0].type
        kind = "f32" if vector.element == ir.FloatType() else "f64"
        called = ir.FunctionType(vector.element, [vector.element, vector])
        name = f"llvm.vector.reduce.fadd.v{LANES}{kind}"
        added = cgutils.get_or_insert_function(builder.module, called, name)
        return builder.call(added, [ir.Constant(vector.element, 0.0), values[0]], fastmath=("reassoc",))

    return one.kind(one), made
