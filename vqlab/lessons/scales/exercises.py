"""Exercises of lesson 6: the encoding loop, what a prior reads, and a step that must also run in one process."""

import torch
import torch.nn.functional as F
from torch import distributed

from vqlab.classroom.exercise import Exercise, Mistake
from vqlab.codebook import nearest_code

__all__ = ["encode", "var_input", "hits"]


def _maps(generator):
    """Four times (f (B, D, H, W), codebook (K, D), scales)."""
    for batch, dim, codes, scales in ((1, 2, 6, (1, 2, 4)), (2, 3, 8, (1, 3)), (2, 4, 16, (1, 2, 3, 6)),
                                      (1, 3, 5, (2, 4))):
        yield (torch.randn(batch, dim, scales[-1], scales[-1], generator=generator),
               torch.randn(codes, dim, generator=generator), scales)


def _encode(f, codebook, scales, *, down="area", up="bicubic", rest_after=lambda f, rest, h, small: rest - h,
            rows=lambda small: small.permute(0, 2, 3, 1)):
    """The encoding loop, and through its settings the ways to get it wrong."""
    rest, words = f, []
    for size in scales:
        small = F.interpolate(rest, (size, size), mode=down)
        indices = nearest_code(rows(small).reshape(-1, f.shape[1]), codebook).view(len(f), -1)
        words.append(indices)
        codes = codebook[indices].mT.unflatten(2, (size, size))
        rest = rest_after(f, rest, F.interpolate(codes, f.shape[2:], mode=up), small)
    return words


def _sums(generator):
    """Four times (what each scale adds, (S, B, D, H, W); scales)."""
    for batch, dim, scales in ((1, 2, (1, 2, 4)), (2, 3, (1, 3, 6)), (2, 2, (2, 3, 4, 8)), (1, 4, (1, 2))):
        yield torch.randn(len(scales), batch, dim, scales[-1], scales[-1], generator=generator), scales


def _read(added, scales, *, pair=lambda added, k: sum(added[:k]), scales_of=lambda scales: range(1, len(scales)),
          size=lambda scales, k: scales[k]):
    """The prior's inputs, (B, L − first, D), and the ways to get them wrong."""
    parts = [F.interpolate(pair(added, k), (size(scales, k),) * 2, mode="area") for k in scales_of(scales)]
    return torch.cat([part.flatten(2).mT for part in parts], dim=1)


class Processes:
    """A stand-in for `torch.distributed` with more processes than one; what the others counted is given."""

    def __init__(self, others):
        self.others, self.calls = others, 0

    def is_available(self):
        return True

    def is_initialized(self):
        return True

    def get_world_size(self):
        return 1 + len(self.others)

    def all_reduce(self, tensor):
        """As the real one: in place, the sum over all processes."""
        self.calls += 1
        tensor += sum(self.others).to(tensor.dtype)


def _hits_cases(generator):
    """One process (the real torch.distributed, nobody has started a group), then groups of two and three."""
    for others in (0, 1, 2, 0):
        words = torch.randint(6, (20,), generator=generator)
        yield words, 6, [torch.randint(1, 9, (6,), generator=generator) for _ in range(others)]


def _observe_hits(function, words, num_embeddings, others):
    return function(words, num_embeddings, Processes(others) if others else distributed)


def _together(dist):
    return dist.is_available() and dist.is_initialized()


def _hits(words, num_embeddings, dist):
    """How often all processes together chose each code, (K,); alone as well."""
    counts = torch.bincount(words, minlength=num_embeddings)
    if _together(dist) and dist.get_world_size() > 1:
        dist.all_reduce(counts)
    return counts


def _only_together(words, num_embeddings, dist):
    return _hits(words, num_embeddings, dist) if _together(dist) else torch.zeros(num_embeddings, dtype=torch.int64)


def _mean(words, num_embeddings, dist):
    return _hits(words, num_embeddings, dist) / (dist.get_world_size() if _together(dist) else 1)


def _times(words, num_embeddings, dist):
    return torch.bincount(words, minlength=num_embeddings) * (dist.get_world_size() if _together(dist) else 1)

