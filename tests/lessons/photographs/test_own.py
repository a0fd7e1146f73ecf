"""One's own photograph: what is said of its file against the codec and Pillow, files of every kind, damaged ones."""

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from vqlab import SimpleVQVAE, TokenContext, compress, decompress, psnr, to_uint8
from vqlab.lessons.photographs import OwnPhotograph, own, picture_file
from vqlab.lessons.photographs.own import LONGEST, RATE_WEIGHTS, code, ready_pictures
from vqlab.lessons.photographs.rates import Point


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = SimpleVQVAE(32, 6, hidden=8, blocks=1, context=TokenContext(32, embedding_dim=4, hidden=8))
    model.quantize.embedding.weight.data.normal_()
    model.encoder[-1].weight.data *= 20  # so that all codes are used
    return model.eval()


@pytest.fixture
def pictures():
    """Smooth ones, in which a JPEG has something to save."""
    y, x = torch.meshgrid(torch.linspace(0, 3, 48), torch.linspace(0, 4, 64), indexing="ij")
    waves = torch.stack([x.sin(), y.cos(), (x + y).sin()])[None]
    return {("甲", "a"): waves, ("乙", "b"): waves.flip(-1)[:, :, :40]}


@pytest.fixture
def widget(model, pictures):
    return OwnPhotograph(model, pictures, rate_weights=(0, 0.1, 1))


def upload(widget, data, name="mine.png", request=9, part=1000):
    """As the page does it."""
    parts = [data[start:start + part] for start in range(0, max(len(data), 1), part)]
    for number, each in enumerate(parts):
        widget._handle_custom_msg({"part": number}, [memoryview(each)])
    widget._handle_custom_msg({"file": name, "request": request}, [])


def saved(image, kind="PNG", **options):
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def test_what_is_said_is_what_the_file_gives(model, pictures, widget):
    picture = pictures["甲", "a"]
    data = compress(model, picture)
    again = decompress(model, data)
    answer = widget.answer
    assert widget.coded.data == data and answer["bytes"] == len(data) and answer["tokens"] == 12 * 16
    assert answer["rate"] == pytest.approx(8 * len(data) / (48 * 64))
    assert answer["psnr"] == pytest.approx(psnr(again, picture).item(), abs=1e-4)
    assert answer["codes"] == len(model.img_to_idxBl(picture)[0].unique())
    assert widget.original == to_uint8(picture[0]).tobytes()
    assert widget.pixels[:48 * 64 * 3] == to_uint8(again[0]).tobytes()


def test_the_jpegs_beside_it(model, pictures):
    alone = code(model, pictures["甲", "a"], 0, [])
    assert alone.same_bytes is None and alone.same_psnr is None
    curve = [Point(number, share * alone.rate, alone.psnr + more)
             for number, (share, more) in enumerate([(0.2, -3), (0.5, -1), (1, 0), (1.1, 2), (3, 5)])]
    coded = code(model, pictures["甲", "a"], 0, curve)
    assert coded.same_bytes == coded.same_psnr == curve[2]
    coded = code(model, pictures["甲", "a"], 0, [*curve[:2], *curve[3:]])
    assert coded.same_bytes == curve[1] and coded.same_psnr == curve[3]
    coded = code(model, pictures["甲", "a"], 0, [Point(10, 2 * alone.rate, -5)])
    assert coded.same_bytes is None and coded.same_psnr is None


def test_the_jpeg_shown_is_the_best_of_its_size(model, widget):
    bytes_, decibels, quality = widget.answer["as_good"]
    assert len(picture_file(widget.photo[0], "JPEG", quality)) == bytes_ and decibels >= widget.answer["psnr"]
    assert widget.answer["jpeg"] is None  # 48 × 64 pixels: the header alone is larger
    large = torch.nn.functional.interpolate(widget.photo, scale_factor=8, mode="bilinear")
    widget.show(("大", "large"), large)
    bytes_, decibels, quality = widget.answer["jpeg"]
    assert bytes_ <= widget.answer["bytes"] < len(picture_file(large[0], "JPEG", quality + 3))
    shown = np.frombuffer(widget.pixels, np.uint8)[large.numel():].reshape(384, 512, 3)
    again = np.asarray(Image.open(io.BytesIO(picture_file(large[0], "JPEG", quality))))
    assert (shown == again).all()
    error = ((again.astype(float) - to_uint8(large[0])) ** 2).mean()
    assert decibels == pytest.approx(10 * math.log10(255**2 / error), abs=0.5)  # of whole levels


def test_the_slider_and_the_ready_pictures(model, pictures, widget):
    widget._handle_custom_msg({"at": 2, "request": 3}, [])
    assert widget.answer["at"] == 2 and widget.answer["request"] == 3
    assert widget.coded.data == compress(model, pictures["甲", "a"], rate_weight=1)
    loose = widget.coded
    widget._handle_custom_msg({"at": 0, "request": 3}, [])
    widget._handle_custom_msg({"at": 2, "request": 3}, [])
    assert widget.coded is loose  # not searched again
    widget._handle_custom_msg({"chosen": 1, "request": 4}, [])
    assert widget.name == ("乙", "b") and widget.answer["size"] == [40, 64] and widget.at == 2
    assert widget.coded.data == compress(model, pictures["乙", "b"], rate_weight=1)
    widget._handle_custom_msg({"at": 99, "request": 5}, [])
    assert widget.answer["at"] == 2  # the last


