"""The same structural similarity with torch, for a machine with a GPU.

Pictures go to the device once, blocks of pairs are as large as its free memory allows, sums stay there, and
one table comes back. Import this module inside functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whorl.kernels.measures import Measure, Window, measure_for, windows_inside
from whorl.records import Array, BadInput, Floats

# Arrays of one block's shape that live at the same time.
LIVE = 8
MOST_BYTES = 2**31


def similarities(
    queries: Array,
    gallery: Array,
    *,
    device: str,
    window: Window = "uniform",
    data_range: float = 255.0,
    masks: Array | None = None,
    block_bytes: int | None = None,
) -> Floats:
    """Mean similarity of the windows, as `structural.similarities` gives it.

    (q, h, w), (g, h, w) -> (q, g) in -1..1.
    """
    torch = torch_or_refusal(device)
    measure = measure_for(window, data_range, queries, gallery)
    inside = windows_inside(masks, queries.shape, measure)
    with torch.no_grad():
        mine = _described(torch, queries, measure, device)
        theirs = _described(torch, gallery, measure, device)
        counted = None if inside is None else torch.from_numpy(inside).to(device, mine[0].dtype)
        out = torch.empty((len(queries), len(gallery)), dtype=torch.float32, device=device)
        step = _step(torch, device, mine[0], block_bytes)
        for row in range(len(queries)):
            one = [part[row] for part in mine]
            weights = None if counted is None else counted[min(row, len(counted) - 1)]
            for start in range(0, len(gallery), step):
                part = [other[start : start + step] for other in theirs]
                out[row, start : start + step] = _means(torch, one, part, measure, weights)
        return np.asarray(out.clamp_(-1.0, 1.0).cpu().numpy(), np.float32)


def torch_or_refusal(device: str) -> Any:
    """Import torch and check that the device is there."""
    try:
        import torch
    except ImportError:
        raise BadInput(f"device {device}: torch is not installed; pip install 'whorl[deep]'") from None
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(f"device {device}: torch finds no GPU here; take device cpu")
    return torch


def _step(torch: Any, device: str, pixels: Any, block_bytes: int | None) -> int:
    """Gallery pictures of one block."""
    if block_bytes is None:
        free = torch.cuda.mem_get_info(device)[0] // 2 if device.startswith("cuda") else 2**26
        block_bytes = min(int(free), MOST_BYTES)
    return int(max(1, block_bytes // (LIVE * pixels[0].numel() * pixels.element_size())))


def _described(torch: Any, stack: Array, measure: Measure, device: str) -> tuple[Any, Any, Any]:
    """Pixels about the middle grey, sum T and spread of every window, on the device."""
    count = float(measure.numbers[0])
    kind = torch.float32 if measure.exact else torch.float64
    pixels, totals, spreads = [], [], []
    for image in stack:
        wide = torch.from_numpy(np.ascontiguousarray(image)).to(device, torch.float64) - measure.middle
        total = _summed(torch, wide[None], measure)[0]
        squares = _summed(torch, (wide * wide)[None], measure)[0]
        pixels.append(wide.to(kind))
        totals.append(total.to(kind))
        spreads.append(((count * squares - total * total).clamp_(min=0.0) * (0.5 / count)).to(kind))
    return torch.stack(pixels), torch.stack(totals), torch.stack(spreads)


def _summed(torch: Any, stack: Any, measure: Measure) -> Any:
    """Sum of every window, weighted for the Gaussian one; (n, h, w) -> (n, rows, columns)."""
    side = measure.side
    if measure.window == "uniform":
        # Adding is exact on whole numbers and never runs in a shortened format, as convolutions may.
        pool = torch.nn.functional.avg_pool2d
        down = pool(stack[:, None], (side, 1), 1, divisor_override=1)
        return pool(down, (1, side), 1, divisor_override=1)[:, 0]
    weights = measure.weights
    rows, columns = stack.shape[1] - side + 1, stack.shape[2] - side + 1
    down = sum(float(weights[step]) * stack[:, step : step + rows] for step in range(side))
    return sum(float(weights[step]) * down[:, :, step : step + columns] for step in range(side))


def _means(torch: Any, one: list[Any], others: list[Any], measure: Measure, weights: Any) -> Any:
    """Mean similarity of one query and some gallery pictures."""
    count, bright, dark, small = (float(number) for number in measure.numbers)
    products = _summed(torch, one[0] * others[0], measure)
    products.addcmul_(one[1], others[1], value=-1.0 / count).add_(small * 0.5 / count)
    mine, theirs = one[1] + bright, others[1] + bright
    top = (mine * theirs).mul_(2.0).add_(dark).mul_(products)
    bottom = (theirs * theirs).add_(mine * mine + dark).mul_(others[2] + (one[2] + small * 0.5 / count))
    values = top.div_(bottom)
    if weights is None:
        return values.mean(dim=(1, 2), dtype=torch.float64).to(torch.float32)
    values.mul_(weights)
    return (values.sum(dim=(1, 2), dtype=torch.float64) / weights.sum()).to(torch.float32)
