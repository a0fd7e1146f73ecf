"""Lesson 6's parts: the spelling against the lab's quantizer, the bytes the page gets, counting."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from vqlab import MultiScaleQuantizer, SimpleVQVAE, psnr, to_uint8
from vqlab.lessons.scales import (
    ScaleSpeller,
    VarInputMap,
    draw_errors,
    draw_gain,
    draw_lengths,
    draw_spread,
    draw_use,
    errors_by_scale,
    exercises,
    fit_quantizer,
    random_quantizer,
    shares_by_length,
    spell,
    use_by_scale,
)
from vqlab.lessons.scales.errors import impulse
from vqlab.lessons.scales.speller import state_pixels
from vqlab.lessons.scales.spelling import FeatureColours

SCALES = (1, 2, 4)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    quantizer = MultiScaleQuantizer(32, 6, SCALES)
    quantizer.embedding.weight.data.normal_()
    return SimpleVQVAE(32, 6, hidden=8, blocks=1, quantizer=quantizer).eval()


@pytest.fixture
def picture():
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_spelling_is_what_the_model_says(model, picture):
    spelling = spell(model, picture)
    tokens = model.img_to_idxBl(picture[None])
    drawn = model.idxBl_to_img(tokens, cumulative=True)
    assert [square.shape for square in spelling.tokens] == [(1, 1), (2, 2), (4, 4)]
    assert all(torch.equal(square.flatten(), scale[0]) for square, scale in zip(spelling.tokens, tokens, strict=True))
    assert all(torch.equal(ours, theirs[0]) for ours, theirs in zip(spelling.pictures[1:], drawn, strict=True))
    assert torch.equal(spelling.pictures[0], model.decoder(torch.zeros(1, 6, 4, 4))[0])  # before any token
    assert spelling.decibels()[2] == pytest.approx(psnr(drawn[1][0], picture).item())
    f = model.encoder(picture[None])[0]
    assert spelling.left()[0] == 1
    assert spelling.left()[3] == pytest.approx(((f - spelling.maps[3]).norm() ** 2 / f.norm() ** 2).item(), rel=1e-5)


def test_inputs_and_codes_lie_in_the_grid_row_by_row(model, picture):
    spelling = spell(model, picture)
    flat = torch.cat([part.flatten(1).T for part in spelling.inputs[1:]])
    assert torch.equal(flat[None], model.idxBl_to_var_input(model.img_to_idxBl(picture[None])))
    assert not spelling.inputs[0].any()  # the first scale reads the class
    token = spelling.tokens[2][1, 3]
    assert torch.equal(spelling.codes[2][:, 1, 3], model.quantize.embedding.weight[token])


def test_the_page_gets_so_far_added_and_remains(model, picture):
    spelling = spell(model, picture)
    states = np.frombuffer(state_pixels(spelling), np.uint8).reshape(4, -1)
    parts = np.split(states, np.cumsum([768] * 3 + [48] * 2), axis=1)
    after, added, remains = (part.reshape(4, 16, 16, 3) for part in parts[:3])
    assert (after[2] == to_uint8(spelling.pictures[2])).all() and (added[0] == 128).all()
    assert (added[3] == to_uint8(spelling.pictures[3] - spelling.pictures[2])).all()
    assert (remains[1] == to_uint8(picture - spelling.pictures[1])).all()
    assert (parts[3][0] == 128).all() and (parts[4][0] == 128).all()  # no features yet, nothing added: mid-grey
    assert (parts[3][3] != 128).any()


def test_feature_colours_keep_zero_grey_and_negate():
    f = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))
    colours = FeatureColours(f)
    assert (colours(torch.zeros(5, 2, 2)) == 128).all()
    assert np.abs(colours(f).astype(int) + colours(-f).astype(int) - 255).max() <= 1
    assert colours(f).std() > 20


def test_widgets_say_what_they_hold(model, picture):
    spelling = spell(model, picture)
    speller = ScaleSpeller({("甲", "a"): spelling, ("乙", "b"): spelling})
    assert len(speller.pixels) == 2 * 4 * 3 * 3 * (16 * 16 + 4 * 4)
    assert speller.setup["sizes"] == [[1, 1], [2, 2], [4, 4]] and len(speller.setup["decibels"]) == 2
    inputs = VarInputMap(spelling)
    assert len(inputs.pixels) == 2 * 3 * (1 + 4 + 16)
    assert inputs.setup["tokens"][1] == spelling.tokens[1].flatten().tolist()
    for widget in (speller, inputs):
        assert widget.picture().startswith(b"\x89PNG") and widget.alt_zh in widget.html()


def test_an_untrained_quantizer_rises_and_one_zero_code_stops_it():
    f = torch.randn(4, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    plain, with_zero = (
        errors_by_scale(random_quantizer(512, 8, (1, 2, 4, 8, 16), zero_code=zero,
                                         generator=torch.Generator().manual_seed(1)), f) for zero in (False, True))
    assert plain[0] == 1 and max(plain) > 1.1 and plain[-1] < 0.5
    assert all(after < before + 0.01 for before, after in zip(with_zero, with_zero[1:], strict=False))


def test_errors_by_scale_by_hand():
    quantizer = MultiScaleQuantizer(2, 1, (1, 2), phi_ratio=0)
    quantizer.embedding.weight.data = torch.tensor([[2.0], [1.0]])
    f = torch.tensor([[[[2.0, 2.0], [2.0, 4.0]]]])  # mean 2.5, nearest code 2; then the rest 0 0 0 2: codes 1 1 1 2
    # mean f² = 28/4; after scale 1: (0, 0, 0, 2)² -> 4/4; after scale 2: (1, 1, 1, 0)² -> 3/4
    assert errors_by_scale(quantizer, f) == pytest.approx([1, 4 / 28, 3 / 28])


def test_fitting_learns_phi_and_leaves_features_and_randomness_alone():
    features = torch.randn(32, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    before, state = features.clone(), torch.random.get_rng_state()
    with_phi, without = (fit_quantizer(features, SCALES, num_embeddings=16, phi_ratio=ratio, steps=20)
                         for ratio in (0.5, 0))
    assert torch.equal(features, before) and torch.equal(torch.random.get_rng_state(), state)
    assert not with_phi.training and errors_by_scale(with_phi, features)[-1] < 0.8
    fresh = MultiScaleQuantizer(16, 4, SCALES).phis[0].weight
    assert not torch.equal(with_phi.phis[0].weight, fresh) and torch.equal(without.phis[0].weight, fresh)


def test_use_is_counted_scale_by_scale():
    tokens = [torch.tensor([[3], [3]]), torch.tensor([[0, 1, 2, 3], [0, 1, 2, 3]])]
    coarse, fine = use_by_scale(tokens, 8)
    assert coarse == (2, 1, pytest.approx(1)) and fine == (8, 4, pytest.approx(4))


def test_shares_by_length_sort_codes_from_short_to_long():
    codebook = torch.tensor([[4.0], [1.0], [-3.0], [2.0]])
    shares = shares_by_length([torch.tensor([[0]]), torch.tensor([[1, 1, 2, 3]])], codebook, bins=4)
    assert torch.equal(shares, torch.tensor([[0, 0, 0, 1.0], [0.5, 0.25, 0.25, 0]]))


def test_enlarging_and_shrinking_does_not_come_back():
    small, large, again = impulse(4, 16)
    assert small.sum() == 1 and again.shape == small.shape
    assert large.min().item() == pytest.approx(-0.106, abs=1e-3)  # measured on the reference's bicubic
    assert large.max().item() == pytest.approx(0.936, abs=1e-3)
    assert 0.1 < (again - small).abs().max() < 0.5


def test_figures_draw_what_they_are_given():
    ax = draw_errors({"a": [1, 0.5, 0.2], "b": [1, 1.2, 0.4]}, (1, 2))
    assert list(ax.lines[1].get_ydata()) == [1, 1.2, 0.4] and ax.lines[0].get_marker() != ax.lines[1].get_marker()
    bars = draw_gain([0.1, -0.05], (1, 2)).patches
    assert [bar.get_height() for bar in bars] == pytest.approx([10, -5])
    use = use_by_scale([torch.zeros(2, 1, dtype=torch.int64), torch.arange(8).view(2, 4)], 8)
    assert [bar.get_height() for bar in draw_use(use, 8, (1, 2)).patches] == pytest.approx([2, 8, 1, 8, 1, 8])
    assert draw_lengths(torch.eye(2), (1, 2)).images[0].get_array().shape == (2, 2)
    assert len(draw_spread()) == 3
    plt.close("all")


@pytest.mark.parametrize("number", range(4))
def test_the_exercises_are_the_labs_quantizer(number):
    f, codebook, scales = list(exercises.encode.cases(torch.Generator().manual_seed(5)))[number]
    quantizer = MultiScaleQuantizer(*codebook.shape, scales, phi_ratio=0)
    quantizer.embedding.weight.data = codebook
    tokens = exercises.encode.reference(f, codebook, scales)
    assert all(torch.equal(a, b) for a, b in zip(tokens, quantizer.encode(f), strict=True))
    maps = quantizer.decode(tokens, cumulative=True)
    for number, f_hat in enumerate(maps, start=1):
        assert torch.allclose(exercises.decode.reference(tokens[:number], codebook, scales), f_hat, atol=1e-5)
    added = [after - before for before, after in zip([0, *maps], maps, strict=False)]
    ours = exercises.var_input.reference(added, scales)
    assert torch.allclose(ours, quantizer.var_input(tokens), atol=1e-5)
