import pytest
import torch
from torch import nn

from vqlab import EMAVectorQuantizer, SimpleVQVAE, TrainingState, crops, fit, photos
from vqlab.train.muon import Muon, orthogonalize


@pytest.mark.parametrize("rows, columns", [(8, 8), (6, 40), (40, 6)])
def test_orthogonalize_keeps_the_singular_vectors_and_brings_the_values_near_1(rows, columns):
    generator = torch.Generator().manual_seed(0)
    short = min(rows, columns)
    u = torch.linalg.qr(torch.randn(3, rows, short, generator=generator, dtype=torch.float64))[0]
    v = torch.linalg.qr(torch.randn(3, columns, short, generator=generator, dtype=torch.float64))[0]
    values = torch.logspace(0, -1.5, short, dtype=torch.float64) * torch.tensor([[1e-6], [1.0], [1e6]])
    found = u.mT @ orthogonalize((u * values[:, None] @ v.mT).float()).double() @ v  # S, if u and v are still right
    new = found.diagonal(dim1=1, dim2=2)
    assert 0.6 < new.min() and new.max() < 1.3
    assert (found - torch.diag_embed(new)).abs().max() < 1e-3


def test_the_order_of_the_products_changes_nothing():
    """The iteration as it is written down, X ← (a I + b A + c A²) X, in float64."""
    matrices = torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = matrices / matrices.flatten(1).norm(dim=1)[:, None, None]
    for _ in range(4):
        gram = x @ x.mT
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    assert torch.allclose(orthogonalize(matrices.float(), 4).double(), x, atol=1e-4)


@pytest.mark.parametrize("shape, stretch", [((4, 2, 3, 3), 1.0), ((12, 3, 1, 1), 2.0)])
def test_a_first_step_goes_along_the_orthogonalized_gradient(shape, stretch):
    generator = torch.Generator().manual_seed(0)
    start, gradient = torch.randn(2, *shape, generator=generator)
    parameter, idle = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    parameter.grad = gradient.clone()
    Muon([parameter, idle], lr=0.1).step()
    expected = start - 0.1 * stretch * orthogonalize(gradient.flatten(1)[None])[0].view(shape)  # √(12 / 3) = 2
    assert torch.allclose(parameter, expected, atol=1e-5) and torch.equal(idle, start)


def test_momentum_looks_ahead():
    """m = 0.5 g₁, then 0.25 g₁ + 0.5 g₂; the second step goes along 0.5 m + 0.5 g₂ = 0.125 g₁ + 0.75 g₂."""
    first, second = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    parameter = nn.Parameter(torch.zeros(3, 5))
    optimizer = Muon([parameter], lr=1.0, momentum=0.5)
    for gradient in (first, second):
        before, parameter.grad = parameter.detach().clone(), gradient
        optimizer.step()
    expected = before - orthogonalize((0.125 * first + 0.75 * second)[None])[0]
    assert torch.allclose(parameter, expected, atol=1e-5)


def test_no_gradient_at_all_moves_nothing():
    parameter = nn.Parameter(torch.ones(3, 5))
    parameter.grad = torch.zeros(3, 5)
    Muon([parameter], lr=1.0).step()
    assert torch.equal(parameter, torch.ones(3, 5))


def test_fit_gives_the_wide_convolutions_to_muon_and_the_rest_to_adam():
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 4, hidden=32, blocks=1, quantizer=EMAVectorQuantizer(16, 4))
    batches = crops(photos(), 2, 16, generator=torch.Generator().manual_seed(0))
    state = TrainingState()
    list(fit(model, batches, steps=1, state=state))
    by_muon = {name for name, moments in state.moments.items() if moments.keys() == {"momentum"}}
    assert by_muon == {"encoder.1.weight", "encoder.2.conv3.weight", "encoder.2.conv1.weight",
                       "decoder.1.conv3.weight", "decoder.1.conv1.weight", "decoder.2.weight"}
    assert all(moments.keys() == {"step", "exp_avg", "exp_avg_sq"} for name, moments in state.moments.items()
               if name not in by_muon)
    assert state.moments.keys() == {name for name, p in model.named_parameters() if p.requires_grad}
    state = TrainingState()
    list(fit(model, batches, steps=1, optimizer="adam", state=state))
    assert all("exp_avg" in moments for moments in state.moments.values())
    with pytest.raises(ValueError, match="optimizer out of muon, adam, got 'sgd'"):
        fit(model, batches, steps=1, optimizer="sgd")
