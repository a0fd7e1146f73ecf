"""A context learns beside the tokenizer whose tokens it guesses, and leaves it alone."""

import math

import pytest
import torch

from vqlab import EMAVectorQuantizer, SimpleVQVAE, TokenContext, crops, fit, load, photos, save
from vqlab.train.context import fit_context
from vqlab.train.state import TrainingState


def train(context, steps, size=16):
    """A small tokenizer and its training, always the same; the context comes along."""
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 4, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 4))
    model.context = context
    for _ in fit(model, crops(photos(), 4, size, generator=torch.Generator().manual_seed(1)), steps=steps):
        pass
    return model


def test_a_tokenizer_learns_the_same_with_and_without_a_context():
    context = TokenContext(16, 4, 8)
    before = {name: tensor.clone() for name, tensor in context.state_dict().items()}
    without, beside = train(None, 13).state_dict(), train(context, 13).state_dict()
    assert all(torch.equal(tensor, beside[name]) for name, tensor in without.items())
    assert all(not torch.equal(tensor, beside[f"context.{name}"]) for name, tensor in before.items())


def test_a_context_learns_real_tokens():
    torch.manual_seed(0)
    model = train(TokenContext(16, 8, 16), 600)
    batch = next(crops(photos(), 32, 64, generator=torch.Generator().manual_seed(2)))
    tokens = model.quantize.encode(model.encoder(batch))
    share = torch.bincount(tokens.flatten(), minlength=16).float() / tokens.numel()
    zero_order = torch.special.entr(share).sum() / math.log(2)  # bits, if the shares were known, but no neighbours
    assert model.context.loss(tokens) < 0.97 * zero_order


@pytest.mark.parametrize("size", [4, 8, 12])
def test_a_map_of_few_rows(size):
    context = train(TokenContext(16, 4, 8), 17, size).context
    assert all(torch.isfinite(parameter).all() for parameter in context.parameters())


def test_a_continued_training_teaches_the_context_as_an_uninterrupted_one(tmp_path):
    def make():
        torch.manual_seed(0)
        model = SimpleVQVAE(16, 4, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 4),
                            context=TokenContext(16, 4, 8))
        return model, TrainingState(seed=1)

    def run(model, state, until):
        for record in fit(model, crops(photos(), 4, 16, generator=state.generator), steps=24, state=state):
            if record.step == until:
                return
    whole, state = make()
    run(whole, state, 24)
    model, state = make()
    run(model, state, 14)
    save(model, tmp_path / "model.safetensors")
    state.save(tmp_path / "training.safetensors")
    again = load(tmp_path / "model.safetensors")
    run(again, TrainingState.load(tmp_path / "training.safetensors"), 24)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in whole.state_dict().items())


def test_a_context_is_taught_alone_once_the_tokens_stand():
    torch.manual_seed(0)
    model = train(TokenContext(16, 8, 16), 200)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batches = crops(photos(), 8, 32, generator=torch.Generator().manual_seed(4))
    batch = next(crops(photos(), 32, 64, generator=torch.Generator().manual_seed(2)))
    tokens = model.quantize.encode(model.encoder(batch))
    bits = model.context.loss(tokens).item()
    fit_context(model, batches, steps=200)
    assert model.context.loss(tokens).item() < 0.95 * bits and not model.training
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items() if not name.startswith("context."))
    with pytest.raises(ValueError, match="positive budget"):
        fit_context(model, batches)
