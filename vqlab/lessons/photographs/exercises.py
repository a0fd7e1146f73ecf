"""Exercises of lesson 5: what one output sees, the search that counts bits, a code that learns while it writes."""

import math

import torch

from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["receptive_field", "cheap_search", "context_bits"]

STACKS = (  # (kernel, stride) of each layer, from the picture inwards
    [(3, 1)], [(4, 4), (3, 1), (3, 1)], [(3, 2), (3, 2), (1, 1), (5, 1)], [(7, 3), (2, 2), (4, 1), (3, 2)],
    [(1, 1), (5, 2), (3, 4), (3, 1)], [(2, 2), (2, 2), (2, 2)], [(5, 1), (1, 3), (4, 2)])


def _stacks(generator):
    """Seven times (kernels (layers,), strides (layers,)), both int64."""
    for layers in STACKS:
        yield torch.tensor(layers).unbind(dim=1)


def _field(kernels, strides, *, start=1, grow=lambda field, jump, kernel, stride: field + (kernel - 1) * jump,
           step=lambda jump, stride: jump * stride, answer=lambda field, jump: (field, jump)):
    """(pixels that one output sees, pixels between two neighbouring outputs), and the ways to get them wrong."""
    field, jump = start, 1
    for kernel, stride in zip(kernels.tolist(), strides.tolist(), strict=True):
        field, jump = grow(field, jump, kernel, stride), step(jump, stride)
    return answer(field, jump)


def _searches(generator):
    """Six times (z (N, D), codebook (K, D), p (K,), rate_weight), on which rounding decides no choice.

    In most cases a few codes are much more frequent than others, so that bits change many choices; the last is the
    plain search, λ = 0.
    """
    for count, dim, codes, weight in ((12, 2, 6, 0.3), (20, 3, 16, 0.15), (9, 1, 4, 1.0), (30, 4, 11, 0.5),
                                      (16, 2, 9, 0.08), (14, 3, 7, 0.0)):
        clear = False
        while not clear:
            z = torch.randn(count, dim, generator=generator) + 0.4
            codebook = torch.randn(codes, dim, generator=generator)
            p = torch.softmax(2 * torch.randn(codes, generator=generator), dim=0)
            best = _cost(z, codebook, p, weight).topk(2, dim=1, largest=False).values
            clear = float((best[:, 1] - best[:, 0]).min()) > 1e-3
        yield z, codebook, p, weight


def _cost(z, codebook, p, rate_weight, *, distance=lambda z, codes: torch.cdist(z, codes).square(),
          bits=lambda p: -torch.log2(p)):
    return distance(z, codebook) + rate_weight * bits(p)


def _search(*arguments, best=torch.argmin, **settings):
    return best(_cost(*arguments, **settings), dim=1)


def _maps(generator):
    """Six times (tokens (H, W), K), in which a token is often followed by itself or by its successor."""
    for height, width, codes in ((4, 6, 5), (3, 3, 16), (8, 5, 3), (1, 7, 2), (6, 1, 4), (7, 9, 12)):
        shares = torch.tensor([0.5, 0.3, 0.2])  # itself, its successor, any token
        steps = torch.multinomial(shares, height * width, replacement=True, generator=generator)
        steps = torch.where(steps == 2, torch.randint(codes, steps.shape, generator=generator), steps)
        yield (torch.randint(codes, (), generator=generator) + steps.cumsum(dim=0)).view(height, width) % codes, codes


def _adaptive(tokens, num_embeddings, *, first=1, after=True, log=math.log2, per=lambda tokens: 16 * tokens.numel(),
              total=sum, step=1, context=lambda tokens, row, column, none: (
                  tokens[row][column - 1] if column else none)):
    """Bits a pixel, each token paid by the counts of what followed its left neighbour; and the ways to go wrong."""
    counts = [[first] * num_embeddings for _ in range(num_embeddings + 1)]
    bits, rows = 0.0, tokens.tolist()
    for row, line in enumerate(rows):
        for column, token in enumerate(line):
            row_of_counts = counts[context(rows, row, column, num_embeddings)]
            row_of_counts[token] += 0 if after else step
            bits -= log(row_of_counts[token] / total(row_of_counts))
            row_of_counts[token] += step if after else 0
    return bits / per(tokens)


