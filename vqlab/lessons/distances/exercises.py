"""Exercises of lesson 1: the expansion, the cosine, and centring before the search."""

import torch
import torch.nn.functional as F

from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["expansion", "cosine", "centre"]


def _vectors(generator):
    """Four times (z, codebook), (N, D) and (K, D), N, K, D all different."""
    for n, k, d in ((5, 3, 2), (2, 7, 4), (9, 4, 3), (6, 8, 5)):
        yield torch.randn(n, d, generator=generator), torch.randn(k, d, generator=generator)


def _unequal_norms(generator):
    """As above, more of them, with codes from short to long: where cosine, dot product and distance part."""
    for n, k, d in ((40, 6, 2), (30, 9, 4), (50, 5, 3), (25, 12, 5)):
        lengths = torch.linspace(0.3, 3, k)[torch.randperm(k, generator=generator), None]
        codes = F.normalize(torch.randn(k, d, generator=generator)) * lengths
        yield torch.randn(n, d, generator=generator), codes


def _far_away(generator):
    """Vectors near one of the codes, thousands of units from the origin, where float32's formula fails.

    Codes stand on a grid a unit apart and vectors within 0.3 of their own, so that rounding decides nothing after
    centring. Half the codes have no vector: z and codebook have different means.
    """
    for d, offset in ((2, 5e3), (3, 2e4), (4, -1e4), (2, 3e4)):
        grid = torch.cartesian_prod(*[torch.arange(4.0)] * d)
        codes = grid[torch.randperm(len(grid), generator=generator)[:16]]
        z = codes[torch.randint(8, (60,), generator=generator)]
        z = z + (torch.rand(60, d, generator=generator) - 0.5) * 0.4
        yield z + offset, codes + offset


def _formula(z, codebook):
    return z.square().sum(dim=1, keepdim=True) + codebook.square().sum(dim=1) - 2 * z @ codebook.t()


def _centred(z, codebook):
    origin = z.mean(dim=0)
    return _formula(z - origin, codebook - origin).argmin(dim=1)

expansion = Exercise(
    "01.expansion",
    title=("用展开式写出 (N, K) 的平方距离表", "The (N, K) table of squared distances, by the expansion"),
    reference=_formula,
    cases=_vectors,
    mistakes=[
        Mistake(lambda z, e: z.square().sum(1, keepdim=True) + e.square().sum(1) - z @ e.t(),
                ("交叉项少了系数 2：(x − e)² 展开后有两个 x·e。",
                 "The cross term lacks its factor 2: (x − e)² contains x·e twice.")),
        Mistake(lambda z, e: z.square().sum(1, keepdim=True) + e.square().sum(1) + 2 * z @ e.t(),
                ("交叉项的符号反了：现在算的是 ‖x + e‖²。",
                 "The cross term has the wrong sign: this is ‖x + e‖².")),
        Mistake(lambda z, e: e.square().sum(1) - 2 * z @ e.t(),
                ("少了 ‖x‖²。搜索时确实可以不要它，但这里要的是距离本身。",
                 "‖x‖² is missing. A search can do without it, but here the distance itself is asked for.")),
        Mistake(lambda z, e: z.square().sum(1, keepdim=True) - 2 * z @ e.t(),
                ("少了 ‖e‖²：长的码字会白白占便宜。", "‖e‖² is missing: long codes win more than they should.")),
        Mistake(lambda z, e: z.norm(dim=1, keepdim=True) + e.norm(dim=1) - 2 * z @ e.t(),
                ("用的是长度，不是长度的平方：norm 要换成 square().sum()。",
                 "These are lengths, not their squares: square().sum() instead of norm.")),
        Mistake(lambda z, e: _formula(z, e).clamp(min=0).sqrt(),
                ("多开了一次方：这里要平方距离。",
                 "One square root too many: the squared distance is asked for.")),
        Mistake(lambda z, e: _formula(z, e) / z.shape[1],
                ("对维度取了平均，这里要求和。", "This is the mean over the dimensions; take the sum.")),
        Mistake(lambda z, e: _formula(e, z),
                ("行列反了：每个向量一行，每个码字一列，形状是 (N, K)。",
                 "Rows and columns are swapped: a row for each vector, a column for each code, (N, K).")),
    ])

