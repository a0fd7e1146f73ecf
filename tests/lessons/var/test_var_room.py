"""Lesson 7's parts: the mask's rules, costs by hand, what the studio looks up, the judges, the parts left out."""

import matplotlib.pyplot as plt
import pytest
import torch

from vqlab import VAR, MultiScaleQuantizer, SimpleVQVAE, digits, guide, to_uint8
from vqlab.lessons.var import (
    DigitStudio,
    Judge,
    MaskMap,
    compare,
    draw_completions,
    draw_cost,
    draw_guesses,
    draw_rows,
    draw_verdicts,
    exercises,
    judge,
    measure,
    pairs,
    plans,
    recipe,
    sheet,
    writing_loss,
)
from vqlab.lessons.var.ablations import ablated
from vqlab.lessons.var.judge import Verdict, small
from vqlab.lessons.var.mask import visible
from vqlab.lessons.var.studio import alternatives, write

SCALES = (1, 2, 3, 4)
KNOBS = dict(guidance=2.0, temperature=0.8, top_k=5, top_p=0.9)


@pytest.fixture(scope="module")
def tokenizer():
    torch.manual_seed(0)
    quantizer = MultiScaleQuantizer(16, 4, SCALES)
    quantizer.embedding.weight.data.normal_()
    return SimpleVQVAE(16, 4, in_channels=1, hidden=8, blocks=1, quantizer=quantizer).eval()


@pytest.fixture(scope="module")
def var(tokenizer):
    torch.manual_seed(1)
    var = VAR(tokenizer, 10, width=16, depth=2, heads=2).eval()
    var.head.weight.data.normal_(std=0.3)  # beliefs that differ from code to code, none near certainty
    return var


@pytest.fixture(scope="module")
def real():
    images, labels = digits()
    return images[:400], labels[:400], images[1500:1600], labels[1500:1600]


def test_the_rules_of_the_mask():
    by_scale, by_token, without = (visible(rule, (1, 4)) for rule in ("scale", "token", "all"))
    assert by_scale.int().tolist() == [[1, 0, 0, 0, 0]] + 4 * [[1, 1, 1, 1, 1]]
    assert by_token.int().tolist() == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1] * 5]
    assert without.all()
    widget = MaskMap((1, 2))
    assert [rule["rows"] for rule in widget.setup["rules"]] == [
        mask.int().tolist() for mask in (by_scale, by_token, without)]
    assert widget.picture().startswith(b"\x89PNG") and widget.alt_zh in widget.html()


def test_the_exercises_are_the_labs_functions(var):
    lengths = torch.tensor([n * n for n in SCALES])
    assert torch.equal(exercises.mask.reference(lengths, len(SCALES)), var.mask)  # a window over all scales
    assert exercises.mask.reference(torch.tensor([1, 2, 1]), 1).int().tolist() == [
        [1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1]]
    a, b = torch.randn(2, 5, 9).softmax(dim=-1)
    torch.testing.assert_close(exercises.guidance.reference(a, b, 2.0, 1, 4),
                               guide(a.log(), b.log(), 2.0, 1, 4).softmax(dim=-1))
    logits = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]]).log()  # 0.5 + 0.3 first reach 0.6; 0.8 alone does
    assert exercises.top_p.reference(logits, 0.6).isinf().tolist() == [[False, True, False], [True, False, True]]


def test_costs_by_hand():
    assert plans(2) == {"token": [1, 1, 1, 1], "scale": [1, 4]}
    assert pairs([1, 4]) == 1 + 4 * 5 and pairs([1, 4], cache=False) == 1 + 5 * 5
    token, scale = plans(16).values()
    assert (len(token), len(scale), sum(token), sum(scale)) == (256, 5, 256, 341)
    assert pairs(token) == 256 * 257 // 2 < pairs(scale)  # more pairs, fewer passes
    assert pairs(token, cache=False) == sum(n * n for n in range(257)) > pairs(scale, cache=False)
    assert measure([1, 4], width=8, depth=1, heads=2, repeats=1) > 0


def test_what_is_written_is_what_the_model_samples(var):
    writing = write(var, 3, seed=5, **KNOBS)
    again = var.sample(torch.tensor([3]), generator=torch.Generator().manual_seed(5), **KNOBS)
    assert all(torch.equal(a, b) for a, b in zip(writing.idx_Bl, again, strict=True))
    assert torch.equal(writing.pictures[-1], var.tokenizer.idxBl_to_img(again)[0])
    assert len(writing.pictures) == 4


