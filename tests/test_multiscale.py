"""Against VAR's own quantizer, whose results tests/golden holds, and against what a spelling by scales must obey."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vqlab import (
    Codebook,
    EMACodebook,
    MultiScaleQuantizer,
    SimpleVQVAE,
    VectorQuantizer2,
    crops,
    entropy_loss,
    fit,
    load,
    nearest_code,
    photos,
    rotation_trick,
    save,
)


class Golden:
    """One file: inputs, weights, results (tests/golden/README.md says which is which)."""

    def __init__(self, name):
        with np.load(Path(__file__).parent / "golden" / f"var_quantizer_{name}.npz") as file:
            self.data = {key: torch.from_numpy(file[key]) for key in file}
        self.patch_nums = self["patch_nums"].tolist()
        self.indices = [self[f"idx_{scale}"] for scale in range(len(self.patch_nums))]
        self.state = {key.removeprefix("state/"): self[key] for key in self.data if key.startswith("state/")}
        self.state["embedding.weight"] = self["embedding_weight"]
        self.quantizer = MultiScaleQuantizer.from_var_state_dict(
            self.state, self.patch_nums, commitment_weight=float(self["beta"]), phi_ratio=float(self["quant_resi"]))

    def __getitem__(self, key):
        return self.data[key]


@pytest.fixture(params="ab")
def golden(request):
    return Golden(request.param)


def close(a, b):
    return torch.allclose(a, b, rtol=0, atol=1e-5)


def random_quantizer(patch_nums=(1, 2, 3, 4), *, seed=0, **settings):
    torch.manual_seed(seed)
    quantizer = MultiScaleQuantizer(24, 6, patch_nums, **settings)
    with torch.no_grad():
        quantizer.embedding.weight.normal_()
        for phi in quantizer.phis:  # as if trained: no identity
            phi.weight.normal_(std=0.1)
            phi.bias.normal_(std=0.1)
    return quantizer


def feature_map(quantizer, batch=3, seed=1):
    return torch.randn(batch, quantizer.embedding_dim, *quantizer.sizes[-1],
                       generator=torch.Generator().manual_seed(seed))


def test_agrees_with_the_reference(golden):
    quantizer = golden.quantizer
    assert quantizer.phi_of_scale == golden["phi_of_scale"].tolist()
    words = quantizer.encode(golden["f"])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(words, golden.indices, strict=True))
    assert close(quantizer.decode(words), golden["f_hat"])
    assert close(quantizer.var_input(words), golden["var_input"])


def test_loss_and_gradients_agree_with_the_reference(golden):
    f = golden["f"].clone().requires_grad_()
    quantized, loss, indices = golden.quantizer(f)
    loss.backward()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(indices, golden.indices, strict=True))
    assert close(quantized, golden["fh_forward"])
    assert close(loss, golden["vq_loss"])
    assert close(f.grad, golden["grad_f"])
    assert close(golden.quantizer.embedding.weight.grad, golden["grad_embedding"])


def test_phi_of_each_scale_as_the_reference_shares_them():
    def shared(scales, phis):
        return MultiScaleQuantizer(4, 2, range(1, scales + 1), num_phis=phis).phi_of_scale

    assert shared(10, 4) == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]  # facts read off the reference
    assert shared(10, 1) == [0] * 10
    assert shared(10, 0) == list(range(10))
    assert shared(1, 4) == [0]  # the reference divides by zero


def test_phi_is_the_mixture_it_says():
    quantizer = random_quantizer(phi_ratio=0.25)
    phi, x = quantizer.phis[0], torch.randn(2, 6, 5, 5)
    assert torch.allclose(phi(x), 0.75 * x + 0.25 * F.conv2d(x, phi.weight, phi.bias, padding=1), atol=1e-6)


def test_phi_starts_as_the_identity():
    x = torch.randn(2, 6, 5, 5)
    assert close(MultiScaleQuantizer(24, 6, (1, 2)).phis[0](x), x)


def test_loaded_codes_are_not_replaced_by_a_kmeans_start(golden):
    size = golden["embedding_weight"].shape
    loaded = MultiScaleQuantizer.from_var_state_dict(golden.state, golden.patch_nums,
                                                     codebook=Codebook(*size, kmeans_start=True))
    loaded.train()(golden["f"])
    assert torch.equal(loaded.embedding.weight, golden["embedding_weight"])


def test_a_published_tokenizer_loads_whole_or_not_at_all(golden):
    whole = {f"quantize.{key}": value for key, value in golden.state.items()}
    whole |= {"quantize.ema_vocab_hit_SV": torch.zeros(1), "encoder.conv_in.weight": torch.zeros(1)}
    loaded = MultiScaleQuantizer.from_var_state_dict(whole, golden.patch_nums)
    assert torch.equal(loaded.encode(golden["f"])[1], golden.indices[1])
    with pytest.raises(ValueError, match="expected the keys embedding.weight"):
        MultiScaleQuantizer.from_var_state_dict({"weight": torch.zeros(2, 2)}, (1, 2))
    missing = dict(golden.state)
    del missing[next(key for key in missing if key.endswith("bias"))]
    with pytest.raises(ValueError, match="with weight and bias"):
        MultiScaleQuantizer.from_var_state_dict(missing, golden.patch_nums)
    narrow = {key: value if key == "embedding.weight" else value[:1] for key, value in golden.state.items()}
    with pytest.raises(ValueError, match="channels"):
        MultiScaleQuantizer.from_var_state_dict(narrow, golden.patch_nums)


def test_one_phi_a_scale_loads_under_the_reference_names():
    quantizer = random_quantizer(num_phis=0)
    state = {"embedding.weight": quantizer.embedding.weight.detach()}
    state |= {f"quant_resi.{name}": tensor for name, tensor in quantizer.phis.state_dict().items()}
    loaded = MultiScaleQuantizer.from_var_state_dict(state, (1, 2, 3, 4))
    assert loaded.phi_of_scale == [0, 1, 2, 3]
    assert torch.equal(loaded(feature_map(loaded)).quantized, quantizer(feature_map(quantizer)).quantized)


@pytest.mark.parametrize("patch_nums", [(4,), (1, 4), (2, 3, 5), ((1, 1), (2, 3), (4, 6)), ((1, 2), (3, 2))])
@pytest.mark.parametrize("num_phis", [0, 1, 4])
def test_forward_is_decode_of_encode(patch_nums, num_phis):
    quantizer = random_quantizer(patch_nums, num_phis=num_phis).eval()
    f = feature_map(quantizer)
    quantized, loss, indices = quantizer(f)
    words = quantizer.encode(f)
    assert all(torch.equal(a, b) for a, b in zip(words, indices, strict=True))
    assert [scale.shape for scale in words] == [(3, h * w) for h, w in quantizer.sizes]
    assert close(quantizer.decode(words), quantized) and torch.isfinite(loss)
    maps = quantizer.decode(words, cumulative=True)
    assert len(maps) == len(patch_nums) and torch.equal(maps[-1], quantizer.decode(words))


def test_one_scale_without_phi_is_the_single_scale_quantizer():
    quantizer = random_quantizer((5,), phi_ratio=0, commitment_weight=0.5)
    single = VectorQuantizer2(24, 6, commitment_weight=0.5, codebook=quantizer.embedding)
    f = feature_map(quantizer)
    ours, theirs = quantizer(f), single(f)
    assert torch.equal(ours.indices[0].flatten(), theirs.indices)
    assert close(ours.quantized, theirs.quantized) and close(ours.loss, theirs.loss)
    assert quantizer.var_input(ours.indices).shape == (3, 0, 6)


@pytest.mark.parametrize("patch_nums", [(1, 2, 3, 4), (2, 4), ((1, 1), (2, 3), (4, 6)), (4,)])
def test_incremental_decoding_gives_exactly_the_teacher_forcing_input(patch_nums):
    quantizer = random_quantizer(patch_nums)
    words = quantizer.encode(feature_map(quantizer))
    f_hat, inputs = None, []
    for scale, indices in enumerate(words):
        before = None if f_hat is None else f_hat.clone()
        after, following = quantizer.next_input(scale, f_hat, indices)
        assert f_hat is None or torch.equal(f_hat, before)  # arguments are left as they are
        f_hat = after
        inputs.append(following)
    assert torch.equal(torch.cat(inputs, dim=1), quantizer.var_input(words))
    assert torch.equal(f_hat, quantizer.decode(words))


def test_var_input_has_l_minus_the_first_scale_vectors_and_looks_only_back():
    quantizer = random_quantizer((2, 3, 4))
    words = quantizer.encode(feature_map(quantizer))
    inputs = quantizer.var_input(words).split([9, 16], dim=1)  # of scales 1 and 2
    for changed in range(3):
        other = [indices.clone() for indices in words]
        other[changed][:, 0] = (other[changed][:, 0] + 1) % 24
        for scale, (before, after) in enumerate(zip(inputs, quantizer.var_input(other).split([9, 16], dim=1),
                                                    strict=True), start=1):
            assert torch.equal(before, after) == (scale <= changed)


def test_area_of_the_sum_is_the_input():
    quantizer = random_quantizer((1, 2, 4), phi_ratio=0)
    words = [torch.tensor([[3]]), torch.tensor([[0, 1, 2, 3]]), torch.zeros(1, 16, dtype=torch.int64)]
    weight = quantizer.embedding.weight
    assert close(quantizer.var_input(words)[:, :4], weight[3].expand(1, 4, 6))  # one code, everywhere the same
    second = weight[3] + F.interpolate(weight[:4].T.reshape(1, 6, 2, 2), (4, 4), mode="bicubic").flatten(2).mT
    assert close(quantizer.var_input(words)[:, 4:], second)


def test_a_codebook_that_holds_the_residuals_leaves_none():
    quantizer = random_quantizer((1, 3), phi_ratio=0)
    f = feature_map(quantizer, batch=1)
    mean = f.mean(dim=(2, 3))
    with torch.no_grad():
        quantizer.embedding.weight[0] = mean[0]
        quantizer.embedding.weight[1:10] = (f - mean[:, :, None, None]).flatten(2)[0].T
    assert close(quantizer.decode(quantizer.encode(f)), f)


def test_the_reconstruction_gradient_reaches_the_encoder_alone():
    quantizer = random_quantizer()
    f = feature_map(quantizer).requires_grad_()
    quantizer(f).quantized.sum().backward()
    assert torch.equal(f.grad, torch.ones_like(f))
    assert all(parameter.grad is None for parameter in quantizer.parameters())


def test_phi_learns_from_the_loss_also_beside_a_moving_average():
    quantizer = random_quantizer(codebook=EMACodebook(24, 6))
    quantizer(feature_map(quantizer)).loss.backward()
    assert quantizer.embedding.weight.grad is None
    assert all(phi.weight.grad.abs().sum() > 0 for phi in quantizer.phis)


def test_rotation_trick_turns_the_gradient_and_keeps_the_value():
    f = feature_map(random_quantizer())
    outputs, gradients = [], []
    for estimator in ("straight_through", "rotation_trick"):
        leaf = f.clone().requires_grad_()
        quantized = random_quantizer(estimator=estimator)(leaf).quantized
        quantized.square().sum().backward()
        outputs.append(quantized)
        gradients.append(leaf.grad)
    assert close(*outputs) and not close(*gradients)
    leaf = f.clone().requires_grad_()
    rotation_trick(leaf, outputs[0].detach()).square().sum().backward()
    assert close(gradients[1], leaf.grad)


def test_entropy_term_sees_the_vectors_of_all_scales():
    plain = random_quantizer((1, 4), phi_ratio=0)
    with_term = random_quantizer((1, 4), phi_ratio=0, entropy_weight=2.0)
    f = feature_map(plain).requires_grad_()
    loss = with_term(f).loss
    first = f.mean(dim=(2, 3))
    rest = f - plain.embedding(nearest_code(first, plain.embedding.weight))[:, :, None, None]
    vectors = torch.cat([first, rest.permute(0, 2, 3, 1).reshape(-1, 6)])
    assert close(loss, plain(f).loss + 2 * entropy_loss(vectors, plain.embedding.weight))
    with_term(f).loss.backward()
    assert f.grad.abs().sum() > 0


class CountingCodebook(EMACodebook):
    """Says what it was shown."""

    def __init__(self, *sizes, **settings):
        super().__init__(*sizes, **settings)
        self.observed = []

    def observe(self, z, indices):
        self.observed.append((z.clone(), indices.clone()))
        super().observe(z, indices)


def test_the_codebook_observes_all_scales_once_a_step_and_only_in_training():
    codebook = CountingCodebook(24, 6)
    quantizer = random_quantizer((1, 2, 4), codebook=codebook)
    f = feature_map(quantizer)
    _, _, indices = quantizer(f)
    (z, seen), = codebook.observed
    assert z.shape == (3 * (1 + 4 + 16), 6)
    assert torch.equal(seen, torch.cat([scale.flatten() for scale in indices]))
    assert close(z[:3], f.mean(dim=(2, 3)))  # the first scale is the mean of the map
    assert torch.equal(codebook.cluster_size, 0.01 * torch.bincount(seen, minlength=24))
    quantizer.encode(f)
    quantizer.eval()(f)
    assert len(codebook.observed) == 1


def test_kmeans_start_spreads_one_codebook_over_all_scales():
    codebook = EMACodebook(8, 2, kmeans_start=True)
    quantizer = MultiScaleQuantizer(8, 2, (1, 4), codebook=codebook, phi_ratio=0)
    f = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(0)) + 100  # means far off, residuals near 0
    torch.manual_seed(0)
    quantizer(f)
    norms = codebook.weight.norm(dim=1)
    assert codebook.started and (norms > 100).any() and (norms < 10).any()
    assert (quantizer(f).quantized - f).square().mean() < 0.7  # the residuals' variance is 1; K-means halves it


def test_restart_revives_codes_that_no_scale_uses():
    codebook = EMACodebook(24, 6, restart_below=0.1)
    quantizer = random_quantizer(codebook=codebook)
    with torch.no_grad():
        codebook.weight[12:] += 1000  # dead
    f = feature_map(quantizer)
    quantizer(f)
    assert codebook.weight.norm(dim=1).max() < 100
    quantizer(f)
    assert codebook.weight.norm(dim=1).max() < 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_dtype_follows_the_model(dtype):
    quantizer = random_quantizer().eval().to(dtype)
    f = feature_map(quantizer).to(dtype)
    quantized, loss, indices = quantizer(f)
    f_hat, following = quantizer.next_input(0, None, indices[0])
    for tensor in (quantized, quantizer.decode(indices), quantizer.var_input(indices), f_hat, following, loss):
        assert tensor.dtype == dtype
    assert all(scale.dtype == torch.int64 for scale in indices)


def test_autocast_changes_no_index_and_no_value():
    quantizer = random_quantizer()
    f = feature_map(quantizer)
    plain = quantizer(f)
    with torch.autocast("cpu", torch.bfloat16):
        cast = quantizer(f)
        assert torch.equal(quantizer.var_input(cast.indices), quantizer.var_input(plain.indices))
    assert all(torch.equal(a, b) for a, b in zip(plain.indices, cast.indices, strict=True))
    assert torch.equal(plain.loss, cast.loss) and torch.equal(plain.quantized, cast.quantized)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_gives_the_indices_of_the_cpu(golden):
    words = golden.quantizer.cuda().encode(golden["f"].cuda())
    assert all(torch.equal(ours.cpu(), theirs) for ours, theirs in zip(words, golden.indices, strict=True))
    assert golden.quantizer.var_input(words).is_cuda
    assert torch.allclose(golden.quantizer.decode(words).cpu(), golden["f_hat"], atol=1e-4)


@pytest.mark.parametrize("patch_nums", [(), (2, 1), (1, 1), (0, 2), (1, "x"), ((1, 1, 1),), ((1, 3), (2, 2)), 4,
                                        ((1, 1), 2, (2, 1))])
def test_wrong_scales(patch_nums):
    with pytest.raises(ValueError, match="expected patch_nums to be increasing"):
        MultiScaleQuantizer(4, 2, patch_nums)


def test_wrong_settings_and_maps():
    with pytest.raises(ValueError, match=r"expected a codebook of \(4, 2\), got \(5, 2\)"):
        MultiScaleQuantizer(4, 2, (1, 2), codebook=Codebook(5, 2))
    for settings, message in [(dict(phi_ratio=1.5), "phi_ratio in"), (dict(estimator="none"), "an estimator out of"),
                              (dict(entropy_weight=-1.0), "entropy_weight of at least 0")]:
        with pytest.raises(ValueError, match=message):
            MultiScaleQuantizer(4, 2, (1, 2), **settings)
    quantizer = MultiScaleQuantizer(4, 2, (1, 2))
    for shape in [(1, 2, 4, 4), (1, 3, 2, 2), (2, 2, 2), (0, 2, 2, 2)]:
        with pytest.raises(ValueError, match=r"expected \(B, 2, 2, 2\)"):
            quantizer(torch.zeros(shape))
    with pytest.raises(ValueError, match="finite"):
        quantizer(torch.full((1, 2, 2, 2), torch.nan))


def test_wrong_words():
    quantizer = random_quantizer((1, 2))
    one, four = torch.zeros(3, 1, dtype=torch.int64), torch.zeros(3, 4, dtype=torch.int64)
    for use in (quantizer.decode, quantizer.var_input):
        with pytest.raises(ValueError, match="list of 2 scales' tokens, got 1 entries"):
            use([one])
        with pytest.raises(ValueError, match="list of 2 scales' tokens, got Tensor"):
            use(one)
        with pytest.raises(ValueError, match=r"expected indices \(B, 4\) at scale 1"):
            use([one, four[:, :3]])
        with pytest.raises(TypeError, match="expected int64 indices at scale 1, got torch.float32"):
            use([one, four.float()])
        with pytest.raises(ValueError, match=r"expected indices in 0..23 at scale 1, got 0..24"):
            use([one, four.clone().fill_diagonal_(24)])
        with pytest.raises(ValueError, match=r"one batch size in all scales, got \[3, 2\]"):
            use([one, four[:2]])
    with pytest.raises(ValueError, match="scale in 0..1"):
        quantizer.next_input(2, torch.zeros(3, 6, 2, 2), four)
    with pytest.raises(ValueError, match="f_hat=None at scale 0"):
        quantizer.next_input(1, None, four)
    with pytest.raises(ValueError, match="one batch size, got 2 and 3"):
        quantizer.next_input(1, torch.zeros(2, 6, 2, 2), four)


@pytest.fixture
def model():
    torch.manual_seed(0)
    codebook = EMACodebook(32, 8, kmeans_start=True, restart_below=0.1)
    return SimpleVQVAE(32, 8, hidden=16, blocks=1,
                       quantizer=MultiScaleQuantizer(32, 8, (1, 2, 4, 8), codebook=codebook))


def test_vqvae_by_scales(model):
    images = next(crops(photos(), 2, 32, generator=torch.Generator().manual_seed(0)))
    records = list(fit(model, crops(photos(), 4, 32, generator=torch.Generator().manual_seed(1)), steps=100))
    assert records[-1].psnr > records[0].psnr + 3
    words = model.img_to_idxBl(images)
    assert [scale.shape for scale in words] == [(2, 1), (2, 4), (2, 16), (2, 64)]
    reconstruction, loss, indices = model(images)
    assert all(torch.equal(a, b) for a, b in zip(words, indices, strict=True))
    pictures = model.idxBl_to_img(words, cumulative=True)
    assert len(pictures) == 4 and close(pictures[-1], reconstruction)
    assert torch.equal(model.idxBl_to_img(words), pictures[-1])
    assert model.idxBl_to_var_input(words).shape == (2, 4 + 16 + 64, 8)
    assert loss.shape == ()


def test_vqvae_by_scales_comes_back_from_a_file(model, tmp_path):
    model.eval()
    save(model, tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.equal(loaded(images).quantized, model(images).quantized)
    assert loaded.quantize.sizes == model.quantize.sizes and loaded.quantize.config == model.quantize.config


def test_vqvae_takes_patch_nums_as_a_shorthand():
    model = SimpleVQVAE(16, 8, hidden=8, patch_nums=(1, 2, 4)).eval()
    assert model.quantize.sizes == ((1, 1), (2, 2), (4, 4))
    assert model.idxBl_to_img(model.img_to_idxBl(torch.zeros(1, 3, 16, 16))).shape == (1, 3, 16, 16)
    with pytest.raises(ValueError, match="got both"):
        SimpleVQVAE(16, 8, patch_nums=(1, 2), quantizer=VectorQuantizer2(16, 8))
    with pytest.raises(ValueError, match=r"expected \(B, 8, 4, 4\)"):
        model(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"expected size \(H, W\) = \(16, 16\)"):
        model.idxBl_to_img(model.img_to_idxBl(torch.zeros(1, 3, 16, 16)), size=(16, 32))
