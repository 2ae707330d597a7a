"""One picture file → one grey picture, guarded: every way a file can be bad ends in one short reason.

Formats are recognised by content, never by extension (NIfTI, which hides its mark, apart). What the
pixels become: 8-bit sources stay uint8; deeper ones are float32 on 0 to 255, scaled by the full range
of their format, so that pictures of one set stay comparable. Colour becomes luma, transparency is laid
over black, EXIF orientation is applied, colour profiles are not. Floating-point TIFF is taken as 0 to 1
or 0 to 255 and refused outside: no stretching of single pictures behind the user's back. Colour with 16
bits a channel is read at 8. A flipped bit inside JPEG, TIFF or BMP data cannot be noticed; in PNG it is.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

from whorl.records import Array, BadInput


@dataclass(frozen=True)
class Limits:
    """What one file may cost; memory and seconds bound the separate process of DICOM and NIfTI."""

    pixels: int = 64_000_000
    file_bytes: int = 512 * 2**20
    memory_bytes: int = 2 * 2**30
    seconds: float = 10.0
    least_side: int = 8


class Unreadable(BadInput):
    """One file cannot be used; the text is the reason, without the file's name."""

    @property
    def reason(self) -> str:
        """Return the reason in a few words."""
        return str(self)


STANDARD = Limits()
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
_KNOWN_OTHERS = (
    (b"version https://git-lfs", "not a picture: a Git LFS pointer, fetch the file itself"),
    (b"GIF8", "GIF is not read; save as PNG"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000 is read inside DICOM only; save as PNG"),
    (b"%PDF", "not a picture: looks like PDF"),
    (b"%!PS", "EPS is not read; save as PNG"),
    (b"\xc5\xd0\xd3\xc6", "EPS is not read; save as PNG"),
    (b"SIMPLE  =", "FITS is not read; save as PNG"),
    (b"PK\x03\x04", "not a picture: looks like a ZIP archive"),
    (b"\x1f\x8b", "not a picture: looks like a gzip archive"),
    (b"\x93NUMPY", "not a picture: a NumPy file; give it as the source itself"),
)
_ERRORS = {
    errno.ENOENT: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a link that leads back to itself",
    errno.EISDIR: "a folder, not a file",
    errno.ENOTDIR: "no such file",
    errno.ENAMETOOLONG: "the name is too long",
}


def decode_file(path: Path, limits: Limits = STANDARD) -> Array:
    """Return the picture in a file; raise `Unreadable` with a short reason for anything else.

    The result is (height, width), uint8 or float32 on 0 to 255.
    """
    data = read_bytes(path, limits)
    kind = recognise(data, path.name)
    if kind in ("DICOM", "NIfTI"):
        from whorl import dicom

        try:
            picture = dicom.decode(data, kind, limits.pixels, limits.memory_bytes, limits.seconds)
        except BadInput as error:
            raise Unreadable(str(error)) from None
    else:
        picture = _raster(data, kind, limits)
    height, width = picture.shape
    if min(height, width) < limits.least_side:
        raise Unreadable(_too_small(width, height, limits))
    return picture


def read_bytes(path: Path, limits: Limits = STANDARD) -> bytes:
    """Read a regular file once; never open a pipe, device or socket."""
    try:
        found = path.stat()
        _check_regular(found.st_mode)
        if found.st_size > limits.file_bytes:
            raise Unreadable(f"{found.st_size:,} bytes; limit {limits.file_bytes:,}")
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            # Checked again: the name may have been given to something else in between.
            _check_regular(os.fstat(file.fileno()).st_mode)
            data = file.read(found.st_size + 1)
    except OSError as error:
        reason = _ERRORS.get(error.errno or 0, error.strerror or "cannot be opened")
        raise Unreadable(reason) from None
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("not a possible file name") from None
    if len(data) != found.st_size:
        raise Unreadable("changed while it was read")
    if not data:
        raise Unreadable("empty file")
    return data


def recognise(data: bytes, name: str) -> str:
    """Return the format of a file's content: PNG, JPEG, TIFF, BMP, DICOM or NIfTI."""
    if data[128:132] == b"DICM":
        return "DICOM"
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if name.lower().endswith((".nii", ".nii.gz")):
        return "NIfTI"
    for magic, reason in _KNOWN_OTHERS:
        if data.startswith(magic):
            raise Unreadable(reason)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise Unreadable("WebP is not read; save as PNG")
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        raise Unreadable("not a picture: looks like HTML")
    if start.startswith((b"<?xml", b"<svg")):
        raise Unreadable("not a picture: looks like XML")
    if len(data) >= 4 and re.fullmatch(rb"[\t\r\n\x20-\x7e]+", data[:1024]):
        raise Unreadable("not a picture: looks like text")
    if name.lower().endswith((".dcm", ".dicom")):
        raise Unreadable("not DICOM: the mark DICM is missing at byte 128")
    raise Unreadable("not a picture of a known format")


def _check_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    words = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "named pipe"), (stat.S_ISSOCK, "socket"))
    kind = next((word for test, word in words if test(mode)), "device")
    raise Unreadable(f"a {kind}, not a file")


