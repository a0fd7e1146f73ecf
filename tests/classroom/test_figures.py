"""Figures: same bytes, alt texts in both languages, closed after showing, pixel for pixel."""

import logging
import re
import warnings
from base64 import b64decode
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vqlab.classroom import COLOURS, draw_images, figures, show
from vqlab.classroom.figures import png


@pytest.fixture(autouse=True)
def style():
    before = dict(plt.rcParams)
    figures.use_style()
    yield
    plt.rcParams.update(before)
    plt.close("all")


def drawing():
    fig, ax = plt.subplots()
    ax.plot([1, 3, 2], label="困惑度 perplexity $e^{-x^2}$, −1 ≤ λ")
    ax.set(title="码本坍缩 codebook collapse", xlabel="时间（秒）time (s)", ylim=(-2, 4))
    ax.legend()
    return fig


def test_the_same_drawing_gives_the_same_bytes():
    first, second = png(drawing()), png(drawing())
    assert first == second
    assert b"Software" not in first and b"tIME" not in first


def test_no_glyph_is_missing(caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "matplotlib"):
        warnings.simplefilter("error")
        png(drawing())
    assert caplog.records == []


def test_a_white_card_in_our_font():
    fig = drawing()
    assert fig.axes[0].title.get_fontname() == "vqlab Sans"
    assert Image.open(BytesIO(png(fig))).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_show_gives_alt_text_and_closes(monkeypatch):
    shown = []
    monkeypatch.setattr(figures, "display", lambda data, raw: shown.append(data))
    fig = drawing()
    show(fig, "“曲线” < 3。", 'A "curve" < 3.')
    (data,) = shown
    assert data["text/plain"] == '“曲线” < 3。 A "curve" < 3.'
    assert data["text/html"].startswith('<img alt="“曲线” &lt; 3。 A &quot;curve&quot; &lt; 3." src="data:image/')
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("zh, en", [("", "a cat"), ("一只猫", " ")])
def test_an_alt_text_must_be_in_both_languages(zh, en):
    with pytest.raises(ValueError, match="alt text in both languages"):
        show(drawing(), zh, en)


def test_draw_images_from_minus_one_to_one():
    image = torch.tensor([-1.0, 0.0, 1.0, 2.0]).expand(3, 2, 4)
    grey = np.full((1, 2, 2), -1.0, np.float32)
    colour, black, same = draw_images([image, grey, np.full((2, 2, 3), 7, np.uint8)], ["a", "b", "c"])
    shown = colour.images[0].get_array()
    assert shown.shape == (2, 4, 3) and shown[0, :, 0].tolist() == [0, 128, 255, 255]  # 127.5 rounds to even
    assert colour.images[0].get_interpolation() == "nearest"
    assert black.images[0].get_array().tolist() == np.zeros((2, 2, 3)).tolist()
    assert same.images[0].get_array().tolist() == np.full((2, 2, 3), 7).tolist()


@pytest.mark.parametrize("image", [np.zeros((2, 4, 4)), np.zeros((3, 4)), np.zeros((3, 4, 4), int)])
def test_draw_images_names_a_wrong_shape(image):
    with pytest.raises(ValueError, match="expected a float image"):
        draw_images([image])


def test_draw_images_wants_a_title_each():
    with pytest.raises(ValueError, match="each of 1 images, got 2 titles"):
        draw_images([np.zeros((3, 4, 4))], ["a", "b"])


def test_colours_differ_in_lightness_too():
    # the pairs that lessons draw together; never colour alone, but colour helps in grey print too
    def light(name):
        r, g, b = (int(COLOURS[name][i:i + 2], 16) for i in (1, 3, 5))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    assert abs(light("data") - light("z_e")) > 50 and abs(light("data") - light("light")) > 50


def test_a_plot_keeps_its_colours_in_fewer_bytes_and_a_photograph_becomes_jpeg():
    ax = plt.subplots(figsize=(5, 3))[1]
    ax.plot([0, 1], [0, 1], color=COLOURS["codes"], label="一条线 a line")
    ax.legend()
    stored = png(ax.figure)
    kind, data = re.search(r"data:image/(\w+);base64,([^\"]+)", figures.picture_html(stored, "线 line")).groups()
    small = b64decode(data)
    assert kind == "png" and len(small) < 0.7 * len(stored)
    before, after = (np.asarray(Image.open(BytesIO(each)).convert("RGB")).astype(int) for each in (stored, small))
    assert np.abs(before - after).max() < 24 and np.abs(before - after).mean() < 0.5
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8))
    noise.resize((240, 240)).save(photo := BytesIO(), "PNG")
    assert "image/jpeg" in figures.picture_html(photo.getvalue(), "照片 photo")
