"""Exercises of lesson 2: the distortion of a codebook, a Lloyd step with weights, the rate of a palette."""

import math

import torch

from vqlab.classroom.exercise import Exercise, Mistake
from vqlab.codebook import nearest_code
from vqlab.lessons.argmin import lloyd
from vqlab.lessons.argmin.palette import palette_rate

__all__ = ["distortion", "lloyd_step", "rate"]


def _vectors_and_codes(generator):
    """Six times (z (N, D), codebook (K, D)): one vector, one code, one dimension, N = K, float64, unused codes."""
    for number, codes, dimension in ((6, 2, 2), (40, 5, 3), (1, 4, 3), (30, 1, 2), (12, 12, 4), (9, 3, 1)):
        z = 2 * torch.randn(number, dimension, generator=generator) + 0.5
        codebook = torch.randn(codes, dimension, generator=generator)
        yield (z.double(), codebook.double()) if number == 40 else (z, codebook)


def _weighted(generator):
    """Six times (z (N, D), codebook (K, D), weights (N,)); codes anywhere without vectors, or with none that counts.

    Weights are fractions, counts, or zero; no vector lies near a border of two codes.
    """
    for number, codes, dimension, empty in ((30, 6, 2, [0]), (40, 5, 3, [1, 3]), (25, 4, 1, []), (12, 7, 4, [6]),
                                            (5, 3, 2, [0, 2]), (8, 1, 2, [])):
        codebook = 3 * torch.randn(codes, dimension, generator=generator)
        codebook[empty] = 50 + 10 * torch.rand(len(empty), dimension, generator=generator)
        z = 3 * torch.randn(20 * number, dimension, generator=generator)
        if codes > 1:
            nearest = torch.cdist(z.double(), codebook.double()).sort(dim=1).values
            z = z[nearest[:, 1] - nearest[:, 0] > 0.05]
        z = z[:number].clone()
        weights = 3 * torch.rand(number, generator=generator) + 0.1
        weights[torch.rand(number, generator=generator) < 0.2] = 0
        if number == 30:
            weights = torch.randint(0, 5, (number,), generator=generator).float()
        indices = nearest_code(z, codebook)
        if number >= 12:
            weights[indices == indices[0]] = 0  # one code has members, but none that counts
        yield z, codebook, weights


def _pictures(generator):
    """Six times (indices (H, W) int64, palette (K, 3)): K a power of two, where every fixed-length code is ideal.

    Some colours are not used, the first or the last among them; one palette has a single colour.
    """
    for colours, height, width, used in ((2, 16, 16, (0, 2)), (256, 64, 48, (0, 200)), (16, 30, 70, (3, 14)),
                                         (64, 60, 80, (1, 64)), (4, 1, 9, (1, 2)), (1, 7, 5, (0, 1))):
        indices = torch.randint(*used, (height, width), generator=generator)
        yield indices, torch.rand(colours, 3, generator=generator)


def _squares(z, codebook):
    return (z[:, None] - codebook[None]).square().sum(dim=2)  # (N, K)


def _moved(z, codebook, weights, change, choose=torch.argmin):
    """What ``change(members, their weights, old)`` makes of each code; a code whose members have no weight stays."""
    indices = choose(_squares(z, codebook), dim=1)
    return torch.stack([change(z[indices == k], weights[indices == k, None], old)
                        if weights[indices == k].sum() > 0 else old for k, old in enumerate(codebook)])


def _mean(members, weights, old):
    return (weights * members).sum(dim=0) / weights.sum()


def _everywhere(z, codebook, weights):
    """The weighted sums divided by the weights, wherever that leads."""
    indices = nearest_code(z, codebook)
    return torch.stack([_mean(z[indices == k], weights[indices == k, None], None) for k in range(len(codebook))])


def _mean_or_zero(z, codebook, weights):
    return _everywhere(z, codebook, weights).nan_to_num(0)


def _changed(change):
    return lambda z, codebook, weights: _moved(z, codebook, weights, change)


def _unweighted(z, codebook, weights):
    return lloyd.lloyd_step(z, codebook)


def _moved_if_it_has_members(z, codebook, weights):
    indices = nearest_code(z, codebook)
    return torch.stack([_mean(z[indices == k], weights[indices == k, None], None) if (indices == k).any() else old
                        for k, old in enumerate(codebook)])

