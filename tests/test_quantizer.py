import copy
import math

import pytest
import torch
import torch.nn.functional as F

from vqlab import (
    Codebook,
    EMACodebook,
    EMAVectorQuantizer,
    FiniteScalarQuantizer,
    SimpleVQVAE,
    VectorQuantizer2,
    entropy_loss,
    rotation_trick,
    straight_through,
)


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


def peer(vq, **settings):
    """vector-quantize-pytorch's VectorQuantize with the codes of ours."""
    from vector_quantize_pytorch import VectorQuantize
    theirs = VectorQuantize(dim=vq.embedding_dim, codebook_size=vq.num_embeddings, accept_image_fmap=True,
                            kmeans_init=False, threshold_ema_dead_code=0, **settings)
    theirs._codebook.embed.data.copy_(vq.embedding.weight.detach()[None])
    return theirs


@pytest.mark.parametrize("estimator", ["straight_through", "rotation_trick"])
def test_plain_quantizer_agrees_with_vector_quantize_pytorch(estimator):
    torch.manual_seed(0)
    vq = VectorQuantizer2(32, 8, estimator=estimator)
    torch.nn.init.normal_(vq.embedding.weight)
    theirs = peer(vq, learnable_codebook=True, ema_update=False, rotation_trick=estimator == "rotation_trick")
    z_e, weights = torch.randn(2, 8, 5, 3, requires_grad=True), torch.randn(2, 8, 5, 3)
    ours = vq(z_e)
    quantized, indices, loss = theirs(z_e)
    assert torch.equal(ours.indices, indices.flatten())
    assert torch.allclose(ours.quantized, quantized, atol=1e-6)
    # their one term is left undetached: half the value of our two, with the gradients of both
    assert ours.loss.item() == pytest.approx(2 * loss.item(), rel=1e-6)
    for objective in (lambda quantized, loss: loss, lambda quantized, loss: (quantized * weights).sum()):
        pairs = zip(torch.autograd.grad(objective(ours.quantized, ours.loss), (z_e, vq.embedding.weight),
                                        retain_graph=True, allow_unused=True),
                    torch.autograd.grad(objective(quantized, loss), (z_e, theirs._codebook.embed),
                                        retain_graph=True, allow_unused=True), strict=True)
        for mine, other in pairs:
            assert (mine is None and other is None) or torch.allclose(mine, other.view_as(mine), atol=1e-5)


def test_ema_quantizer_agrees_with_vector_quantize_pytorch_step_by_step():
    torch.manual_seed(0)
    vq = EMAVectorQuantizer(16, 4, codebook=EMACodebook(16, 4, decay=0.9))
    vq(torch.randn(8, 4, 8, 8))  # theirs starts from other sums: begin after a step of ours
    theirs = peer(vq, decay=0.9, rotation_trick=False)
    theirs._codebook.cluster_size.copy_(vq.embedding.cluster_size[None])
    theirs._codebook.embed_avg.copy_(vq.embedding.embed_sum[None])
    for _ in range(5):
        z_e = torch.randn(8, 4, 8, 8) + 1
        ours = vq(z_e)
        quantized, indices, loss = theirs(z_e)
        assert torch.equal(ours.indices, indices.flatten())
        assert torch.allclose(ours.quantized, quantized, atol=1e-5)
        assert ours.loss.item() == pytest.approx(loss.item(), rel=1e-5)
        assert torch.allclose(vq.embedding.weight, theirs.codebook, atol=1e-4)  # theirs smooths the counts by 1e-5


