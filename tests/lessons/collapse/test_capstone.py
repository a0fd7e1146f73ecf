"""The capstone: the lesson's own solution passes, and whoever misses something is told what."""

import ast
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from vqlab import kmeans, nearest_code
from vqlab.lessons.collapse import Capstone
from vqlab.lessons.collapse.capstone import ALLOWANCE

TWIN = Path(__file__).parents[3] / "notebooks/py/04_collapse.py"
STEPS = torch.linspace(-1, 1, 8), torch.linspace(-1, 1, 8), torch.linspace(-1, 1, 4)  # 3 + 3 + 2 bits of colour


@pytest.fixture(scope="module")
def capstone():
    return Capstone()


def encode(pictures):
    """A token is the mean colour of its square, 8 × 8 × 4 of them: nothing is learnt, and it is a tokenizer."""
    index = 0
    for colour, steps in zip(F.avg_pool2d(pictures, 4).unbind(1), STEPS, strict=True):
        index = index * len(steps) + (colour[..., None] - steps).abs().argmin(dim=-1)
    return index


def decode(tokens):
    colours = torch.cartesian_prod(*STEPS)[tokens].permute(0, 3, 1, 2)
    return F.interpolate(colours, scale_factor=4)


def hint(capstone, make):
    verdict = capstone.judge(make)
    assert verdict.state in ("wrong", "error") and all(verdict.hint)
    return verdict.hint[1]


def test_the_lessons_solution_passes(capstone):
    names = {}
    for cell in jupytext.reads(TWIN.read_text("utf-8"), "py:percent").cells:
        if "class LivingCodebook" in cell.source or "def solution(batches)" in cell.source:
            tree = ast.parse(cell.source)
            tree.body = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
            names.update(torch=torch, nearest_code=nearest_code)
            exec(compile(tree, str(TWIN), "exec"), names)
    before = torch.get_rng_state()
    verdict = capstone.judge(names["solution"])
    assert verdict.state == "right", verdict
    assert [label[1] for label, _ in verdict.example] == ["unseen photographs", "codes in use"]
    assert torch.equal(torch.get_rng_state(), before)


def test_an_honest_tokenizer_that_learns_nothing_is_marked(capstone):
    said = capstone.judge(lambda batches: (encode, decode))
    assert said.state == "wrong" and len(said.example) == 2 and "collapsed" in said.hint[1]


def test_a_palette_of_mean_colours_falls_short(capstone):
    def palette(batches):
        squares = torch.cat([F.avg_pool2d(next(batches), 4).permute(0, 2, 3, 1).reshape(-1, 3) for _ in range(20)])
        colours = kmeans(squares, 256)

        def nearest(pictures):
            means = F.avg_pool2d(pictures, 4).permute(0, 2, 3, 1)
            return torch.cdist(means.flatten(0, 2), colours).argmin(dim=1).view(means.shape[:3])

        return nearest, lambda tokens: F.interpolate(colours[tokens].permute(0, 3, 1, 2), scale_factor=4)

    assert "not sharp enough" in hint(capstone, palette)


def test_who_uses_all_codes_but_draws_badly_is_told_so(capstone):
    shuffle = torch.randperm(256, generator=torch.Generator().manual_seed(0))

    def spread(pictures):  # the last of its digits counts the squares: all codes occur, most say nothing
        return torch.arange(pictures[:, 0].numel() // 16).view(-1, *(side // 4 for side in pictures.shape[2:])) % 256

    said = hint(capstone, lambda batches: (spread, lambda tokens: decode(shuffle[tokens])))
    assert "not sharp enough" in said


def test_few_codes_are_a_collapse(capstone):
    assert "collapsed" in hint(capstone, lambda batches: (lambda x: encode(x) // 64 * 64, decode))


@pytest.mark.parametrize("make, says", [
    (lambda batches: (lambda x: F.avg_pool2d(x, 4), decode), "encode returns float32, not indices"),
    (lambda batches: (lambda x: x, lambda x: x), "not indices"),
    (lambda batches: (lambda x: encode(x).flatten(1), decode),
     "Expected (1, 75, 112) int64 from encode (one for 4 × 4 pixels), got (1, 8400) int64"),
    (lambda batches: (lambda x: encode(x).int(), decode), "got (1, 75, 112) int32"),
    (lambda batches: (lambda x: encode(x) + 1, decode), "Expected tokens from 0 to 255, got"),
    (lambda batches: (lambda x: encode(x) - 300, decode), "Expected tokens from 0 to 255, got -"),
    (lambda batches: (lambda x: encode(x).tolist(), decode), "Expected a tensor from encode, got list"),
    (lambda batches: (encode, lambda tokens: decode(tokens)[..., ::2, ::2]), "Expected a picture (1, 3, 300, 448)"),
    (lambda batches: (encode, lambda tokens: decode(tokens) / 0), "NaN or Inf"),
    (lambda batches: (encode, lambda tokens: torch.zeros(1, 3, 300, 448)), "does not depend on the tokens"),
    (lambda batches: encode, "Return two functions, encode, decode; got function"),
    (lambda batches: 1 / 0, "An error in training: ZeroDivisionError"),
    (lambda batches: (encode, lambda tokens: 1 / 0), "An error in encode or decode: ZeroDivisionError"),
])
def test_what_is_wrong_is_said(capstone, make, says):
    assert says in hint(capstone, make)


def test_who_keeps_the_picture_is_found_out(capstone):
    kept = []

    def keep(pictures):
        kept.append(pictures)
        return encode(pictures)

    assert "keep the picture elsewhere" in hint(capstone, lambda batches: (keep, lambda tokens: kept[-1]))


def test_a_stub_is_not_yet_and_an_endless_training_is_stopped(capstone):
    assert capstone.judge(lambda batches: ...).state == capstone.judge(lambda batches: None).state == "not yet"

    def endless(batches):
        while True:
            pass

    capstone.patience = 0.2
    try:
        assert "stopped after 0.2 seconds" in hint(capstone, endless)
        assert capstone.judge(endless).reason == "slow"  # the lesson's own solution may be, elsewhere
    finally:
        del capstone.patience


def save(folder, images):
    for number, pixels in enumerate(images):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")


def test_every_fourth_of_ones_own_photographs_is_the_exam(tmp_path):
    flat = [np.full((128, 160, 3), 20 * number) for number in range(8)]
    save(tmp_path, flat)
    own = Capstone(tmp_path)
    assert [round((picture.mean().item() + 1) * 127.5) for picture in own.exam] == [60, 140]  # numbers 3 and 7
    seen = []
    own.judge(lambda batches: seen.extend(next(batches) for _ in range(20)))
    levels = {round((x + 1) * 127.5) for x in torch.cat(seen).mean(dim=(1, 2, 3)).tolist()}
    assert levels == {0, 20, 40, 80, 100, 120}


def test_the_goal_is_a_little_below_the_mosaic(tmp_path):
    rows = np.tile(np.array([0, 0, 255, 255]), 32)[:, None, None].repeat(128, 1).repeat(3, 2)  # mean 127.5 a square
    save(tmp_path, [rows] * 4)
    assert Capstone(tmp_path).goal == pytest.approx(10 * np.log10(4) - ALLOWANCE, abs=1e-4)  # every pixel is off by 1


def test_too_few_photographs(tmp_path):
    save(tmp_path, [np.zeros((128, 128, 3))] * 3)
    with pytest.raises(ValueError, match="expected at least 4 photographs in .*, got 3"):
        Capstone(tmp_path)
