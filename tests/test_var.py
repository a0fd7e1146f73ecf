import numpy as np
import pytest
import torch
from torch import nn

from vqlab import VAR, SimpleVQVAE, block_causal_mask, fit_prior, guide, keep_top, load, save
from vqlab.train.prior import PriorRecord

SCALES = (1, 2, 3)
LENGTHS = [1, 4, 9]


@pytest.fixture
def var():
    torch.manual_seed(0)
    tokenizer = SimpleVQVAE(16, 4, in_channels=1, hidden=8, blocks=1, patch_nums=SCALES)
    nn.init.normal_(tokenizer.quantize.embedding.weight)
    var = VAR(tokenizer, 5, width=32, depth=3, heads=2).eval()
    nn.init.normal_(var.head.weight, std=0.3)  # opinions strong enough that a leak would be seen
    return var


def tokens(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(16, (batch, length), generator=generator) for length in LENGTHS]


def test_mask_against_the_plain_formula():
    mask = block_causal_mask(LENGTHS)
    scale = [k for k, length in enumerate(LENGTHS) for _ in range(length)]
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[scale[query] >= scale[key] for key in range(14)] for query in range(14)]


@pytest.mark.parametrize("scale, t", [(0, 0.0), (1, 1.0), (3, 3.0)])
def test_guidance_ramps_up_with_the_scale(scale, t):
    cond, uncond = torch.randn(2, 3, 4, 7)
    assert torch.allclose(guide(cond, uncond, 3.0, scale, 4), (1 + t) * cond - t * uncond, atol=1e-6)
    assert torch.equal(guide(cond, uncond, 3.0, 0, 1), cond)  # one scale: the first is the last, and is not guided


def test_keep_top_against_a_plain_loop():
    torch.manual_seed(0)
    logits = 3 * torch.randn(50, 12)
    for top_k, top_p in [(None, None), (3, None), (None, 0.7), (5, 0.6), (99, 1.0), (1, 0.01)]:
        kept = keep_top(logits, top_k, top_p)
        for row, result in zip(logits.double().numpy(), kept.numpy(), strict=True):
            order = np.argsort(-row)[:top_k or 12]  # top-k first
            p = np.exp(row[order]) / np.exp(row[order]).sum()  # top-p of what it left
            number = int(np.searchsorted(np.cumsum(p), (top_p or 1) - 1e-12)) + 1 if (top_p or 1) < 1 else len(p)
            assert set(np.flatnonzero(np.isfinite(result))) == set(order[:number])
            assert np.allclose(result[order[:number]], row[order[:number]])


def test_keep_top_by_hand():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    assert torch.isfinite(keep_top(logits, top_p=0.49)).tolist() == [True, False, False]
    assert torch.isfinite(keep_top(logits, top_p=0.51)).tolist() == [True, True, False]  # the one that crosses stays
    # After top-k = 2 the likeliest holds 0.5 / 0.8 = 0.625 by itself; before it, only 0.5.
    assert torch.isfinite(keep_top(logits, top_k=2, top_p=0.6)).tolist() == [True, False, False]


def test_sampling_divides_by_the_temperature_before_it_cuts(var):
    """One draw of scale 0, written out: temperature, then top-k, then top-p, then the draw."""
    labels = torch.arange(5).repeat(40)
    for temperature, top_k, top_p in [(0.5, None, 0.8), (3.0, 4, 0.5), (1.0, 1, None)]:
        first = var.sample(labels, guidance=0, temperature=temperature, top_k=top_k, top_p=top_p,
                           generator=torch.Generator().manual_seed(3))[0]
        logits = var.next_logits(0, labels, None, None)[0][:, 0] / temperature
        allowed = keep_top(logits, top_k, top_p).softmax(dim=-1)
        drawn = torch.multinomial(allowed, 1, generator=torch.Generator().manual_seed(3))
        assert torch.equal(first, drawn)
    cut_first = (keep_top(var.next_logits(0, labels, None, None)[0][:, 0], None, 0.8) / 0.5).isfinite()
    cut_last = keep_top(var.next_logits(0, labels, None, None)[0][:, 0] / 0.5, None, 0.8).isfinite()
    assert not torch.equal(cut_first, cut_last)  # the order matters here


