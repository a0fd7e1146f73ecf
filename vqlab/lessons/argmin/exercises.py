"""Exercises of lesson 2: the distortion of a codebook, one step of Lloyd's algorithm, the rate of a palette."""

import math

import torch

from vqlab.classroom.exercise import Exercise, Mistake
from vqlab.codebook import nearest_code
from vqlab.lessons.argmin import lloyd
from vqlab.lessons.argmin.palette import palette_rate

__all__ = ["distortion", "lloyd_step", "rate"]


def _vectors_and_codes(generator):
    """Five times (z (N, D), codebook (K, D)) of several sizes."""
    for number, codes, dimension in ((6, 2, 2), (40, 5, 2), (30, 4, 3), (50, 8, 4), (12, 3, 3)):
        z = torch.randn(number, dimension, generator=generator)
        yield z, torch.randn(codes, dimension, generator=generator)


def _one_code_without_vectors(generator):
    for z, codebook in _vectors_and_codes(generator):
        codebook[-1] = 100.0
        yield z, codebook


def _pictures(generator):
    """Five times (indices (H, W) int64, palette (K, 3))."""
    for colours, height, width in ((2, 16, 16), (256, 64, 48), (16, 128, 128), (100, 60, 80), (3, 20, 30)):
        indices = torch.randint(colours, (height, width), generator=generator)
        yield indices, torch.rand(colours, 3, generator=generator)


def _squares(z, codebook):
    return (z[:, None] - codebook[None]).square().sum(dim=2)  # (N, K)


def _moved(z, codebook, change):
    """What ``change(members, old)`` makes of each code; a code without members stays."""
    indices = nearest_code(z, codebook)
    return torch.stack([change(z[indices == k], old) if (indices == k).any() else old
                        for k, old in enumerate(codebook)])


def _mean_or_zero(z, codebook):
    right = lloyd.lloyd_step(z, codebook)
    right[torch.bincount(nearest_code(z, codebook), minlength=len(codebook)) == 0] = 0
    return right


def _mean_or_nan(z, codebook):
    indices = nearest_code(z, codebook)
    return torch.stack([z[indices == k].mean(dim=0) for k in range(len(codebook))])


def _farthest(z, codebook):
    indices = _squares(z, codebook).argmax(dim=1)
    return torch.stack([z[indices == k].mean(dim=0) if (indices == k).any() else old
                        for k, old in enumerate(codebook)])

distortion = Exercise(
    "02.distortion", title=("码本的失真", "the distortion of a codebook"), reference=lloyd.distortion,
    cases=_vectors_and_codes, mistakes=[
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).sqrt().mean(), (
            "这是平均距离：失真要平方，不要开方。",
            "That is the mean distance: distortion squares it, no root.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).sum(), (
            "这是总和：还要除以向量的个数。", "That is the sum: divide by the number of vectors.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=1).mean() / z.shape[1], (
            "你对所有元素取了平均：D 维上要求和，只对 N 个向量平均。",
            "That is a mean over all elements: sum over the D dimensions, average over the N vectors only.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amax(dim=1).mean(), (
            "你选了最远的码字（argmax）：要最近的。", "You took the farthest code (argmax): take the nearest.")),
        Mistake(lambda z, codebook: _squares(z, codebook).mean(), (
            "你对所有码字取了平均：每个向量只和它最近的码字有关。",
            "That averages over all codes: each vector counts only its nearest one.")),
        Mistake(lambda z, codebook: _squares(z, codebook).amin(dim=0).mean(), (
            "最小值取错了方向：应对每个向量在 K 个码字中取最小（dim=1）。",
            "The minimum runs the wrong way: for each vector, over the K codes (dim=1).")),
    ])

lloyd_step = Exercise(
    "02.lloyd_step", title=("Lloyd 算法的一步", "one step of Lloyd's algorithm"), reference=lloyd.lloyd_step,
    cases=_one_code_without_vectors, mistakes=[
        Mistake(_mean_or_nan, ("没有成员的码字变成了 NaN：空集没有均值，让它留在原处。",
                               "A code without members became NaN: nothing has no mean; let it stay.")),
        Mistake(_mean_or_zero, ("没有成员的码字跳到了原点：让它留在原处。",
                                "A code without members jumped to the origin: let it stay.")),
        Mistake(lambda z, codebook: _moved(z, codebook, lambda members, old: members.sum(dim=0)), (
            "这是成员之和：还要除以成员个数。", "That is the sum of the members: divide by how many there are.")),
        Mistake(lambda z, codebook: _moved(z, codebook, lambda members, old: members.sum(dim=0) / len(z)), (
            "你除以了全部向量数 N：应除以本格的成员数。",
            "You divided by N, all vectors: divide by the number of this code's members.")),
        Mistake(_farthest, ("你按最远的码字分组（argmax）：要按最近的分。",
                            "You grouped by the farthest code (argmax): group by the nearest.")),
        Mistake(lambda z, codebook: _moved(z, codebook, lambda members, old: (members.mean(dim=0) + old) / 2), (
            "码字只走了一半：Lloyd 一步就到均值。（走一小部分，就成了滑动平均。）",
            "The code went only half way: Lloyd goes to the mean. (Part of the way is a moving average.)")),
        Mistake(lambda z, codebook: _moved(z, codebook, lambda members, old: members.median(dim=0).values), (
            "这是中位数：它最小化绝对误差；平方误差要用均值。",
            "That is the median, which minimises absolute error; for squared error take the mean.")),
    ])

rate = Exercise(
    "02.rate", title=("K 色图像的码率", "the rate of a picture in K colours"),
    reference=lambda indices, palette: palette_rate(len(palette), *indices.shape),
    cases=_pictures, mistakes=[
        Mistake(lambda indices, palette: math.log2(len(palette)), (
            "只算了索引：别忘了调色板本身，每种颜色 24 比特。",
            "Those are the indices alone: the palette costs too, 24 bits a colour.")),
        Mistake(lambda indices, palette: math.log(len(palette)) + 24 * len(palette) / indices.numel(), (
            "这是自然对数：比特要用以 2 为底的对数。", "That is the natural logarithm: bits want base 2.")),
        Mistake(lambda indices, palette: math.log2(len(palette)) + 3 * len(palette) / indices.numel(), (
            "调色板按字节算了：一种颜色 3 字节，也就是 24 比特。",
            "The palette is in bytes: 3 bytes a colour are 24 bits.")),
        Mistake(lambda indices, palette: indices.numel() * math.log2(len(palette)) + 24 * len(palette), (
            "这是整张图的比特数：还要除以像素数。",
            "Those are the bits of the whole picture: divide by its pixels.")),
        Mistake(lambda indices, palette: len(palette) + 24 * len(palette) / indices.numel(), (
            "一个索引不要 K 比特：K 种可能只要 log2(K) 比特。",
            "An index does not cost K bits: K possibilities take log2(K).")),
        Mistake(lambda indices, palette: math.log2(len(palette)) + 24 * len(palette), (
            "调色板整张图只存一次：它的比特数要摊到所有像素上。",
            "The palette is stored once a picture: spread its bits over all pixels.")),
    ])
