"""Exercises of lesson 1: the expansion for a batch, Euclid by a dot product, and centring before the search."""

import torch
import torch.nn.functional as F

from vqlab.classroom.exercise import Exercise, Mistake
from vqlab.codebook import nearest_code

__all__ = ["expansion", "as_dot", "centre"]


def _batches(generator):
    """Six times (z (B, N, D), codebook (K, D)): one picture, vector, code or dimension, N = K, float64."""
    for b, n, k, d in ((2, 5, 3, 4), (1, 6, 7, 2), (3, 1, 5, 6), (2, 4, 1, 3), (4, 3, 2, 1), (2, 6, 6, 5)):
        z, codebook = 2 * torch.randn(b, n, d, generator=generator) + 1, torch.randn(k, d, generator=generator)
        yield (z.double(), codebook.double()) if n == k else (z, codebook)


def _unequal_norms(generator):
    """Five times (z (N, D), codebook (K, D)), codes from short to long, no vector near a border of two codes.

    There cosine, dot product and distance part; every code is short somewhere, and some are never chosen.
    """
    for n, k, d in ((40, 6, 2), (30, 9, 4), (1, 5, 3), (12, 12, 5), (50, 4, 1)):
        lengths = torch.linspace(0.3, 3, k)[torch.randperm(k, generator=generator), None]
        codes = F.normalize(torch.randn(k, d, generator=generator)) * lengths
        z = 1.5 * torch.randn(20 * n, d, generator=generator) + 0.5
        nearest = torch.cdist(z.double(), codes.double()).square().sort(dim=1).values
        yield z[nearest[:, 1] - nearest[:, 0] > 0.05][:n].clone(), codes


def _far_away(generator):
    """Vectors near one of the codes, thousands of units from the origin, where float32's formula fails.

    Each dimension has an offset of its own, of either sign, and in one case none. Codes stand on a grid a unit apart
    and vectors within 0.2 of their own, so that rounding decides nothing after centring. Half the codes have no
    vector: z and codebook have different means.
    """
    for offset in ((5e3, -5e3), (2e4, 3e3, -1e4), (-1e4, 0.0, 0.0, 2e4), (0.0, 3e4), (-3e4, -1e3)):
        d = len(offset)
        grid = torch.cartesian_prod(*[torch.arange(4.0)] * d)
        codes = grid[torch.randperm(len(grid), generator=generator)[:16]]
        used = torch.randperm(16, generator=generator)[:8]
        z = codes[used[torch.randint(8, (60,), generator=generator)]]
        z = z + (torch.rand(60, d, generator=generator) - 0.5) * 0.4
        yield z + torch.tensor(offset), codes + torch.tensor(offset)


def _formula(z, codebook):
    return z.square().sum(dim=-1, keepdim=True) + codebook.square().sum(dim=-1) - 2 * z @ codebook.t()


def _chosen_by_dot(function, z, codebook):
    """Which code the dot product chooses with the vectors and codes that a function returns, (N,)."""
    pair = function(z, codebook)
    try:
        new_z, new_codebook = (torch.as_tensor(each) for each in pair)
        new_z, new_codebook = new_z.double(), new_codebook.double()
        if new_z.ndim != 2 or new_codebook.ndim != 2 or len(new_z) != len(z) or len(new_codebook) != len(codebook):
            raise ValueError
        return (new_z @ new_codebook.t()).argmax(dim=1)
    except (TypeError, ValueError, RuntimeError):
        got = [tuple(each.shape) if isinstance(each, torch.Tensor) else type(each).__name__ for each in pair] if (
            isinstance(pair, (tuple, list))) else type(pair).__name__
        raise ValueError(f"expected z (N, M) and codebook (K, M) with N = {len(z)}, K = {len(codebook)}, got {got}"
                         ) from None


def _ones(z):
    return torch.ones(len(z), 1)


def _appended(column, factor=1):
    """z with a one, and the codes (times ``factor``) with a column of their own."""
    return lambda z, e: (torch.cat([z, _ones(z)], 1), torch.cat([factor * e, column(e)[:, None]], 1))