@pytest.mark.parametrize("levels", [[8, 5, 5, 5], [7, 5, 5, 5, 5], [8, 6, 5], [27, 27], [3, 4]])
def test_fsq_agrees_with_vector_quantize_pytorch(levels):
    from vector_quantize_pytorch import FSQ
    ours, theirs = FiniteScalarQuantizer(levels), FSQ(levels)
    torch.manual_seed(0)
    z_e = (2 * torch.randn(4, len(levels), 9, 7)).requires_grad_()
    quantized, loss, indices = ours(z_e)
    expected, expected_indices = theirs(z_e)
    assert torch.equal(indices, expected_indices.flatten().long()) and loss.item() == 0
    assert torch.allclose(quantized, expected, atol=1e-6)
    weights = torch.randn_like(quantized)
    for mine, other in zip(*(torch.autograd.grad((out * weights).sum(), z_e) for out in (quantized, expected)),
                           strict=True):
        assert torch.allclose(mine, other, atol=1e-6)
    every = torch.arange(ours.num_embeddings).view(1, 1, -1)
    assert torch.allclose(ours.decode(every), theirs.indices_to_codes(every.squeeze(1)).mT[:, :, None], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("levels", [[8, 5, 5, 5], [27, 27], [2, 3, 4]])
def test_every_code_of_fsq_comes_back(levels, dtype):
    fsq = FiniteScalarQuantizer(levels)
    every = torch.arange(fsq.num_embeddings).view(1, 1, -1)  # as a map of one row
    codes = fsq.decode(every).to(dtype)
    assert torch.equal(fsq.indices_of(codes), every)
    # a z_e that lies on each code: the bound undone by hand
    half = (torch.tensor(levels) - 1) * 1.001 / 2
    offset = torch.tensor([0.0 if level % 2 else 0.5 for level in levels])
    steps = fsq.decode(every).permute(0, 2, 3, 1) * (torch.tensor(levels) // 2)
    z_e = torch.atanh(((steps + offset) / half).clamp(-0.999, 0.999)) - torch.atanh(offset / half)
    z_e = z_e.permute(0, 3, 1, 2).to(dtype)
    assert torch.equal(fsq.encode(z_e), every)
    quantized, _, indices = fsq(z_e)
    assert quantized.dtype == dtype and torch.equal(quantized, codes) and torch.equal(indices, every.flatten())


def test_fsq_gives_codes_to_the_last_bit_and_keeps_no_weights():
    torch.manual_seed(0)
    fsq = FiniteScalarQuantizer([27, 8])
    quantized, _, indices = fsq(torch.randn(4, 2, 30, 30))
    assert torch.equal(quantized, fsq.decode(indices.view(4, 30, 30)))
    assert not fsq.state_dict() and not list(fsq.parameters())
    fine, every = FiniteScalarQuantizer([300]), torch.arange(300).view(1, 1, -1)
    assert torch.equal(fine.indices_of(fine.decode(every).bfloat16()), every)  # 150 steps: more than bfloat16 counts


def test_fsq_is_symmetric_about_zero_where_it_can_be():
    for levels, expected in ([2], [-1, 0]), ([4], [-1, -0.5, 0, 0.5]), ([5], [-1, -0.5, 0, 0.5, 1]):
        fsq = FiniteScalarQuantizer(levels)
        assert fsq.codebook.flatten().tolist() == expected
        assert fsq.bound(torch.zeros(1, 1, 1, 1)).item() == 0
        far = torch.tensor([-torch.finfo().max, torch.finfo().max]).view(1, 1, 1, 2)
        assert fsq(far).quantized.flatten().tolist() == [expected[0], expected[-1]]


def test_fsq_passes_the_gradient_of_its_bound_straight_through():
    fsq = FiniteScalarQuantizer([5])
    z_e = torch.linspace(-2, 2, 9).view(1, 1, 1, 9).requires_grad_()
    to_encoder, = torch.autograd.grad(fsq(z_e).quantized.sum(), z_e)
    assert torch.allclose(to_encoder, (1 - torch.tanh(z_e) ** 2) * 1.001, atol=1e-6)  # h / ⌊5/2⌋ = 2.002 / 2


def test_fsq_under_autocast_and_in_a_model():
    torch.manual_seed(0)
    fsq = FiniteScalarQuantizer([8, 5, 5, 5])
    z_e = torch.randn(2, 4, 16, 16)
    expected = fsq(z_e)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = fsq(z_e)
    assert torch.equal(got.indices, expected.indices) and torch.equal(got.quantized, expected.quantized)
    model = SimpleVQVAE(1000, 4, hidden=8, blocks=1, quantizer=fsq)
    images = torch.rand(2, 3, 16, 8) * 2 - 1
    image, loss, indices = model(images)
    (image.square().mean() + loss).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.encoder.parameters())
    words = model.img_to_idxBl(images)
    assert torch.equal(words[0].flatten(), indices)
    assert torch.allclose(model.idxBl_to_img(words, size=(16, 8)), image, atol=1e-6)
    half = model.bfloat16()
    assert half.idxBl_to_img(half.img_to_idxBl(images.bfloat16()), size=(16, 8)).dtype == torch.bfloat16


@pytest.mark.parametrize("levels", [[], [1, 5], [5.0], [2000]])
def test_fsq_says_what_is_wrong(levels):
    with pytest.raises(ValueError, match="expected one or more levels, integers from 2 to 1000, got"):
        FiniteScalarQuantizer(levels)
    with pytest.raises(ValueError, match=r"\(B, 2, H, W\).*got \(1, 3, 2, 2\)"):
        FiniteScalarQuantizer([5, 5])(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match="finite"):
        FiniteScalarQuantizer([5])(torch.full((1, 1, 2, 2), torch.nan))
    with pytest.raises(ValueError, match=r"0\.\.24, got 0\.\.25"):
        FiniteScalarQuantizer([5, 5]).decode(torch.tensor([[[0, 25]]]))


def test_entropy_loss_by_hand_and_at_its_ends():
    codes = torch.tensor([[0.0], [1.0]])
    # squared distances of z = 0: 0 and 1; at temperature 1: p = 1 / (1 + 1/e) and the rest; one vector: H(p) − H(p)
    assert entropy_loss(torch.zeros(1, 1), codes, temperature=1.0).item() == pytest.approx(0, abs=1e-6)
    # two vectors, each sure of a code of its own: 0 − ln 2; both sure of the same: 0 − 0
    assert entropy_loss(codes, codes).item() == pytest.approx(-math.log(2), abs=1e-6)
    assert entropy_loss(torch.zeros(2, 1), codes).item() == pytest.approx(0, abs=1e-6)
    # z = 0 and z = 1 at temperature 1: p = (a, 1 − a) and (1 − a, a) with a = 1 / (1 + 1/e), so H(p) − ln 2
    a = 1 / (1 + math.exp(-1))
    by_hand = -a * math.log(a) - (1 - a) * math.log(1 - a) - math.log(2)
    assert entropy_loss(codes, codes, temperature=1.0).item() == pytest.approx(by_hand, abs=1e-6)


def test_entropy_loss_moves_a_crowd_towards_unused_codes():
    codes = torch.tensor([[0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    z = torch.tensor([[0.1, 0.0], [0.2, 0.0]], requires_grad=True)
    loss = entropy_loss(z, codes, temperature=0.5)
    to_z, to_codes = torch.autograd.grad(loss, (z, codes))
    assert to_z[1, 0] < 0  # a step down takes the vector that is nearer to the unused code on towards it
    assert to_codes.abs().sum() > 0
    with pytest.raises(ValueError, match="temperature above 0, got 0"):
        entropy_loss(z, codes, temperature=0)
    with pytest.raises(ValueError, match=r"z \(N, D\) and codebook \(K, D\), got \(2, 2\) and \(4, 3\)"):
        entropy_loss(z, torch.zeros(4, 3))


def test_entropy_loss_has_finite_gradients_with_codes_out_of_reach():
    codes = torch.tensor([[0.0], [1.0], [1000.0]], requires_grad=True)  # nobody's soft choice: p = 0 exactly
    z = torch.tensor([[0.1], [0.2]], requires_grad=True)
    for gradient in torch.autograd.grad(entropy_loss(z, codes), (z, codes)):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", [Codebook, EMACodebook])
def test_entropy_weight_adds_that_many_times_the_entropy_loss(kind):
    torch.manual_seed(0)
    codebook = kind(16, 4)
    torch.nn.init.normal_(codebook.weight, std=0.1)
    plain, pushed = (VectorQuantizer2(16, 4, codebook=codebook, entropy_weight=weight).eval() for weight in (0, 0.5))
    z_e = 0.1 * torch.randn(2, 4, 3, 3)
    z_e.requires_grad_()
    term = pushed(z_e).loss - plain(z_e).loss
    z = z_e.permute(0, 2, 3, 1).reshape(-1, 4)
    assert torch.allclose(term, 0.5 * entropy_loss(z, codebook.weight), atol=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(pushed(z_e).loss, pushed(z_e).loss.float())
        assert torch.allclose(pushed(z_e).loss - plain(z_e).loss, term, atol=1e-6)
    if kind is EMACodebook:  # no gradient moves those codes; the encoder gets its share
        to_encoder, = torch.autograd.grad(term, z_e)
        assert to_encoder.abs().sum() > 0 and not codebook.weight.requires_grad
    with pytest.raises(ValueError, match="entropy_weight of at least 0, got -1"):
        VectorQuantizer2(16, 4, entropy_weight=-1)


@pytest.mark.parametrize("codebook", [Codebook(16, 4, restart_below=0.5), EMACodebook(16, 4)])
def test_entropy_term_trains_although_the_codes_are_written_before_backward(codebook):
    torch.manual_seed(0)
    vq = VectorQuantizer2(16, 4, codebook=codebook, entropy_weight=0.5)
    z_e, before = torch.randn(2, 4, 8, 8, requires_grad=True), codebook.weight.detach().clone()
    loss = vq(z_e).loss
    assert not torch.equal(codebook.weight, before)  # the case is a hard one
    loss.backward()
    assert z_e.grad.abs().sum() > 0


def test_no_entropy_weight_computes_no_entropy(monkeypatch):
    monkeypatch.setattr("vqlab.codebook.entropy_loss", lambda *arguments: 1 / 0)
    VectorQuantizer2(16, 4)(torch.randn(1, 4, 2, 2))
    with pytest.raises(ZeroDivisionError):
        VectorQuantizer2(16, 4, entropy_weight=0.1)(torch.randn(1, 4, 2, 2))


def test_entropy_of_a_cosine_codebook_ignores_lengths():
    torch.manual_seed(0)
    vq = VectorQuantizer2(16, 4, commitment_weight=0, entropy_weight=1,
                          codebook=EMACodebook(16, 4, metric="cosine")).eval()
    z_e = torch.randn(1, 4, 3, 3)
    assert torch.allclose(vq(z_e).loss, vq(7 * z_e).loss, atol=1e-5)


def test_the_estimator_decides_the_gradient_and_not_the_value():
    torch.manual_seed(0)
    z_e = torch.randn(1, 4, 3, 3, requires_grad=True)
    codebook = EMACodebook(8, 4)
    values, gradients = [], []
    for name, function in ("straight_through", straight_through), ("rotation_trick", rotation_trick):
        quantized = EMAVectorQuantizer(8, 4, codebook=codebook, estimator=name).eval()(z_e).quantized
        values.append(quantized)
        gradients.append(torch.autograd.grad(quantized.square().sum(), z_e)[0])
        z_q = codebook(codebook.search(z_e.detach().permute(0, 2, 3, 1).reshape(-1, 4)))
        expected = function(z_e, z_q.view(1, 3, 3, 4).permute(0, 3, 1, 2))
        assert torch.equal(gradients[-1], torch.autograd.grad(expected.square().sum(), z_e)[0])
    assert torch.allclose(*values, atol=1e-6) and not torch.allclose(*gradients, atol=1e-3)
    with pytest.raises(ValueError, match="estimator out of straight_through, rotation_trick, got 'gumbel'"):
        VectorQuantizer2(8, 4, estimator="gumbel")


@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")  # not about our code
def test_torch_compile_traces_the_quantizer_without_a_warning():
    z_e = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    plain = EMAVectorQuantizer(8, 4)
    plain(z_e)  # the k-means start, once
    compiled = copy.deepcopy(plain)
    traced = torch.compile(compiled, backend="eager")  # warnings, which are errors here, come from tracing
    for ours, theirs in zip(plain(z_e), traced(z_e), strict=True):
        assert torch.equal(ours, theirs)
