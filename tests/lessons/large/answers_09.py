"""What students answer to the exercises of lesson 9: right in many spellings, and wrong in many ways."""

import torch
from torch.nn.functional import pad

from vqlab import nearest_code


def scores_of(z, codes):
    return codes.square().sum(1) - 2 * z @ codes.t()


def search(z, codebook, size, pieces=lambda e, size: e.split(size), scores=scores_of, least=lambda s: s.min(1),
           start=lambda number, size: number * size, closer=lambda value, best: value < best, answer=lambda i, b: i):
    best, index = torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    for number, codes in enumerate(pieces(codebook, size)):
        value, place = least(scores(z, codes))
        better = closer(value, best)
        index[better], best[better] = start(number, size) + place[better], value[better]
    return answer(index, best)


def by_winners(z, codebook, size):
    """The winner of each chunk first, then the winner of winners."""
    values, places = [], []
    for start in range(0, len(codebook), size):
        value, place = scores_of(z, codebook[start:start + size]).min(1)
        values.append(value)
        places.append(place + start)
    best = torch.stack(values).argmin(0)
    return torch.stack(places)[best, torch.arange(len(z))]


def vector_by_vector(z, codebook, size):
    found = []
    for v in z:
        best, index = float("inf"), None
        for start in range(0, len(codebook), size):
            far = (codebook[start:start + size] - v).norm(dim=1)
            if far.min() < best:
                best, index = far.min(), start + int(far.argmin())
        found.append(index)
    return found


def one_code_at_a_time(z, codebook, size):
    best, index = torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    for k, code in enumerate(codebook):
        far = (z - code).square().sum(1)
        index[far < best], best = k, torch.minimum(best, far)
    return index


def by_library(z, codebook, size):
    """The library's search of each chunk, and the distances to what it finds."""
    best, index = torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    for start in range(0, len(codebook), size):
        codes = codebook[start:start + size]
        place = nearest_code(z, codes)
        far = (z - codes[place]).square().sum(1)
        index, best = torch.where(far < best, place + start, index), torch.minimum(far, best)
    return index


