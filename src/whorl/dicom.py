"""DICOM and NIfTI pictures; the readers run in a worker process only (see `isolation`).

DICOM: rescale and window (or lookup table) are applied and MONOCHROME1 is inverted; without a window
the picture's own minimum and maximum become 0 and 255, except that plain 8-bit data stay as they are.
NIfTI: one slice, its minimum and maximum become 0 and 255 (plain 8-bit data stay); rows are the second
axis and nothing is re-oriented.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, features

from whorl import isolation
from whorl.records import Array, BadInput

_PACKAGES = {"DICOM": "pydicom", "NIfTI": "nibabel"}
_INFLATED_BYTES = 2**29


def decode(data: bytes, kind: str, pixels: int, memory: int, seconds: float) -> Array:
    """Return the picture in the bytes of a DICOM or NIfTI file; raise `BadInput` with a short reason.

    The result is (height, width), uint8 or float32 on 0 to 255.
    """
    if importlib.util.find_spec(_PACKAGES[kind]) is None:
        raise BadInput(f"{kind} needs the extra: pip install 'whorl[dicom]'")
    return isolation.decode(data, kind, pixels, memory, seconds)


def serve(memory: int) -> None:
    """Decode what arrives on standard input: what a worker process runs."""
    isolation.serve(memory, _warm, READERS)


def _warm() -> None:
    """Import what the readers need, so that no file's time limit pays for it."""
    for package in (*_PACKAGES.values(), "pydicom.pixels"):
        with contextlib.suppress(ImportError):
            importlib.import_module(package)


def read_dicom(data: bytes, pixels: int) -> Array:
    """Return the picture of a DICOM file, (height, width)."""
    from pydicom import dcmread

    dataset = dcmread(BytesIO(data))
    _check_header(dataset, pixels)
    stored = _stored(dataset)
    if dataset.SamplesPerPixel != 1 or dataset.PhotometricInterpretation == "PALETTE COLOR":
        return _luma(stored, dataset)
    if not dataset.PhotometricInterpretation.startswith("MONOCHROME"):
        raise BadInput(f"damaged DICOM: one channel called {dataset.PhotometricInterpretation}")
    rescaled = _rescaled(dataset)
    lookup = bool(dataset.get("VOILUTSequence"))
    window = None not in (dataset.get("WindowCenter"), dataset.get("WindowWidth"))
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    plain = dataset.get("BitsStored") == 8 and dataset.get("PixelRepresentation") == 0
    if plain and not (rescaled or lookup or window):
        grey = stored.astype(np.uint8)
        return np.asarray(255 - grey if inverted else grey, dtype=np.uint8)
    shown = _shown(stored, dataset, lookup, window)
    if not np.isfinite(shown).all():
        raise BadInput("holds NaN or infinite values")
    return np.asarray(255 - shown if inverted else shown, dtype=np.float32)


