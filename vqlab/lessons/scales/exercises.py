"""Exercises of lesson 6: the encoding loop, the decoder, and what a prior reads; maps need not be square."""

from functools import partial

import torch
import torch.nn.functional as F

from vqlab.classroom.exercise import Exercise, Mistake
from vqlab.codebook import nearest_code

__all__ = ["encode", "decode", "var_input"]

SCALES = (  # (height, width) of each; some divide the last, some do not; one scale alone; the first not always 1 × 1
    ((1, 1), (2, 3), (4, 6)), ((1, 2), (3, 4), (5, 7)), ((1, 1), (2, 2), (3, 3), (7, 7)), ((2, 1), (6, 5)), ((3, 4),))


def _maps(generator):
    """Five times (f (B, D, H, W), codebook (K, D), scales), on which rounding decides no choice.

    In the last, with D = 1, every code stands twice: such ties are exact, however the distance is written.
    """
    for scales, (batch, dim, codes) in zip(SCALES, ((1, 2, 6), (2, 3, 8), (3, 4, 16), (2, 5, 5), (1, 1, 4)),
                                           strict=True):
        clear = False
        while not clear:
            f = torch.randn(batch, dim, *scales[-1], generator=generator) + 0.3
            codebook = torch.randn(codes, dim, generator=generator)
            gaps = []
            _encode(f, codebook, scales, rows=partial(_note, codebook=codebook, gaps=gaps))
            clear = min(gaps) > 1e-3
        yield f, codebook if dim > 1 else torch.cat([codebook, codebook.flip(0)]), scales


def _note(small, codebook, gaps):
    rows = small.permute(0, 2, 3, 1)
    nearest = torch.cdist(rows.reshape(-1, codebook.shape[1]), codebook).sort(dim=1).values
    gaps.append(float((nearest[:, 1] - nearest[:, 0]).min()))
    return rows


def _encode(f, codebook, scales, *, down="area", up="bicubic", rest_after=lambda f, rest, h, small: rest - h,
            rows=lambda small: small.permute(0, 2, 3, 1), search=nearest_code):
    """The encoding loop, and through its settings the ways to get it wrong."""
    rest, tokens = f, []
    for size in scales:
        small = F.interpolate(rest, size, mode=down)
        indices = search(rows(small).reshape(-1, f.shape[1]), codebook).view(len(f), -1)
        tokens.append(indices)
        codes = codebook[indices].mT.unflatten(2, size)
        rest = rest_after(f, rest, F.interpolate(codes, f.shape[2:], mode=up), small)
    return tokens


def _sentences(generator):
    """Six times (tokens by scale, each (B, h·w); codebook (K, D); scales): whole sentences, and some cut short."""
    sizes = ((2, 3, 6), (1, 4, 8), (2, 2, 5), (3, 4, 7), (1, 3, 2))
    for scales, (batch, dim, codes), number in zip((*SCALES, SCALES[2]), (*sizes, sizes[0]), (3, 2, 4, 1, 1, 2),
                                                   strict=True):
        yield ([torch.randint(codes, (batch, h * w), generator=generator) for h, w in scales[:number]],
               torch.randn(codes, dim, generator=generator), scales)


def _decode(tokens, codebook, scales, *, up="bicubic", full=lambda tokens, scales: scales[-1],
            small=lambda codes, size: codes.mT.unflatten(2, size), join=sum):
    """The sum of what all scales say, (B, D, H, W), and the ways to get it wrong."""
    return join([F.interpolate(small(codebook[indices], size), full(tokens, scales), mode=up)
                 for indices, size in zip(tokens, scales, strict=False)])


def _sums(generator):
    """Five times (what each scale adds, (S, B, D, H, W); scales); at least two scales."""
    for scales, (batch, dim) in zip((*SCALES[:4], ((1, 1), (2, 1), (4, 3))), ((1, 2), (2, 3), (2, 1), (3, 4), (1, 3)),
                                    strict=True):
        yield torch.randn(len(scales), batch, dim, *scales[-1], generator=generator) + 0.2, scales


def _read(added, scales, *, pair=lambda added, k: sum(added[:k]), scales_of=lambda scales: range(1, len(scales)),
          size=lambda scales, k: scales[k], down="area"):
    """The prior's inputs, (B, L − first, D), and the ways to get them wrong."""
    parts = [F.interpolate(pair(added, k), size(scales, k), mode=down) for k in scales_of(scales)]
    return torch.cat([part.flatten(2).mT for part in parts], dim=1)

