"""One file at a time: what good pictures become, and what is said of bad ones."""

import io
import os
import socket
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from whorl.decode import Limits, Unreadable, decode_file

RANDOM = np.random.default_rng(7)
GREY = RANDOM.integers(0, 256, (24, 40), dtype=np.uint8)
SMOOTH = np.add.outer(np.arange(24) * 4, np.arange(40) * 3).astype(np.uint8)
DEEP = RANDOM.integers(0, 65536, (24, 40), dtype=np.uint16)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(side):
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


def read(folder: Path, data: bytes, name="picture.png", limits=None):
    path = folder / name
    path.write_bytes(data)
    return decode_file(path, limits or Limits())


PNG = encoded(GREY, "PNG")
JPEG = encoded(SMOOTH, "JPEG", quality=95)
TIFF = encoded(GREY, "TIFF")
BAD = {
    "empty": (b"", "empty file"),
    "one byte": (b"\x89", "not a picture"),
    "zeros": (bytes(5000), "not a picture of a known format"),
    "HTML renamed": (b"\n<!DOCTYPE html><html><body>404</body></html>", "looks like HTML"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "looks like XML"),
    "text": (b"not found, sorry", "looks like text"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    "PDF": (b"%PDF-1.7 ...", "looks like PDF"),
    "ZIP": (b"PK\x03\x04rest", "ZIP"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS is not read"),
    "FITS": (b"SIMPLE  =                    T", "FITS is not read"),
    "GIF": (encoded(GREY, "GIF"), "GIF is not read"),
    "WebP": (encoded(Image.fromarray(GREY).convert("RGB"), "WEBP"), "WebP is not read"),
    "JPEG 2000": (encoded(GREY, "JPEG2000"), "JPEG 2000 is read inside DICOM only"),
    "npy": (b"\x93NUMPY\x01\0", "NumPy"),
    "truncated PNG": (PNG[:-200], "truncated"),
    "PNG without its end": (PNG[:-12], "truncated"),
    "bit-flipped PNG pixels": (flipped(PNG, len(PNG) // 2), "checksum"),
    "bit-flipped PNG header": (flipped(PNG, 18), "checksum"),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "truncated"),
    "JPEG header only": (JPEG[:20], "truncated|damaged JPEG"),
    "truncated TIFF": (TIFF[: len(TIFF) // 2], "truncated|damaged TIFF"),
    "truncated BMP": (encoded(GREY, "BMP")[:600], "truncated"),
    "pixel bomb under Pillow's limit": (bomb(8_800), r"too many pixels \(77,440,000; limit 64,000,000\)"),
    "pixel bomb over Pillow's warning": (bomb(12_000), "too many pixels"),
    "pixel bomb over Pillow's error": (bomb(16_000), "too many pixels"),
    "text bomb": (
        PNG[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(9_000_000))) + PNG[33:],
        "damaged PNG",
    ),
    "1×1": (encoded(GREY[:1, :1], "PNG"), r"too small \(1×1; at least 8×8\)"),
    "20000×1": (encoded(np.zeros((1, 20000), np.uint8), "PNG"), r"too small \(20000×1"),
    "NaN in float TIFF": (encoded(np.full((9, 9), np.nan, np.float32), "TIFF"), "NaN or infinite"),
    "infinity in float TIFF": (encoded(np.full((9, 9), np.inf, np.float32), "TIFF"), "NaN or infinite"),
    "float TIFF in Hounsfield units": (
        encoded(np.linspace(-1000, 3000, 100, dtype=np.float32).reshape(10, 10), "TIFF"),
        "from -1000 to 3000",
    ),
    "signed TIFF": (encoded(DEEP.astype(np.int32), "TIFF"), "signed or 32-bit"),
    "multi-frame TIFF": (
        encoded(GREY, "TIFF", save_all=True, append_images=[Image.fromarray(SMOOTH)]),
        "more than one picture",
    ),
    "animated PNG": (
        encoded(GREY, "PNG", save_all=True, append_images=[Image.fromarray(SMOOTH)]),
        "more than one picture",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_content_ends_in_one_short_reason(case, tmp_path):
    data, expected = BAD[case]
    with pytest.raises(Unreadable, match=expected) as caught:
        read(tmp_path, data)
    assert "\n" not in caught.value.reason and len(caught.value.reason) < 160
    assert "object at" not in caught.value.reason


def test_eight_bit_formats_keep_their_values(tmp_path):
    for kind in ("PNG", "TIFF", "BMP"):
        found = read(tmp_path, encoded(GREY, kind))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, GREY)
    assert np.abs(read(tmp_path, JPEG).astype(int) - SMOOTH).max() <= 4


def test_the_extension_does_not_matter(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, PNG, "wrong.jpg"), GREY)
    np.testing.assert_array_equal(read(tmp_path, TIFF, "none"), GREY)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_the_full_range(kind, tmp_path):
    found = read(tmp_path, encoded(DEEP, kind))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, DEEP / 257, atol=1e-4)
    assert read(tmp_path, encoded(np.full((8, 8), 65535, np.uint16), kind)).max() == 255


def test_white_is_zero_is_undone_at_both_depths(tmp_path):
    for picture, scale in ((GREY, 1), (DEEP, 257)):
        data = encoded(picture, "TIFF")
        entry = struct.pack("<HHI", 262, 3, 1)
        assert data.count(entry) == 1
        inverted = read(tmp_path, data.replace(entry + b"\1\0", entry + b"\0\0"))
        np.testing.assert_allclose(inverted, 255 - picture / scale, atol=1e-3)


def test_float_tiff_is_taken_as_it_is_or_as_zero_to_one(tmp_path):
    values = np.linspace(0, 200, 100, dtype=np.float32).reshape(10, 10)
    np.testing.assert_allclose(read(tmp_path, encoded(values, "TIFF")), values)
    np.testing.assert_allclose(read(tmp_path, encoded(values / 200, "TIFF")), values / 200 * 255, rtol=1e-6)


def test_colour_becomes_luma_from_every_mode(tmp_path):
    colour = np.zeros((16, 16, 3), np.uint8)
    colour[:, :8], colour[:, 8:] = (255, 0, 0), (0, 0, 255)
    picture = Image.fromarray(colour)
    expected = np.where(np.arange(16) < 8, 76, 29)[None].repeat(16, 0)
    for form in (picture, picture.convert("P"), picture.quantize(4)):
        np.testing.assert_array_equal(read(tmp_path, encoded(form, "PNG")), expected)
    for kind in ("TIFF", "JPEG"):
        cmyk = read(tmp_path, encoded(picture.convert("CMYK"), kind)).astype(int)
        assert np.abs(cmyk - expected)[:, [0, 1, 14, 15]].max() <= 3


def test_grey_palette_and_one_bit_are_exact(tmp_path):
    levels = Image.fromarray(GREY)
    palette = levels.convert("P")
    palette.putpalette([level for value in range(256) for level in (value, value, value)])
    np.testing.assert_array_equal(read(tmp_path, encoded(palette, "PNG")), GREY)
    bits = read(tmp_path, encoded(Image.fromarray(GREY > 127), "PNG"))
    assert bits.dtype == np.uint8
    np.testing.assert_array_equal(bits, (GREY > 127) * 255)


def test_transparency_is_laid_over_black_and_opaque_alpha_dropped(tmp_path):
    alpha = np.full_like(GREY, 255)
    opaque = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(alpha)))
    np.testing.assert_array_equal(read(tmp_path, encoded(opaque, "PNG")), GREY)
    alpha[:, :20] = 0
    half = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(alpha)))
    expected = np.where(alpha == 0, 0, GREY)
    np.testing.assert_array_equal(read(tmp_path, encoded(half, "PNG")), expected)
    np.testing.assert_array_equal(read(tmp_path, encoded(half.convert("RGBA"), "TIFF")), expected)
    keyed = read(tmp_path, encoded(DEEP, "PNG", transparency=int(DEEP[3, 4])))
    assert keyed[3, 4] == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_exif_orientation_is_applied(kind, tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned right by a quarter
    found = read(tmp_path, encoded(SMOOTH, kind, exif=exif))
    assert found.shape == (40, 24)
    assert np.abs(found.astype(int) - np.rot90(SMOOTH, -1)).max() <= 4


@pytest.mark.parametrize("data", [PNG, JPEG, TIFF], ids=["PNG", "JPEG", "TIFF"])
def test_a_cut_file_is_refused_or_complete_never_half_a_picture(data, tmp_path):
    whole = read(tmp_path, data)
    refused = 0
    for length in range(1, len(data), max(1, len(data) // 120)):
        try:
            np.testing.assert_array_equal(read(tmp_path, data[:length]), whole)
        except Unreadable:
            refused += 1
    assert refused > 100


def test_random_damage_raises_nothing_but_unreadable(tmp_path):
    random = np.random.default_rng(3)
    refused = 0
    for data in (PNG, JPEG, TIFF, encoded(GREY, "BMP"), encoded(GREY, "TIFF", compression="tiff_lzw")):
        for _ in range(60):
            mutant = bytearray(data)
            for place in random.integers(0, min(len(data), 400), 4):
                mutant[place] = random.integers(0, 256)
            try:
                assert read(tmp_path, bytes(mutant)).ndim == 2
            except Unreadable:
                refused += 1
    assert refused > 100


def test_a_lenient_pillow_is_set_strict_and_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(Unreadable, match="truncated"):
        read(tmp_path, JPEG[: len(JPEG) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_limits_on_bytes_and_pixels_are_the_callers(tmp_path):
    with pytest.raises(Unreadable, match="bytes; limit 100"):
        read(tmp_path, PNG, limits=Limits(file_bytes=100))
    with pytest.raises(Unreadable, match="too many pixels"):
        read(tmp_path, PNG, limits=Limits(pixels=900))


def test_what_is_not_a_regular_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.png"))
        cases = {"pipe.png": "named pipe", "socket.png": "socket", ".": "folder", "gone.png": "no such file"}
        for name, reason in cases.items():
            with pytest.raises(Unreadable, match=reason):
                decode_file(tmp_path / name)
    with pytest.raises(Unreadable, match="device"):
        decode_file(Path("/dev/zero"))
    with pytest.raises(Unreadable, match="not a possible file name"):
        decode_file(tmp_path / "a\0b.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(Unreadable, match="leads back to itself"):
        decode_file(tmp_path / "loop.png")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_forbidden_file_says_so(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(PNG)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("whorl.decode.os.open", refuse)
    with pytest.raises(Unreadable, match="permission denied"):
        decode_file(tmp_path / "a.png")