def _twice(tokens, num_embeddings):
    """What a table of the finished counts would allow."""
    counts, bits = torch.zeros(num_embeddings + 1, num_embeddings, dtype=torch.float64), 0.0
    left = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=num_embeddings)
    for pair in zip(left.flatten().tolist(), tokens.flatten().tolist(), strict=True):
        counts[pair] += 1
    for before, token in zip(left.flatten().tolist(), tokens.flatten().tolist(), strict=True):
        bits -= math.log2(counts[before, token] / counts[before].sum())
    return bits / (16 * tokens.numel())


receptive_field = Exercise(
    "05.receptive_field",
    title=("一个输出看到多少像素", "How many pixels one output sees"),
    reference=_field,
    cases=_stacks,
    hints=[
        ("从输入往里走，记两个数：看到的宽度 field（从 1 起），和相邻两个输出相隔几个像素 jump（从 1 起）。",
         "Walk inwards from the picture with two numbers: the width seen, field, and how many pixels lie between two "
         "neighbouring outputs, jump. Both start at 1."),
        ("核宽 k 的一层看 k 个相邻的输入：比一个多 k − 1 个，每个相隔 jump 像素。",
         "A kernel of width k looks at k neighbouring inputs: k − 1 more than one, each a jump further."),
        ("先 field += (k − 1) · jump，再 jump *= stride。", "First field += (k − 1) · jump, then jump *= stride."),
    ],
    mistakes=[
        Mistake(lambda *layers: _field(*layers, grow=lambda field, jump, k, s: field + k * jump),
                ("每层多算了一个：核宽 k 只比一个输入多看 k − 1 个。",
                 "One too many in each layer: a kernel of width k sees only k − 1 more than one input.")),
        Mistake(lambda *layers: _field(*layers, grow=lambda field, jump, k, s: field + (k - 1) * jump * s),
                ("次序反了：这一层自己的步幅只影响后面的层。先加 (k − 1) · jump，再乘 stride。",
                 "In the wrong order: a layer's own stride matters to later layers only. First add (k − 1) · jump, "
                 "then multiply by the stride.")),
        Mistake(lambda *layers: _field(*layers, grow=lambda field, jump, k, s: field + (k - 1)),
                ("步幅之后，一格不再是一个像素：要加 (k − 1) · jump。",
                 "After a stride one place is no longer one pixel: add (k − 1) · jump.")),
        Mistake(lambda *layers: _field(*layers, step=lambda jump, s: jump + s - 1),
                ("步幅是相乘的：两层步幅 2，相隔 4 个像素，不是 3 个。",
                 "Strides multiply: two layers of stride 2 put outputs 4 pixels apart, not 3.")),
        Mistake(lambda kernels, strides: _field(kernels.flip(0), strides.flip(0)),
                ("层的次序反了：从靠近图的一层走起。",
                 "The layers are in reverse: begin with the one next to the picture.")),
        Mistake(lambda *layers: _field(*layers, grow=lambda field, jump, k, s: field * k),
                ("宽度不是相乘的：两层 3 × 3 看到 5 个像素宽，不是 9 个，因为它们的窗口大半重叠。",
                 "Widths do not multiply: two 3 × 3 layers see 5 pixels, not 9, since their windows overlap.")),
        Mistake(lambda *layers: _field(*layers, start=0),
                ("field 要从 1 起：没有任何层时，一个像素看到它自己。",
                 "Start field at 1: with no layer at all a pixel sees itself.")),
        Mistake(lambda *layers: _field(*layers, answer=lambda field, jump: field),
                ("还要返回 jump：相邻两个输出相隔几个像素。",
                 "Return jump as well: the pixels between two neighbouring outputs.")),
        Mistake(lambda *layers: _field(*layers, answer=lambda field, jump: (field * field, jump)),
                ("那是面积；要的是宽度。", "That is the area; what is wanted is the width.")),
        Mistake(lambda *layers: _field(*layers, step=lambda jump, s: s),
                ("只记住了最后一层的步幅；jump 是所有步幅的积。",
                 "That remembers the last stride alone; jump is the product of all of them.")),
        Mistake(lambda *layers: _field(*layers, step=lambda jump, s: jump),
                ("jump 一直是 1：每一层都要乘上它的步幅。", "jump stays 1: multiply it by each layer's stride.")),
    ])