distortion = Exercise(
    "02.distortion", title=("码本的失真", "the distortion of a codebook"), reference=lloyd.distortion,
    cases=_vectors_and_codes, hints=[
        ("两步：每个向量找到最近的码字；再看它离得多远。",
         "Two steps: find each vector's nearest code, then look how far away it is."),
        ("codebook[indices] 和 z 的形状一样，(N, D)：相减、平方，哪一轴求和，哪一轴平均？",
         "codebook[indices] has the shape of z, (N, D): subtract, square; which axis is summed, which averaged?"),
    ], mistakes=[
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).sqrt().mean(), (
            "这是平均距离：失真要平方，不要开方。",
            "That is the mean distance: distortion squares it, no root.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).mean().sqrt(), (
            "最后多开了一次方：失真是平方误差的平均。",
            "A square root too many at the end: distortion is the mean of squared errors.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).sum(), (
            "这是总和：还要除以向量的个数。", "That is the sum: divide by the number of vectors.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).mean() / z.shape[1], (
            "你对所有元素取了平均：D 维上要求和，只对 N 个向量平均。",
            "That is a mean over all elements: sum over the D dimensions, average over the N vectors only.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).sum() / len(codebook), (
            "你除以了码字数 K：要除以向量数 N。",
            "You divided by K, the number of codes: divide by N, the vectors.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amax(dim=1).mean(), (
            "你选了最远的码字（argmax）：要最近的。", "You took the farthest code (argmax): take the nearest.")),
        Mistake(lambda z, codebook: _squares(z, codebook).mean(), (
            "你对所有码字取了平均：每个向量只和它最近的码字有关。",
            "That averages over all codes: each vector counts only its nearest one.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=0).mean(), (
            "最小值取错了方向：应对每个向量在 K 个码字中取最小（dim=1）。",
            "The minimum runs the wrong way: for each vector, over the K codes (dim=1).")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1), (
            "这是每个向量各自的误差：还要对 N 个向量取平均。",
            "These are the errors one by one: take their mean over the N vectors.")),
        Mistake(lambda z, codebook: (z - codebook[nearest_code(z, codebook)]).abs().sum(dim=1).mean(), (
            "这是绝对值之和：要平方。", "Those are absolute values: square them.")),
        Mistake(lambda z, codebook: (z - codebook[nearest_code(z, codebook)]).square(), (
            "这些是 (N, D) 个平方差：还要对 D 维求和，对 N 个向量平均。",
            "Those are the (N, D) squared differences: sum over D, then average over the N vectors.")),
        Mistake(lambda z, codebook: (z - codebook[nearest_code(z, codebook)]).sum(dim=1).square().mean(), (
            "先求和再平方，正负会抵消：先平方，再求和。", "Summed before squaring, so signs cancel: square first.")),
        Mistake(lambda z, codebook: nearest_code(z, codebook), (
            "这是选中的码字编号：还要算它们离得多远。", "Those are the chosen indices: how far away are they?")),
    ])

lloyd_step = Exercise(
    "02.lloyd_step", title=("带权重的 Lloyd 一步", "one step of Lloyd's algorithm, with weights"),
    reference=_changed(_mean), cases=_weighted, hints=[
        ("权重 2 的向量，就像同一个向量出现两次。先对一个码字想：它的成员是谁？",
         "A vector of weight 2 is as good as two of them. Think of one code first: who are its members?"),
        ("加权平均 = Σ w·z ÷ Σ w，都只对这个码字的成员求和；w 要变成 (n, 1) 才能和 (n, D) 相乘。",
         "Weighted mean = Σ w·z ÷ Σ w, both over this code's members; make w (n, 1) to multiply (n, D)."),
        ("Σ w 是 0 的码字（没有成员，或成员的权重都是 0）留在原处：先 codebook.clone()，再只改 Σ w > 0 的。",
         "A code with Σ w = 0 (no members, or only members of weight 0) stays: clone the codebook first and write "
         "only "
         "where Σ w > 0."),
    ], mistakes=[
        Mistake(_everywhere, ("没有权重的码字变成了 NaN：0 ÷ 0。没有成员、或成员的权重都是 0 时，让它留在原处。",
                              "A code without weight became NaN: 0 ÷ 0. Without members, or with members of weight 0 "
                              "only, let it stay.")),
        Mistake(_moved_if_it_has_members, (
            "有成员、但权重全是 0 的码字变成了 NaN：要看 Σ w，不是成员个数。",
            "A code whose members all have weight 0 became NaN: look at Σ w, not at the number of members.")),
        Mistake(_mean_or_zero, ("没有权重的码字跳到了原点：让它留在原处。",
                                "A code without weight jumped to the origin: let it stay.")),
        Mistake(_unweighted, ("权重没有用上：这是普通的均值。", "The weights are not used: that is the plain mean.")),
        Mistake(_changed(lambda members, weights, old: (weights * members).sum(dim=0)), (
            "这是加权的和：还要除以 Σ w。", "That is the weighted sum: divide by Σ w.")),
        Mistake(_changed(lambda members, weights, old: (weights * members).mean(dim=0)), (
            "你除以了成员的个数：加权平均要除以权重之和 Σ w。",
            "You divided by the number of members: a weighted mean is divided by the sum of the weights.")),
        Mistake(lambda z, codebook, weights: _moved(
            z, codebook, weights, lambda members, w, old: (w * members).sum(dim=0) / weights.sum()), (
            "你除以了全部权重之和：只要本格成员的。",
            "You divided by the sum of all weights: take those of this code's members only.")),
        Mistake(lambda z, codebook, weights: _moved(z, codebook, weights, _mean, torch.argmax), (
            "你按最远的码字分组（argmax）：要按最近的分。",
            "You grouped by the farthest code (argmax): group by the nearest.")),
        Mistake(_changed(lambda members, weights, old: (_mean(members, weights, old) + old) / 2), (
            "码字只走了一半：Lloyd 一步就到均值。（走一小部分，就成了滑动平均。）",
            "The code went only half way: Lloyd goes to the mean. (Part of the way is a moving average.)")),
        Mistake(lambda z, codebook, weights: _moved(z * weights[:, None], codebook, weights, _mean), (
            "分组之前就乘了权重：先用原来的 z 找最近的码字，再加权。",
            "The weights came before the grouping: find the nearest codes of z itself, then weight.")),
    ])