encode = Exercise(
    "06.encode",
    title=("编码循环：由粗到细的 token", "The encoding loop: tokens coarse to fine"),
    reference=_encode,
    cases=_maps,
    hints=[
        ("一开始 rest = f。每个尺度三步：缩小 rest，找最近的码字，把码字放大后从 rest 里减掉。",
         "Start with rest = f. Three steps a scale: shrink rest, find the nearest codes, subtract the enlarged "
         "codes."),
        ("一行一个向量：small.permute(0, 2, 3, 1).reshape(-1, D)。尺度是一对 (h, w)，可以直接给 interpolate。",
         "One vector a row: small.permute(0, 2, 3, 1).reshape(-1, D). A scale is a pair (h, w), as interpolate "
         "takes it."),
        ("从索引变回图：codebook[indices] 是 (B, h·w, D)，先 transpose(1, 2)，再 unflatten(2, (h, w))。",
         "Back from indices to a map: codebook[indices] is (B, h·w, D); transpose(1, 2), then unflatten(2, (h, w))."),
    ],
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
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales,
                                                    rest_after=lambda f, rest, h, small: rest + h),
                ("加上去了：说过的要从 rest 里减掉。", "It was added: what has been said is subtracted from rest.")),
        Mistake(lambda f, codebook, scales: _encode(
            f, codebook, scales, rest_after=lambda f, rest, h, small: rest - F.interpolate(
                small, f.shape[2:], mode="bicubic")),
                ("减去的是量化之前的平均，不是码字：解码器手里只有码字，量化的误差应该留给后面的尺度。",
                 "You subtract the averages from before quantizing, not the codes. The decoder has only the "
                 "codes; their error must stay for later scales to mend.")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, search=lambda rows, codebook: (
            len(codebook) - 1 - nearest_code(rows, codebook.flip(0)))),
                ("对，只差平局：有码字一样近时，你取了最大的索引，应取最小的（循环里用 <，不用 <=）。",
                 "Right but for the ties: of equally near codes you take the highest index, but the lowest wins "
                 "(in a loop, < and not <=).")),
        *(Mistake(lambda f, codebook, scales, up=up: _encode(f, codebook, scales, up=up),
                  (f"放大要用 bicubic，这里像是 {up}。", f"Enlarge with bicubic; this looks like {up}."))
          for up in ("nearest", "bilinear")),
        *(Mistake(lambda f, codebook, scales, down=down: _encode(f, codebook, scales, down=down),
                  (f"缩小要用 area（每块取平均）；这里像是 {down}，只看几个点，会漏掉其余的。",
                   f"Shrink with area (the mean of each block); this looks like {down}, which looks at a few points "
                   f"only."))
          for down in ("bilinear", "nearest", "bicubic")),
        Mistake(lambda f, codebook, scales: _encode(f, codebook, scales, rows=lambda small: small),
                ("形状对，向量却拼错了：reshape 之前先 permute(0, 2, 3, 1)，让同一处的 D 个数连在一起。",
                 "Right shape, wrong vectors: permute(0, 2, 3, 1) before reshape, so that the D numbers of one "
                 "place stay together.")),
    ])

decode = Exercise(
    "06.decode",
    title=("解码：token 拼出的特征图", "The decoder: the map that tokens spell"),
    reference=_decode,
    cases=_sentences,
    hints=[
        ("每个尺度：查码字，排成 (B, D, h, w)，放大到最后一个尺度的大小，加起来。",
         "For each scale: look the codes up, lay them out as (B, D, h, w), enlarge to the last scale's size, add."),
        ("句子可能没写完：zip(tokens, scales) 走到哪里就加到哪里，大小总是 scales[-1]。",
         "A sentence may be unfinished: zip(tokens, scales) adds what is there; the size is always scales[-1]."),
        ("codebook[indices] 是 (B, h·w, D)：transpose(1, 2).unflatten(2, (h, w))。",
         "codebook[indices] is (B, h·w, D): transpose(1, 2).unflatten(2, (h, w))."),
    ],
    mistakes=[
        Mistake(lambda tokens, codebook, scales: _decode(tokens, codebook, scales, join=lambda parts: parts[-1]),
                ("只有最后一个尺度：它只写了残差，要把所有尺度加起来。",
                 "That is the last scale alone, a residual: add all of them.")),
        Mistake(lambda tokens, codebook, scales: _decode(tokens, codebook, scales, join=lambda parts: parts[0]),
                ("只有第一个尺度：后面的残差还要加上。",
                 "That is the first scale alone: add the residuals of the others.")),
        Mistake(lambda tokens, codebook, scales: _decode(tokens, codebook, scales,
                                                         join=lambda parts: sum(parts) / len(parts)),
                ("取了平均；要的是和。", "That is the mean; what is wanted is the sum.")),
        *(Mistake(lambda tokens, codebook, scales, up=up: _decode(tokens, codebook, scales, up=up),
                  (f"放大要用 bicubic，这里像是 {up}。", f"Enlarge with bicubic; this looks like {up}."))
          for up in ("nearest", "bilinear", "area")),
        Mistake(lambda tokens, codebook, scales: _decode(tokens, codebook, scales, small=lambda codes, size: (
            codes.reshape(len(codes), -1, *size))),
                ("形状对，向量却拼错了：先 transpose(1, 2)，再分成 h × w，不能直接 reshape。",
                 "Right shape, wrong vectors: transpose(1, 2) first, then split into h × w; a bare reshape will not "
                 "do.")),
        Mistake(lambda tokens, codebook, scales: _decode(tokens, codebook, scales, small=lambda codes, size: (
            codes.mT.unflatten(2, size[::-1]).mT)),
                ("行列颠倒了：token 一行一行地排，先高后宽，(h, w)。",
                 "Rows and columns are swapped: tokens are laid out row by row, height first, (h, w).")),
        Mistake(lambda tokens, codebook, scales: _decode(tokens, codebook, scales,
                                                         full=lambda tokens, scales: scales[len(tokens) - 1]),
                ("句子没写完时，图变小了：总要放大到 scales[-1]。",
                 "With an unfinished sentence the map is too small: always enlarge to scales[-1].")),
    ])