def test_the_belief_is_the_models_and_the_draw_is_from_what_the_knobs_leave(var):
    writing = write(var, 3, seed=5, **KNOBS)
    tokens = torch.cat(writing.idx_Bl, dim=1)
    log_p = writing.belief.log().gather(1, tokens.T).sum()
    assert torch.allclose(log_p, var.log_likelihood(writing.idx_Bl, torch.tensor([3]))[0], atol=1e-4)
    drawn = writing.drawn_from
    assert torch.allclose(drawn.sum(dim=1), torch.ones(30)) and (drawn.gather(1, tokens.T) > 0).all()
    possible = (drawn > 0).sum(dim=1)
    assert possible.max() <= 5 and possible.min() >= 1  # top-k
    # a plain formula for the last place: guidance in full, temperature, then top-k, then top-p
    with_class, without = var.logits([scale.expand(2, -1) for scale in writing.idx_Bl], torch.tensor([3, 10]))[:, -1]
    p = ((3 * with_class - 2 * without) / 0.8).softmax(dim=0)
    order = p.argsort(descending=True)[:5]
    share = p[order] / p[order].sum()
    keep = int((share.cumsum(dim=0) < 0.9).sum()) + 1
    expected = torch.zeros(16).index_put((order[:keep],), share[:keep] / share[:keep].sum())
    assert keep > 1 and torch.allclose(drawn[-1], expected, atol=1e-5)
    # without any knob turned, it is drawn from the belief itself
    plain = write(var, 3, guidance=0.0, temperature=1.0, top_k=16, top_p=1.0, seed=5)
    assert torch.allclose(plain.drawn_from, plain.belief, atol=1e-6)


def test_alternatives_start_with_the_drawn_code_and_change_nothing_else(var):
    writing = write(var, 7, seed=1, **KNOBS)
    for token, scale, place in ((0, 0, 0), (3, 1, 2), (29, 3, 15)):
        codes, pictures = alternatives(var, writing.idx_Bl, token)
        assert codes[0] == writing.idx_Bl[scale][0, place] and len(set(codes.tolist())) == 8
        codebook = var.tokenizer.quantize.embedding.weight
        distances = (codebook - codebook[codes[0]]).norm(dim=1)
        assert (distances[codes].diff() >= 0).all() and (distances < distances[codes[-1]]).sum() == 7
        assert torch.allclose(pictures[0], writing.pictures[scale], atol=1e-5)
        changed = [each.clone() for each in writing.idx_Bl]
        changed[scale][0, place] = codes[5]
        expected = var.tokenizer.idxBl_to_img(changed, cumulative=True)[scale][0]
        assert torch.allclose(pictures[5], expected, atol=1e-5)


def test_the_studio_answers_what_it_is_asked(var):
    studio = DigitStudio(var, label=4, seed=2)
    assert studio.values["label"] == 4 and studio.values["seed"] == 2
    first = studio.answer["tokens"]
    studio._asked(None, {"values": studio.values | {"seed": 3.0}, "token": 6, "request": 9}, [])
    expected = var.sample(torch.tensor([4]), generator=torch.Generator().manual_seed(3), top_k=16, top_p=1)
    assert studio.answer["tokens"] == torch.cat(expected, dim=1)[0].tolist() != first
    assert studio.answer["request"] == 9 and studio.answer["token"] == 6
    assert studio.answer["codes"][0] == studio.answer["tokens"][6]
    assert studio.answer["belief"] == studio.writing.belief[6, studio.codes].tolist()
    assert len(studio.pixels) == (4 + 8) * 16 * 16 * 3
    last = studio.pixels[3 * 768:4 * 768]
    assert last == to_uint8(studio.writing.pictures[-1].clamp(-1, 1)).tobytes()
    assert studio.picture().startswith(b"\x89PNG") and studio.alt_en in studio.html()
    studio._asked(None, {"values": studio.values, "token": 99, "request": 10}, [])
    assert studio.token == 29  # the last there is


def test_the_judges_know_real_digits(real):
    images, labels, held_out, truth = real
    judging = Judge(images, labels)
    assert (judging.names(held_out) == truth).float().mean() > 0.85
    distances, nearest = judging.nearest(images[:20])
    assert torch.equal(nearest, torch.arange(20)) and distances.max() < 1e-2  # each is its own nearest
    assert torch.equal(judging.neighbour_names(images[:20]), labels[:20])
    brute = (small(held_out)[:, None] - small(images)).norm(dim=2).min(dim=1)
    assert torch.allclose(judging.nearest(held_out)[0], brute.values, atol=1e-3)
    recited = judge(images, labels, judging, held_out)
    assert recited.novelty < 0.01 and recited.variety == pytest.approx(1, abs=1e-4) and recited.named > 0.98
    one = judge(held_out[:1].expand(20, -1, -1, -1), truth[:1].expand(20), judging, held_out)
    assert one.variety < 1e-3  # twenty times the same
    assert judge(held_out, truth, judging, held_out).novelty == pytest.approx(1)