encode = Exercise(
    "06.encode",
    title=("编码循环：由粗到细的词", "The encoding loop: words coarse to fine"),
    reference=_encode,
    cases=_maps,
    mistakes=[
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, rest_after=lambda f, rest, h, small: f),
                ("没有减去已经说过的：每一尺度都在重新描述整张图，这正是“缩小的图”那个误解。",
                 "Nothing is subtracted: every scale describes the whole map anew, which is the “resized "
                 "pictures” misconception.")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales,
                                                    rest_after=lambda f, rest, h, small: f - h),
                ("每次都从 f 里减，前面几个尺度说过的又回来了；应从剩下的里减：rest = rest − h。",
                 "You subtract from f each time, so what earlier scales said comes back; subtract from what "
                 "remains: rest = rest − h.")),
        Mistake(lambda f, codebook, scales: _encode(
            f, codebook, scales, rest_after=lambda f, rest, h, small: rest - F.interpolate(
                small, f.shape[2:], mode="bicubic")),
                ("减去的是量化之前的平均，不是码字：解码器手里只有码字，量化的误差应该留给后面的尺度。",
                 "You subtract the averages from before quantizing, not the codes. The decoder has only the "
                 "codes; their error must stay for later scales to mend.")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, up="nearest"),
                ("放大要用 bicubic，这里像是 nearest。", "Enlarge with bicubic; this looks like nearest.")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, up="bilinear"),
                ("放大要用 bicubic，这里像是 bilinear。", "Enlarge with bicubic; this looks like bilinear.")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, down="bilinear"),
                ("缩小要用 area（每块取平均）；bilinear 只看几个点，会漏掉其余的。",
                 "Shrink with area (the mean of each block); bilinear looks at a few points only.")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, rows=lambda small: small),
                ("形状对，向量却拼错了：reshape 之前先 permute(0, 2, 3, 1)，让同一处的 D 个数连在一起。",
                 "Right shape, wrong vectors: permute(0, 2, 3, 1) before reshape, so that the D numbers of one "
                 "place stay together.")),
    ])

var_input = Exercise(
    "06.var_input",
    title=("下一尺度的输入", "The input of the next scale"),
    reference=_read,
    cases=_sums,
    mistakes=[
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: added[k - 1]),
                ("只用了前一个尺度添的那份；输入是所有更粗尺度的累积。",
                 "That is only what the scale before added; the input is the sum of all coarser scales.")),
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: sum(added[:k + 1])),
                ("泄题了：尺度 k 的输入里含有尺度 k 自己，模型只要照抄。",
                 "That gives the answer away: the input of scale k contains scale k itself, to be copied.")),
        Mistake(lambda added, scales: _read(added, scales, scales_of=lambda scales: range(1, len(scales) + 1),
                                            size=lambda scales, k: scales[min(k, len(scales) - 1)]),
                ("多了一段：最后一个尺度之后没有要预测的了。",
                 "One part too many: nothing is to be predicted after the last scale.")),
        Mistake(lambda added, scales: _read(added, scales, size=lambda scales, k: scales[k - 1]),
                ("缩到了自己的大小；应缩到下一个（要预测的）尺度的大小，每个目标才有一格输入。",
                 "Shrunk to its own size; shrink to the size of the next scale, the one to predict, so that "
                 "every target has an input in its place.")),
        Mistake(lambda added, scales: _read(added, scales).mT,
                ("轴的次序反了：要 (B, 词数, D)，每个词一行。",
                 "The axes are swapped: (B, tokens, D), one row a token.")),
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: sum(added[:k]) / k),
                ("取了平均；要的是累积的和。", "That is the mean; what is wanted is the sum.")),
    ])

hits = Exercise(
    "06.hits",
    title=("一个进程也能跑的计数", "Counting that also runs in one process"),
    reference=_hits,
    cases=_hits_cases,
    observe=_observe_hits,
    mistakes=[
        Mistake(lambda words, num_embeddings, dist: torch.bincount(words, minlength=num_embeddings),
                ("一个进程时对了，可几个进程时各数各的：all_reduce 不能删。",
                 "Right in one process, but several now count each for itself: all_reduce must not go.")),
        Mistake(_only_together,
                ("不再崩溃，可一个进程时什么也没数：参考实现的另一个毛病正是这样。",
                 "No crash any more, but one process alone counts nothing: that is another defect of the "
                 "reference.")),
        Mistake(_mean, ("all_reduce 之后又除以了进程数；要的是大家合起来的次数。",
                        "Divided by the number of processes after all_reduce; the sum over all is wanted.")),
        Mistake(_times, ("乘以进程数，等于假定别人数到的和自己一样；要真的去问：all_reduce。",
                         "Multiplying by the number of processes assumes that the others counted the same; "
                         "ask them: all_reduce.")),
    ])