def test_the_cache_changes_nothing(var):
    labels, idx_Bl = torch.tensor([0, 3, 5, 2]), tokens(4)
    at_once = var.logits(idx_Bl, labels)
    f_hat = scale_input = cache = None
    parts = []
    for scale, indices in enumerate(idx_Bl):
        logits, cache = var.next_logits(scale, labels, scale_input, cache)
        f_hat, scale_input = var.tokenizer.quantize.next_input(scale, f_hat, indices)
        parts.append(logits)
    assert at_once.shape == (4, 14, 16)
    assert (torch.cat(parts, dim=1) - at_once).abs().max() < 1e-5
    assert cache[0][0].shape == (4, 2, 14, 16)  # keys: (B, heads, L, width / heads)


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_a_future_scale_never_influences_an_earlier_one(var, scale):
    labels, idx_Bl = torch.tensor([1, 4]), tokens(2)
    before = var.logits(idx_Bl, labels)
    idx_Bl[scale] = (idx_Bl[scale] + 5) % 16
    after = var.logits(idx_Bl, labels)
    seen = sum(LENGTHS[:scale + 1])  # a scale's own tokens are answers, not inputs
    assert torch.equal(before[:, :seen], after[:, :seen])
    assert scale == 2 or ((before - after)[:, seen:].abs().amax(dim=-1) > 1e-3).all()  # and all later ones see it


def test_within_a_scale_every_place_sees_every_other(var):
    labels = torch.tensor([1])
    var_input = torch.randn(1, 13, 4)
    before = var(labels, var_input)
    var_input[0, 12] += 1  # the last place of the last scale
    difference = (var(labels, var_input) - before).abs().amax(dim=-1)[0]
    assert (difference[:5] == 0).all() and (difference[5:] > 0).all()


