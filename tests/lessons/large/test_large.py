"""Lesson 9's parts against plain arithmetic: memory, groups, rounding, lists, processes, measuring."""

import subprocess
import sys
from html import unescape

import matplotlib.pyplot as plt
import pytest
import torch

from vqlab import classroom, nearest_code
from vqlab.lessons.large import (
    CellSearch,
    GroupedRow,
    MatrixMemory,
    StepTimes,
    bytes_said,
    cat_vectors,
    codebook_gap,
    draw_costs,
    draw_reading,
    draw_recall,
    draw_wrong,
    exercises,
    inverted_lists,
    learn,
    learn_in_processes,
    memory_of,
    patch_codes,
    read_by_other,
    recall,
    search_in,
    slope,
    step_times,
    training,
)
from vqlab.lessons.large.groups import opened_groups, slow_work
from vqlab.lessons.large.patches import patches


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_memory_by_hand():
    """N = 2^18, K = 2^14, D = 2^5, 4 bytes: 2^34 bytes of scores; inputs 2^25 + 2^21; a chunk of 2^21 scores."""
    memory = memory_of(2**18, 2**14, 2**5)
    assert memory == {"vectors": 2**25, "codebook": 2**21, "indices": 2**21, "chunk": 2**23, "scores": 2**34,
                      "differences": 2**39}
    assert memory_of(3, 2**22, 1)["chunk"] == 2**22 * 4  # one row at least
    assert memory_of(3, 8, 1)["chunk"] == 3 * 8 * 4  # no more rows than there are
    assert [bytes_said(number) for number in (0, 1023, 1024, 2.5 * 2**30, 2**60)] == [
        "0 B", "1020 B", "1 KiB", "2.5 GiB", "1020 PiB"]


def test_a_chunk_is_what_nearest_code_takes():
    z, codebook = randn(2**12, 4), randn(2**10, 4, seed=1)
    peak = classroom.peak_memory(nearest_code, z, codebook)
    assert peak < memory_of(2**12, 2**10, 4)["scores"]  # bounded: never the whole matrix


def test_peak_memory_and_seconds():
    peak = classroom.peak_memory(lambda x: (x + 1, x + 2), torch.zeros(1000))
    assert 8000 <= peak < 8100  # two tensors of 4000 bytes, and the numbers 1 and 2
    seconds = classroom.seconds_in_turn({"a": lambda: torch.zeros(3), "b": lambda: torch.randn(1000, 1000)}, 3)
    assert 0 < seconds["a"] < seconds["b"]  # a million random numbers against three zeros


def test_groups_by_hand():
    scores = torch.tensor([5.0, 2.0, 9.0, 3.0, 2.5, 8.0, 2.2, 7.0])
    assert opened_groups(scores, 4).tolist() == [True, False, False, False]  # minima 2, 3, 2.5, 2.2
    assert opened_groups(scores, 4, 0.3).tolist() == [True, False, False, True]
    assert slow_work(scores, 4) == 4 + 2 and slow_work(scores, 4, 0.3) == 4 + 2 * 2 and slow_work(scores, 1) == 9
    row = randn(1024).square()
    work = {groups: slow_work(row, groups) for groups in (1, 2, 32, 512, 1024)}
    assert min(work, key=work.get) == 32 and work[32] == 64


def test_patches_are_of_the_photograph_and_codes_of_all():
    photo = torch.arange(3 * 4 * 5.0).view(3, 4, 5)
    found = patches(photo, 12, torch.Generator().manual_seed(0))
    expected = {tuple(photo[:, y:y + 2, x:x + 2].flatten().tolist()) for y in range(3) for x in range(4)}
    assert {tuple(each.tolist()) for each in found} == expected
    codes, again = patch_codes(500), patch_codes(500)
    assert codes.shape == (500, 12) and torch.equal(codes, again) and codes.abs().max() <= 1
    assert cat_vectors(7).shape == (7, 12)


