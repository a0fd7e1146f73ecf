"""Lesson 5's parts: what a token sees against the layers' arithmetic, rates by hand, mixtures, strangers, figures."""

import io
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vqlab import SimpleVQVAE, held_out_photo, kmeans, nearest_code, perplexity, psnr, to_uint8
from vqlab.lessons.photographs import (
    Point,
    box,
    codebook_curve,
    draw_bits,
    draw_rates,
    draw_reach,
    draw_strangers,
    file_curve,
    judge,
    lead,
    mix,
    picture_file,
    reached,
    seen,
    strangers,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = SimpleVQVAE(32, 6, hidden=8, blocks=1)
    made.quantize.embedding.weight.data.normal_()
    return made.eval()


@pytest.fixture(scope="module")
def picture():
    return held_out_photo()[:, :, 60:140, 100:196].contiguous()


def test_a_token_sees_what_the_layers_arithmetic_says(model, picture):
    """PixelUnshuffle 4, conv 3 and one block with a conv 3: 2 tokens more on each side, 5 · 4 = 20 pixels."""
    assert box(seen(model, picture, 10, 12)) == (32, 40, 20, 20)
    assert box(seen(model, picture, 0, 23)) == (0, 84, 12, 12)  # cut off at the corner


def test_what_a_token_does_not_see_cannot_change_its_vector(model, picture):
    blind = seen(model, picture, 10, 12) == 0
    with torch.no_grad():
        vectors = [model.encoder(each)[0, :, 10, 12] for each in (picture, torch.where(blind, -picture, picture))]
    assert torch.allclose(*vectors, atol=1e-5) and 0 < (~blind).sum() < blind.numel()


def test_a_token_draws_what_the_layers_arithmetic_says(model, picture):
    """conv 3, one block, conv 3: 3 tokens on each side, 7 · 4 = 28 pixels; at most so many change for real."""
    changes = reached(model, picture, 10, 12)
    assert box(changes) == (28, 36, 28, 28)
    assert changes.argmax() // 96 // 4 == 10 and changes.argmax() % 96 // 4 == 12  # most of all in its own pixels


def test_a_box_holds_what_is_there():
    weights = torch.zeros(5, 7)
    weights[1, 2] = weights[3, 5] = -1
    assert box(weights) == (1, 2, 3, 4)
    with pytest.raises(ValueError, match="not 0"):
        box(torch.zeros(3, 3))


def test_files_are_files_and_counted_whole(picture):
    data = picture_file(picture[0], "JPEG", 50)
    opened = np.array(Image.open(io.BytesIO(data)))
    assert opened.shape == (80, 96, 3)
    [point] = file_curve(picture[0], "JPEG", [50])
    again = torch.from_numpy(opened).permute(2, 0, 1).float() / 127.5 - 1
    assert point == (50, 8 * len(data) / (80 * 96), pytest.approx(psnr(again, picture[0]).item()))
    assert judge(picture[0], again, data) == pytest.approx(point[1:])
    low, high = file_curve(picture[0], "WEBP", [10, 90])
    assert low.rate < high.rate and low.psnr < high.psnr


def test_a_codebook_of_every_vector_loses_nothing_but_what_the_decoder_does(model, picture):
    with torch.no_grad():
        rows = model.encoder(picture).movedim(1, -1).flatten(0, 2)
        perfect = psnr(model.decoder(model.encoder(picture)), picture).item()
    curve = codebook_curve(model, picture, rows, [1, 4, len(rows)])
    assert [point.setting for point in curve] == [1, 4, 480] and curve[0].rate == 0
    assert curve[2].psnr == pytest.approx(perfect, abs=1e-3)
    assert curve[2].rate == pytest.approx(math.log2(480) / 16, rel=0.01)  # all different
    codes = kmeans(rows, 4, generator=torch.Generator().manual_seed(0))
    assert curve[1].rate == pytest.approx(math.log2(perplexity(nearest_code(rows, codes), 4)) / 16)


def test_the_lead_is_read_off_straight_lines():
    ours, theirs = [Point(0, 1.0, 30), Point(0, 2.0, 34)], [Point(0, 4.0, 40), Point(0, 0.0, 28)]  # in any order
    assert lead(ours, theirs, [1.0, 1.5]) == [30 - 31, 32 - 32.5]
    with pytest.raises(ValueError, match="expected a rate within 1.000 to 2.000 bits a pixel, got 3"):
        lead(ours, theirs, [3.0])


def test_mixing_ends_in_each_picture_and_means_nothing_in_numbers(model, picture):
    other = picture.flip(-1)
    for share, pure in ((0.0, picture), (1.0, other)):
        alone = model.idxBl_to_img(model.img_to_idxBl(pure), size=(80, 96))
        assert all(torch.allclose(mixed, alone, atol=1e-5) for mixed in mix(model, picture, other, share).values())
    half = mix(model, picture, other)
    with torch.no_grad():
        maps = [model.encoder(each) for each in (picture, other)]
        codes = [model.quantize.decode(model.quantize.encode(z_e)) for z_e in maps]
        before = model.decoder(model.quantize.decode(model.quantize.encode((maps[0] + maps[1]) / 2)))
    assert torch.allclose(half["after"], model.decoder((codes[0] + codes[1]) / 2), atol=1e-5)
    assert torch.allclose(half["before"], before, atol=1e-5)
    numbers = [model.img_to_idxBl(each)[0].double() for each in (picture, other)]
    middle = ((numbers[0] + numbers[1]) / 2).round().long()
    assert torch.allclose(half["numbers"], model.idxBl_to_img([middle], size=(80, 96)), atol=1e-5)
    with pytest.raises(ValueError, match="one size"):
        mix(model, picture, other[:, :, :40])


def test_strangers_are_pictures_of_one_size_and_none_is_trained_on():
    pictures = strangers()
    assert {tuple(each.shape) for each in pictures.values()} == {(1, 3, 188, 380)}
    assert all(each.min() >= -1 and each.max() <= 1 and each.is_contiguous() for each in pictures.values())
    chessboard = pictures["棋盘", "chessboard"][0]
    assert chessboard.unique().tolist() == [-1, 1] and (chessboard[:, :, 1:] == -chessboard[:, :, :-1]).all()
    assert pictures["印刷的字", "print"].std(dim=1).max() == 0  # grey
    assert torch.equal(pictures["噪声", "noise"], strangers()["噪声", "noise"])


def test_figures_draw_what_they_are_given(model, picture):
    sees, draws = seen(model, picture, 10, 12), reached(model, picture, 10, 12)
    axes = draw_reach(picture[0], 10, 12, sees, draws)
    assert [patch.get_bbox().bounds for patch in axes[0].patches] == [
        (39.5, 31.5, 20, 20), (35.5, 27.5, 28, 28), (47.5, 39.5, 4, 4)]
    assert [ax.get_title().split()[-1] for ax in axes[1:]] == ["20", "28"]
    assert (np.asarray(axes[0].images[0].get_array()) == to_uint8(picture[0])).all()
    ax = draw_rates({"甲 a": [Point(16, 0.2, 25), Point(32, 0.3, 27)], "乙 b": []}, named=["甲 a"])
    assert len(ax.lines) == 1 and [text.get_text() for text in ax.texts] == ["16", "32"]
    assert ax.lines[0].get_xydata().tolist() == [[0.2, 25], [0.3, 27]]
    ax = draw_bits(torch.arange(480.0).view(20, 24))
    assert ax.get_title().endswith("239.5") and ax.images[0].get_clim() == (0, 479)
    pictures = {("甲", "a"): held_out_photo(), ("乙", "b"): -held_out_photo()}
    drawn = draw_strangers(pictures, {name: each + 0.02 for name, each in pictures.items()})
    assert [ax.get_title() for ax in drawn] == ["甲\na", "乙\nb", "40.0 dB", "40.0 dB"]  # 10 log10(4 / 0.02²)
    assert (np.asarray(drawn[1].images[0].get_array()) == to_uint8(-held_out_photo()[0])[40:80, 100:160]).all()
    plt.close("all")