expansion = Exercise(
    "01.expansion",
    title=("用展开式写出一批图的平方距离表 (B, N, K)",
           "The (B, N, K) tables of squared distances of a batch, by the expansion"),
    reference=_formula,
    cases=_batches,
    hints=[
        ("‖x − e‖² 展开成三项：哪一项的形状是 (B, N, 1)，哪一项是 (K,)，哪一项是 (B, N, K)？",
         "‖x − e‖² has three terms: which is shaped (B, N, 1), which (K,), which (B, N, K)?"),
        ("平方和总是沿最后一轴：dim=−1；‖x‖² 要 keepdim=True 才能广播。",
         "Sum the squares over the last axis, dim=-1; ‖x‖² needs keepdim=True to broadcast."),
        ("z @ codebook.t() 就是 (B, N, K)：矩阵乘法自己会对批次广播。",
         "z @ codebook.t() is (B, N, K): a matrix product broadcasts over the batch by itself."),
    ],
    mistakes=[
        Mistake(lambda z, e: z.square().sum(-1, keepdim=True) + e.square().sum(-1) - z @ e.t(),
                ("交叉项少了系数 2：(x − e)² 展开后有两个 x·e。",
                 "The cross term lacks its factor 2: (x − e)² contains x·e twice.")),
        Mistake(lambda z, e: z.square().sum(-1, keepdim=True) + e.square().sum(-1) + 2 * z @ e.t(),
                ("交叉项的符号反了：现在算的是 ‖x + e‖²。",
                 "The cross term has the wrong sign: this is ‖x + e‖².")),
        Mistake(lambda z, e: e.square().sum(-1) - 2 * z @ e.t(),
                ("少了 ‖x‖²。搜索时确实可以不要它，但这里要的是距离本身。",
                 "‖x‖² is missing. A search can do without it, but here the distance itself is asked for.")),
        Mistake(lambda z, e: z.square().sum(-1, keepdim=True) - 2 * z @ e.t(),
                ("少了 ‖e‖²：长的码字会白白占便宜。", "‖e‖² is missing: long codes win more than they should.")),
        Mistake(lambda z, e: z.norm(dim=-1, keepdim=True) + e.norm(dim=-1) - 2 * z @ e.t(),
                ("用的是长度，不是长度的平方：norm 要换成 square().sum()。",
                 "These are lengths, not their squares: square().sum() instead of norm.")),
        Mistake(lambda z, e: _formula(z, e).clamp(min=0).sqrt(),
                ("多开了一次方：这里要平方距离。",
                 "One square root too many: the squared distance is asked for.")),
        Mistake(lambda z, e: _formula(z, e) / z.shape[-1],
                ("对维度取了平均，这里要求和。", "This is the mean over the dimensions; take the sum.")),
        Mistake(lambda z, e: _formula(z, e).mT,
                ("行列反了：每个向量一行，每个码字一列，形状是 (B, N, K)。",
                 "Rows and columns are swapped: a row for each vector, a column for each code, (B, N, K).")),
        Mistake(lambda z, e: z.square().sum(dim=1, keepdim=True) + e.square().sum(dim=1) - 2 * z @ e.t(),
                ("z 有三个轴：dim=1 是 N，不是 D。沿最后一轴求和：dim=−1。",
                 "z has three axes: dim=1 is N, not D. Sum over the last axis, dim=-1.")),
        Mistake(lambda z, e: _formula(z.flatten(0, 1), e),
                ("批次的轴丢了：最后要变回 (B, N, K)。", "The batch axis is lost: bring it back, (B, N, K).")),
    ])

