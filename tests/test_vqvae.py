import pytest
import torch

from vqlab import EMAVectorQuantizer, SimpleVQVAE, held_out_photo


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SimpleVQVAE(vocab_size=32, embedding_dim=8, hidden=16).eval()


@pytest.mark.parametrize("channels, height, width", [(3, 64, 64), (3, 4, 12), (1, 16, 16)])
def test_shapes(channels, height, width):
    model = SimpleVQVAE(16, 8, in_channels=channels, hidden=16)
    reconstruction, loss, indices = model(torch.randn(2, channels, height, width))
    assert reconstruction.shape == (2, channels, height, width)
    assert loss.shape == () and indices.shape == (2 * height * width // 16,) and indices.dtype == torch.int64
    assert (model.vocab_size, model.embedding_dim) == (16, 8)


def test_reconstruction_gradient_reaches_encoder_and_decoder_but_not_the_codes(model):
    image = torch.randn(1, 3, 16, 16)
    reconstruction, _, _ = model(image)
    reconstruction.square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for part in (model.encoder, model.decoder) for p in part.parameters())
    assert model.quantize.embedding.weight.grad is None


def test_words_are_deterministic_and_give_the_reconstruction_back(model):
    cat = held_out_photo()[:, :, :96, :128]
    words = model.img_to_idxBl(cat)
    assert [scale.shape for scale in words] == [(1, 24 * 32)] and words[0].dtype == torch.int64
    assert torch.equal(words[0], model.train().img_to_idxBl(cat)[0])
    model.eval()
    reconstruction, _, indices = model(cat)
    assert torch.equal(indices, words[0].flatten())
    assert torch.allclose(model.idxBl_to_img(words, size=(96, 128)), reconstruction, atol=1e-5)


def test_asking_for_words_teaches_nothing_even_in_training_mode():
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 8, hidden=16, quantizer=EMAVectorQuantizer(16, 8)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    words = model.img_to_idxBl(torch.randn(1, 3, 32, 32))
    model.idxBl_to_img(words), model.idxBl_to_var_input(words)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_words_of_one_scale_have_one_cumulative_picture_and_an_empty_var_input(model):
    words = model.img_to_idxBl(torch.randn(2, 3, 16, 16))
    pictures = model.idxBl_to_img(words, cumulative=True)
    assert len(pictures) == 1 and torch.equal(pictures[0], model.idxBl_to_img(words))
    assert model.idxBl_to_var_input(words).shape == (2, 0, 8)


def test_a_word_changes_the_picture_only_around_its_place(model):
    words = model.img_to_idxBl(torch.randn(1, 3, 128, 128))
    before = model.idxBl_to_img(words)
    words[0][0, 0] = (words[0][0, 0] + 1) % 32
    changed = (model.idxBl_to_img(words) != before).any(dim=1)[0]
    assert changed[:4, :4].any() and not changed[64:].any() and not changed[:, 64:].any()


@pytest.mark.parametrize("images, error, message", [
    (torch.zeros(3, 64, 64), ValueError, r"images \(B, 3, H, W\).* got shape \(3, 64, 64\)"),
    (torch.zeros(1, 1, 64, 64), ValueError, r"got shape \(1, 1, 64, 64\)"),
    (torch.zeros(1, 3, 64, 62), ValueError, r"divisible by 4, got \(1, 3, 64, 62\)"),
    (torch.zeros(0, 3, 64, 64), ValueError, r"at least one pixel, got shape \(0, 3, 64, 64\)"),
    (torch.zeros(1, 3, 0, 64), ValueError, "at least one pixel"),
    (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), TypeError, r"float32 in \[-1, 1\].* got torch.uint8"),
    (torch.zeros(1, 3, 64, 64, dtype=torch.float64), TypeError, "got torch.float64"),
    (torch.full((1, 3, 8, 8), torch.nan), ValueError, "NaN or Inf"),
    (torch.full((1, 3, 8, 8), torch.inf), ValueError, "NaN or Inf"),
    ([[0.0]], TypeError, "got list"),
])
def test_bad_images(model, images, error, message):
    for entrance in (model, model.img_to_idxBl):
        with pytest.raises(error, match=message):
            entrance(images)


def test_bad_words(model):
    words = model.img_to_idxBl(torch.randn(1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"tokens of 1 scale, got 2 entries"):
        model.idxBl_to_img(words * 2)
    with pytest.raises(ValueError, match=r"got Tensor"):
        model.idxBl_to_var_input(words[0])
    with pytest.raises(ValueError, match=r"\(B, 32\) tokens for a picture of 16 × 32 pixels, got \(1, 16\)"):
        model.idxBl_to_img(words, size=(16, 32))
    with pytest.raises(ValueError, match=r"\(B, 16\) tokens .* got \(1, 15\)"):
        model.idxBl_to_img([words[0][:, :15]])
    with pytest.raises(ValueError, match=r"0\.\.31, got .*99"):
        model.idxBl_to_img([words[0] * 0 + 99])


def test_bad_constructions():
    with pytest.raises(ValueError, match="1 or 3, got 4"):
        SimpleVQVAE(in_channels=4)
    with pytest.raises(ValueError, match=r"quantizer of \(16, 64\), got \(8, 64\)"):
        SimpleVQVAE(quantizer=EMAVectorQuantizer(8, 64))


def test_runs_under_autocast(model):
    image = torch.randn(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reconstruction, loss, _ = model(image)
    assert loss.dtype == torch.float32 and torch.isfinite(reconstruction).all()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_words_on_cuda_are_the_cpus_words_of_the_same_feature_map(model):
    z_e = model.encoder(torch.randn(2, 3, 64, 64)).detach()
    on_cpu = model.quantize.encode(z_e)
    on_cuda = model.cuda().quantize.encode(z_e.cuda())
    assert on_cuda.is_cuda and torch.equal(on_cuda.cpu(), on_cpu)