var_input = Exercise(
    "06.var_input",
    title=("下一尺度的输入", "The input of the next scale"),
    reference=_read,
    cases=_sums,
    hints=[
        ("尺度 k 的输入 = 更粗的所有尺度之和，缩小（area）到尺度 k 的大小。",
         "The input of scale k = the sum of all coarser scales, shrunk (area) to the size of scale k."),
        ("f_hat 一份一份地累加：加上 added[k]，就该写尺度 k + 1 的输入；最后一份用不着。",
         "Let f_hat grow: after adding added[k] comes the input of scale k + 1; the last part is not needed."),
        ("每段 (B, D, h, w) 变成 (B, h·w, D)：flatten(2).transpose(1, 2)；最后 torch.cat(…, dim=1)。",
         "Each part (B, D, h, w) becomes (B, h·w, D): flatten(2).transpose(1, 2); then torch.cat(…, dim=1)."),
    ],
    mistakes=[
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: added[k - 1]),
                ("只用了前一个尺度添的那份；输入是所有更粗尺度的累积。",
                 "That is only what the scale before added; the input is the sum of all coarser scales.")),
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: sum(added[:k + 1])),
                ("泄题了：尺度 k 的输入里含有尺度 k 自己，模型只要照抄。",
                 "That gives the answer away: the input of scale k contains scale k itself, to be copied.")),
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: sum(added)),
                ("泄题了：每个尺度的输入里都有更细的尺度，连答案在内的整张图。",
                 "That gives everything away: each input holds the finer scales too, the whole map with the "
                 "answer.")),
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: added[k]),
                ("泄题了：输入就是尺度 k 自己添的那份。",
                 "That gives the answer away: the input is what scale k itself adds.")),
        Mistake(lambda added, scales: _read(added, scales, scales_of=lambda scales: range(1, len(scales) + 1),
                                            size=lambda scales, k: scales[min(k, len(scales) - 1)]),
                ("多了一段：最后一个尺度之后没有要预测的了。",
                 "One part too many: nothing is to be predicted after the last scale.")),
        Mistake(lambda added, scales: _read(added, scales, size=lambda scales, k: scales[k - 1]),
                ("缩到了自己的大小；应缩到下一个（要预测的）尺度的大小，每个目标才有一格输入。",
                 "Shrunk to its own size; shrink to the size of the next scale, the one to predict, so that "
                 "every target has an input in its place.")),
        *(Mistake(lambda added, scales, down=down: _read(added, scales, down=down),
                  (f"缩小要用 area（每块取平均），这里像是 {down}。",
                   f"Shrink with area (the mean of each block); this looks like {down}."))
          for down in ("bilinear", "nearest", "bicubic")),
        Mistake(lambda added, scales: _read(added, scales).mT,
                ("轴的次序反了：要 (B, token 数, D)，每个 token 一行。",
                 "The axes are swapped: (B, tokens, D), one row a token.")),
        Mistake(lambda added, scales: _read(added, scales, pair=lambda added, k: sum(added[:k]) / k),
                ("取了平均；要的是累积的和。", "That is the mean; what is wanted is the sum.")),
    ])