def test_half_precision_is_wrong_more_often_with_more_codes_and_float32_hardly_ever():
    z, codes = randn(400, 8) + 3, randn(4096, 8, seed=1) + 3  # off the origin, where numbers lie less densely
    wrong = {}
    for k in (64, 4096):
        nearest = nearest_code(z, codes[:k])
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            wrong[dtype, k] = (search_in(dtype, z, codes[:k]) != nearest).double().mean().item()
    assert wrong[torch.float32, 4096] < 0.005
    assert wrong[torch.bfloat16, 4096] > wrong[torch.bfloat16, 64] > 0
    assert wrong[torch.bfloat16, 4096] > wrong[torch.float16, 4096] > 0


def test_search_in_rounds_vectors_scores_and_takes_the_first_of_ties():
    """In bf16 1 + 1/512 rounds to 1, so both codes score −1 and the first wins."""
    z, codes = torch.tensor([[1.0]]), torch.tensor([[1.0], [1 + 1 / 512]])
    target = torch.tensor([[1 + 1 / 512]])
    found = [search_in(dtype, target, codes).item() for dtype in (torch.float32, torch.bfloat16)]
    assert found == [1, 0]
    assert search_in(torch.bfloat16, z.repeat(200, 1), codes).shape == (200,)  # more than one chunk of rows


def test_inverted_lists_hold_every_code_once_in_its_nearest_cell():
    codes = randn(600, 3)
    centres, lists = inverted_lists(codes, 10)
    assert len(centres) == len(lists) and all(len(each) for each in lists)
    assert torch.equal(torch.cat(lists).sort().values, torch.arange(600))
    for cell, each in enumerate(lists):
        assert (nearest_code(codes[each], centres) == cell).all()


def test_recall_counts_codes_that_are_as_near():
    z, codes = torch.zeros(4, 2), torch.tensor([[1.0, 0], [0, 1.0], [2.0, 0], [1.0, 0]])
    nearest = torch.zeros(4, dtype=torch.int64)
    assert recall(torch.tensor([0, 1, 2, 3]), z, codes, nearest) == 0.75  # equally near counts, twice as far does not


def test_cell_search_starts_where_its_own_cell_misses_the_nearest():
    widget = CellSearch(torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1, 8)
    query = torch.tensor([widget.query])
    own = widget.lists[int(nearest_code(query, widget.centres))]
    assert int(nearest_code(query, widget.codes)) not in own.tolist()


def test_two_processes_equal_one_and_apart_they_drift():
    alone, ranks = learn(), learn_in_processes(2)
    for rank in ranks:
        assert codebook_gap(rank["together"], alone).max() < 1e-5
    gap = codebook_gap(ranks[0]["apart"], ranks[1]["apart"])
    assert gap[-1] > 0.3 and gap.shape == (training.STEPS,)
    assert not torch.equal(alone[0], alone[-1])  # and it does learn


def test_learning_leaves_the_global_random_numbers():
    state = torch.random.get_rng_state()
    learn()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_rank_that_fails_says_why(monkeypatch):
    real = subprocess.Popen
    monkeypatch.setattr(training.subprocess, "Popen", lambda command, **settings: real(
        [sys.executable, "-c", "raise SystemExit('no such card')"], **settings))
    with pytest.raises(RuntimeError, match=r"rank 0 of 2 failed:\nno such card"):
        learn_in_processes(2)


def test_batches_are_alike_everywhere_and_their_sums_exact():
    batch = training.batch_of_colours(3)
    assert torch.equal(batch, training.batch_of_colours(3)) and not torch.equal(batch, training.batch_of_colours(4))
    assert torch.equal(batch * 128, (batch * 128).round())
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(0))
    assert torch.equal(batch.cumsum(0)[-1], batch[order].cumsum(0)[-1])


def test_reading_by_other_is_a_lookup():
    picture = torch.tensor([[[0.1, 0.9]], [[0.0, 1.0]], [[0.0, 1.0]]])  # two pixels: near (0, 0, 0), near (1, 1, 1)
    writer = torch.tensor([[1.0, 1, 1], [0, 0, 0]])
    reader = torch.tensor([[0.5, 0.5, 0.5], [0.2, 0.3, 0.4]])
    read = read_by_other(picture, writer, reader)
    assert torch.equal(read, torch.tensor([[[0.2, 0.5]], [[0.3, 0.5]], [[0.4, 0.5]]]))


