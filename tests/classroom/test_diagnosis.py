"""A diagnosis is a fact about the numbers: what is done to them on purpose is what is said, and nothing else."""

import math

import numpy as np
import pytest
import torch

from vqlab.classroom.diagnosis import agree, diagnose, difference

DRAWN = [torch.randn(size, generator=torch.Generator().manual_seed(0)) for size in ((3, 4), (2, 5))]
ENTROPIES = [torch.rand(5, generator=torch.Generator().manual_seed(seed)) + 0.5 for seed in range(2)]
VALUE, GRADIENT = ("值", "value"), ("梯度", "gradient")
WHOLE = [torch.tensor([4, 0, 2, 7]), torch.tensor([1, 1, 3])]


@pytest.mark.parametrize("expected, change, said", [
    (DRAWN, lambda x: 3 * x, "Everywhere 3 times too large."),
    (DRAWN, lambda x: x / 2, "Everywhere 2 times too small. Is a 2 missing?"),
    (DRAWN, lambda x: -x, "The sign is reversed everywhere."),
    (DRAWN, lambda x: -3 * x, "Everywhere 3 times too large, with the sign reversed."),
    (DRAWN, lambda x: 0 * x, "The result is 0 everywhere."),
    (DRAWN, lambda x: x + 0.5, "Everywhere 0.5 too large."),
    (WHOLE, lambda x: x + 1, "Everywhere 1 too large. Indices start at 0."),
    (DRAWN, lambda x: x * len(x), "Each case is off by a factor of its own (3, 2)"),
    (DRAWN, lambda x: x + len(x), "Each case is off by a constant of its own (3, 2)"),
    (ENTROPIES, lambda x: x / math.log(2), "1.443 = 1 / ln 2: another base of the logarithm."),
    (ENTROPIES, torch.sqrt, "A square root too many."),
    (ENTROPIES, torch.square, "Squared once too often"),
    (ENTROPIES, lambda x: 1 / x, "It is the reciprocal"),
    (ENTROPIES, torch.log, "exp is missing"),
    (ENTROPIES, lambda x: 1 - x, "1 minus"),
    (DRAWN, torch.abs, "The signs are lost"),
    (DRAWN, lambda x: x.clamp(min=0), "Negative numbers have become 0."),
    (DRAWN, lambda x: x.mT, "transposed: expected (3, 4), got (4, 3)"),
    ([torch.arange(9.0).view(3, 3) ** 2], lambda x: x.mT, "transposed"),
    ([torch.arange(24.0).view(2, 3, 4)], lambda x: x.permute(2, 0, 1), "permute(1, 2, 0) mends it"),
    (DRAWN, lambda x: x[:, None], "an axis of length 1 is missing or too many: expected (3, 4), got (3, 1, 4)"),
    (DRAWN, lambda x: x.flatten(), "in another shape"),
    (DRAWN, lambda x: x.sum(dim=0), "Also summed over axis 0"),
    (DRAWN, lambda x: x.mean(dim=1), "Also averaged over axis 1"),
    (WHOLE, lambda x: torch.stack([x.float(), 0 * x.float()]), "Not yet summed over axis 0"),
    ([x.sum() for x in DRAWN], lambda x: torch.tensor([0.25, 0.75]) * x, "Not yet summed"),
    ([x[:1].repeat(3, 1) for x in DRAWN], lambda x: x[0], "not yet broadcast"),
    (DRAWN, lambda x: x[:, :2], "The shape is wrong: expected (3, 4), got (3, 2)"),
    (DRAWN, lambda x: torch.cat([x[:-1], x[-1:] * torch.nan]), "numbers are NaN, such as [2, 0]. The rest is right."),
    (DRAWN, lambda x: x / 0, "numbers are inf"),
    (DRAWN, lambda x: x.int(), "The fractions are lost: the result is int32."),
    (DRAWN, lambda x: x.bfloat16(), "bfloat16 has too few digits"),
    (DRAWN, lambda x: x.flip(0), "In reverse order along axis 0."),
    (DRAWN, lambda x: x.roll(1, 1), "Shifted by one along axis 1."),
    (DRAWN, lambda x: x[:, torch.tensor([2, 0, 3, 1])] if len(x) == 3 else x.flip(0), "The right numbers in other"),
    (DRAWN, lambda x: torch.cat([x[:-1], x[-1:] + 7 * x[-1:] ** 2]), "Right except the last row."),
    (DRAWN, lambda x: torch.cat([x[:1] ** 3, x[1:]]), "Right except the first row."),
    (DRAWN, lambda x: torch.cat([-x[:1], x[1:]]), "numbers have the wrong sign; the rest is right."),
    (DRAWN, lambda x: torch.where(x == x[1, 2], 7, x), "2 of 22 numbers are wrong, the rest is right."),
    ([torch.tensor([4, 0, 2, 7, 1, 1]), torch.tensor([1, 1, 3])], lambda x: torch.where(x == 0, 5, x),
     "1 of 9 numbers are wrong, the rest is right. If they are indices, look at ties first"),
    (DRAWN, lambda x: x[..., None].expand(*x.shape, 2)[..., 0] * 0 + 5, "The result is 5 everywhere."),
    (DRAWN, lambda x: "text", "Expected numbers or a tensor, got str."),
    ([(x, 2 * x) for x in DRAWN], lambda pair: pair[::-1], "Each result is right, but in another order."),
    ([(x, 2 * x) for x in DRAWN], lambda pair: pair[:1], "Expected 2 results, got 1."),
    ([(x, 2 * x) for x in DRAWN], lambda pair: (pair[0], -pair[1]),
     "Right: result 1. Wrong: result 2. result 2: The sign is reversed everywhere."),
    ([{VALUE: x, GRADIENT: x} for x in DRAWN], lambda parts: {**parts, GRADIENT: 0 * parts[VALUE]},
     "Right: value. Wrong: gradient. gradient: The result is 0 everywhere."),
])
def test_what_was_done_is_what_is_said(expected, change, said):
    found = diagnose(expected, [change(value) for value in expected])
    assert said in found[1]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in found[0])