def _too_small(width: int, height: int, limits: Limits) -> str:
    least = limits.least_side
    return f"too small ({width}×{height}; at least {least}×{least})"


_guard_lock = threading.Lock()
_guard_state: dict[str, Any] = {"depth": 0}


@contextmanager
def _guarded() -> Iterator[None]:
    """Set Pillow's process-wide switches to strict while any thread decodes, then put them back."""
    with _guard_lock:
        if _guard_state["depth"] == 0:
            caught = warnings.catch_warnings()
            caught.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            _guard_state.update(caught=caught, lenient=ImageFile.LOAD_TRUNCATED_IMAGES)
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _guard_state["depth"] += 1
    try:
        yield
    finally:
        with _guard_lock:
            _guard_state["depth"] -= 1
            if _guard_state["depth"] == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = _guard_state["lenient"]
                _guard_state["caught"].__exit__(None, None, None)


def _raster(data: bytes, kind: str, limits: Limits) -> Array:
    if kind == "PNG":
        _check_chunks(data)
    try:
        with _guarded(), Image.open(BytesIO(data), formats=[kind]) as image:
            _check_header(image, limits)
            image.load()
            # In place: a copy of every picture would cost a tenth of the time.
            ImageOps.exif_transpose(image, in_place=True)
            return _grey(image)
    except Unreadable:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Unreadable(f"too many pixels (limit {limits.pixels:,})") from None
    except MemoryError:
        raise Unreadable("needs more memory than there is") from None
    except Exception as error:  # Pillow raises almost any class on damaged files
        raise Unreadable(_reason(kind, error)) from None


def _check_chunks(data: bytes) -> None:
    """Check the checksum of every PNG chunk: Pillow skips those of the pixels."""
    place, view = 8, memoryview(data)
    while True:
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 12 + length
        if end > len(data):
            raise Unreadable("truncated")
        name = data[place + 4 : place + 8]
        if zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise Unreadable("damaged PNG: a checksum does not match")
        if name == b"IEND":
            return
        place = end


def _check_header(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.pixels:
        raise Unreadable(f"too many pixels ({width * height:,}; limit {limits.pixels:,})")
    if min(width, height) < limits.least_side:
        raise Unreadable(_too_small(width, height, limits))
    if getattr(image, "is_animated", False):
        raise Unreadable("holds more than one picture")


def _grey(image: Image.Image) -> Array:
    """Return any of Pillow's modes as grey levels."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _sixteen(image)
    if image.mode == "F":
        return _floating(np.array(image))
    if image.mode in ("I", "LAB"):
        what = "signed or 32-bit integers" if image.mode == "I" else "LAB colour"
        raise Unreadable(f"{what}; save as 8-bit or unsigned 16-bit grey")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        if layered.getchannel("A").getextrema()[0] != 255:
            black = Image.new("RGBA", image.size, (0, 0, 0, 255))
            layered = Image.alpha_composite(black, layered)
        return np.array(layered.convert("RGB").convert("L"))
    if image.mode not in ("L", "1"):
        image = image.convert("RGB")
    return np.array(image.convert("L"))


def _sixteen(image: Image.Image) -> Array:
    """Scale the full range of 9 to 16 bits to 0 … 255."""
    tags = getattr(image, "tag_v2", {})
    top = 2 ** int(tags.get(258, (16,))[0]) - 1
    values = np.array(image).astype(np.float32)
    if image.format == "PNG" and isinstance(key := image.info.get("transparency"), int):
        values[values == key] = 0
    if tags.get(262) == 0:  # white is zero, which Pillow undoes for 8 bits only
        values = top - values
    return values / np.float32(top / 255)


def _floating(values: Array) -> Array:
    if not np.isfinite(values).all():
        raise Unreadable("holds NaN or infinite values")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        raise Unreadable(f"floating-point values from {low:g} to {high:g}; bring them to 0…1 or 0…255")
    return np.asarray(values * np.float32(255 if high <= 1 else 1), dtype=np.float32)


def _reason(kind: str, error: Exception) -> str:
    """Say in a few words what an exception of the decoder means."""
    text = str(error).partition("\n")[0].removesuffix("when reading image file").strip()
    if isinstance(error, EOFError) or re.search("truncat|unexpected end|not enough|end of file", text, re.I):
        return "truncated"
    if not text or "identify image" in text or " object at 0x" in text:
        return f"damaged {kind}"
    return f"damaged {kind} ({''.join(c for c in text if c.isprintable())[:80]})"
