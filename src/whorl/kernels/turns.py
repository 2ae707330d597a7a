"""Sixteen rows of sixteen numbers become columns, in registers.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from whorl.kernels.lanes import LANES


@intrinsic  # type: ignore[untyped-decorator]
def turn(typing: Any, source: Any, place: Any, pitch: Any, target: Any, other: Any, beside: Any) -> Any:
    """Put a square of 16 × 16 numbers of a flat array, turned over its diagonal, into another one.

    It begins at `place`, its rows lie `pitch` apart; there it begins at `other`, its rows `beside` apart. The
    target may be of wider numbers.
    """

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        given = _places(context, builder, signature.args[0], values[:3])
        rows = _exchanged(builder, [builder.load(one, align=_width(signature.args[0])) for one in given])
        for row, one in zip(rows, _places(context, builder, signature.args[3], values[3:]), strict=True):
            kind = one.type.pointee
            builder.store(row if row.type == kind else builder.fpext(row, kind), one, align=_width(target))
        return context.get_dummy_value()

    whole = types.intp
    return types.void(source, whole, whole, target, whole, whole), made


def _width(array_type: Any) -> int:
    return 4 if array_type.dtype == types.float32 else 8


def _places(context: Any, builder: Any, array_type: Any, values: Any) -> list[Any]:
    """Pointers to sixteen numbers at the beginning of each row."""
    array, place, step = values
    data = context.make_array(array_type)(context, builder, array).data
    rows = ir.VectorType(context.get_value_type(array_type.dtype), LANES)
    found = []
    for _ in range(LANES):
        found.append(builder.bitcast(builder.gep(data, [place]), rows.as_pointer()))
        place = builder.add(place, step)
    return found


def _exchanged(builder: Any, rows: list[Any]) -> list[Any]:
    """Rows become columns: halves, quarters, eighths and neighbours change places in turn."""
    size = LANES // 2
    while size:
        upper = [lane + LANES - size if lane & size else lane for lane in range(LANES)]
        lower = [lane + LANES if lane & size else lane + size for lane in range(LANES)]
        made: list[Any] = [None] * LANES
        for row in (row for row in range(LANES) if not row & size):
            both = rows[row], rows[row + size]
            made[row] = builder.shuffle_vector(*both, _constant(upper))
            made[row + size] = builder.shuffle_vector(*both, _constant(lower))
        rows, size = made, size // 2
    return rows


def _constant(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)