rate = Exercise(
    "02.rate", title=("K 色图像的码率", "the rate of a picture in K colours"),
    reference=lambda indices, palette: palette_rate(len(palette), *indices.shape),
    cases=_pictures, hints=[
        ("先数整张图的比特：H·W 个索引，每个 log₂ K 比特；调色板只存一次。",
         "Count the bits of the whole picture: H·W indices of log₂ K bits each, and the palette once."),
        ("K 是调色板的行数，用没用到都要存；最后除以像素数。",
         "K is the number of rows of the palette: they are stored, used or not. Then divide by the pixels."),
    ], mistakes=[
        Mistake(lambda indices, palette: math.log2(len(palette)), (
            "只算了索引：别忘了调色板本身，每种颜色 24 比特。",
            "Those are the indices alone: the palette costs too, 24 bits a colour.")),
        Mistake(lambda indices, palette: math.log(len(palette)) + 24 * len(palette) / indices.numel(), (
            "这是自然对数：比特要用以 2 为底的对数。", "That is the natural logarithm: bits want base 2.")),
        Mistake(lambda indices, palette: math.log10(len(palette)) + 24 * len(palette) / indices.numel(), (
            "这是以 10 为底的对数：比特要用以 2 为底的。", "That is the logarithm to base 10: bits want base 2.")),
        Mistake(lambda indices, palette: math.log2(len(palette)) + 3 * len(palette) / indices.numel(), (
            "调色板按字节算了：一种颜色 3 字节，也就是 24 比特。",
            "The palette is in bytes: 3 bytes a colour are 24 bits.")),
        Mistake(lambda indices, palette: math.log2(len(palette)) + 8 * len(palette) / indices.numel(), (
            "一种颜色有三个通道：3 × 8 = 24 比特。", "A colour has three channels: 3 × 8 = 24 bits.")),
        Mistake(lambda indices, palette: indices.numel() * math.log2(len(palette)) + 24 * len(palette), (
            "这是整张图的比特数：还要除以像素数。",
            "Those are the bits of the whole picture: divide by its pixels.")),
        Mistake(lambda indices, palette: len(palette) + 24 * len(palette) / indices.numel(), (
            "一个索引不要 K 比特：K 种可能只要 log₂ K 比特。",
            "An index does not cost K bits: K possibilities take log₂ K.")),
        Mistake(lambda indices, palette: math.log2(len(palette)) + 24 * len(palette), (
            "调色板整张图只存一次：它的比特数要摊到所有像素上。",
            "The palette is stored once a picture: spread its bits over all pixels.")),
        Mistake(lambda indices, palette: math.log2(len(indices.unique())) + 24 * len(palette) / indices.numel(), (
            "你数的是图里用到的颜色：定长编码要给调色板里的每一种颜色留号码，K = len(palette)。",
            "You counted the colours in use: a fixed-length code has a number for every colour of the palette, "
            "K = len(palette).")),
        Mistake(lambda indices, palette: math.log2(len(palette)) + 24 * len(indices.unique()) / indices.numel(), (
            "你只存了用到的颜色：整个调色板都要存，24 · len(palette) 比特。",
            "You store the colours in use: the whole palette is stored, 24 · len(palette) bits.")),
        Mistake(lambda indices, palette: math.log2(int(indices.max()) + 1) + 24 * len(palette) / indices.numel(), (
            "最大的索引不一定出现：K 是调色板的颜色数，len(palette)。",
            "The largest index need not occur: K is the number of colours, len(palette).")),
    ])