def test_a_fixed_generator_repeats_the_pictures(var):
    labels = torch.arange(5)
    images = [var.generate(labels, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert images[0].shape == (5, 1, 12, 12)
    assert torch.equal(images[0], images[1]) and not torch.equal(images[0], images[2])
    torch.manual_seed(7)
    first = var.generate(labels)
    torch.manual_seed(7)
    assert torch.equal(first, var.generate(labels))


def test_guidance_zero_is_the_conditional_model(var):
    """At guidance 0 the draws are those of the conditional logits, without and with the other half of the batch."""
    labels = torch.arange(5)
    idx_Bl = var.sample(labels, guidance=0, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    logits = var.logits(idx_Bl, labels)  # teacher forcing: no cache, no guidance
    for indices, part in zip(idx_Bl, logits.split(LENGTHS, dim=1), strict=True):
        drawn = torch.multinomial(part.detach().softmax(dim=-1).flatten(0, 1), 1, generator=generator)
        assert torch.equal(indices, drawn.view(5, -1))
    tiny = var.sample(labels, guidance=1e-9, generator=torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(idx_Bl, tiny, strict=True))
    strong = var.sample(labels, guidance=9.0, generator=torch.Generator().manual_seed(0))
    assert torch.equal(strong[0], idx_Bl[0]) and not torch.equal(strong[2], idx_Bl[2])  # none at scale 0


def test_guided_draws_against_the_formula(var):
    labels, none = torch.arange(5), torch.full((5,), 5)
    idx_Bl = var.sample(labels, guidance=2.0, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    both = [var.logits(idx_Bl, which).detach().split(LENGTHS, dim=1) for which in (labels, none)]
    for scale, (indices, cond, uncond) in enumerate(zip(idx_Bl, *both, strict=True)):
        t = 2.0 * scale / 2
        p = ((1 + t) * cond - t * uncond).softmax(dim=-1)
        assert torch.equal(indices, torch.multinomial(p.flatten(0, 1), 1, generator=generator).view(5, -1))


def test_a_prefix_is_kept_and_completed(var):
    labels, given = torch.tensor([2, 2]), tokens(2)
    for scales in range(4):
        idx_Bl = var.sample(labels, prefix=given[:scales], generator=torch.Generator().manual_seed(0))
        assert all(torch.equal(a, b) for a, b in zip(idx_Bl[:scales], given, strict=False))
        assert [indices.shape for indices in idx_Bl] == [(2, 1), (2, 4), (2, 9)]
    assert torch.equal(var.generate(labels, prefix=given), var.tokenizer.idxBl_to_img(given))


def test_the_picture_after_each_scale(var):
    labels = torch.tensor([0, 1])
    pictures = var.generate(labels, cumulative=True, generator=torch.Generator().manual_seed(0))
    assert len(pictures) == 3
    assert torch.equal(pictures[-1], var.generate(labels, generator=torch.Generator().manual_seed(0)))


def test_log_likelihood_by_hand(var):
    labels, idx_Bl = torch.tensor([1, 5]), tokens(2)
    log_p = var.logits(idx_Bl, labels).double().log_softmax(dim=-1)
    every = torch.cat(idx_Bl, dim=1)
    by_hand = [sum(log_p[b, place, every[b, place]].item() for place in range(14)) for b in range(2)]
    assert var.log_likelihood(idx_Bl, labels).tolist() == pytest.approx(by_hand, abs=1e-4)


def test_probabilities_of_all_tokens_of_a_picture_sum_to_one():
    """Every spelling of a tiny picture, 3 codes at 1 + 4 places: Σ p = 1."""
    torch.manual_seed(0)
    var = VAR(SimpleVQVAE(3, 2, in_channels=1, hidden=8, blocks=1, patch_nums=(1, 2)), 2, width=16, depth=2).eval()
    spellings = torch.cartesian_prod(*[torch.arange(3)] * 5)  # (243, 5)
    log_p = var.log_likelihood([spellings[:, :1], spellings[:, 1:]], torch.zeros(243, dtype=torch.int64))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_labels_are_dropped_in_training_only(var):
    labels, idx_Bl = torch.zeros(400, dtype=torch.int64), [indices.expand(400, -1) for indices in tokens(1)]
    none = var.logits(idx_Bl, torch.full((400,), 5))[0]
    assert not torch.isclose(var.logits(idx_Bl, labels)[:, 0], none[0]).all(dim=-1).any()
    var.train()
    torch.manual_seed(0)
    dropped = torch.isclose(var.logits(idx_Bl, labels)[:, 0], none[0], atol=1e-4).all(dim=-1).sum().item()
    assert 20 <= dropped <= 65  # 40 expected, standard deviation 6


def test_fit_prior_learns_what_class_goes_with_what(var):
    """Two pictures, two classes: afterwards each class writes its own, and likelihood tells them apart."""
    torch.manual_seed(1)
    images, labels = torch.randn(2, 1, 12, 12), torch.tensor([0, 1])
    before = {name: value.clone() for name, value in var.tokenizer.state_dict().items()}
    batches = [(images.repeat(8, 1, 1, 1), labels.repeat(8))] * 150
    records = list(fit_prior(var, batches, steps=150))
    assert [record.step for record in records] == list(range(1, 151)) and isinstance(records[0], PriorRecord)
    assert records[-1].loss < 0.5 < 2 < records[0].loss and records[-1].accuracy > 0.8
    assert not var.training
    assert all(torch.equal(value, before[name]) for name, value in var.tokenizer.state_dict().items())
    truth = var.tokenizer.img_to_idxBl(images)
    written = var.sample(labels, guidance=1.5, top_k=1)
    assert all(torch.equal(a, b) for a, b in zip(written, truth, strict=True))
    assert (var.log_likelihood(truth, labels) > var.log_likelihood(truth, 1 - labels) + 5).all()


def test_stopping_fit_prior_early_and_between_steps_leaves_a_usable_model(var):
    batches = [(torch.randn(2, 1, 12, 12), torch.tensor([0, 1]))] * 9
    for record in fit_prior(var, batches, steps=9):
        assert not var.training  # samples can be looked at in the loop
        if record.step == 2:
            break
    assert not var.training and torch.isfinite(var.generate(torch.tensor([0]))).all()
    assert len(list(fit_prior(var, batches, steps=99))) == 9
    for budget in ({}, dict(seconds=0), dict(steps=-1)):
        with pytest.raises(ValueError, match="positive budget"):
            fit_prior(var, batches, **budget)


def test_saved_with_its_tokenizer(var, tmp_path):
    save(var, tmp_path / "var.safetensors")
    again = load(tmp_path / "var.safetensors")
    assert isinstance(again, VAR) and not again.training and again.config == var.config
    labels = torch.arange(5)
    first, second = (model.generate(labels, generator=torch.Generator().manual_seed(0)) for model in (var, again))
    assert torch.equal(first, second)


def test_other_scales(tmp_path):
    """Scales need not start at 1, be square, or be many."""
    for scales, size in [((2, 4), (16, 16)), (((1, 1), (2, 3)), (8, 12)), ((2,), (8, 8))]:
        var = VAR(SimpleVQVAE(8, 4, hidden=8, blocks=1, patch_nums=scales), 2, width=16, depth=1, heads=1).eval()
        images = var.generate(torch.tensor([0, 1]))
        assert images.shape == (2, 3, *size)
        assert var.log_likelihood(var.tokenizer.img_to_idxBl(images), torch.tensor([0, 1])).shape == (2,)


@pytest.mark.parametrize("settings, message", [
    (dict(guidance=-1), "guidance >= 0 and temperature > 0, got -1 and"),
    (dict(guidance=float("nan")), "guidance >= 0"),
    (dict(temperature=0), "temperature > 0, got 1.5 and 0"),
    (dict(top_k=0), "top_k from 1 up .* got 0"),
    (dict(top_k=2.5), "top_k from 1 up .* got 2.5"),
    (dict(top_p=0), "top_p in .* got None and 0"),
    (dict(top_p=1.5), "top_p in .* got None and 1.5"),
    (dict(prefix=tokens(1)), r"first scales' tokens, out of .* got \[\(1, 1\)"),
    (dict(prefix=[*tokens(2), torch.zeros(2, 16)]), r"first scales' tokens"),
    (dict(prefix=[torch.full((2, 1), 16)]), r"indices in 0\.\.15 at scale 0, got 16"),
])
def test_sampling_says_what_is_wrong(var, settings, message):
    with pytest.raises(ValueError, match=message):
        var.generate(torch.tensor([0, 1]), **settings)


@pytest.mark.parametrize("labels, error, message", [
    (torch.tensor([6]), ValueError, r"labels \(B,\) int64 in 0\.\.5 .* got \[6\]"),
    (torch.tensor([-1, 0]), ValueError, r"got \[-1, 0\]"),
    (torch.tensor(3), ValueError, "got 3"),
    (torch.empty(0, dtype=torch.int64), ValueError, "not empty"),
    (torch.tensor([1.0]), TypeError, "got torch.float32"),
    ([1], TypeError, "got list"),
])
def test_labels_say_what_is_wrong(var, labels, error, message):
    with pytest.raises(error, match=message):
        var.generate(labels)
    with pytest.raises(error, match=message):
        var(labels, torch.zeros(1, 13, 4))


def test_other_mistakes(var):
    with pytest.raises(ValueError, match=r"var_input \(1, 13, 4\), got \(1, 14, 4\)"):
        var(torch.tensor([1]), torch.zeros(1, 14, 4))
    with pytest.raises(TypeError, match="tokenizer with patch_nums, got SimpleVQVAE without"):
        VAR(SimpleVQVAE(16, 4), 5)
    with pytest.raises(TypeError, match="got str"):
        VAR("tokenizer", 5)
    with pytest.raises(ValueError, match="heads dividing width.* got 5, 30, 2, 4"):
        VAR(var.tokenizer, 5, width=30)
    with pytest.raises(ValueError, match="num_classes.* >= 1"):
        VAR(var.tokenizer, 0)
    with pytest.raises(ValueError, match="a cache unless it is 0, got scale 1 and NoneType"):
        var.next_logits(1, torch.tensor([1]), torch.zeros(1, 4, 4), None)
