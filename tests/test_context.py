import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vqlab import TokenContext
from vqlab.context import LEFT, NEIGHBOURS, POWERS, UP, frequencies


def trained(num_embeddings, seed=0):
    """A context whose weights are large enough to have opinions."""
    torch.manual_seed(seed)
    context = TokenContext(num_embeddings, embedding_dim=8, hidden=16)
    with torch.no_grad():
        for parameter in context.parameters():
            parameter *= 2
    return context


def whole_wave(context, tokens):
    """(h, w, K) frequencies of every place, and the order in which the places came."""
    integer = context.integer()
    margined = integer.blank(*tokens.shape)
    margined[UP:, LEFT:LEFT + tokens.shape[1]] = tokens
    result, order = np.zeros((*margined.shape, context.num_embeddings)), []
    for places, counts in integer.wave(margined):
        result.reshape(-1, context.num_embeddings)[places] = counts
        order += places.tolist()
    inside = np.arange(margined.size).reshape(margined.shape)[UP:, LEFT:LEFT + tokens.shape[1]]
    assert sorted(order) == inside.ravel().tolist()  # every place once
    return result[UP:, LEFT:LEFT + tokens.shape[1]], order


def adaptive(context, tokens):
    """(h, w, K) probabilities in floats: the network's, times how often a code came against how often it should."""
    height, width = tokens.shape
    with torch.no_grad():
        guessed = torch.softmax(context(tokens[None])[0].double() * np.log(2), dim=-1).numpy()
    result = np.zeros_like(guessed)
    came, expected = np.ones(context.num_embeddings), np.ones(context.num_embeddings)
    for diagonal in range(2 * height + width):
        cells = [(row, diagonal - 2 * row) for row in range(height) if 0 <= diagonal - 2 * row < width]
        for cell in cells:
            result[cell] = guessed[cell] * came / expected
            result[cell] /= result[cell].sum()
        for cell in cells:
            came[tokens[cell]] += 1
            expected += guessed[cell]
    return result


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 40))
@settings(max_examples=25, deadline=None)
def test_whole_numbers_say_what_floats_say(height, width, num_embeddings):
    context = trained(num_embeddings)
    tokens = torch.randint(num_embeddings, (height, width), generator=torch.Generator().manual_seed(height))
    counts, _ = whole_wave(context, tokens)
    expected = adaptive(context, tokens)
    likely = expected > 2**-14  # what is rarer is lifted to one part in 2²⁰
    ratio = counts / counts.sum(axis=-1, keepdims=True) / expected
    assert np.abs(np.log2(ratio[likely])).max() < 0.05 and counts.min() >= 1


def test_guesses_adapt_to_the_picture():
    tokens = torch.full((40, 40), 3)
    counts, _ = whole_wave(trained(20), tokens)
    cost = -np.log2(counts[..., 3] / counts.sum(axis=-1))
    assert cost[-5:, -5:].max() < 0.25 * cost[:2, :2].min()


def test_a_token_is_guessed_from_its_neighbours_alone():
    context = trained(16)
    tokens = torch.randint(16, (1, 9, 9))
    before = context(tokens)
    changed = tokens.clone()
    changed[0, 4, 4] = (tokens[0, 4, 4] + 1) % 16
    moved = {tuple(place) for place in (context(changed) != before).any(dim=-1)[0].nonzero().tolist()}
    assert moved == {(4 + up, 4 - right) for up, right in NEIGHBOURS}


def test_neighbours_lie_on_earlier_diagonals():
    assert all(2 * up - right > 0 and up >= 0 for up, right in NEIGHBOURS)  # column + 2 · row falls


def test_powers_are_the_powers():
    assert POWERS[0] == 2**20 and POWERS[-1] == 1
    assert np.array_equal(POWERS, np.floor(2.0 ** (20 - np.arange(1281) / 64) * (1 + 1e-12)))


def test_frequencies_keep_every_code_possible():
    logits = np.array([[0.0, -1, -3, -1000]]) * 2**20
    assert frequencies(logits).tolist() == [[2**20, 2**19, 2**17, 1]]


def test_the_number_of_threads_changes_nothing():
    context, tokens = trained(200), torch.randint(200, (30, 40))
    threads = torch.get_num_threads()
    try:
        results = []
        for number in (1, 2):
            torch.set_num_threads(number)
            results.append(whole_wave(context, tokens)[0])
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(*results)


def test_products_are_exact():
    context = trained(50)
    integer = context.integer()
    neighbours = np.random.default_rng(0).integers(51, size=(20, len(NEIGHBOURS)))
    near = integer.near_bias.astype(object) + sum(table.astype(object)[codes] for table, codes
                                                  in zip(integer.tables, neighbours.T, strict=True))
    def activate(sums):
        return np.clip(np.array([[int(value) // 2**10 for value in row] for row in sums], dtype=object), 0, 2**20)
    def layer(values, matrix, bias):  # Python's own integers, of any length
        matrix, bias = ([[int(value) for value in row] for row in matrix], [int(value) for value in bias])
        return np.array(values, dtype=object) @ np.array(matrix, dtype=object) + np.array(bias, dtype=object)
    far = layer(activate(near), integer.far, integer.far_bias)
    assert (integer.logits(neighbours) == far.astype(np.float64)).all()


def test_it_learns_what_a_neighbour_says():
    torch.manual_seed(0)
    context = TokenContext(4, embedding_dim=4, hidden=16)
    tokens = torch.arange(4)[None, :, None] + torch.arange(12)  # the one on the left, plus 1
    optimizer = torch.optim.Adam(context.parameters(), lr=1e-2)
    assert context.loss(tokens % 4) > 1.9  # about log₂ 4
    for _ in range(100):
        optimizer.zero_grad()
        loss = context.loss(tokens % 4)
        loss.backward()
        optimizer.step()
    assert loss < 0.2


def test_sizes():
    with pytest.raises(ValueError, match="at least 1, got num_embeddings=0"):
        TokenContext(0)
