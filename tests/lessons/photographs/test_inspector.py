"""Looking at a token: its code and neighbours by brute force, what it sees and draws by changing things."""

import numpy as np
import pytest
import torch

from vqlab import SimpleVQVAE, to_uint8
from vqlab.lessons.photographs import TokenInspector, reached, seen
from vqlab.lessons.photographs.inspector import NEAREST, Inspection
from vqlab.lessons.photographs.reach import Box

HEIGHT, WIDTH = 13, 22  # tokens


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = SimpleVQVAE(32, 6, hidden=8, blocks=2)
    model.quantize.embedding.weight.data.normal_()
    return model.eval()


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 3, 4 * HEIGHT, 4 * WIDTH, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def inspection(model, picture):
    return Inspection(model, picture)


def test_the_map_and_what_it_looks_like_are_the_models(model, picture, inspection):
    tokens = model.img_to_idxBl(picture)
    assert torch.equal(inspection.tokens.flatten(), tokens[0][0])
    whole = model.idxBl_to_img(tokens, size=tuple(picture.shape[2:]))[0]
    assert (inspection.rebuilt - whole).abs().max() < 1e-5


def test_neighbours_are_the_nearest_codes(model, inspection):
    codes = model.quantize.embedding.weight.double()
    look = inspection.look(4, 7)
    distances = torch.cdist(codes[look.code][None], codes)[0]
    expected = sorted(set(range(32)) - {look.code}, key=lambda code: distances[code])[:NEAREST]
    assert look.neighbours == expected and look.code == inspection.tokens[4, 7]
    assert look.distances == pytest.approx(distances[expected].tolist(), rel=1e-5)
    z_e = model.encoder(inspection.picture)[0, :, 4, 7]
    assert look.gap == pytest.approx((z_e - codes[look.code]).norm().item(), rel=1e-5)


@pytest.mark.parametrize("row, column", [(6, 10), (0, 0), (12, 3), (1, 21)])
def test_sight_and_reach_are_those_of_the_whole_picture(model, picture, inspection, row, column):
    """The window alone was asked: the whole picture says the same, and has nothing to say elsewhere."""
    look = inspection.look(row, column)
    whole = seen(model, picture, row, column)
    inside = torch.zeros_like(whole)
    top, left, height, width = look.sees
    inside[top:top + height, left:left + width] = look.sees_weights
    assert (inside - whole).abs().max() < 1e-5 * whole.max()
    changed = reached(model, picture, row, column) > 0
    top, left, height, width = look.draws
    drawn = torch.zeros_like(changed)
    drawn[top:top + height, left:left + width] = True
    assert not (changed & ~drawn).any()
    # by arithmetic: two blocks, so 3 cells around what is seen and 4 around what is drawn, as far as the picture goes
    for place, away in ((look.sees, 3), (look.draws, 4)):
        first, last = max(row - away, 0), min(row + away, HEIGHT - 1)
        left, right = max(column - away, 0), min(column + away, WIDTH - 1)
        assert place == Box(4 * first, 4 * left, 4 * (last - first + 1), 4 * (right - left + 1))


def test_what_is_not_seen_has_no_say(model, picture, inspection):
    top, left, height, width = inspection.look(6, 10).sees
    other = torch.rand(1, 3, 4 * HEIGHT, 4 * WIDTH, generator=torch.Generator().manual_seed(1)) * 2 - 1
    other[:, :, top:top + height, left:left + width] = picture[:, :, top:top + height, left:left + width]
    same, before = (model.encoder(each)[0, :, 6, 10] for each in (other, picture))
    assert (same - before).abs().max() < 1e-5
    other[0, 0, top, left] += 1  # the corner of what it sees
    assert (model.encoder(other)[0, :, 6, 10] - before).abs().max() > 0


def test_looking_wants_a_token_of_one_scale(inspection, picture):
    with pytest.raises(IndexError, match="expected a token of 13 × 22, got row 13, column 0"):
        inspection.look(13, 0)
    with pytest.raises(ValueError, match="expected a model of one scale"):
        Inspection(SimpleVQVAE(8, 4, patch_nums=(1, 2, 4)), picture)


def test_a_code_alone_in_its_codebook_draws_nothing_else(picture):
    lonely = Inspection(SimpleVQVAE(1, 4, hidden=4, blocks=0), picture).look(5, 5)
    assert lonely.neighbours == [] and not lonely.draws_weights.any()


def test_the_page_gets_what_is_asked_for(model, picture):
    widget = TokenInspector(model, picture)
    assert (widget.answer["row"], widget.answer["column"]) == (6, 11)  # the middle
    widget._handle_custom_msg({"row": 1, "column": 2, "request": 5}, [])
    look, answer = widget.token, widget.answer
    assert (look.row, look.column, answer["request"]) == (1, 2, 5)
    assert answer["code"] == widget.inspection.tokens[1, 2] and answer["sees"] == list(look.sees)
    weights = np.frombuffer(widget.weights, np.uint8)
    assert len(weights) == look.sees.height * look.sees.width + look.draws.height * look.draws.width
    first = weights[:look.sees.height * look.sees.width].reshape(look.sees.height, look.sees.width)
    assert first.max() == 255
    assert first.flat[int(look.sees_weights.argmax())] == 255 > first.mean() > 0
    assert np.frombuffer(widget.tokens, "<u2").tolist() == widget.inspection.tokens.flatten().tolist()
    assert widget.pictures == to_uint8(picture[0]).tobytes() + to_uint8(widget.inspection.rebuilt).tobytes()
    assert widget.picture().startswith(b"\x89PNG") and widget.alt_zh in widget.html()
