"""Exercises of lesson 9: a search in chunks, the two levels of a search, what several processes learn together."""

import torch
from torch.nn.functional import pad
from torch.utils._python_dispatch import TorchDispatchMode  # PyTorch's documented way to see every operation

from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["chunked", "two_levels", "merged"]


class Largest(TorchDispatchMode):
    """While it is on: the most numbers that one result of any operation held."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.most = max(self.most, result.numel())
        return result


class Sought(TorchDispatchMode):
    """While it is on: among how many numbers all operations together have looked for a position."""

    positions = ("argmin", "argmax", "min.dim", "max.dim", "sort", "topk", "kthvalue", "nonzero")

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if str(function).removeprefix("aten.").startswith(self.positions):
            self.numbers += args[0].numel()
        return function(*args, **(kwargs or {}))


def _vectors(generator):
    """Five times (z (N, D), codebook (K, D), size): K a multiple of size or not, one code at a time, all at once."""
    for n, k, d, size in ((9, 40, 2, 8), (7, 41, 3, 6), (12, 25, 2, 1), (30, 13, 3, 50), (5, 60, 4, 7)):
        lengths = torch.linspace(0.3, 2, k)[torch.randperm(k, generator=generator), None]
        yield torch.randn(n, d, generator=generator), torch.randn(k, d, generator=generator) * lengths, size


def _search(z, codebook, size, *, pieces=lambda codebook, size: codebook.split(size),
            norms=lambda codes: codes.square().sum(1), least=lambda scores: scores.min(dim=1),
            start=lambda number, size: number * size, closer=lambda value, best: value < best):
    """The search in chunks of codes, the best so far kept; and through its settings the ways to get it wrong."""
    best, index = torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    for number, codes in enumerate(pieces(codebook, size)):
        value, place = least(norms(codes) - 2 * z @ codes.t())
        better = closer(value, best)
        index = torch.where(better, start(number, size) + place, index)
        best = torch.where(better, value, best)
    return index


def _scores_of_the_winners(z, codebook, size):
    index = _search(z, codebook, size)
    return codebook[index].square().sum(1) - 2 * (z * codebook[index]).sum(1)


def _observe_search(function, z, codebook, size):
    """The indices, and whether no tensor on the way held more than the differences to `size` codes, (N, size, D),
    or the winners of all chunks, (N, K / size).
    """
    with Largest() as seen:
        indices = function(z, codebook, size)
    if indices is None or indices is ...:
        return indices
    chunks = -(-len(codebook) // size)
    allowed = max(size * z.numel(), codebook.numel(), chunks * len(z))
    return {"indices": indices, "few scores at once": seen.most <= allowed}


def _scores(generator):
    """Five times (scores (N, K), groups): K a multiple of groups or not, scores of either sign."""
    for n, groups, k, shift in ((6, 4, 11, 0.1), (9, 2, 16, -4.0), (5, 8, 19, 0.1), (12, 3, 17, -0.5),
                                (1, 6, 24, 0.1)):
        yield torch.randn(n, k, generator=generator).square() + shift, groups


def _levels(scores, groups, *, filled=lambda scores, rest: pad(scores, (0, rest), value=torch.inf),
            view=lambda scores, groups: scores.view(len(scores), -1, groups),
            reduce=lambda grid: grid.amin(dim=1), best=lambda minima: minima.argmin(dim=1),
            open_=lambda grid, group: grid[torch.arange(len(grid)), :, group],
            place=lambda group, inside, groups, size: inside * groups + group):
    """(group, index) of each row's winner, code k in group k % groups, and the ways to get it wrong."""
    grid = view(filled(scores, -scores.shape[1] % groups), groups)  # (N, K/G, G)
    group = best(reduce(grid))
    inside = open_(grid, group).argmin(dim=1)
    return group, place(group, inside, groups, grid.shape[1])


