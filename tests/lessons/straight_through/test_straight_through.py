"""Lesson 3's parts: arrows against arithmetic by hand, the table, the black boxes, the chase, one's own VQ-VAE."""

from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest
import torch

from vqlab import SimpleVQVAE, digits, nearest_code, psnr, rotation_trick, straight_through
from vqlab.lessons.straight_through.chase import RATE, Chase, ChasePlayer, chase_start, code_changes, draw_betas
from vqlab.lessons.straight_through.gradients import PLANE_CODES, GradientPlane, arrows, draw_step, spread_after
from vqlab.lessons.straight_through.losses import black_boxes, draw_loss_table, gradient_norms

Z_E, Z_Q, TARGET = torch.tensor([0.6, 0.0]), torch.tensor([0.0, 1.2]), torch.tensor([1.0, 1.0])
ASKED = torch.tensor([-1.0, 0.2])  # z_q − target


def near(got, expected):
    return got is not None and torch.allclose(got, torch.as_tensor(expected), atol=1e-6)


def test_each_way_sends_the_gradient_where_arithmetic_says():
    plain = arrows(lambda z_e, z_q: z_q, Z_E, Z_Q, TARGET)
    assert near(plain.value, Z_Q) and near(plain.code, ASKED) and plain.encoder is None
    through = arrows(straight_through, Z_E, Z_Q, TARGET)
    assert near(through.value, Z_Q) and near(through.encoder, ASKED) and through.code is None
    wrong_side = arrows(lambda z_e, z_q: z_e.detach() + (z_q - z_e), Z_E, Z_Q, TARGET)
    assert near(wrong_side.value, Z_Q) and near(wrong_side.encoder, -ASKED) and near(wrong_side.code, ASKED)
    swapped = arrows(lambda z_e, z_q: z_q + (z_e - z_q).detach(), Z_E, Z_Q, TARGET)
    assert near(swapped.value, Z_E) and near(swapped.asked, Z_E - TARGET) and swapped.encoder is None
    # z_e lies 90° clockwise of z_q and is half as long: the gradient turns by −90° and doubles
    turned = arrows(rotation_trick, Z_E, Z_Q, TARGET)
    assert near(turned.value, Z_Q) and near(turned.encoder, [0.4, 2.0]) and turned.code is None


def test_no_path_at_all_and_no_tensor():
    cut = arrows(lambda z_e, z_q: z_q.detach(), Z_E, Z_Q, TARGET)
    assert cut.asked is cut.encoder is cut.code is None
    with pytest.raises(ValueError, match=r"expected a tensor \(1, 2\).*NoneType"):
        arrows(lambda z_e, z_q: None, Z_E, Z_Q, TARGET)
    with pytest.raises(ValueError, match=r"got \(2, 2\)"):
        arrows(lambda z_e, z_q: z_q.repeat(2, 1), Z_E, Z_Q, TARGET)


def test_the_plane_answers_what_the_page_asks():
    plane = GradientPlane({"z_q": lambda z_e, z_q: z_q, "through": straight_through})
    generator = torch.Generator().manual_seed(0)
    for request in range(1, 20):
        z_e, target = (3 * torch.rand(2, 2, generator=generator) - 1.5).tolist()
        plane._asked(plane, {"z_e": z_e, "target": target, "request": request}, [])
        z_q = PLANE_CODES[nearest_code(torch.tensor([z_e]), PLANE_CODES)[0]]
        answer = plane.answer
        assert answer["request"] == request and "error" not in answer
        assert near(torch.tensor(answer["results"][1]["value"]), z_q)
        assert near(torch.tensor(answer["results"][1]["encoder"]), z_q - torch.tensor(target))
        assert answer["results"][0]["encoder"] is None
    before = plane.picture()
    plane.update((-1, 0.4), (0, 0), 99)
    assert before.startswith(b"\x89PNG") and plane.picture() != before


def test_a_learners_error_is_shown_and_passes():
    calls = []

    def way(z_e, z_q):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("oh no")
        return z_e

    plane = GradientPlane({"mine": way})
    plane._asked(plane, {"z_e": [0, 0], "target": [1, 1], "request": 1}, [])
    assert plane.answer["error"] == "RuntimeError: oh no" and plane.answer["request"] == 1
    plane._asked(plane, {"z_e": [0, 0], "target": [1, 1], "request": 2}, [])
    assert "error" not in plane.answer


def test_the_table_says_none_where_no_path_leads():
    torch.manual_seed(0)
    model = SimpleVQVAE(4, 2, in_channels=1, hidden=4, blocks=0)
    z_e = model.encoder(torch.randn(1, 1, 8, 8))
    loss = 3 * model.quantize.embedding.weight.sum()
    parts = {"encoder": model.encoder, "codebook": model.quantize.embedding}
    table = gradient_norms({"codes": loss, "zero": 0 * z_e.sum()}, parts)
    assert table["codes"] == {"encoder": None, "codebook": pytest.approx(3 * 8**0.5)}
    assert table["zero"] == {"encoder": 0, "codebook": None}
    texts = [text.get_text() for text in draw_loss_table(table).texts]
    assert texts == ["没有路 no path", "8.5", "0", "没有路 no path"]
    plt.close("all")


