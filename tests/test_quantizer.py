import pytest
import torch
import torch.nn.functional as F

from vqlab import EMACodebook, EMAVectorQuantizer, VectorQuantizer2, rotation_trick, straight_through


def textbook(z_e, codebook, beta):
    """The formula as every textbook prints it, on (B, D, H, W)."""
    flat = z_e.permute(0, 2, 3, 1).reshape(-1, z_e.shape[1])
    distances = flat.square().sum(1, keepdim=True) + codebook.square().sum(1) - 2 * flat @ codebook.t()
    indices = distances.argmin(dim=1)
    z_q = codebook[indices].view(z_e.shape[0], z_e.shape[2], z_e.shape[3], -1).permute(0, 3, 1, 2)
    loss = F.mse_loss(z_q, z_e.detach()) + beta * F.mse_loss(z_e, z_q.detach())
    return z_e + (z_q - z_e).detach(), loss, indices


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_equals_the_textbook_in_output_loss_indices_and_gradients(beta):
    torch.manual_seed(0)
    vq = VectorQuantizer2(num_embeddings=16, embedding_dim=8, commitment_weight=beta)
    torch.nn.init.normal_(vq.embedding.weight)
    z_e = torch.randn(2, 8, 5, 3, requires_grad=True)
    weights = torch.randn(2, 8, 5, 3)
    results, gradients = [], []
    for quantize in (vq, lambda z: textbook(z, vq.embedding.weight, beta)):
        quantized, loss, indices = quantize(z_e)
        results.append((quantized, loss, indices))
        gradients.append(torch.autograd.grad((quantized * weights).sum() + loss, (z_e, vq.embedding.weight)))
    for ours, theirs in zip(results[0], results[1], strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(gradients[0], gradients[1], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-7)


def test_each_term_of_the_loss_moves_one_side():
    torch.manual_seed(0)
    vq = VectorQuantizer2(8, 4)
    z_e = torch.randn(1, 4, 3, 3, requires_grad=True)
    quantized, loss, _ = vq(z_e)
    to_encoder, to_codes = torch.autograd.grad(quantized.sum(), (z_e, vq.embedding.weight), allow_unused=True,
                                               retain_graph=True)
    assert torch.equal(to_encoder, torch.ones_like(z_e))  # straight through: the identity's gradient
    assert to_codes is None  # the decoder's gradient never reaches the codes
    numel, difference = z_e.numel(), (z_e - quantized).detach()
    to_encoder, to_codes = torch.autograd.grad(loss, (z_e, vq.embedding.weight))
    assert torch.allclose(to_encoder, 2 * difference / numel, atol=1e-6)
    assert torch.allclose(to_codes.sum(0), -2 * difference.sum((0, 2, 3)) / numel, atol=1e-6)


def test_weights_start_uniform_between_plus_and_minus_one_over_k():
    torch.manual_seed(0)
    weight = VectorQuantizer2(16, 64).embedding.weight
    assert weight.shape == (16, 64)
    assert weight.abs().max() <= 1 / 16
    assert weight.std().item() == pytest.approx(2 / 16 / 12**0.5, rel=0.1)


def test_output_is_contiguous_and_made_of_codes():
    vq = VectorQuantizer2(16, 4)
    quantized, _, indices = vq(torch.randn(2, 4, 3, 5))
    assert quantized.is_contiguous()
    assert indices.dtype == torch.int64 and indices.shape == (30,)
    assert torch.allclose(quantized, vq.decode(indices.view(2, 3, 5)), atol=1e-6)


def test_quantizing_codes_gives_them_back():
    torch.manual_seed(0)
    vq = VectorQuantizer2(12, 4).eval()
    codes = vq.embedding.weight.detach().t().reshape(1, 4, 3, 4)
    quantized, loss, indices = vq(codes)
    assert torch.equal(quantized, codes) and loss == 0
    assert torch.equal(indices, torch.arange(12))
    assert torch.equal(vq.encode(codes).flatten(), indices)


def test_ema_quantizer_has_the_commitment_loss_alone_and_no_gradient_to_codes():
    torch.manual_seed(0)
    vq = EMAVectorQuantizer(16, 4, commitment_weight=0.25)
    z_e = torch.randn(2, 4, 6, 6, requires_grad=True)
    before = vq.embedding.weight.clone()
    quantized, loss, _ = vq(z_e)
    loss.backward()
    assert loss.item() == pytest.approx(0.25 * F.mse_loss(z_e, quantized).item(), rel=1e-5)
    assert vq.embedding.weight.grad is None
    assert not torch.equal(vq.embedding.weight, before)


def test_under_autocast_indices_and_loss_are_float32s():
    torch.manual_seed(0)
    vq = VectorQuantizer2(64, 16).eval()
    z_e = torch.randn(2, 16, 8, 8)
    expected = vq(z_e)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = vq(z_e)
    assert torch.equal(got.indices, expected.indices) and torch.equal(got.loss, expected.loss)
    half = vq(z_e.bfloat16())
    assert half.quantized.dtype == torch.bfloat16 and half.loss.dtype == torch.float32


def test_straight_through_takes_its_value_from_one_side_and_its_gradient_to_the_other():
    z_e, z_q = (torch.tensor([value], requires_grad=True) for value in (0.25, 3.0))
    out = straight_through(z_e, z_q)
    assert out.item() == 3.0
    to_z_e, to_z_q = torch.autograd.grad(out * 7, (z_e, z_q), allow_unused=True)
    assert to_z_e.item() == 7 and to_z_q is None


def test_rotation_trick_turns_and_scales_the_gradient_with_the_vector():
    # z_e points east with length 2, z_q north with length 3: a quarter turn and a stretch by 1.5
    z_e, z_q = torch.tensor([[2.0, 0.0]], requires_grad=True), torch.tensor([[0.0, 3.0]], requires_grad=True)
    out = rotation_trick(z_e, z_q)
    assert torch.allclose(out, z_q)
    # d(out)/d(z_e) takes east to 1.5 north and north to 1.5 west; a gradient travels back by its transpose
    for at_z_q, at_z_e in [((0.0, 1.0), (1.5, 0.0)), ((1.0, 0.0), (0.0, -1.5))]:
        gradient, to_codes = torch.autograd.grad(out, (z_e, z_q), torch.tensor([at_z_q]), retain_graph=True,
                                                 allow_unused=True)
        assert torch.allclose(gradient, torch.tensor([at_z_e]), atol=1e-6) and to_codes is None


def test_rotation_trick_keeps_the_angle_between_gradient_and_vector():
    torch.manual_seed(0)
    z_e, z_q = torch.randn(5, 7, 3, requires_grad=True), torch.randn(5, 7, 3)
    at_z_q = torch.randn(5, 7, 3)
    at_z_e, = torch.autograd.grad(rotation_trick(z_e, z_q), z_e, at_z_q)
    ratio = z_q.norm(dim=1) / z_e.norm(dim=1)
    assert torch.allclose(at_z_e.norm(dim=1), ratio * at_z_q.norm(dim=1), rtol=1e-4)
    assert torch.allclose(F.cosine_similarity(at_z_e, z_e), F.cosine_similarity(at_z_q, z_q), atol=1e-5)


@pytest.mark.parametrize("z_e", [[0.0, 0.0], [-1.0, -2.0], [1.0, 2.0]])
def test_rotation_trick_for_zero_opposite_and_equal_vectors(z_e):
    z_e, z_q = torch.tensor([z_e], requires_grad=True), torch.tensor([[1.0, 2.0]])
    out = rotation_trick(z_e, z_q)
    assert torch.allclose(out, z_q)
    gradient, = torch.autograd.grad(out.sum(), z_e)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("shape, message", [
    ((2, 64, 8), r"\(B, 4, H, W\).*got \(2, 64, 8\)"),
    ((1, 3, 8, 8), r"got \(1, 3, 8, 8\)"),
    ((0, 4, 8, 8), r"not empty, got \(0, 4, 8, 8\)"),
])
def test_wrong_feature_maps(shape, message):
    with pytest.raises(ValueError, match=message):
        VectorQuantizer2(16, 4)(torch.zeros(shape))


def test_not_finite_feature_maps():
    for value in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="finite"):
            VectorQuantizer2(16, 4)(torch.full((1, 4, 2, 2), value))


def test_wrong_indices_and_wrong_codebook():
    vq = VectorQuantizer2(16, 4)
    with pytest.raises(ValueError, match=r"0\.\.15, got 0\.\.16"):
        vq.decode(torch.tensor([[[0, 16]]]))
    with pytest.raises(TypeError, match="int64, got torch.int32"):
        vq.decode(torch.zeros(1, 2, 2, dtype=torch.int32))
    with pytest.raises(ValueError, match=r"\(B, H, W\).*got \(4,\)"):
        vq.decode(torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"codebook of \(16, 4\), got \(8, 4\)"):
        VectorQuantizer2(16, 4, codebook=EMACodebook(8, 4))
