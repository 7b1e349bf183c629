"""A picture of any usual kind is read as it looks; any other file is one line that says what is wrong."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lfr.errors import ImageError
from lfr.sources import decode_image, read_image
from lfr.types import Pixels

KNOWN = "(known: BMP, GIF, JPEG, PNG, TIFF, WEBP)"


def painting(width: int = 64, height: int = 48) -> Image.Image:
    """Red, with a blue square at the top left."""
    picture = Image.new("RGB", (width, height), (200, 30, 20))
    ImageDraw.Draw(picture).rectangle((0, 0, width // 2 - 1, height // 2 - 1), (10, 40, 220))
    return picture


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8))


def encoded(picture: Image.Image, kind: str, **how: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **how)
    return data.getvalue()


def animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def png_promising(width: int, height: int) -> bytes:
    """A PNG whose header is whole and whose pixels are a few bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def decode(data: bytes) -> Pixels:
    return decode_image(data, name="face")


def refusal(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What is refused


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "nobody.jpg")
    assert str(caught.value) == f"{tmp_path / 'nobody.jpg'}: cannot read: No such file or directory"


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot read: Is a directory"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "face: the file is empty", id="empty"),
        pytest.param(b"Dear sir or madam,\n", f"face: not a picture {KNOWN}", id="text"),
        pytest.param(bytes(5000), f"face: not a picture {KNOWN}", id="zeros"),
        pytest.param(b"%PDF-1.7\n" + bytes(100), f"face: not a picture {KNOWN}", id="a document"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", f"face: not a picture {KNOWN}", id="a drawing"),
        pytest.param(
            encoded(painting(), "PPM"), f"face: not a picture {KNOWN}", id="a picture of a kind that is not read"
        ),
        pytest.param(
            encoded(Image.new("RGB", (1, 1)), "PNG"),
            "face: 1x1 is too small; each side needs at least 16 pixels",
            id="1x1",
        ),
        pytest.param(
            encoded(painting(200, 15), "JPEG"),
            "face: 200x15 is too small; each side needs at least 16 pixels",
            id="a strip",
        ),
        pytest.param(animation("GIF"), "face: animated, with 3 frames; a still picture is wanted", id="GIF"),
        pytest.param(animation("WEBP"), "face: animated, with 3 frames; a still picture is wanted", id="WebP"),
        pytest.param(animation("PNG"), "face: animated, with 3 frames; a still picture is wanted", id="APNG"),
        pytest.param(animation("TIFF"), "face: holds 3 pages; a picture of one page is wanted", id="pages"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(data: bytes, message: str) -> None:
    assert refusal(data) == message


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_a_picture_that_breaks_off_is_refused(kind: str, share: float) -> None:
    data = encoded(noise(), kind)
    message = refusal(data[: int(len(data) * share)])
    assert message.startswith("face: ")
    assert any(word in message for word in ("truncated", "broken", "not a picture"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_photograph_is_called_truncated(kind: str) -> None:
    data = encoded(noise(), kind)
    assert refusal(data[: len(data) // 2]).startswith("face: the picture is truncated (")


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (40_000, "face: over 50000000 pixels, which is the limit"),  # Pillow itself stops here
        (8_000, "face: 8000x8000 is over 50000000 pixels, which is the limit"),
    ],
)
def test_a_header_that_promises_too_much_gets_no_memory(side: int, message: str) -> None:
    data = png_promising(side, side)
    decode(encoded(painting(), "PNG"))  # what is loaded once is not measured
    tracemalloc.start()
    began_s = time.perf_counter()
    try:
        assert refusal(data) == message
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000
    assert time.perf_counter() - began_s < 0.5


def test_the_limit_of_pixels_can_be_set() -> None:
    data = encoded(painting(64, 48), "PNG")
    assert decode_image(data, name="face", max_pixels=64 * 48).shape == (48, 64, 3)
    with pytest.raises(ImageError, match=r"^face: 64x48 is over 3071 pixels, which is the limit$"):
        decode_image(data, name="face", max_pixels=64 * 48 - 1)


# What is read


def test_pixels_are_bgr_and_contiguous(tmp_path: Path) -> None:
    painting().save(tmp_path / "face.png")
    pixels = read_image(tmp_path / "face.png")
    assert (pixels.shape, str(pixels.dtype), pixels.flags.c_contiguous) == ((48, 64, 3), "uint8", True)
    assert pixels[5, 5].tolist() == [220, 40, 10]
    assert pixels[40, 60].tolist() == [20, 30, 200]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_kind_shows_the_same_picture(kind: str) -> None:
    expected = np.asarray(painting())[:, :, ::-1].astype(int)
    # Well inside the patches: JPEG and WebP smear colour at an edge.
    for patch in (np.s_[4:12, 4:20], np.s_[34:44, 44:60]):
        np.testing.assert_allclose(decode(encoded(painting(), kind))[patch], expected[patch], atol=8)


@pytest.mark.parametrize(
    "how", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 20}], ids=str
)
def test_a_jpeg_has_the_pixels_that_pillow_and_opencv_decode(how: dict[str, int]) -> None:
    data = encoded(noise().resize((321, 243)), "JPEG", **how)
    decoded = decode(data)
    assert np.array_equal(decoded, np.asarray(Image.open(io.BytesIO(data)))[..., ::-1])
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert theirs is not None
    assert np.array_equal(decoded, theirs)


def test_sixteen_bits_of_grey_are_scaled_by_their_full_range() -> None:
    grey = np.full((20, 20), 257, np.uint16) * np.arange(0, 200, 10, dtype=np.uint16)
    pixels = decode(encoded(Image.fromarray(grey), "PNG"))
    assert pixels[0].tolist() == [[level] * 3 for level in range(0, 200, 10)]


def test_a_dark_picture_of_sixteen_bits_stays_dark() -> None:
    assert decode(encoded(Image.fromarray(np.full((20, 20), 200, np.uint16)), "PNG")).max() == 1


def test_sixteen_bits_of_colour_are_scaled() -> None:
    colour = np.full((20, 20, 3), (65535, 32896, 257), np.uint16)
    data = cv2.imencode(".png", colour)[1].tobytes()
    assert decode(data)[3, 3].tolist() == [255, 128, 1]


def test_numbers_from_zero_to_one_are_scaled() -> None:
    shades = np.full((20, 20), 0.5, np.float32)
    shades[0] = (0.0,) * 10 + (1.0,) * 10
    pixels = decode(encoded(Image.fromarray(shades), "TIFF"))
    assert [int(pixels[row, column, 0]) for row, column in ((0, 0), (0, 19), (5, 5))] == [0, 255, 128]


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_becomes_three_equal_channels(mode: str) -> None:
    pixels = decode(encoded(painting().convert(mode), "PNG"))
    assert pixels.shape == (48, 64, 3)
    assert (pixels == pixels[:, :, :1]).all()


def test_what_is_transparent_becomes_white() -> None:
    picture = painting().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 20, 20))
    picture.paste((0, 0, 0, 128), (40, 30, 60, 44))
    pixels = decode(encoded(picture, "PNG"))
    assert pixels[5, 5].tolist() == [255, 255, 255]
    assert pixels[35, 50].tolist() == [127, 127, 127]
    assert pixels[46, 2].tolist() == [20, 30, 200]