def test_black_boxes_differ_in_their_gradients_only():
    z = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(1))
    found = []
    for box in black_boxes(generator=torch.Generator().manual_seed(0)):
        z_e = z.clone().requires_grad_()
        quantized, loss, indices = box(z_e)
        found.append((quantized, loss, indices, *torch.autograd.grad(loss, [z_e, box.embedding.weight])))
    famous, right = found
    assert torch.equal(famous[0], right[0]) and torch.equal(famous[2], right[2])
    assert torch.allclose(famous[1], right[1])
    assert torch.allclose(famous[3], 4 * right[3]) and torch.allclose(famous[4], right[4] / 4)


def test_a_step_of_the_chase_by_hand():
    # code (1, 0) has both vectors: z (2, 0) with target (3, 0) and z (1, 2) with target (1, 1); code (-9, 0) has none
    chase = Chase(*(torch.tensor(x, dtype=torch.float64) for x in
                    ([[2, 0], [1, 2]], [[1, 0], [-9, 0]], [[3, 0], [1, 1]])))
    after = chase.step(beta=0.5)
    # z: (z_q − t) + β (z_e − z_q) = (−2 + 0.5, 0) and (0, −1 + 1); the code: Σ (e − z_e) = (−1, −2)
    assert torch.allclose(after.z_e, torch.tensor([[2 + 1.5 * RATE, 0], [1, 2]], dtype=torch.float64))
    assert torch.allclose(after.codes, torch.tensor([[1 + RATE, 2 * RATE], [-9, 0]], dtype=torch.float64))
    assert chase.gap() == pytest.approx(1.5) and chase.error() == pytest.approx(1.5)


def test_without_beta_they_run_and_at_rest_the_leash_is_error_over_beta():
    start = chase_start(torch.Generator().manual_seed(0))
    films = {beta: start.run(beta, 400) for beta in (0, 2)}
    assert code_changes(films[0]) > 5 * code_changes(films[2]) > 0
    rest = films[2][-1]
    assert rest.gap() == pytest.approx(rest.error() / 2, rel=1e-3)
    left, right = draw_betas(films)
    assert list(left.lines[0].get_ydata()) == [code_changes(film) for film in films.values()]
    plt.close("all")


def test_the_player_shows_where_it_starts():
    player = ChasePlayer(chase_start(torch.Generator().manual_seed(0)), beta=1)
    assert player.setup["beta"] == 1 and len(player.setup["z_e"]) == 24 and len(player.setup["codes"]) == 4
    assert player.picture().startswith(b"\x89PNG")


def test_straight_through_shifts_and_the_rotation_goes_along_the_rays():
    points = torch.tensor([[1.0, 0.5], [0.5, 1.0], [1.2, 1.2]])
    z_q = torch.tensor([1.0, 1.0])
    shift, rays = (draw_step(way, points, z_q, 0.3 * z_q).collections[0]
                   for way in (straight_through, rotation_trick))
    assert torch.allclose(torch.tensor([*shift.U, *shift.V]), torch.tensor(-0.3), atol=1e-6)
    along = torch.stack([torch.tensor(rays.U), torch.tensor(rays.V)], dim=1).float()
    # z_e − |q| / |e| · 0.3 |q| · e / |e|
    assert torch.allclose(along, -0.6 * points / points.square().sum(dim=1, keepdim=True), atol=1e-6)
    plt.close("all")


def test_spread_after_a_step():
    z_q = torch.tensor([2.0, 0.0, 0.0])
    ring = torch.tensor([[2.0, 0.1, 0.0], [2.0, -0.1, 0.0], [2.0, 0.0, 0.1], [2.0, 0.0, -0.1]])  # equally long
    assert spread_after(straight_through, ring, z_q, 0.25 * z_q) == pytest.approx(1)
    # every point goes along its own ray, 0.25 |q|² / |e|² = 1 / 4.01 of its way
    assert spread_after(rotation_trick, ring, z_q, 0.25 * z_q) == pytest.approx(1 - 1 / 4.01)
    assert spread_after(rotation_trick, ring, z_q, -0.25 * z_q) == pytest.approx(1 + 1 / 4.01)


def test_a_vqvae_of_ones_own_takes_under_twenty_lines():
    """Lesson 3 says so; its two cells run here for 60 of their 600 steps, with nothing else of the lesson's."""
    twin = Path(__file__).parents[3] / "notebooks/py/03_straight_through.py"
    cells = [cell.source for cell in jupytext.reads(twin.read_text("utf-8"), "py:percent").cells]
    quantizer, training = (next(cell for cell in cells if start in cell) for start in ("class VQ(", "optimizer = "))
    data = [line for line in training.splitlines() if line.startswith(("torch.manual_seed", "train, unseen"))]
    lines = [line for line in f"{quantizer}\n{training}".splitlines() if line.strip() and line not in data]
    assert len(data) == 2 and len(lines) < 20
    names = {"torch": torch, "nn": torch.nn, "mse_loss": torch.nn.functional.mse_loss, "digits": digits}
    exec(quantizer, names)
    exec(training.replace("(600, 128)", "(60, 128)"), names)
    train, unseen = names["train"], names["unseen"]
    with torch.no_grad():
        z_q, _, tokens = names["vq"](names["encoder"](unseen))
        learnt = psnr(names["decoder"](z_q), unseen).mean()
        lazy = psnr(train.mean(dim=0).expand_as(unseen), unseen).mean()
    assert tokens.shape == (297 * 16,) and learnt > lazy + 1