def _check_header(dataset: Any, pixels: int) -> None:
    if not any(word in dataset for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise BadInput("no pixel data (cut off, or not a picture)")
    for word in ("Rows", "Columns", "PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated"):
        if not dataset.get(word):
            raise BadInput(f"damaged DICOM: {word} is missing or 0")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise BadInput(f"holds {frames} frames; one picture a file is read")
    if dataset.Rows * dataset.Columns > pixels:
        raise BadInput(f"too many pixels ({dataset.Rows * dataset.Columns:,}; limit {pixels:,})")
    if not dataset.file_meta.TransferSyntaxUID.is_compressed or "PixelData" not in dataset:
        return
    # A JPEG 2000 stream declares its own size; a lie there is what makes decoders run wild.
    place = dataset.PixelData.find(b"\xff\x4f\xff\x51")
    if place >= 0:
        fields = np.frombuffer(dataset.PixelData[place + 8 : place + 24].ljust(16, b"\0"), ">u4")
        right, bottom, left, top = map(int, fields)
        if (bottom - top, right - left) != (dataset.Rows, dataset.Columns):
            raise BadInput("damaged DICOM: the JPEG 2000 stream has another size than the header")


def _stored(dataset: Any) -> Array:
    """Return the stored values; Pillow's JPEG 2000 reader goes first because it refuses damage fastest."""
    from pydicom.uid import JPEG2000TransferSyntaxes

    if dataset.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes and features.check("jpg_2000"):
        dataset.pixel_array_options(decoding_plugin="pillow")
    return np.asarray(dataset.pixel_array)


def _rescaled(dataset: Any) -> bool:
    """Say whether stored values become others, and refuse a rescale that wipes them out."""
    factors = [dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")]
    if None in factors:
        return bool(dataset.get("ModalityLUTSequence"))
    if not all(map(math.isfinite, factors)) or factors[0] == 0:
        raise BadInput("its rescale slope is 0 or not finite")
    return factors != [1, 0]


def _shown(stored: Array, dataset: Any, lookup: bool, window: bool) -> Array:
    """Return the picture as a viewer shows it, on 0 to 255."""
    from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

    values = apply_modality_lut(stored, dataset).astype(np.float64)
    if lookup:
        entries, first, bits = dataset.VOILUTSequence[0].LUTDescriptor
        entries = entries or 2**16
        if bits == 8 and entries > 256:
            raise BadInput("its lookup table has more entries than 8 bits can count")
        inside = np.clip(np.rint(values), first, first + entries - 1).astype(np.int64)
        return np.asarray(apply_voi(inside, dataset) * (255 / (2**bits - 1)))
    low, high = float(values.min()), float(values.max())
    if window:
        # The two added values lie outside any window: they come back as its black and its white.
        with np.errstate(over="ignore"):
            flat = apply_windowing(np.append(values, [-1e12, 1e12]), dataset)
        values, low, high = flat[:-2].reshape(values.shape), float(flat[-2]), float(flat[-1])
    return _stretched(values, low, high)


def _stretched(values: Array, low: float, high: float) -> Array:
    if not math.isfinite(high - low):
        raise BadInput("holds NaN or infinite values")
    if low == high:
        return np.zeros(values.shape, np.float32)
    return np.asarray((values - low) * (255 / (high - low)), dtype=np.float32)


def _luma(stored: Array, dataset: Any) -> Array:
    """Return the luma of a colour picture with 8 bits a channel."""
    from pydicom.pixels import apply_color_lut

    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        if stored.dtype == np.uint16:
            stored = (stored / 257).round().astype(np.uint8)
    if stored.dtype != np.uint8 or stored.ndim != 3 or stored.shape[2] < 3:
        raise BadInput("colour with other than 8 bits a channel")
    return np.array(Image.fromarray(np.ascontiguousarray(stored[:, :, :3])).convert("L"))


def read_nifti(data: bytes, pixels: int) -> Array:
    """Return the only slice of a NIfTI file, (second axis, first axis)."""
    import nibabel

    content = _inflated(data) if data.startswith(b"\x1f\x8b") else data
    second = content[4:7] == b"n+2"
    if not second and content[344:347] != b"n+1":
        raise BadInput("not NIfTI: the mark n+1 or n+2 is missing")
    volume = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(content)
    sides = [side for side in volume.shape if side != 1]
    if any(side < 1 for side in sides):
        raise BadInput("damaged NIfTI: a dimension is not positive")
    if len(sides) > 2:
        raise BadInput(f"a volume of {'×'.join(map(str, volume.shape))}; only a single slice is read")
    if math.prod(sides) > pixels:
        raise BadInput(f"too many pixels ({math.prod(sides):,}; limit {pixels:,})")
    kind = volume.get_data_dtype()
    if kind.kind not in "iuf":
        raise BadInput("complex or colour NIfTI is not read")
    values = np.asarray(volume.dataobj)
    while values.ndim > 2:
        axis = next(axis for axis, side in enumerate(values.shape) if side == 1)
        values = values.squeeze(axis)
    values = np.atleast_2d(values).T
    if kind == np.uint8 and values.dtype == np.uint8:
        return values
    if not np.isfinite(values).all():
        raise BadInput("holds NaN or infinite values")
    return _stretched(values.astype(np.float64), float(values.min()), float(values.max()))


def _inflated(data: bytes) -> bytes:
    """Return the content of a gzip file, whole or not at all, up to a fixed size."""
    stream = zlib.decompressobj(wbits=31)
    content = stream.decompress(data, _INFLATED_BYTES)
    if stream.unconsumed_tail:
        raise BadInput(f"unpacks to more than {_INFLATED_BYTES:,} bytes")
    if not stream.eof:
        raise BadInput("truncated")
    return content


READERS: Mapping[str, isolation.Reader] = {"DICOM": read_dicom, "NIfTI": read_nifti}
