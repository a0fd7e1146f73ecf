"""Painting with tokens: the window decoded alone against the whole decoded, strokes, undo, the page's messages."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vqlab import EMAVectorQuantizer, SimpleVQVAE, TokenContext, to_uint8
from vqlab.codec import pack
from vqlab.lessons.photographs import TokenPainter
from vqlab.lessons.photographs.painter import sheet
from vqlab.lessons.photographs.painting import UNDO, Painting
from vqlab.lessons.photographs.reach import Box
from vqlab.lessons.photographs.window import around, code_patches, decode_window, radius

HEIGHT, WIDTH = 13, 22  # tokens


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = SimpleVQVAE(32, 6, hidden=8, blocks=2)
    model.quantize.embedding.weight.data.normal_()
    return model.eval()


@pytest.fixture
def picture():
    return torch.rand(1, 3, 4 * HEIGHT, 4 * WIDTH, generator=torch.Generator().manual_seed(0)) * 2 - 1


def whole(painting):
    """What decoding all tokens gives, (C, H, W)."""
    size = tuple(4 * side for side in painting.tokens.shape)
    return painting.model.idxBl_to_img([painting.tokens.flatten()[None]], size=size)[0]


def same(painting):
    return (painting.picture - whole(painting)).abs().max() < 1e-5


@pytest.mark.parametrize("blocks", [0, 1, 2, 5])
def test_the_radius_is_one_a_layer(blocks):
    """By arithmetic: each 3 × 3 convolution looks one cell further. The decoder has one before and one after."""
    model = SimpleVQVAE(8, 4, hidden=4, blocks=blocks)
    assert radius(model.decoder, 4) == blocks + 2
    assert radius(model.encoder, 3, cell=4) == blocks + 1


def test_the_radius_asks_the_layers_not_the_weights():
    model = SimpleVQVAE(8, 4, hidden=4, blocks=1)
    for weights in model.decoder.parameters():
        weights.data.zero_()  # nothing reaches anything, as long as it is not trained further
    assert radius(model.decoder, 4) == 3 and not any(weights.any() for weights in model.decoder.parameters())
    assert radius(nn.Conv2d(1, 1, 5, padding=2), 1) == 2
    assert radius(nn.Sequential(*[nn.Conv2d(1, 1, 5, padding=2)] * 9), 1) > HEIGHT + WIDTH  # 18: too far to measure


def test_around_stays_on_the_map():
    assert around(5, 6, 2, 3, 4, (13, 22)) == Box(1, 2, 10, 11)
    assert around(0, 20, 1, 1, 4, (13, 22)) == Box(0, 16, 5, 6)
    assert around(-2, -1, 3, 3, 0, (13, 22)) == Box(0, 0, 1, 2)


def test_a_window_is_the_wholes(model):
    tokens = torch.randint(32, (2, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1))
    both = model.decoder(model.quantize.decode(tokens))
    reach = radius(model.decoder, 6)
    for window in (Box(0, 0, 1, 1), Box(5, 9, 2, 3), Box(12, 21, 1, 1), Box(0, 0, HEIGHT, WIDTH), Box(4, 0, 6, 22)):
        part = decode_window(model, tokens, window, reach)
        top, left = 4 * window.top, 4 * window.left
        assert (part - both[:, :, top:top + 4 * window.height, left:left + 4 * window.width]).abs().max() < 1e-5
    short = decode_window(model, tokens, Box(5, 9, 2, 3), reach - 1)  # one less, and it would show
    assert (short - both[:, :, 20:28, 36:48]).abs().max() > 1e-4


def test_code_patches_are_what_a_wall_of_the_code_looks_like(model):
    patches = code_patches(model, radius(model.decoder, 6))
    assert patches.shape == (32, 3, 4, 4)
    wall = model.idxBl_to_img([torch.full((1, 400), 7)])[0]
    assert (patches[7] - wall[:, 40:44, 40:44]).abs().max() < 1e-5
    assert (wall[:, 40:44, 40:44] - wall[:, 36:40, 44:48]).abs().max() < 1e-5  # far from the edge all are alike


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["code", "stamp", "erase", "undo", "redo", "reset", "stroke"]),
                          st.integers(-9, HEIGHT + 3), st.integers(-9, WIDTH + 3), st.integers(1, 8),
                          st.integers(0, 31)), max_size=12))
def test_whatever_is_painted_the_picture_is_the_wholes(model, strokes):
    picture = torch.rand(1, 3, 4 * HEIGHT, 4 * WIDTH, generator=torch.Generator().manual_seed(0)) * 2 - 1
    painting = Painting(model, picture)
    for name, row, column, size, code in strokes:
        if name == "code":
            painting.paint(row, column, torch.full((size, size), code))
        elif name == "stamp":
            painting.paint(row, column, painting.pick(code % HEIGHT, code % WIDTH, size))
        elif name == "erase":
            painting.erase(row, column, size)
        else:
            getattr(painting, name)()
        painting.redraw()
        assert same(painting)


def test_only_what_the_change_reaches_is_redrawn(model, picture):
    painting = Painting(model, picture)
    assert torch.equal(painting.start.flatten(), model.img_to_idxBl(picture)[0][0]) and same(painting)
    assert painting.redraw() is None and painting.changed == 0
    before = painting.picture.clone()
    painting.paint(6, 10, (painting.tokens[6:7, 10:11] + 1) % 32)
    assert painting.redraw() == Box(2, 6, 9, 9) and painting.changed == 1
    untouched = torch.ones(4 * HEIGHT, 4 * WIDTH, dtype=torch.bool)
    untouched[8:44, 24:60] = False
    assert torch.equal(painting.picture[:, untouched], before[:, untouched])
    assert (painting.picture - before)[:, 24:28, 40:44].abs().max() > 1e-3


def test_undo_goes_back_stroke_by_stroke_and_redo_forth(model, picture):
    painting = Painting(model, picture)
    maps = [painting.tokens.clone()]
    for number in range(3):
        painting.stroke()
        for column in range(3):
            painting.paint(number, 2 * number + column, torch.full((2, 2), 9 + number))
        maps.append(painting.tokens.clone())
    for expected in (*maps[2::-1], maps[0]):
        painting.undo()
        assert torch.equal(painting.tokens, expected)
    assert not painting.can_undo() and painting.can_redo() and painting.changed == 0
    for expected in (*maps[1:], maps[3]):
        painting.redo()
        assert torch.equal(painting.tokens, expected)
    painting.undo()
    painting.stroke()
    painting.paint(0, 0, torch.full((1, 1), 31))
    assert not painting.can_redo()  # another way was taken
    painting.reset()
    assert painting.changed == 0
    painting.undo()
    assert painting.tokens[0, 0] == 31  # a reset can be undone


def test_strokes_that_change_nothing_cost_no_undo(model, picture):
    painting = Painting(model, picture)
    for _ in range(3):
        painting.stroke()
    assert not painting.can_undo()
    painting.paint(0, 0, (painting.tokens[:1, :1] + 1) % 32)
    painting.stroke()
    painting.undo()
    assert painting.changed == 0


def test_the_memory_of_strokes_is_bounded(model, picture):
    painting = Painting(model, picture)
    for number in range(UNDO + 50):
        painting.stroke()
        painting.paint(0, 0, torch.full((1, 1), number % 32))
    assert len(painting._past) == UNDO


def test_what_sticks_out_is_left_off_and_the_eraser_brings_back(model, picture):
    painting = Painting(model, picture)
    brush = torch.arange(9).view(3, 3)
    painting.paint(-1, WIDTH - 2, brush)
    assert torch.equal(painting.tokens[:2, -2:], brush[1:, :2])
    painting.paint(-5, 0, brush)
    painting.paint(0, WIDTH, brush)
    expected = painting.start.clone()
    expected[:2, -2:] = brush[1:, :2]
    assert torch.equal(painting.tokens, expected)
    assert torch.equal(painting.pick(-1, WIDTH - 2, 3), brush[1:, :2])
    painting.erase(-1, WIDTH - 1, 2)  # one token, the corner
    expected[0, -1] = painting.start[0, -1]
    assert torch.equal(painting.tokens, expected)


def test_a_model_of_several_scales_is_refused(picture):
    with pytest.raises(ValueError, match="expected a model of one scale"):
        Painting(SimpleVQVAE(8, 4, patch_nums=(1, 2, 4)), picture)


def ask(widget, *acts, request=1):
    widget._handle_custom_msg({"acts": [list(act) for act in acts], "request": request}, [])


def view(widget):
    """Its last message: pixels (H, W, 3), tokens (h, w) and the window."""
    top, left, height, width = widget.answer["window"]
    pixels = np.frombuffer(widget.pixels, np.uint8).reshape(4 * height, 4 * width, 3)
    return pixels, np.frombuffer(widget.tokens, "<u2").reshape(height, width), (top, left)


def test_the_page_that_puts_windows_together_has_the_whole_picture(model, picture):
    widget = TokenPainter(model, picture)
    page, tokens, _ = (each.copy() if isinstance(each, np.ndarray) else each for each in view(widget))
    assert page.shape == (4 * HEIGHT, 4 * WIDTH, 3) and widget.answer["request"] == 0
    script = [(("stroke",), ("code", 3, 4, 2, 7)), (("code", 12, 21, 3, 9),), (("pick", 0, 0, 3),),
              (("stroke",), ("stamp", 6, 6), ("stamp", 6, 9)), (("erase", 3, 4, 1),), (("undo",),), (("redo",),),
              (("undo",), ("undo",))]
    serials = [widget.answer["serial"]]
    for number, acts in enumerate(script, start=5):
        ask(widget, *acts, request=number)
        part, words, (top, left) = view(widget)
        page[4 * top:4 * top + len(part), 4 * left:4 * left + part.shape[1]] = part
        tokens[top:top + len(words), left:left + words.shape[1]] = words
        assert widget.answer["request"] == number
        assert (tokens == widget.painting.tokens.numpy()).all()
        assert np.abs(page.astype(int) - to_uint8(whole(widget.painting))).max() <= 1  # of 255: sums round
        assert widget.answer["changed"] == (tokens != widget.painting.start.numpy()).sum()
        serials.append(widget.answer["serial"])
    assert len(set(serials)) == len(serials)
    assert (tokens == widget.painting.start.numpy()).all() and not widget.answer["undo"] and widget.answer["redo"]
    assert widget.answer["brush"] == widget.painting.start[:3, :3].tolist()
    ask(widget, ("whole",))
    assert (np.abs(view(widget)[0].astype(int) - page) <= 1).all()


def test_nothing_changed_sends_no_pixels(model, picture):
    widget = TokenPainter(model, picture)
    ask(widget, ("undo",), ("stamp", 2, 2))  # nothing done yet, no brush picked
    assert widget.pixels == b"" and widget.answer["window"] == [0, 0, 0, 0]


@pytest.mark.parametrize("act, says", [(("code", 0, 0, 1, 32), r"a code in 0\.\.31, got 32"),
                                       (("erase", 0, 0, 17), "a brush of 1 to 16 tokens, got 17"),
                                       (("__init__",), "something that a painter does"),
                                       (("load", 0, 0, 1), "something that a painter does, got 'load'")])
def test_the_page_cannot_ask_for_anything_else(model, picture, act, says):
    with pytest.raises(ValueError, match=says):
        TokenPainter(model, picture).act(*(act if act[0] != "__init__" else (*act, 0, 0, 1)))


def test_painting_adds_to_the_file_and_its_size_is_not_told(picture):
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 4, quantizer=EMAVectorQuantizer(16, 4), context=TokenContext(16)).eval()
    model.quantize.embedding.weight.data.normal_()
    widget = TokenPainter(model, picture)
    assert widget.answer["more"] is None and "bytes" not in widget.answer
    ask(widget, ["weigh"])
    assert widget.answer["more"] == widget.more == 0
    ask(widget, ["stroke"], *(["code", row, 3, 1, 5 * row % 16] for row in range(12)))
    assert widget.answer["more"] is None
    ask(widget, ["weigh"])
    first, now = (len(pack(model, tokens)) for tokens in (widget.painting.start, widget.painting.tokens))
    assert widget.painting.changed > 0 and widget.answer["more"] == now - first != 0
    widget.load(picture.flip(-1))
    ask(widget, ["stroke"], ["code", 0, 0, 4, 7])
    ask(widget, ["weigh"])
    first, now = (len(pack(model, tokens)) for tokens in (widget.painting.start, widget.painting.tokens))
    assert widget.answer["more"] == now - first


def test_another_picture_is_painted_on(model, picture):
    widget = TokenPainter(model, picture)
    ask(widget, ("stroke",), ("code", 0, 0, 8, 3), request=4)
    widget.load(picture[:, :, :20, :40])
    assert widget.answer["size"] == [5, 10] and widget.answer["window"] == [0, 0, 5, 10]
    assert widget.answer["changed"] == 0 and not widget.answer["undo"]


def test_the_palette_goes_from_dark_to_bright(model, picture):
    widget = TokenPainter(model, picture)
    patches = np.frombuffer(widget.patches, np.uint8).reshape(32, -1).mean(axis=1)
    assert sorted(widget.setup["order"]) == list(range(32))
    assert (np.diff(patches[widget.setup["order"]]) > -0.5).all()  # rounded
    assert widget.picture().startswith(b"\x89PNG") and widget.alt_en in widget.html()


def test_a_sheet_of_patches_row_by_row():
    patches = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)
    assert sheet(patches, columns=3)[::4, ::4, 0].tolist() == [[0, 1, 2], [3, 4, 255]]
