"""The drawing of the model: its shapes are those of a real picture on its way, its parts those a lesson asks for."""

import matplotlib.pyplot as plt
import pytest
import torch

from vqlab import EMAVectorQuantizer, FiniteScalarQuantizer, SimpleVQVAE
from vqlab.classroom import COLOURS, architecture, styled
from vqlab.classroom.architecture import PARTS, described, draw_architecture, walk


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def small(**more):
    torch.manual_seed(0)
    return SimpleVQVAE(16, 8, hidden=8, blocks=0, **more)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_shapes_are_those_of_the_picture():
    model, images = small(), torch.randn(2, 3, 24, 64, generator=torch.Generator().manual_seed(1))
    found = walk(model, images)
    assert found.image == found.output == (3, 24, 64) and found.z_e == found.z_q == (8, 6, 16)  # 24 / 4, 64 / 4
    assert found.codebook == (16, 8) and found.tokens == [(6, 16)]
    assert found.corner == model.img_to_idxBl(images[:1])[0].view(6, 16)[:3, :3].tolist()
    with styled():
        drawn = texts(draw_architecture(found))
    assert drawn.count("3 × 24 × 64") == drawn.count("8 × 6 × 16") == 2
    assert "码本 codebook\n16 × 8" in drawn and "tokens\n6 × 16" in drawn
    assert [str(token) for row in found.corner for token in row] == [text for text in drawn if text.isdigit()]


def test_of_a_model_with_scales_all_tokens_are_counted():
    found = walk(small(patch_nums=(1, 2, 4)), torch.zeros(1, 3, 16, 16))
    assert found.tokens == [(1, 1), (2, 2), (4, 4)] and found.corner == []
    with styled():
        assert "tokens\n1 × 1 + … + 4 × 4 = 21" in texts(draw_architecture(found))  # 1 + 4 + 16


def test_small_maps_and_other_quantizers():
    assert len(walk(small(), torch.zeros(1, 3, 4, 8)).corner[0]) == 2
    fsq = SimpleVQVAE(12, 2, in_channels=1, hidden=8, blocks=0, quantizer=FiniteScalarQuantizer([4, 3]))
    assert walk(fsq, torch.zeros(1, 1, 8, 8)).codebook == (12, 2)


def test_looking_changes_nothing():
    model = small(quantizer=EMAVectorQuantizer(16, 8)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    walk(model, torch.randn(1, 3, 16, 16))
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("zoom", PARTS)
def test_what_a_lesson_zooms_into_stays_dark_and_is_framed(zoom):
    found = walk(small(), torch.zeros(1, 3, 16, 16))
    with styled():
        plain, zoomed = draw_architecture(found), draw_architecture(found, zoom)
    assert len(zoomed.patches) == len(plain.patches) + 1
    shades = {text.get_text(): sum(text.get_color()) for text in zoomed.texts}
    dark = {"encoder": "编码器\nencoder", "quantizer": "量化器\nquantizer", "tokens": "tokens\n4 × 4",
            "decoder": "解码器\ndecoder"}
    assert {text for text in dark.values() if shades[text] == 0} == (
        {dark[zoom], dark["tokens"]} if zoom == "quantizer" else {dark[zoom]})
    assert all(sum(text.get_color()) == 0 for text in plain.texts)


def test_the_gradient_goes_round_the_quantizer():
    found = walk(small(), torch.zeros(1, 3, 16, 16))
    with styled():
        ax = draw_architecture(found, gradient=True)
    back = [patch for patch in ax.patches if patch.get_linestyle() == "--"]
    assert len(back) == 3 and "梯度 gradient" in texts(ax)
    assert {plt.matplotlib.colors.to_hex(patch.get_edgecolor()) for patch in back} == {COLOURS["wrong"].lower()}


def test_it_is_described_in_both_languages():
    found = walk(small(), torch.zeros(1, 3, 16, 32))
    for zoom in (None, *PARTS):
        for text, gradient in zip(described(found, zoom, gradient=True), ("梯度", "gradient"), strict=True):
            assert all(shape in text for shape in ("3 × 16 × 32", "8 × 4 × 8", "16 × 8", gradient))
            assert zoom is None or any(name in text.split("：" if gradient == "梯度" else ":")[-1]
                                       or name in text[-30:] for name in PARTS[zoom])
    assert "梯度" not in described(found)[0] and "gradient" not in described(found)[1]


def test_it_is_shown_with_its_alt_text(monkeypatch):
    shown = []
    monkeypatch.setattr("vqlab.classroom.figures.display", lambda data, raw: shown.append(data))
    with styled():
        architecture(small(), torch.zeros(1, 3, 16, 16), "tokens")
    assert shown[0]["text/plain"].endswith("Highlighted: the tokens.") and "<img alt=" in shown[0]["text/html"]


def test_another_part_or_picture_is_named():
    with pytest.raises(ValueError, match="expected a part out of encoder, quantizer, tokens, decoder, got 'codes'"):
        architecture(small(), torch.zeros(1, 3, 16, 16), "codes")
    with pytest.raises(ValueError, match="divisible by 4"):
        architecture(small(), torch.zeros(1, 3, 15, 16))
