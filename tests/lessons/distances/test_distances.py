"""Lesson 1's parts against plain arithmetic: projections, winners, terms, rounding, measuring."""

import pytest
import torch

from vqlab import nearest_code
from vqlab.lessons.distances import (
    DistancePlane,
    ExpansionPlane,
    RoundingPlane,
    colour_plane,
    colours_of,
    peak_memory,
    search_in,
    time_ratios,
    winners,
)
from vqlab.lessons.distances.measures import AXES, expansion_terms
from vqlab.lessons.distances.rounding import OFFSETS, PRECISIONS

CODES = torch.tensor([[0.5, 0.0], [0.1, 0.1], [-0.2, 0.3]])


def test_axes_are_orthonormal_and_grey_is_the_origin():
    torch.testing.assert_close(AXES @ AXES.t(), torch.eye(2))
    grey = torch.full((3, 2, 2), 0.37)
    torch.testing.assert_close(colour_plane(grey), torch.zeros(4, 2), atol=1e-6, rtol=0)
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    torch.testing.assert_close(colour_plane(red), torch.tensor([[2 / 6**0.5, 0.0]]))


def test_a_point_s_colour_projects_back_to_it():
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    image = colours_of(points).t().reshape(3, 50, 1) * 2 - 1
    torch.testing.assert_close(colour_plane(image), points, atol=1e-6, rtol=0)


def test_winners_by_hand():
    """x = (0.1, 0.05): squared distances .1625, .0025, .1525; cosines .894, .949, −.124; dots .05, .015, −.005."""
    found = winners(torch.tensor([[0.1, 0.05]]), CODES)
    assert {name: index.tolist() for name, index in found.items()} == {"euclid": [1], "cosine": [1], "dot": [0]}


def test_codes_of_equal_norm_make_all_measures_agree():
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(500, 8, generator=generator, dtype=torch.float64)
    codes = torch.nn.functional.normalize(torch.randn(40, 8, generator=generator, dtype=torch.float64))
    euclid, cosine, dot = winners(z, codes).values()
    assert torch.equal(euclid, cosine) and torch.equal(euclid, dot)
    assert not torch.equal(*list(winners(z, codes * torch.linspace(0.2, 3, 40)[:, None]).values())[::2])


def test_terms_sum_to_the_squared_distance():
    x = torch.tensor([0.3, -0.2], dtype=torch.float64)
    expected = (x - CODES.double()).square().sum(dim=1)
    torch.testing.assert_close(expansion_terms(x, CODES).sum(dim=0), expected)


def test_search_in_fails_far_away_and_centring_repairs_float32():
    generator = torch.Generator().manual_seed(2)
    codes = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    truth = torch.randint(16, (300,), generator=generator)
    z = codes[truth] + (torch.rand(300, 2, generator=generator) - 0.5) * 0.4
    assert torch.equal(search_in(torch.float32, z, codes), truth)
    far, far_codes = z + 2e4, codes + 2e4
    assert (search_in(torch.float32, far, far_codes) != truth).double().mean() > 0.3
    assert torch.equal(search_in(torch.float32, far, far_codes, centre=True), truth)
    assert torch.equal(nearest_code(far, far_codes), truth)
    assert (search_in(torch.float16, z + 1000, codes + 1000) != truth).any()  # ‖x‖² overflows


def test_peak_memory_counts_bytes():
    """(50, 20, 8) differences and their squares at once: 2 × 32 000 bytes; the sums and indices come after."""
    z, codes = torch.randn(50, 8), torch.randn(20, 8)
    peak = peak_memory(lambda z, e: (z[:, None] - e).square().sum(dim=2).argmin(dim=1), z, codes)
    assert 64_000 <= peak < 70_000
    assert peak_memory(lambda z, e: z, z, codes) == 0


def test_time_ratios_name_the_fastest_one():
    ratios = time_ratios({"a": lambda z, e: z @ e.t(), "b": torch.cdist}, torch.randn(64, 8), torch.randn(64, 8))
    assert set(ratios) == {"a", "b"} and min(ratios.values()) == 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounding_plane(precision):
    plane = RoundingPlane(CODES)
    wrong = {}
    for method in ("formula", "centred", "nearest_code"):
        plane.update({"offset": OFFSETS[-1], "precision": precision, "method": method}, 1)
        wrong[method] = plane.answer["wrong"]
        cells = torch.frombuffer(bytearray(plane.cells), dtype=torch.uint8).view(2, -1)
        assert cells[0].max() < 3 and cells[1].double().mean() == pytest.approx(wrong[method])
    assert wrong["nearest_code"] == 0 and wrong["centred"] < 0.05 < wrong["formula"]
    assert (plane.answer["gap"] is None) == (precision == "fp16")  # 2 · 65536² is beyond 65504


def test_rounding_plane_s_cells_lie_where_the_plane_is():
    """Codes at 0 and ½ meet at ¼: two thirds of the way from −¾ to ¾; columns from the left, rows from below."""
    for code, axis in (([0.5, 0.0], 1), ([0.0, 0.5], 0)):
        plane = RoundingPlane(torch.tensor([[0.0, 0.0], code]))
        won = torch.frombuffer(bytearray(plane.cells), dtype=torch.uint8).view(2, 96, 96)[0]
        expected = torch.arange(96) >= 64 if axis == 1 else torch.arange(96) < 32
        assert torch.equal(won.bool(), expected.expand(96, 96) if axis == 1 else expected[:, None].expand(96, 96))


@pytest.mark.parametrize("make", [lambda: DistancePlane(CODES, CODES), lambda: ExpansionPlane(CODES, CODES),
                                  lambda: RoundingPlane(CODES)])
def test_saved_pictures_are_the_same_every_time(make):
    first, second = make().picture(), make().picture()
    assert first[:4] == b"\x89PNG" and first == second