def test_a_part_left_out_is_the_only_difference(tokenizer):
    whole, no_mask, no_level = (ablated(tokenizer, part, width=16, depth=1, heads=2)
                                for part in ("nothing", "mask", "level"))
    assert no_mask.mask.all() and not whole.mask.all()
    assert not no_level.level.any() and not no_level.level.requires_grad and whole.level.any()
    for other in (no_mask, no_level):
        for (name, a), b in zip(whole.named_parameters(), other.parameters(), strict=True):
            assert name == "level" or torch.equal(a, b)
    words = [torch.randint(16, (1, n * n), generator=torch.Generator().manual_seed(0)) for n in SCALES]
    changed = [*words[:2], (words[2] + 1) % 16, words[3]]
    for model, leaks in ((whole, False), (no_mask, True)):
        a, b = (model.eval().logits(each, torch.tensor([1]))[:, :14] for each in (words, changed))
        assert torch.equal(a, b) != leaks  # the first three scales must not know the third
    with pytest.raises(ValueError, match="expected one of .*, got 'head'"):
        ablated(tokenizer, "head")


def test_the_loss_of_writing_sees_no_finer_scale(tokenizer):
    words = [torch.randint(16, (3, n * n), generator=torch.Generator().manual_seed(0)) for n in SCALES]
    labels = torch.tensor([1, 2, 3])
    whole, no_mask = (ablated(tokenizer, part, width=16, depth=2, heads=2).eval() for part in ("nothing", "mask"))
    for model in (whole, no_mask):
        for block in model.blocks:
            block.out.weight.data.mul_(10)  # attention that matters, before any training
    trained = -whole.log_likelihood(words, labels).mean().item() / 30
    assert writing_loss(whole, words, labels) == pytest.approx(trained, abs=1e-4)
    peeking = -no_mask.log_likelihood(words, labels).mean().item() / 30
    assert writing_loss(no_mask, words, labels) == pytest.approx(trained, abs=1e-4)
    assert abs(peeking - trained) > 1e-3  # what it says of finer scales' inputs is something else


def test_the_recipe_starts_anew_and_keeps_the_held_out_digits_out():
    (images, labels), (again, _) = (next(recipe().batches) for _ in range(2))
    assert torch.equal(images, again)
    everything, truth = digits()
    plain = slice(16, 32)  # the first half is jittered
    for image, label in zip(images[plain], labels[plain], strict=True):
        assert (everything[:1500][truth[:1500] == label] == image).flatten(1).all(dim=1).any()
    assert not (everything[1500:, None] == images).flatten(2).all(dim=2).any()


def test_comparing_trains_all_on_the_same_batches_and_leaves_randomness_alone(tokenizer, real):
    seen, state = [], torch.random.get_rng_state()

    def batches():
        seen.append([])
        for start in range(0, 64, 16):
            seen[-1].append(start)
            yield real[0][start:start + 16], real[1][start:start + 16]

    results = compare(tokenizer, batches, steps=3, width=16, depth=1, heads=2)
    assert list(results) == ["nothing", "mask", "level"] and len(seen) == 3 and seen[0] == seen[1] == seen[2]
    assert torch.equal(torch.random.get_rng_state(), state)
    whole, loss = results["nothing"]
    assert not whole.training and 2 < loss < 5
    again = compare(tokenizer, batches, steps=3, width=16, depth=1, heads=2)["nothing"][1]
    assert again == pytest.approx(loss, rel=1e-5)


def test_a_sheet_is_its_pictures_side_by_side():
    rows = [torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (0, 1)]
    image = sheet(rows)
    assert image.shape == (1, 8, 12)
    assert (image[:, 4:, 8:] - rows[1][2]).abs().max() <= 1 / 15 + 1e-6  # half a grey of 16
    assert len(image.unique()) <= 16 and sheet([torch.full((1, 1, 2, 2), 7.0)]).unique().tolist() == [1]


def test_drawings_show_what_they_are_given():
    ax = draw_cost({4: {"token": 0.02, "scale": 0.01}, 8: {"token": 0.2, "scale": 0.05}})
    assert list(ax.lines[0].get_ydata()) == pytest.approx([20, 200])
    ax = draw_verdicts({0: Verdict(0.9, 1.0, 0.8), 2: Verdict(1.0, 0.9, 0.6)}, "引导 guidance")
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.9, 1.0], [0.8, 0.6], [1.0, 0.9]]
    assert len({line.get_marker() for line in ax.lines}) == 3
    ax = draw_completions({("甲", "a"): [1, 0.5, 0], ("乙", "b"): [0, 0.5, 1]}, (1, 2))
    assert list(ax.lines[0].get_ydata()) == [100, 50, 0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0\n(0)", "1\n(1)", "2\n(5)"]
    figure = draw_rows({"a": torch.zeros(2, 1, 4, 4), "b": torch.ones(2, 1, 4, 4)}, {"b": "xy"})
    assert len(figure.axes) == 4 and [ax.get_title() for ax in figure.axes] == ["", "", "x", "y"]
    figure = draw_guesses(torch.zeros(1, 1, 4, 4), torch.tensor([1]), torch.tensor([[0.25, 0.75]]).log())
    bars = figure.axes[1].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([0.25, 0.75])
    assert bars[1].get_hatch() and not bars[0].get_hatch()
    plt.close("all")