CHUNKED_RIGHT = [
    search, by_winners, vector_by_vector, one_code_at_a_time, by_library,
    lambda z, e, size: search(z, e, size, scores=lambda z, e: (z[:, None] - e).square().sum(2)),
    lambda z, e, size: search(z, e, size, scores=torch.cdist), lambda z, e, size: search(z, e, size).numpy(),
    lambda z, e, size: search(z, e, size, scores=lambda z, e: torch.addmm(e.square().sum(1), z, e.t(), alpha=-2)),
]
CHUNKED_WRONG = [
    lambda z, e, size: search(z, e, len(e)), lambda z, e, size: torch.cdist(z, e).argmin(1),
    lambda z, e, size: (z[:, None] - e).square().sum(2).argmin(1),
    lambda z, e, size: search(z, e, size, start=lambda number, size: 0),
    lambda z, e, size: search(z, e, size, start=lambda number, size: number),
    lambda z, e, size: search(z, e, size, start=lambda number, size: (number + 1) * size),
    lambda z, e, size: search(z, e, size, closer=lambda value, best: value > best),
    lambda z, e, size: search(z, e, size, closer=lambda value, best: value == value),
    lambda z, e, size: search(z, e, size, pieces=lambda e, size: e.split(size)[:1]),
    lambda z, e, size: search(z, e, size, pieces=lambda e, size: e.split(size)[:max(1, len(e) // size)]),
    lambda z, e, size: search(z, e, size, pieces=lambda e, size: e.chunk(size)),
    lambda z, e, size: search(z, e, size, scores=lambda z, e: -2 * z @ e.t()),
    lambda z, e, size: search(z, e, size, scores=lambda z, e: e.norm(dim=1) - 2 * z @ e.t()),
    lambda z, e, size: search(z, e, size, scores=lambda z, e: e.square().sum(1) - z @ e.t()),
    lambda z, e, size: search(z, e, size, scores=lambda z, e: e.square().sum(1) + 2 * z @ e.t()),
    lambda z, e, size: search(z, e, size, least=lambda s: s.max(1)),
    lambda z, e, size: search(z, e, size, least=lambda s: (-s).min(1)),
    lambda z, e, size: search(z, e, size, answer=lambda index, best: best),
    lambda z, e, size: search(z, e, size) + 1, lambda z, e, size: search(z, e, size)[:, None],
    lambda z, e, size: torch.cat([torch.cdist(part, e).argmin(1) for part in z.split(max(size, 4))]),
]


def padded(scores, groups, fill=torch.inf):
    return pad(scores, (0, -scores.shape[1] % groups), value=fill)


def levels(scores, groups, view=lambda s, groups: padded(s, groups).reshape(len(s), -1, groups),
           reduce=lambda g: g.amin(1), best=lambda m: m.argmin(1),
           opened=lambda grid, group: grid[torch.arange(len(grid)), :, group],
           index=lambda group, j, groups, size: j * groups + group):
    grid = view(scores, groups)
    group = best(reduce(grid))
    return group, index(group, opened(grid, group).argmin(1), groups, grid.shape[1])


def as_in_the_lesson(scores, groups):
    n, K = scores.shape
    grid = scores.view(n, groups, K // groups)
    group = grid.amin(dim=2).argmin(dim=1)
    return group, group * (K // groups) + grid[torch.arange(n), group].argmin(dim=1)


def neighbours(scores, groups):
    size = -(-scores.shape[1] // groups)
    grid = pad(scores, (0, size * groups - scores.shape[1]), value=torch.inf).view(len(scores), groups, size)
    group = grid.amin(2).argmin(1)
    return group, group * size + grid[torch.arange(len(grid)), group].argmin(1)


def from_the_index(scores, groups):
    index = scores.argmin(1)
    return index % groups, index


def by_slices(scores, groups):
    group = torch.stack([scores[:, g::groups].amin(1) for g in range(groups)], 1).argmin(1)
    inside = torch.stack([row[g::groups].argmin() for row, g in zip(scores, group.tolist(), strict=True)])
    return group, inside * groups + group


def by_columns(scores, groups):
    """The transposed grid: groups are rows of it."""
    grid = padded(scores, groups).view(len(scores), -1, groups).mT
    group = grid.amin(2).argmin(1)
    return group, grid[torch.arange(len(grid)), group].argmin(1) * groups + group


def by_gather(scores, groups):
    return levels(scores, groups, opened=lambda grid, group: grid.gather(
        2, group[:, None, None].expand(-1, grid.shape[1], 1)).squeeze(2))


def by_rows(scores, groups):
    found = []
    for row in scores.tolist():
        group = min(range(groups), key=lambda g: min(row[g::groups]))
        part = row[group::groups]
        found.append((group, group + groups * part.index(min(part))))
    return tuple(torch.tensor(found).T)


LEVELS_RIGHT = [
    levels, by_slices, by_columns, by_gather, by_rows, lambda s, groups: list(levels(s, groups)),
    lambda s, groups: levels(s, groups, reduce=lambda g: -(-g).amax(1)),
    lambda s, groups: levels(s, groups, view=lambda s, groups: padded(s, groups, 1e9).unflatten(1, (-1, groups))),
    lambda s, groups: levels(s.double(), groups), lambda s, groups: tuple(x.numpy() for x in levels(s, groups)),
]
LEVELS_WRONG = [
    as_in_the_lesson, neighbours, from_the_index, lambda s, groups: (s.min(1).indices % groups, s.min(1).indices),
    lambda s, groups: (s.topk(1, largest=False).indices[:, 0] % groups, s.sort(1).indices[:, 0]),
    lambda s, groups: levels(s, groups, view=lambda s, groups: s.view(len(s), -1, groups)),
    lambda s, groups: levels(s, groups, view=lambda s, groups: s.view(len(s), groups, -1)),
    lambda s, groups: levels(s[:, :s.shape[1] // groups * groups], groups),
    lambda s, groups: levels(s, groups, view=lambda s, groups: padded(s, groups, 0).view(len(s), -1, groups)),
    lambda s, groups: levels(s, groups, index=lambda group, j, groups, size: j),
    lambda s, groups: levels(s, groups, index=lambda group, j, groups, size: group * size + j),
    lambda s, groups: levels(s, groups, index=lambda group, j, groups, size: j * size + group),
    lambda s, groups: levels(s, groups, index=lambda group, j, groups, size: group * groups + j),
    lambda s, groups: levels(s, groups, index=lambda group, j, groups, size: j + group),
    lambda s, groups: levels(s, groups, reduce=lambda g: g.mean(1)),
    lambda s, groups: levels(s, groups, reduce=lambda g: g.sum(1)),
    lambda s, groups: levels(s, groups, reduce=lambda g: g.amax(1)),
    lambda s, groups: levels(s, groups, reduce=lambda g: g[:, 0]),
    lambda s, groups: levels(s, groups, best=lambda m: m.argmax(1)),
    lambda s, groups: levels(s, groups, best=lambda m: m.argmin(0)),
    lambda s, groups: levels(s, groups, opened=lambda grid, group: grid[:, :, group[0]]),
    lambda s, groups: levels(s, groups)[::-1], lambda s, groups: levels(s, groups)[1],
    lambda s, groups: levels(s, groups)[0], lambda s, groups: (levels(s, groups)[0], s.amin(1)),
    lambda s, groups: (levels(s, groups)[0][:, None], levels(s, groups)[1][:, None]),
    lambda s, groups: tuple(x + 1 for x in levels(s, groups)),
]


def merge(counts, sums, codebook, n=lambda c: c.sum(0), whole=lambda s: s.sum(0), chosen=lambda n, c: n > 0):
    total = n(counts)
    return torch.where(chosen(total, counts)[:, None], whole(sums) / total.clamp(min=1e-6)[:, None], codebook)


def code_by_code(counts, sums, codebook):
    new = codebook.clone()
    for k in range(len(codebook)):
        n = sum(float(rank[k]) for rank in counts)
        if n:
            new[k] = sum(rank[k] for rank in sums) / n
    return new


def weighted_means(counts, sums, codebook):
    means = sums / counts.clamp(min=1)[..., None]
    share = counts / counts.sum(0).clamp(min=1)
    return torch.where(counts.sum(0)[:, None] > 0, (share[..., None] * means).sum(0), codebook)


def in_place_of_a_copy(counts, sums, codebook):
    new, n = codebook.clone(), counts.sum(0)
    new[n > 0] = sums.sum(0)[n > 0] / n[n > 0].unsqueeze(1)
    return new


def mean_of_means(counts, sums, codebook, least=1):
    means = sums / counts.clamp(min=least)[..., None]
    return torch.where(counts.sum(0)[:, None] > 0, means.mean(0), codebook)


def mean_of_those_that_saw(counts, sums, codebook):
    means = sums / counts.clamp(min=1)[..., None]
    ranks = (counts > 0).sum(0)
    return torch.where(ranks[:, None] > 0, means.sum(0) / ranks.clamp(min=1)[:, None], codebook)


MERGED_RIGHT = [
    merge, code_by_code, weighted_means, in_place_of_a_copy,
    lambda c, s, e: torch.einsum("pkd->kd", s).div(c.sum(0)[:, None]).where(c.sum(0)[:, None] > 0, e),
    lambda c, s, e: (lambda means: torch.where(means.isnan(), e, means))(s.sum(0) / c.sum(0)[:, None]),
    lambda c, s, e: merge(c.double(), s.double(), e.double()), lambda c, s, e: merge(c, s, e).numpy(),
]
MERGED_WRONG = [
    mean_of_means, mean_of_those_that_saw, lambda c, s, e: s.sum(0) / c.sum(0)[:, None],
    lambda c, s, e: s.sum(0) / c.sum(0).clamp(min=1)[:, None], lambda c, s, e: merge(c[:1], s[:1], e),
    lambda c, s, e: merge(c, s, e, n=lambda c: c.mean(0)), lambda c, s, e: merge(c, s, e, whole=lambda s: s.mean(0)),
    lambda c, s, e: merge(c, s, e, chosen=lambda n, c: (c > 0).all(0)),
    lambda c, s, e: merge(c, s, e, n=lambda c: c.sum(0) + 1),
    lambda c, s, e: merge(c, s, e, n=lambda c: c.sum().expand(c.shape[1]), chosen=lambda n, c: c.sum(0) > 0),
    lambda c, s, e: merge(c, s, e, n=lambda c: c.amax(0)), lambda c, s, e: merge(c, s, e, whole=lambda s: s[-1]),
    lambda c, s, e: s.sum(0), lambda c, s, e: e, lambda c, s, e: torch.where(c.sum(0)[:, None] > 0, s.sum(0), e),
    lambda c, s, e: merge(c, s, e) + e, lambda c, s, e: s / c[..., None], lambda c, s, e: merge(c, s, e).T,
    lambda c, s, e: (merge(c, s, e), c.sum(0)), lambda c, s, e: pad(merge(c, s, e), (0, 1)),
]

RIGHT = {"09.chunked": CHUNKED_RIGHT, "09.two_levels": LEVELS_RIGHT, "09.merged": MERGED_RIGHT}
WRONG = {"09.chunked": CHUNKED_WRONG, "09.two_levels": LEVELS_WRONG, "09.merged": MERGED_WRONG}
