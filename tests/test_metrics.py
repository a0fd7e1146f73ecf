import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqlab import bits_per_pixel, perplexity, psnr, usage


def test_psnr_by_hand():
    black = torch.full((2, 3, 4, 4), -1.0)
    grey = black + torch.tensor([0.2, 0.02]).view(2, 1, 1, 1)
    # mse 0.04 and 0.0004 against a peak of 2: 10 log10(4 / 0.04) = 20 dB, 10 log10(4 / 0.0004) = 40 dB
    assert torch.allclose(psnr(grey, black), torch.tensor([20.0, 40.0]), atol=1e-4)
    assert psnr(black[0], black[0]) == math.inf


def test_psnr_equals_scikit_images():
    from skimage.metrics import peak_signal_noise_ratio
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(3, 8, 8, generator=generator) * 2 - 1 for _ in range(2))
    assert psnr(a, b).item() == pytest.approx(peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=2), abs=1e-4)


def test_psnr_clips_what_a_screen_cannot_show():
    white = torch.ones(3, 4, 4)
    assert psnr(white * 7, white) == math.inf


def test_psnr_rejects_other_shapes():
    with pytest.raises(ValueError, match=r"got \(3, 4, 4\) and \(3, 4, 5\)"):
        psnr(torch.zeros(3, 4, 4), torch.zeros(3, 4, 5))


@given(st.integers(1, 40))
def test_uniform_use_has_perplexity_k_and_usage_one(k):
    indices = torch.arange(k).repeat(3)
    assert perplexity(indices, k).item() == pytest.approx(k, rel=1e-5)
    assert usage(indices, k) == 1


def test_perplexity_and_usage_by_hand():
    indices = torch.tensor([[0, 0], [0, 0]])
    assert perplexity(indices, 10) == 1
    assert usage(indices, 10).item() == pytest.approx(0.1)
    # shares 1/2, 1/4, 1/4: entropy 1.5 ln 2, perplexity 2 ** 1.5
    assert perplexity(torch.tensor([0, 0, 1, 2]), 4).item() == pytest.approx(2**1.5, rel=1e-6)


@pytest.mark.parametrize("function", [perplexity, usage])
def test_counting_rejects_what_is_no_index(function):
    with pytest.raises(ValueError, match="at least one index"):
        function(torch.zeros(0, dtype=torch.int64), 4)
    with pytest.raises(ValueError, match=r"in 0\.\.3, got 0\.\.4"):
        function(torch.tensor([0, 4]), 4)
    with pytest.raises(ValueError, match=r"got -1\.\.2"):
        function(torch.tensor([-1, 2]), 4)
    with pytest.raises(TypeError, match="int64, got torch.float32"):
        function(torch.tensor([0.0]), 4)


def test_bits_per_pixel_by_hand():
    # 300 × 448 pixels at stride 4 are 75 × 112 = 8400 words of 9 bits: 75 600 bits over 134 400 pixels
    assert bits_per_pixel(8400, 512, 300, 448) == 0.5625
    assert bits_per_pixel(1, 1, 4, 4) == 0