cheap_search = Exercise(
    "05.cheap_search",
    title=("最近又便宜的码字", "The code that is near and cheap"),
    reference=_search,
    cases=_searches,
    hints=[
        ("先算 (N, K) 的距离平方，再给每个码字加上它的价钱：λ 乘以它的比特数。",
         "First the squared distances, (N, K); then add each code's price, λ times its bits."),
        ("概率 p 的码字要 −log₂ p 比特，越少见越贵。",
         "A code of probability p costs −log₂ p bits, the rarer the more."),
        ("torch.cdist(z, codebook).square() − λ · p.log2()，然后 argmin(dim=1)。",
         "torch.cdist(z, codebook).square() − λ · p.log2(), then argmin(dim=1)."),
    ],
    mistakes=[
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, -weight),
                ("符号反了：log₂ p 是负数，比特数是 −log₂ p。这样少见的码字反倒便宜。",
                 "The sign is wrong: log₂ p is negative, and the bits are −log₂ p. As it is, rare codes are the "
                 "cheap ones.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, bits=lambda p: -torch.log(p)),
                ("用了自然对数：比特要以 2 为底，log₂。", "The natural logarithm: bits want base 2, log₂.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, bits=lambda p: -torch.log10(p)),
                ("用了以 10 为底的对数：比特要 log₂。", "The logarithm to base 10: bits want log₂.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, distance=torch.cdist),
                ("距离没有平方：‖z − e‖²。", "The distance is not squared: ‖z − e‖².")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, distance=lambda z, codes: (
            torch.cdist(z, codes).square() / z.shape[1])),
                ("对 D 取了平均：‖·‖² 是和，否则 λ 的意思就变了。",
                 "That is a mean over D: ‖·‖² is the sum, or λ means something else.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, 0),
                ("只找了最近的：λ 和 p 没有用上。", "That is the plain nearest code: λ and p are not used.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, best=torch.argmax),
                ("argmax 选的是最贵的；要 argmin。", "argmax takes the dearest; argmin is wanted.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, bits=lambda p: -p),
                ("减去的是概率本身；价钱是 −log₂ p 比特。",
                 "You subtract the probability itself; the price is −log₂ p "
                 "bits.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, bits=lambda p: 1 / p),
                ("用了 1 / p；价钱是 −log₂ p 比特。", "That takes 1 / p; the price is −log₂ p bits.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, bits=lambda p: -p * torch.log2(p)),
                ("多乘了一个 p：−p log₂ p 是平均时才用的；选中一个码字，就付它的全价 −log₂ p。",
                 "One p too many: −p log₂ p belongs to an average; whoever chooses a code pays its full price, "
                 "−log₂ p.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, distance=lambda z, codes: (
            -(z @ codes.t()))),
                ("用了点积；要的是距离平方 ‖z − e‖²。", "That is the dot product; the squared distance ‖z − e‖² is "
                 "wanted.")),
        Mistake(lambda z, codebook, p, weight: _search(z, codebook, p, weight, best=torch.amin),
                ("那是最小的代价；要的是码字的编号，argmin。",
                 "That is the least cost; the code's number is wanted, argmin.")),
    ])

context_bits = Exercise(
    "05.context_bits",
    title=("看着左邻居写", "Written with an eye on the left neighbour"),
    reference=_adaptive,
    cases=_maps,
    hints=[
        ("一张计数表，每种左邻居一行，再加一行给没有左邻居的；每格从 1 起：torch.ones(K + 1, K)。",
         "A table of counts, a row for each left neighbour and one more for none, every count starting at 1: "
         "torch.ones(K + 1, K)."),
        ("每个 token：先按它左邻居那一行付 −log₂(它的计数 / 这一行的和)，再把这一格加 1。",
         "For each token: first pay −log₂(its count / the sum of the row) in its left neighbour's row, then add 1 to "
         "that count."),
        ("每一行开头 left = K，付过之后 left = token；最后除以 16 · tokens.numel() 个像素。",
         "At the start of each row left = K, after paying left = token; in the end divide by 16 · tokens.numel() "
         "pixels."),
    ],
    mistakes=[
        Mistake(lambda tokens, K: _adaptive(tokens, K, after=False),
                ("偷看了：先加计数再付钱，解码的一方还不知道这个 token，做不到。先付钱，再加。",
                 "That peeks: the count goes up before paying, and whoever decodes does not know the token yet. "
                 "Pay first, then add.")),
        Mistake(_twice,
                ("那是全图数完之后的条件熵：解码的一方没有这张表，得先发给它。边走边数。",
                 "That is the conditional entropy of the finished counts: the other side has no such table, unless "
                 "it is sent. Count while walking.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, context=lambda rows, row, column, none: none),
                ("没有看左邻居：所有 token 用了同一行计数。",
                 "The left neighbour is not looked at: all tokens share one row "
                 "of counts.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, context=lambda rows, row, column, none: (
            rows[row][column - 1] if column else rows[row - 1][-1] if row else none)),
                ("换行时没有清零：每一行的第一个 token 没有左邻居，上一行的末尾离它很远。",
                 "Not reset at a new row: the first token of a row has no left neighbour, and the end of the row "
                 "above is far away.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, context=lambda rows, row, column, none: (
            rows[row][column - 1] if column else 0)),
                ("没有左邻居的 token 用了 token 0 那一行；它们要自己的一行，第 K 行。",
                 "Tokens without a left neighbour share the row of token 0; they want a row of their own, row K.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, context=lambda rows, row, column, none: (
            rows[row - 1][column] if row else none)),
                ("看的是上面的邻居（或者一列一列地走了）；要一行一行地走，看左边的。",
                 "That looks at the neighbour above (or walks column by column); walk row by row, looking left.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, log=math.log),
                ("用了自然对数：比特要以 2 为底。", "The natural logarithm: bits want base 2.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, per=lambda tokens: tokens.numel()),
                ("那是每个 token 的比特：还要除以它的 16 个像素。",
                 "Those are bits a token: divide by its 16 pixels, too.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, per=lambda tokens: 1),
                ("那是全部的比特：要除以像素数 16 · H · W。",
                 "Those are all the bits: divide by the pixels, 16 · H · W.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, per=lambda tokens: 4 * tokens.numel()),
                ("一个 token 管 4 × 4 = 16 个像素，不是 4 个。", "A token stands for 4 × 4 = 16 pixels, not 4.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, step=0),
                ("计数一直没有变，每个 token 都付 log₂ K：付过之后要加 1。",
                 "The counts never change, and every token costs log₂ K: add 1 after paying.")),
        Mistake(lambda tokens, K: _adaptive(tokens, K, total=lambda counts: sum(counts) - len(counts) + 1),
                ("分母不对：这一行所有计数之和，起头的 K 个 1 也在内，概率加起来才是 1。",
                 "The denominator is wrong: the sum of the row, the first K ones included, or the probabilities do "
                 "not add up to 1.")),
        Mistake(lambda tokens, K: -_adaptive(tokens, K),
                ("符号反了：比特数是 −log₂ p，是正的。", "The sign is wrong: bits are −log₂ p, and positive.")),
    ])