def test_a_file_is_put_together_from_its_parts(widget):
    colours = np.random.default_rng(0).integers(0, 256, (60, 81, 3), np.uint8)
    data = saved(Image.fromarray(colours))
    assert len(data) > 10_000
    upload(widget, b"left over", name="an earlier one")
    upload(widget, data)
    assert widget.name == ("mine.png", "mine.png") and widget.answer["request"] == 9 and "error" not in widget.answer
    assert widget.original == colours[:, :80].tobytes()  # cut to the stride


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_every_kind_is_read_and_shrunk(widget, kind):
    upload(widget, saved(Image.new("RGB", (1500, 700), (200, 30, 30)), kind))
    assert widget.answer["size"] == [236, LONGEST] and "error" not in widget.answer  # 700 · 512 / 1500 = 238.9
    assert abs(np.frombuffer(widget.original, np.uint8).reshape(-1, 3).astype(int) - [200, 30, 30]).max() <= 3


def test_turned_transparent_and_grey_files(widget):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    upload(widget, saved(Image.new("RGB", (80, 40)), "JPEG", exif=exif))
    assert widget.answer["size"] == [80, 40]
    upload(widget, saved(Image.new("RGBA", (40, 40), (255, 0, 0, 0))))
    assert set(widget.original) == {255}
    upload(widget, saved(Image.new("L", (40, 40), 77)))
    assert set(widget.original) == {77}


def test_a_plain_colour_that_jpeg_gives_back_as_it_was(widget):
    upload(widget, saved(Image.new("RGB", (400, 400), "white")))
    assert math.isinf(max(point.psnr for point in widget.jpegs))
    assert widget.answer["as_good"][1] == 99 and "Infinity" not in json.dumps(widget.answer)


@pytest.mark.parametrize("data, says", [
    (b"", "0 bytes"), (b"\x89PNG\r\n\x1a\nno", "an image file that Pillow can read"),
    (saved(Image.effect_noise((90, 90), 80))[:3000], "an image file that Pillow can read"),
    (saved(Image.new("RGB", (3, 90))), "at least 4 × 4 pixels"),
    (saved(Image.new("1", (8000, 8000))), "at most 50,000,000 pixels")], ids=str)
def test_a_bad_file_is_named_and_nothing_is_lost(widget, data, says):
    before = widget.photo, widget.original, widget.answer
    upload(widget, data, name="holiday.jpg")
    assert " at 0x" not in widget.answer["error"]
    assert says in widget.answer["error"] and widget.answer["error"].startswith("holiday.jpg: expected")
    assert widget.photo is before[0] and widget.original == before[1]
    assert {**widget.answer, "request": 0} == {**before[2], "error": widget.answer["error"], "request": 0}
    widget._handle_custom_msg({"at": 1, "request": 10}, [])
    assert "error" not in widget.answer  # and it goes on


def test_an_enormous_file_is_refused(widget, monkeypatch):
    monkeypatch.setattr(own, "MOST_BYTES", 5000)
    upload(widget, bytes(5001))
    assert "at most 5,000 bytes, got 5,001" in widget.answer["error"]


def test_whoever_listens_hears_of_every_picture(widget, pictures):
    heard = []
    widget.on_picture(heard.append)
    widget._handle_custom_msg({"chosen": 1, "request": 1}, [])
    widget._handle_custom_msg({"at": 1, "request": 2}, [])
    assert [each is picture for each, picture in zip(heard, pictures.values(), strict=True)] == [True, True]


def test_a_model_that_has_no_files_or_no_colours_is_refused(pictures):
    with pytest.raises(ValueError, match="a model of pictures with 3 channels, got 1"):
        OwnPhotograph(SimpleVQVAE(8, 4, in_channels=1), pictures)
    with pytest.raises(ValueError, match="expected a model with a context"):
        OwnPhotograph(SimpleVQVAE(8, 4, hidden=4, blocks=0).eval(), pictures)


def test_what_is_saved_is_a_picture_with_its_words(widget):
    assert widget.picture().startswith(b"\x89PNG") and widget.alt_en in widget.html()


def test_ready_pictures_fit_the_model_and_the_limit():
    pictures = ready_pictures()
    assert list(pictures)[0] == ("猫", "cat") and len(pictures) == 7 and RATE_WEIGHTS[0] == 0
    for picture in pictures.values():
        assert picture.dtype == torch.float32 and picture.shape[:2] == (1, 3) and max(picture.shape) <= LONGEST
        assert picture.shape[2] % 4 == picture.shape[3] % 4 == 0 and -1 <= picture.min() and picture.max() <= 1