as_dot = Exercise(
    "01.as_dot",
    title=("让点积选出欧氏最近的码字", "Make the dot product choose Euclid's nearest code"),
    reference=_appended(lambda e: -e.square().sum(dim=1) / 2),
    cases=_unequal_norms,
    observe=_chosen_by_dot,
    hints=[
        ("‖x − e‖² 最小，就是 2x·e − ‖e‖² 最大。点积只差那个“长度税” −‖e‖²。",
         "The smallest ‖x − e‖² is the largest 2x·e − ‖e‖². All that the dot product lacks is the tax −‖e‖²."),
        ("税只和码字有关：给每个码字多加一维来存它。z 的那一维应该写什么，才能把它原样加上？",
         "The tax belongs to the code alone: keep it in one more dimension. What must z hold there, to add it "
         "unchanged?"),
        ("z 添一列 1，码字添一列 −‖e‖² / 2（或者码字乘 2，添 −‖e‖²）；用 torch.cat(…, dim=1)。",
         "Give z a column of ones and the codes a column −‖e‖² / 2 (or double the codes and append −‖e‖²); "
         "torch.cat(…, dim=1)."),
    ],
    mistakes=[
        Mistake(lambda z, e: (z, e),
                ("选出来的还是点积的赢家：还缺“长度税” −‖e‖²，而且它必须在码字那一边（‖x‖² 对所有码字都一样，"
                 "不改变名次）。",
                 "The choice is still the dot product's. The tax −‖e‖² is missing, and it belongs to the codes "
                 "(‖x‖² is "
                 "the same for every code and changes no ranking).")),
        Mistake(lambda z, e: (z, F.normalize(e, dim=1)),
                ("码字都除以了长度，这是余弦的赢家：和欧氏不同，除非码字本来就一样长。",
                 "The codes were divided by their lengths: that is the cosine's winner, not Euclid's, unless all "
                 "codes "
                 "have one length.")),
        Mistake(_appended(lambda e: e.square().sum(dim=1) / 2),
                ("税的符号反了：长码字应当吃亏，要减去 ‖e‖²。",
                 "The tax has the wrong sign: long codes should pay, subtract ‖e‖².")),
        Mistake(_appended(lambda e: -e.square().sum(dim=1)),
                ("税重了一倍：2x·e − ‖e‖²，点积里的 x·e 只有一份，税也要减半（或者码字乘 2）。",
                 "The tax is twice too high: in 2x·e − ‖e‖² the product counts twice, so halve the tax (or double "
                 "the "
                 "codes).")),
        Mistake(_appended(lambda e: -e.norm(dim=1) / 2),
                ("税要交长度的平方：‖e‖²，不是 ‖e‖。", "The tax is the squared length, ‖e‖², not ‖e‖.")),
        Mistake(_appended(lambda e: -e.norm(dim=1)),
                ("税要交长度的平方的一半：‖e‖² / 2，不是 ‖e‖。",
                 "The tax is half the squared length, ‖e‖² / 2, not ‖e‖.")),
        Mistake(lambda z, e: (z - z.mean(dim=0), e - z.mean(dim=0)),
                ("平移不改变欧氏距离，却改变点积；这里还是没有税。",
                 "Moving everything changes no distance, but it does change dot products; and there is still no "
                 "tax.")),
        Mistake(lambda z, e: (-z, e),
                ("选出了点积最小的：点积是越大越近。",
                 "That chooses the smallest dot product: the larger, the nearer.")),
    ])

centre = Exercise(
    "01.centre",
    title=("先居中再用公式，返回 (N,) 的索引", "Centre first, then use the formula; return (N,) indices"),
    reference=nearest_code,
    cases=_far_away,
    hints=[
        ("两边减去同一个点，距离不变；数变小了，舍入误差也就小了。",
         "Subtract one point from both: distances stay, the numbers shrink, and rounding errors with them."),
        ("减谁？z 的均值就行：z.mean(dim=0)，每一维各有一个数。",
         "Which point? The mean of z will do: z.mean(dim=0), a number for each dimension."),
    ],
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
        Mistake(lambda z, e: _formula(z - z.mean(), e - z.mean()).argmin(dim=1),
                ("所有维度减去了同一个数：每一维离原点远近不同，要各减各的，mean(dim=0)。",
                 "One number was subtracted from all dimensions: each lies at its own distance from the origin and "
                 "needs its own, mean(dim=0).")),
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
        Mistake(lambda z, e: ((z - z.mean(dim=0)) @ (e - z.mean(dim=0)).t()).argmax(dim=1),
                ("居中之后用的是点积：还要减去 ‖e‖²。",
                 "Centred, but then chosen by the dot product: ‖e‖² is missing.")),
        Mistake(lambda z, e: _formula(z - z.mean(dim=0), e - z.mean(dim=0)).argmin(dim=0),
                ("argmin 的方向错了：对每个向量（一行）在码字之间选，用 dim=1。",
                 "argmin along the wrong axis: choose among the codes for each vector (a row), dim=1.")),
    ])