@pytest.mark.parametrize("expected, got", [
    (DRAWN, DRAWN), ([1.0], [3.0]), ([1.0, 2.0], [3.0, 5.0]), (DRAWN, [x ** 3 + x for x in DRAWN]), ([], []),
    ([None], [3]), ([object()], [4]), (DRAWN, DRAWN[:1])])
def test_where_nothing_simple_holds_nothing_is_said(expected, got):
    """One number alone is always some multiple of another."""
    assert diagnose(expected, got) is None


def test_a_rule_must_hold_in_every_case():
    assert diagnose(DRAWN, [2 * DRAWN[0], DRAWN[1] ** 3]) is None


def test_results_of_other_kinds_agree():
    pair = torch.tensor([1.0, 2.0]), torch.tensor([3.0])
    for got in (list(pair), [x.numpy() for x in pair], ([1.0, 2.0], np.array([3.0])), [x.double() for x in pair]):
        assert agree(pair, got)
    assert agree(torch.eye(2), [torch.tensor([1, 0]), np.array([0, 1])])
    assert agree((1.0, 2.0), torch.tensor([1.0, 2.0]))  # it unpacks like a pair
    assert agree(torch.tensor([1, 2]), np.array([2, 1])[::-1])  # negative strides
    assert agree(3, torch.tensor(3.0)) and agree(torch.tensor(3), 3) and not agree(torch.tensor(3), [3])


def test_a_difference_beyond_what_is_printed_is_shown():
    expected = torch.zeros(2, 4)
    got = expected.clone()
    expected[1, 3], got[1, 3] = 0.125, 0.12505  # both print as 0.125
    place, values = difference({("值", "value"): torch.ones(2), ("z_e 的梯度", "gradient at z_e"): expected},
                               {("值", "value"): torch.ones(2), ("z_e 的梯度", "gradient at z_e"): got})
    assert place == ("z_e 的梯度 [1, 3] (1 / 8)", "gradient at z_e [1, 3] (1 / 8)")
    assert values[1] == "expected 0.125, got 0.125049993: 5e-05 too large"
    assert difference(expected, expected) is None and difference(expected, "text") is None
