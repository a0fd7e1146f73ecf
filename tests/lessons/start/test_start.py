"""Lesson 0's room: JPEG within a budget, the map of tokens, the dictionary, the README's picture."""

from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vqlab import SimpleVQVAE, held_out_photo, psnr, to_uint8
from vqlab.classroom import styled
from vqlab.lessons.start import draw_dictionary, draw_tokens, jpeg_within
from vqlab.lessons.start.front import draw_front


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_best_jpeg_within_a_budget():
    """The highest quality whose file fits, by trying them all."""
    cat = held_out_photo()[0]
    sizes = {}
    for quality in range(1, 96):
        Image.fromarray(to_uint8(cat)).save(file := BytesIO(), "JPEG", quality=quality, optimize=True)
        sizes[quality] = file.tell()
    for budget in (3000, 8000):
        picture, size = jpeg_within(cat, budget)
        assert size == sizes[max(quality for quality, each in sizes.items() if each <= budget)]
        assert picture.shape == cat.shape
    assert psnr(picture, cat) > psnr(jpeg_within(cat, 3000)[0], cat)
    with pytest.raises(ValueError, match="expected a budget of at least"):
        jpeg_within(cat, 100)


def test_each_token_wears_its_mean_colour():
    words = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4).clone()  # a black and a white word
    words[1, :, :2] = 0  # whose mean is a light grey
    with styled():
        ax = draw_tokens(torch.tensor([[0, 1, 1], [1, 0, 0]]), words, numbers=True)
    assert ax.images[0].get_array()[:, :, 0].tolist() == [[0, 191, 191], [191, 0, 0]]  # (0.5 + 1) · 127.5
    assert [text.get_text() for text in ax.texts] == ["0", "1", "1", "1", "0", "0"]
    assert {text.get_color() for text in ax.texts} == {"white", "black"}


def test_the_dictionary_stands_in_the_order_asked_for():
    words = torch.linspace(-1, 1, 6).view(6, 1, 1, 1).expand(6, 3, 2, 2)
    with styled():
        sheet = np.asarray(draw_dictionary(words, torch.tensor([5, 0, 3, 1]), columns=2).images[0].get_array())
    assert sheet.shape == (6, 6, 3)  # 2 × 2 words of 2 × 2 pixels, each with a white line
    assert sheet[::3, ::3, 0].tolist() == [[255, 0], [to_uint8(words[3])[0, 0, 0], to_uint8(words[1])[0, 0, 0]]]
    assert (sheet[2::3] == 255).all() and (sheet[:, 2::3] == 255).all()


def test_the_readme_picture_is_drawn_from_a_model():
    torch.manual_seed(0)
    model = SimpleVQVAE(64, 8, hidden=8, blocks=1).eval()
    with styled():
        figure = draw_front(model)
    assert len(figure.axes) == 4
    tokens = figure.axes[1].images[0].get_array()
    assert tokens.shape == (75, 112, 3)  # one token for 4 × 4 of 300 × 448 pixels