def test_steps_are_measured_in_units_of_the_product():
    seen = []
    times = step_times({"two": lambda scores: seen.append(scores.shape)}, 4096, 4, repeats=2)
    assert list(times) == ["乘积 product", "two"] and times["乘积 product"] == 1 and 0 < times["two"] < 1
    assert set(seen) == {(256, 4096)}
    widget = StepTimes({"amin": lambda scores: scores.amin(dim=1)})
    widget._handle_custom_msg({"values": {"codes": 256, "dim": 4}, "request": 5}, [])
    assert widget.answer["request"] == 5 and widget.answer["values"] == {"codes": 256, "dim": 4}
    assert set(widget.times) == {"乘积 product", "amin"}


def test_slope_is_the_exponent():
    assert slope({16: 3.0, 64: 6.0}, 16, 64) == pytest.approx(0.5)
    assert slope({16: 3.0, 64: 3.0}, 16, 64) == 0


def test_figures_draw_what_they_are_given():
    ax = draw_costs({"a": {512: 1.0, 1024: 2.0}, "b": {512: 3.0, 1024: 3.5}})
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 2], [3, 3.5], [1, 2]] and ax.get_yscale() == "log"
    ax = draw_wrong({"fp16": [0.1, 0.2], "bf16, c": [0.3, 0.4]}, (512, 1024))
    assert list(ax.lines[1].get_ydata()) == pytest.approx([30, 40])
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    ax = draw_recall([0.01, 0.02], {"a": [0.5, 0.75]}, [1, 2])
    assert list(ax.lines[0].get_ydata()) == [50, 75] and [text.get_text() for text in ax.texts] == ["1.0 %", "2.0 %"]
    assert list(draw_reading({"a": [1.0, 2.0]}).lines[0].get_xdata()) == [1, 2]
    plt.close("all")


@pytest.mark.parametrize("make", [MatrixMemory, lambda: GroupedRow(randn(2, 3), randn(64, 3)),
                                  lambda: CellSearch(randn(100, 2).tanh(), 4)])
def test_saved_pictures_are_the_same_every_time(make):
    first, second = make(), make()
    assert first.picture()[:4] == b"\x89PNG" and first.picture() == second.picture()
    assert first.alt_zh in unescape(first.html()) and first.alt_en in unescape(first.html())


def test_the_chunk_exercise_sees_the_whole_matrix_however_it_is_made():
    def secretly(z, codebook, size):
        return torch.cdist(z, codebook).argmin(dim=1)

    assert exercises.chunked.judge(secretly).state == "wrong"
    assert "N × K" in exercises.chunked.judge(secretly).hint[1]


def test_the_two_level_exercise_sees_a_search_in_one_level_however_it_is_made():
    for one_level in (lambda s, groups: (s.argmin(1) % groups, s.argmin(1)),
                      lambda s, groups: (s.min(1).indices % groups, s.sort(1).indices[:, 0])):
        verdict = exercises.two_levels.judge(one_level)
        assert verdict.state == "wrong" and "one level" in verdict.hint[1]


def test_right_answers_of_other_spellings_pass():
    def by_loop(scores, groups):
        rows = []
        for row in scores:
            parts = [row[group::groups] for group in range(groups)]
            group = min(range(groups), key=lambda g: parts[g].amin())
            rows.append((group, group + groups * int(parts[group].argmin())))
        return tuple(torch.tensor(each) for each in zip(*rows, strict=True))

    def by_nan(counts, sums, codebook):
        means = sums.sum(dim=0) / counts.sum(dim=0).unsqueeze(1)
        return torch.where(means.isnan(), codebook, means)

    assert exercises.two_levels.judge(by_loop).state == "right"
    assert exercises.merged.judge(by_nan).state == "right"