def test_a_palette_may_have_a_transparent_colour() -> None:
    picture = Image.new("P", (32, 32), 1)
    picture.putpalette([9, 9, 9, 10, 20, 30])
    picture.paste(0, (0, 0, 16, 16))
    pixels = decode(encoded(picture, "PNG", transparency=0))
    assert pixels[5, 5].tolist() == [255, 255, 255]
    assert pixels[25, 25].tolist() == [30, 20, 10]


def test_colours_for_print_become_colours_for_screens() -> None:
    pixels = decode(encoded(painting().convert("CMYK"), "JPEG", quality=95))
    np.testing.assert_allclose(pixels[40, 50], (20, 30, 200), atol=8)
    np.testing.assert_allclose(pixels[8, 8], (220, 40, 10), atol=8)


def test_a_picture_taken_with_the_camera_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the right of what is seen is at the top of what is stored
    pixels = decode(encoded(painting(64, 48), "JPEG", exif=exif, quality=95))
    assert pixels.shape == (64, 48, 3)
    np.testing.assert_allclose(pixels[10, 40], (220, 40, 10), atol=8)  # the blue square, now top right
    np.testing.assert_allclose(pixels[10, 8], (20, 30, 200), atol=8)


def test_the_first_of_a_phones_several_pictures_is_taken() -> None:
    data = encoded(painting(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48), "white")])
    with Image.open(io.BytesIO(data)) as stored:
        assert (stored.format, getattr(stored, "n_frames", 1)) == ("MPO", 2)
    np.testing.assert_allclose(decode(data)[40, 50], (20, 30, 200), atol=8)


# Whatever else is in the file

SAMPLES: dict[str, bytes] = {
    "JPEG": encoded(noise(), "JPEG", exif=Image.Exif()),
    "progressive JPEG": encoded(noise(), "JPEG", progressive=True),
    "PNG": encoded(noise(), "PNG"),
    "palette PNG": encoded(painting().convert("P"), "PNG", transparency=0),
    "GIF": encoded(painting(), "GIF"),
    "WebP": encoded(noise(), "WEBP"),
    "TIFF": encoded(painting(), "TIFF"),
    "compressed TIFF": encoded(painting(), "TIFF", compression="tiff_lzw"),
    "BMP": encoded(painting(), "BMP"),
}


@pytest.mark.parametrize("kind", SAMPLES)
@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_damage_is_an_image_error_or_a_picture(kind: str, draw: st.DataObject) -> None:
    data = bytearray(SAMPLES[kind])
    # Mostly in the first kilobyte, where headers are.
    places = st.one_of(st.integers(0, min(1023, len(data) - 1)), st.integers(0, len(data) - 1))
    for place, value in draw.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        data[place] = value
    damaged = bytes(data[: draw.draw(st.integers(0, len(data)))]) if draw.draw(st.booleans()) else bytes(data)
    try:
        pixels = decode(damaged)
    except ImageError as error:
        message = str(error)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert min(pixels.shape[:2]) >= 16
        return
    assert message.startswith("face: ")
    assert "\n" not in message
    assert len(message) < 250


def test_pillows_own_warning_of_a_large_picture_is_not_passed_on() -> None:
    # Warnings are errors in these tests, and Pillow warns from 89 million pixels.
    assert refusal(png_promising(10_000, 9_000)) == "face: 10000x9000 is over 50000000 pixels, which is the limit"
