"""Similarities between pictures of one size, pixel by pixel."""

from __future__ import annotations

from typing import Literal

from whorl.records import Array, Floats

VERSION = 1


def ssim(
    queries: Array,
    gallery: Array,
    data_range: float = 255.0,
    window: Literal["uniform", "gaussian"] = "uniform",
    device: str = "cpu",
) -> Floats:
    """Mean structural similarity (Wang et al. 2004).

    (q, h, w), (g, h, w) -> (q, g) in -1..1, 1 for equal pictures up to rounding. The uniform window is 7 × 7
    with covariances by n - 1, the Gaussian one 11 × 11, sigma 1.5, with covariances by n. With device
    "cuda" torch computes on the GPU.
    """
    if device != "cpu":
        from whorl.kernels import tensors

        return tensors.similarities(queries, gallery, device=device, window=window, data_range=data_range)
    from whorl.kernels import structural

    return structural.similarities(queries, gallery, window=window, data_range=data_range)