def _neighbours(scores, groups):
    """As in the lesson, neighbouring codes a group; but for any number of codes."""
    size = -(-scores.shape[1] // groups)
    missing = size * groups - scores.shape[1]
    return _levels(scores, groups, filled=lambda scores, rest: pad(scores, (0, missing), value=torch.inf),
                   view=lambda scores, groups: scores.view(len(scores), groups, size).mT,
                   place=lambda group, inside, groups, size: group * size + inside)


def _one_level(scores, groups):
    index = scores.argmin(dim=1)
    return index % groups, index


def _observe_levels(function, scores, groups):
    """The result, and whether positions were sought among G minima and one group's scores, no more."""
    with Sought() as sought:
        result = function(scores, groups)
    if result is None or result is ...:
        return result
    few = len(scores) * (groups + -(-scores.shape[1] // groups))
    return {("组和索引", "group and index"): result,
            ("只在 G + K/G 个数里找位置", "position sought among G + K/G"): sought.numbers <= few}


def _ranks(generator):
    """Five times (counts (P, K), sums (P, K, D), codebook (K, D)); some codes unseen by one rank, some by all."""
    for ranks, k, d in ((2, 5, 2), (3, 4, 3), (2, 7, 1), (4, 6, 2), (1, 4, 2)):
        counts = torch.randint(1, 30, (ranks, k), generator=generator)
        counts[:, torch.randint(k, (), generator=generator)] = 0  # nobody chose this one
        if ranks > 1:
            seen = counts[0].nonzero()[:, 0]
            counts[0, seen[torch.randint(len(seen), (), generator=generator)]] = 0  # another only the others
        means = torch.randn(ranks, k, d, generator=generator) + 2
        yield counts.float(), means * counts[:, :, None], torch.randn(k, d, generator=generator) - 3


def _merge(counts, sums, codebook, *, total=lambda counts: counts.sum(dim=0), whole=lambda sums: sums.sum(dim=0),
           kept=lambda total, counts: total == 0):
    """Each code the mean of all vectors that chose it on any rank, an unchosen one as it was; and ways to err."""
    n = total(counts)
    return torch.where(kept(n, counts)[:, None], codebook, whole(sums) / n.clamp(min=1e-9)[:, None])


def _mean_of_means(counts, sums, codebook):
    means = sums / counts.clamp(min=1)[:, :, None]
    return torch.where((counts.sum(dim=0) == 0)[:, None], codebook, means.mean(dim=0))


chunked = Exercise(
    "09.chunked",
    title=("按码字分块：一次最多 size 个码字", "In chunks of codes: at most `size` codes at once"),
    reference=_search,
    cases=_vectors,
    observe=_observe_search,
    hints=[
        ("每个向量记两样：目前最小的分数，和它的索引。每来一块码字，更小的才换。",
         "Keep two things for each vector: the least score so far, and its index. A chunk replaces them where it has "
         "less."),
        ("从 torch.full((N,), inf) 开始；scores.min(dim=1) 同时给出最小值和块内的位置。",
         "Start from torch.full((N,), inf); scores.min(dim=1) gives the least score and its place in the chunk."),
        ("块内的位置加上这一块的起点才是索引；index = torch.where(value < best, start + place, index)。",
         "The place in the chunk plus the chunk's start is the index: "
         "index = torch.where(value < best, start + place, index)."),
    ],
    mistakes=[
        Mistake(lambda z, e, size: _search(z, e, len(e)),
                ("索引都对，但一次算出了整张 N × K 的表：一次只对 size 个码字算分数。",
                 "The indices are right, but the whole N × K matrix was made at once: take the scores of `size` "
                 "codes at a time.")),
        Mistake(lambda z, e, size: _search(z, e, size, start=lambda number, size: 0),
                ("位置还在块里：加上这一块的起点。",
                 "The places still count within a chunk: add where the chunk starts.")),
        Mistake(lambda z, e, size: _search(z, e, size, start=lambda number, size: number),
                ("加上的是第几块；要加的是这一块的起点，第几块 × size。",
                 "You add the chunk's number; add where it starts, its number times `size`.")),
        Mistake(lambda z, e, size: _search(z, e, size, closer=lambda value, best: torch.ones_like(value) > 0),
                ("最后一块总是赢：只有比目前更小时才换。",
                 "The last chunk always wins: replace only where its score is less than the best so far.")),
        Mistake(lambda z, e, size: _search(z, e, size, pieces=lambda e, size: [e[:size]]),
                ("只搜了第一块：每一块都要搜。", "Only the first chunk is searched: search them all.")),
        Mistake(lambda z, e, size: _search(z, e, size, pieces=lambda e, size: e[:max(1, len(e) // size) * size]
                                           .split(size)),
                ("最后不满一块的码字丢了：K 不一定是 size 的倍数。",
                 "The last, smaller chunk is lost: K need not be a multiple of `size`.")),
        Mistake(lambda z, e, size: _search(z, e, size, norms=lambda codes: 0),
                ("少了 ‖e‖²：这是点积的赢家，长的码字占便宜。",
                 "‖e‖² is missing: these are the dot product's winners, which favours long codes.")),
        Mistake(lambda z, e, size: _search(z, e, size, least=lambda scores: (-scores).min(dim=1)),
                ("最近是分数最小：min，不是 max。", "Nearest is the smallest score: min, not max.")),
        Mistake(_scores_of_the_winners,
                ("返回的是最小的分数，这里要它的索引。", "This returns the least score; its index is asked for.")),
    ])

two_levels = Exercise(
    "09.two_levels",
    title=("两层，组隔着取：先找组，再打开它",
           "Two levels, groups at regular distances: find the group, then open it"),
    reference=_levels,
    cases=_scores,
    observe=_observe_levels,
    hints=[
        ("把 0 到 6 这七个编号三个一行写在纸上：groups = 3 时，哪些编号同组？组是行，还是列？"
         "缺的那几格填什么，才不会赢？",
         "Write the numbers 0 to 6 on paper, three a row: with groups = 3, which belong together? Is a group a row "
         "or a column? What must fill the gaps so that it never wins?"),
        ("用 torch.nn.functional.pad 补 inf，补到 groups 的倍数（差 -K % groups 个），"
         "再看成 (N, -1, groups)：组是列，最小值在 dim=1 上求。",
         "Pad with inf up to a multiple of groups (-K % groups are missing; torch.nn.functional.pad), then see it "
         "as (N, -1, groups): a group is a column, its minimum lies along dim=1."),
        ("每行打开自己的那一列：grid[torch.arange(N), :, group]；列里第 j 个是第 j * groups + group 个码字。",
         "Each row opens its own column, grid[torch.arange(N), :, group]; its number j is code j * groups + group."),
    ],
    mistakes=[
        Mistake(_one_level,
                ("结果都对，但位置是在全部 K 个分数里找的（argmin、min(dim=…) 都在找位置），"
                 "那还是一层：每组的最小值用 amin 求，再只打开一组。",
                 "The results are right, but the position was sought among all K scores (argmin and min(dim=…) both "
                 "seek it), which is still one level: get the groups' minima by amin, then open one group alone.")),
        Mistake(_neighbours,
                ("这是相邻的码字一组；这里第 k 个码字在第 k % groups 组。",
                 "These groups are of neighbouring codes; here code k belongs to group k % groups.")),
        Mistake(lambda s, groups: s.view(len(s), groups, s.shape[1] // groups),
                ("这是上面的排法：相邻的码字一组，K 要整除。"
                 "这里第 k 个码字在第 k % groups 组，K 也不一定整除。",
                 "That is the layout above: neighbouring codes a group, and groups divides K. Here code k belongs to "
                 "group k % groups, and K may be any number.")),
        Mistake(lambda s, groups: s.view(len(s), groups, -1),
                ("K 不一定整除，(N, groups, -1) 就排不成；而且那样一行一组，同组的码字相邻。",
                 "(N, groups, -1) fits only where groups divides K; and in it a row is a group, of neighbouring "
                 "codes.")),
        Mistake(lambda s, groups: s.view(len(s), s.shape[1] // groups, groups),
                ("排法对，一列一组；只是 K 不一定整除：先补上永远不会赢的数，补到 groups 的倍数。",
                 "The layout is right, a column a group; but groups need not divide K: first fill up, to a multiple "
                 "of groups, with numbers that never win.")),
        Mistake(lambda s, groups: s.view(len(s), -1, groups),
                ("(N, -1, groups) 是对的，一列一组；只是 K 不一定整除：先用永远不会赢的数把最后一行补满。",
                 "(N, -1, groups) is right, a column a group; but groups need not divide K: first fill the last row "
                 "up with numbers that never win.")),
        Mistake(lambda s, groups: _levels(s[:, :s.shape[1] // groups * groups], groups),
                ("K 不是 groups 的倍数时，最后几个码字丢了：补满，不要截掉。",
                 "Where K is no multiple of groups the last codes are lost: fill up instead of cutting off.")),
        Mistake(lambda s, groups: _levels(s, groups, filled=lambda s, rest: pad(s, (0, rest))),
                ("补的 0 会赢：补 inf。", "The zeros that you pad with may win: pad with inf.")),
        Mistake(lambda s, groups: _levels(s, groups, place=lambda group, inside, groups, size: inside),
                ("索引还是列里的位置：列里第 j 个是第 j * groups + group 个码字。",
                 "The index still counts within the group: its number j is code j * groups + group.")),
        Mistake(lambda s, groups: _levels(s, groups,
                                          place=lambda group, inside, groups, size: group * size + inside),
                ("组找对了，索引却按相邻的码字一组来算：同组的码字每隔 groups 一个。",
                 "The group is right, but the index is computed as if a group held neighbouring codes: its codes are "
                 "groups apart.")),
        Mistake(lambda s, groups: _levels(s, groups, reduce=lambda grid: grid.nanmean(dim=1)),
                ("用的是组的平均：平均最小的组里不一定有最小的分数，要 amin。",
                 "These are the groups' means: the group of the smallest mean need not hold the smallest score; "
                 "take amin.")),
        Mistake(lambda s, groups: _levels(s, groups, best=lambda minima: minima.argmax(dim=1)),
                ("选了最小值最大的组：这里也是 argmin。",
                 "That is the group whose minimum is largest: argmin here too.")),
        Mistake(lambda s, groups: _levels(s, groups, open_=lambda grid, group: grid[:, :, group[0]]),
                ("所有的行都打开了第一行的组：每一行打开自己的，grid[torch.arange(N), :, group]。",
                 "Every row opens the first row's group: each opens its own, grid[torch.arange(N), :, group].")),
        Mistake(lambda s, groups: _levels(s, groups, reduce=lambda grid: grid[:, 0]),
                ("只看了每组的第一个分数：对整组取 amin。",
                 "Only each group's first score was looked at: amin over all of it.")),
        Mistake(lambda s, groups: _levels(s, groups)[::-1],
                ("次序反了：先返回组，再返回索引。", "The other way round: return the group first, then the index.")),
    ])

merged = Exercise(
    "09.merged",
    title=("几个进程合成一个码本", "One codebook from several processes"),
    reference=_merge,
    cases=_ranks,
    hints=[
        ("均值 = 和 / 个数。几个进程的均值不能直接平均，和与个数才能直接相加。",
         "A mean is a sum over a count. Means of several ranks cannot simply be averaged; sums and counts can be "
         "added."),
        ("counts.sum(dim=0) 是 (K,)，sums.sum(dim=0) 是 (K, D)：除之前先给个数加一维。",
         "counts.sum(dim=0) is (K,), sums.sum(dim=0) is (K, D): give the counts a dimension before dividing."),
        ("没人选的码字用 torch.where(count > 0, …, codebook) 留下。",
         "A code that nobody chose is kept by torch.where(count > 0, …, codebook)."),
    ],
    mistakes=[
        Mistake(_mean_of_means,
                ("对各进程的均值再取平均：数到 1 个和数到 29 个的进程说话一样重。先把和、个数各自加起来，再除。",
                 "The mean of the ranks' means: a rank that counted 1 vector weighs as much as one with 29. Add sums "
                 "and counts first, then divide.")),
        Mistake(lambda c, s, e: _merge(c, s, e, kept=lambda n, counts: n < 0),
                ("没人选的码字变成了零（或 NaN）：它没有均值，留在原处。",
                 "A code nobody chose became zero (or NaN): it has no mean and stays where it was.")),
        Mistake(lambda c, s, e: _merge(c, s, e, total=lambda c: c[0], whole=lambda s: s[0]),
                ("只用了第 0 个进程的统计：别的进程看到的也要算。",
                 "Only rank 0's statistics are used: what the others saw counts, too.")),
        Mistake(lambda c, s, e: _merge(c, s, e, total=lambda c: c.mean(dim=0)),
                ("和加起来了，个数却取了平均：两个都要求和。",
                 "The sums were added but the counts averaged: add both.")),
        Mistake(lambda c, s, e: _merge(c, s, e, whole=lambda s: s.mean(dim=0)),
                ("个数加起来了，和却取了平均：两个都要求和。",
                 "The counts were added but the sums averaged: add both.")),
        Mistake(lambda c, s, e: _merge(c, s, e, kept=lambda n, counts: (counts == 0).any(dim=0)),
                ("只要有一个进程没见过，码字就不动了：别的进程见过，就该学。",
                 "A code that one rank has not seen is left alone: if another rank has, it should learn.")),
        Mistake(lambda c, s, e: _merge(c, s, e, whole=lambda s: s.sum(dim=0), total=lambda c: c.sum(dim=0) + 1),
                ("个数多加了 1：均值被拉向零。", "A count of 1 too many: the means are pulled towards zero.")),
        Mistake(lambda c, s, e: _merge(c, s, e, total=lambda c: c.sum().expand(c.shape[1]),
                                       kept=lambda n, counts: counts.sum(dim=0) == 0),
                ("除以了所有码字的总数：每个码字除以自己的个数。",
                 "Divided by the count of all codes together: each code is divided by its own.")),
    ])