cosine = Exercise(
    "01.cosine",
    title=("每个向量按余弦选一个码字，返回 (N,) 的索引",
           "The code each vector chooses by cosine, as (N,) indices"),
    reference=lambda z, e: (F.normalize(z, dim=1) @ F.normalize(e, dim=1).t()).argmax(dim=1),
    cases=_unequal_norms,
    mistakes=[
        Mistake(lambda z, e: (z @ e.t()).argmax(dim=1),
                ("码字没有除以自己的长度，这是点积（只给 z 归一化也一样：它不改变名次）。",
                 "The codes were not divided by their lengths: this is the dot product (normalising z alone "
                 "changes no ranking).")),
        Mistake(lambda z, e: (F.normalize(z, dim=1) @ F.normalize(e, dim=1).t()).argmin(dim=1),
                ("余弦越大越近：要 argmax，不是 argmin。",
                 "The larger the cosine, the nearer: argmax, not argmin.")),
        Mistake(lambda z, e: _formula(z, e).argmin(dim=1),
                ("这是欧氏距离的赢家；码字长短不一时，它和余弦不同。",
                 "This is Euclid's winner, which differs from the cosine's where codes differ in length.")),
        Mistake(lambda z, e: (F.normalize(z, dim=0) @ F.normalize(e, dim=0).t()).argmax(dim=1),
                ("归一化的方向错了：每个向量（一行）除以自己的长度，用 dim=1。",
                 "Normalised along the wrong dimension: each vector (a row) is divided by its length, dim=1.")),
        Mistake(lambda z, e: (F.normalize(z, dim=1) @ F.normalize(e, dim=1).t()).amax(dim=1),
                ("返回的是最大的余弦值，这里要它的位置：argmax。",
                 "This returns the largest cosine; its position is asked for: argmax.")),
        Mistake(lambda z, e: (F.normalize(z, dim=1) @ F.normalize(e, dim=1).t()).argmax(dim=0),
                ("argmax 的方向错了：对每个向量（一行）在码字之间选，用 dim=1。",
                 "argmax along the wrong dimension: choose among the codes for each vector (a row), dim=1.")),
    ])

centre = Exercise(
    "01.centre",
    title=("先居中再用公式，返回 (N,) 的索引", "Centre first, then use the formula; return (N,) indices"),
    reference=_centred,
    cases=_far_away,
    mistakes=[
        Mistake(lambda z, e: _formula(z, e).argmin(dim=1),
                ("没有居中：离原点这么远，‖x‖² 的舍入误差已经比距离的差别还大。",
                 "Not centred: this far from the origin, ‖x‖² rounds by more than the distances differ.")),
        Mistake(lambda z, e: _formula(z - z.mean(dim=0), e).argmin(dim=1),
                ("只平移了 z：码字要减去同一个原点，距离才不变。",
                 "Only z was moved: subtract the same origin from the codes, or distances change.")),
        Mistake(lambda z, e: _formula(z - z.mean(dim=0), e - e.mean(dim=0)).argmin(dim=1),
                ("两边减去了不同的均值，距离变了：必须减同一个点。",
                 "Two different means were subtracted, which changes distances: it must be the same point.")),
        Mistake(lambda z, e: _formula(z - z.mean(1, keepdim=True), e - e.mean(1, keepdim=True)).argmin(dim=1),
                ("平均的方向错了：原点是所有向量的平均（dim=0），不是每个向量自己各维的平均。",
                 "The mean runs the wrong way: the origin is the mean of all vectors (dim=0), not of each one's "
                 "own entries.")),
        Mistake(lambda z, e: _formula(z - z.mean(dim=0), e - z.mean(dim=0)).argmax(dim=1),
                ("最近是距离最小：argmin，不是 argmax。",
                 "Nearest means the smallest distance: argmin, not argmax.")),
        Mistake(lambda z, e: _formula(z - z.mean(dim=0), e - z.mean(dim=0)).amin(dim=1),
                ("返回的是最小的距离，这里要它的位置：argmin。",
                 "This returns the smallest distance; its position is asked for: argmin.")),
    ])
