"""Lesson 2's numbers: planes, distortion, Lloyd, palettes; the saved pictures are pure functions of the state."""

import math

import pytest
import torch

from vqlab import kmeans, photos, small_photo
from vqlab.lessons.argmin import (
    PalettePlayer,
    VoronoiPlane,
    distortion,
    grid_palette,
    lloyd_step,
    palette_rate,
    photo_plane,
    repaint,
    sweep,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def photo():
    return small_photo(photos()["astronaut"], 32)


def test_the_plane_keeps_what_it_says(photo):
    plane = photo_plane(photo, 32 * 32, generator=seeded())
    pixels = plane.colours.double() / 127.5 - 1
    centred = pixels - plane.mean
    assert plane.kept == pytest.approx(float(plane.points.double().square().sum() / centred.square().sum()), abs=1e-3)
    assert torch.allclose(centred @ plane.axes, plane.points.double(), atol=1e-3)
    assert torch.equal(plane.axes.sum(dim=0) > 0, torch.tensor([True, True]))  # right and up are brighter
    assert torch.equal(plane.points * 1024, (plane.points * 1024).round())
    on_plane = plane.mean + plane.points.double() @ plane.axes.T
    assert torch.equal(plane.colour(plane.points), ((on_plane.clamp(-1, 1) + 1) * 127.5).round().byte())


def test_distortion_by_hand():
    z, codes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]]), torch.tensor([[0.0, 1.0], [5.0, 4.0]])
    assert distortion(z, codes) == pytest.approx((1 + 2 + 1) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_lloyd_never_raises_the_distortion_and_is_what_kmeans_does(seed):
    z = torch.randn(300, 2, generator=seeded(seed))
    codes = kmeans(z, 6, iterations=0, generator=seeded(seed))
    seen = [distortion(z, codes)]
    for _ in range(12):
        codes = lloyd_step(z, codes)
        seen.append(distortion(z, codes))
    assert all(later <= earlier + 1e-7 for earlier, later in zip(seen, seen[1:], strict=False))
    assert seen[-1] < seen[0]
    assert torch.allclose(codes, kmeans(z, 6, iterations=12, generator=seeded(seed)), atol=1e-5)


def test_a_code_without_vectors_stays():
    codes = lloyd_step(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[1.0, 1.0], [50.0, 50.0]]))
    assert codes.tolist() == [[1.0, 0.0], [50.0, 50.0]]


def test_rates_and_grids_by_hand():
    assert palette_rate(2, 4, 6) == 1 + 2  # 48 bits of palette on 24 pixels
    assert palette_rate(256, 128, 128) == 8 + 24 * 256 / 128**2
    assert grid_palette(2).unique().tolist() == [-0.5, 0.5] and grid_palette(3).shape == (27, 3)


def test_repaint_keeps_a_photo_whose_colours_are_all_in_the_palette(photo):
    assert torch.equal(repaint(photo, photo.flatten(1).T.unique(dim=0)), photo)


def test_the_player_remembers_what_was_played(photo):
    player = PalettePlayer(photo, (2, 8, 32), generator=seeded())
    assert list(player.played) == [2]
    player.update(2, request=1)
    assert player.answer["size"] == 32 and [row[0] for row in player.answer["played"]] == [2, 32]
    rate, quality = player.played[32]
    assert rate == 5 + 24 * 32 / 1024
    painted = repaint(photo, player.palettes[32])
    assert quality == pytest.approx(float(10 * torch.log10(4 / (painted - photo).square().mean())), abs=1e-4)
    assert len(player.pixels) == 2 * photo.numel() and len(player.palette) == 3 * 32
    assert player.picture() == player.picture() and player.picture()[:4] == b"\x89PNG"


def test_a_plane_of_codes_reports_what_javascript_left(photo):
    plane = photo_plane(photo, 100, generator=seeded())
    widget = VoronoiPlane(plane, torch.zeros(3, 2))
    before = widget.picture()
    widget.codes = [[0.5, 0.0], [-1.0, 0.25], [0.0, 0.0]]
    assert widget.codebook.tolist() == [[0.5, 0.0], [-1.0, 0.25], [0.0, 0.0]]
    assert widget.picture() != before
    with pytest.raises(ValueError, match=r"expected starts \(K, 2\)"):
        VoronoiPlane(plane, torch.zeros(3))


def test_sweep_calls_in_order():
    assert sweep(lambda x: x * 2, torch.tensor([1.0, -3.0])).tolist() == [2.0, -6.0]
    assert math.isclose(float(sweep(torch.exp, torch.tensor([0.0]))), 1.0)
