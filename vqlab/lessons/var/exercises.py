"""Exercises of lesson 7: a mask with a window, guidance that grows with the scale, the fewest codes that hold p."""

import torch

from vqlab.classroom.exercise import Exercise, Mistake, agree
from vqlab.var import keep_top

__all__ = ["mask", "guidance", "top_p"]


def _scales(generator):
    """Seven times (tokens of each scale, (S,) int64, window); some scales start with several, some do not grow."""
    for lengths, window in (((1, 4, 9), 1), ((1, 4, 16, 25), 2), ((4, 9), 0), ((2, 6, 12, 20), 1), ((3,), 1),
                            ((1, 1, 2, 2), 2), ((1, 4, 9), 5)):
        yield torch.tensor(lengths), window


def _pairs(seen):
    """A mask by ``seen(how many scales the query is finer than the key, window)``: right, and ways to err."""
    def mask(lengths, window):
        scale = torch.arange(len(lengths)).repeat_interleave(lengths)
        return seen(scale[:, None] - scale[None, :], window)
    return mask


_allowed = _pairs(lambda finer, window: (finer >= 0) & (finer <= window))


def _as_scores(lengths, window):
    allowed = _allowed(lengths, window)
    return torch.zeros_like(allowed, dtype=torch.float32).masked_fill(~allowed, -torch.inf)


def _by_place(lengths, window):
    place = torch.arange(int(lengths.sum()))
    return (place[:, None] >= place) & (place[:, None] - place <= window)


def _a_row_a_scale(lengths, window):
    return _allowed(torch.ones_like(lengths), window)


def _steps(generator):
    """Seven times (p with class, p without, guidance, scale, num_scales): first, middle and last scales.

    Probabilities, as top-k leaves them: with a class some codes may be impossible.
    """
    for tokens, codes, strength, scale, scales, kept in (
            (4, 6, 1.5, 1, 4, 6), (1, 5, 3.0, 0, 3, 5), (9, 4, 0.7, 2, 3, 3), (6, 8, 2.0, 3, 5, 8),
            (2, 3, 0.0, 1, 2, 3), (3, 7, 1.2, 4, 10, 4), (5, 5, 1.0, 1, 2, 5)):
        with_class, without = 2 * torch.randn(2, tokens, codes, generator=generator)
        yield keep_top(with_class, top_k=kept).softmax(dim=-1), without.softmax(dim=-1), strength, scale, scales


def _normal(weights):
    return weights / weights.sum(dim=-1, keepdim=True)


def _mixed(t=lambda strength, scale, scales: strength * scale / (scales - 1),
           mix=lambda a, b, t: _normal(a * (a / b) ** t)):
    """Guidance of probabilities: a (a/b)^t, normalised, t growing with the scale; and other t, other mixtures."""
    return lambda a, b, strength, scale, scales: mix(a, b, t(strength, scale, scales))


def _same_choice(expected, got):
    """Logits mean the same if their softmax does: a constant added to a row changes nothing."""
    got = torch.as_tensor(got)
    return expected.shape == got.shape and agree(expected.softmax(dim=-1), got.double().softmax(dim=-1))


def _rows(generator):
    """Six times (logits (B, K), p); p from a sliver, where one code remains, to 1, where all do."""
    for rows, codes, p in ((3, 6, 0.5), (2, 9, 0.8), (4, 5, 0.02), (1, 7, 0.95), (3, 8, 1.0), (5, 10, 0.35)):
        yield 1.5 * torch.randn(rows, codes, generator=generator), p


def _forbid(logits, forbidden):
    return logits.masked_fill(forbidden, -torch.inf)


def _in_order(logits, forbid, *, descending=True, back=True, scores=lambda logits: logits.softmax(dim=-1)):
    """Sort, let ``forbid(probability, running sum)`` choose, put back in place: the ways to get top-p wrong."""
    order = logits.argsort(dim=-1, descending=descending)
    p = scores(logits).gather(-1, order)
    forbidden = forbid(p, p.cumsum(dim=-1))
    return _forbid(logits, torch.zeros_like(forbidden).scatter(-1, order, forbidden) if back else forbidden)


def _as_many_of_k(logits, p):
    return keep_top(logits, top_k=max(1, int(p * logits.shape[-1])))


def _first_rows_set(logits, p):
    return _forbid(logits, keep_top(logits[:1], top_p=p).isinf().expand_as(logits))


mask = Exercise(
    "07.mask",
    title=("带窗口的掩码：谁看得见谁", "A mask with a window: who may see whom"),
    reference=_allowed,
    cases=_scales,
    hints=[
        ("先给每个 token 写上它属于哪个尺度：lengths = (1, 4) 时是 0, 1, 1, 1, 1。",
         "First write down to which scale each token belongs: for lengths = (1, 4) that is 0, 1, 1, 1, 1."),
        ("repeat_interleave 正好做这件事；一列减一行，就是“细几个尺度”的方阵。",
         "repeat_interleave does just that; a column minus a row is the square of “how many scales finer”."),
        ("差是 0 到 window 的看得见：两个条件用 & 连起来。",
         "Visible is a difference from 0 to window: two conditions, joined by &."),
    ],
    mistakes=[
        Mistake(_pairs(lambda finer, window: finer >= 0),
                ("这是没有窗口的掩码：比前面 window 个尺度更粗的，不该看见。",
                 "That is the mask without a window: what is coarser than the `window` scales before is hidden.")),
        Mistake(lambda lengths, window: torch.ones_like(_allowed(lengths, window)).tril(),
                ("这是“下一个 token”的掩码：同一尺度里，后面的格子也要看得见。按尺度比，不按位置比。",
                 "That is next-token prediction's mask. Within a scale the later places are visible too: compare "
                 "scales, not positions.")),
        Mistake(_by_place,
                ("窗口数的是尺度，不是 token：先写出每个 token 属于哪个尺度。",
                 "The window counts scales, not tokens: first write down each token's scale.")),
        Mistake(_pairs(lambda finer, window: (finer > 0) & (finer <= window)),
                ("自己的尺度也看得见：差为 0 的也算。", "One's own scale is visible too: a difference of 0 counts.")),
        Mistake(_pairs(lambda finer, window: (finer >= 0) & (finer < window)),
                ("少看了一个尺度：自己之外，还要看 window 个。",
                 "One scale too few: beside one's own there are `window` more.")),
        Mistake(_pairs(lambda finer, window: (finer <= 0) & (-finer <= window)),
                ("行列反了：行是谁在看，列是看谁；粗的看不见细的。",
                 "Rows and columns are swapped: the row looks, the column is looked at, and the coarse do not see "
                 "the fine.")),
        Mistake(_pairs(lambda finer, window: finer.abs() <= window),
                ("更细的尺度也看见了，答案就泄露了：细尺度的输入里含有粗尺度的 token。",
                 "Finer scales are visible, which gives the answer away: their inputs contain the coarser tokens.")),
        Mistake(lambda lengths, window: ~_allowed(lengths, window),
                ("真假反了：True 表示看得见。有的库用 True 表示遮住，这里不是。",
                 "True and false are swapped: here True means visible. Some libraries use True for hidden.")),
        Mistake(_as_scores,
                ("这是加在分数上的写法（0 和 −∞），意思对；这里要的是 True 和 False。",
                 "That is the form which is added to the scores (0 and −∞). The idea is right; what is wanted here "
                 "is True and False.")),
        Mistake(_a_row_a_scale,
                ("一个尺度一行；要一个 token 一行：第 k 个尺度占 lengths[k] 行。",
                 "That is one row a scale; make it one row a token: scale k has lengths[k] of them.")),
    ])

guidance = Exercise(
    "07.guidance",
    title=("引导：只有概率，没有 logits", "Guidance with probabilities alone"),
    reference=_mixed(),
    cases=_steps,
    hints=[
        ("logits 和 log p 只差一个常数，每行一个；softmax 不管这个常数。那么公式里的 logits 可以换成什么？",
         "Logits and log p differ by one constant a row, which softmax ignores. What can then stand for the logits "
         "in the formula?"),
        ("(1 + t) log a − t log b 就是 log(a · (a/b)ᵗ)。它的指数加起来不是 1。",
         "(1 + t) log a − t log b is log(a · (a/b)ᵗ). Exponentials of it do not add up to 1."),
        ("w = a * (a / b) ** t；返回 w / w.sum(dim=-1, keepdim=True)。t 和写数字时的一样，从 0 升到 guidance。",
         "w = a * (a / b) ** t; return w / w.sum(dim=-1, keepdim=True). t is the one used for writing, from 0 up to "
         "guidance."),
    ],
    mistakes=[
        Mistake(_mixed(mix=lambda a, b, t: (1 + t) * a - t * b),
                ("混的是概率本身：会有负数，也不再是概率。公式混的是 logits，也就是概率的对数。",
                 "You mix the probabilities themselves: some become negative. The formula mixes logits, which are "
                 "logarithms of probabilities.")),
        Mistake(_mixed(mix=lambda a, b, t: ((1 + t) * a - t * b).softmax(dim=-1)),
                ("概率当成了 logits：先取对数，再混，再 softmax。",
                 "You take probabilities for logits: take logarithms first, then mix, then softmax.")),
        Mistake(_mixed(mix=lambda a, b, t: _normal(((1 + t) * a - t * b).clamp(min=0))),
                ("混的是概率本身，负的截成了 0；公式混的是它们的对数。",
                 "You mix the probabilities themselves and cut off what is negative; the formula mixes their "
                 "logarithms.")),
        Mistake(_mixed(mix=lambda a, b, t: a * (a / b) ** t),
                ("只差归一化：每行除以自己的和。", "Only the normalisation is missing: divide each row by its sum.")),
        Mistake(_mixed(mix=lambda a, b, t: (a * (a / b) ** t).log()),
                ("返回的是没有归一化的对数；这里要概率，每行加起来是 1。",
                 "That is a logarithm, not normalised; return probabilities, each row adding up to 1.")),
        Mistake(_mixed(mix=lambda a, b, t: _normal(a * (a / b) ** t).log()),
                ("返回的是概率的对数；这里要概率。",
                 "You return logarithms of the probabilities; return the probabilities.")),
        Mistake(_mixed(mix=lambda a, b, t: (a * (a / b) ** t).softmax(dim=-1)),
                ("多做了一次 softmax：幂已经是（没有归一化的）概率，除以每行的和就行。",
                 "One softmax too many: the powers are probabilities but for a factor; divide by each row's sum.")),
        Mistake(_mixed(t=lambda strength, scale, scales: strength),
                ("没有斜坡：t 从第一个尺度的 0 线性升到最后一个尺度的 guidance。",
                 "There is no ramp: t rises from 0 at the first scale to guidance at the last.")),
        Mistake(_mixed(t=lambda strength, scale, scales: strength * scale / scales),
                ("最后一个尺度还没到 guidance：k 从 0 数到 S − 1，所以要除以 S − 1。",
                 "The last scale does not reach guidance: k counts from 0 to S − 1, so divide by S − 1.")),
        Mistake(_mixed(t=lambda strength, scale, scales: strength * (scale + 1) / scales),
                ("第一个尺度已经有引导了：k = 0 时 t 应该是 0。",
                 "The first scale is guided already: at k = 0, t should be 0.")),
        Mistake(_mixed(t=lambda strength, scale, scales: strength * (1 - scale / (scales - 1))),
                ("斜坡反了：越细越强，不是越粗越强。", "The ramp is upside down: the finer, the stronger.")),
        Mistake(_mixed(t=lambda strength, scale, scales: strength * scale),
                ("斜坡太陡：到最后一个尺度才是 guidance，所以要除以 S − 1。",
                 "The ramp is too steep: it reaches guidance at the last scale, so divide by S − 1.")),
        Mistake(_mixed(t=lambda strength, scale, scales: scale / (scales - 1)),
                ("没有用上 guidance：斜坡的终点是 guidance，不是 1。",
                 "`guidance` is not used: the ramp ends at guidance, not at 1.")),
        Mistake(_mixed(mix=lambda a, b, t: _normal((a / b) ** t)),
                ("少了一份有类别的概率：a · (a/b)ᵗ，t = 0 时就是 a。",
                 "One factor is missing, the probability with the class: a · (a/b)ᵗ, which is a at t = 0.")),
        Mistake(_mixed(mix=lambda a, b, t: _normal(b * (a / b) ** t)),
                ("这里 t = 0 给出的是没有类别的模型。约定不同：有的库从它出发，这里从有类别的出发。",
                 "Here t = 0 gives the model without a class. Conventions differ: some libraries start there, we "
                 "start with the class.")),
        Mistake(_mixed(mix=lambda a, b, t: _normal(a * (a * b) ** t)),
                ("符号错了：没有类别的那份在分母里。",
                 "The sign is wrong: the part without a class belongs in the denominator.")),
        Mistake(_mixed(mix=lambda a, b, t: _normal(a ** (1 + t) / b)),
                ("没有类别的那份也要取 t 次幂，不然 t = 0 时不等于有类别的模型。",
                 "The part without a class takes the power t too, or t = 0 is not the conditional model.")),
    ])

top_p = Exercise(
    "07.top_p",
    title=("top-p：合起来够 p 的最少几个", "top-p: the fewest codes that hold p"),
    reference=lambda logits, p: keep_top(logits, top_p=p),
    cases=_rows,
    compare=_same_choice,
    hints=[
        ("手算一行：概率 0.5、0.3、0.2，p = 0.6。留下哪几个？为什么第二个也要留？",
         "One row by hand: probabilities 0.5, 0.3, 0.2 and p = 0.6. Which stay? Why the second, too?"),
        ("一个码字留下，当且仅当比它更可能的那些合起来还不到 p。",
         "A code stays if, and only if, those likelier than it hold less than p together."),
        ("降序排、cumsum、减去自己：就是“更可能的那些”。再用 scatter 放回原处，masked_fill 填 −∞。",
         "Sort descending, cumsum, subtract one's own: “those likelier”. Put it back with scatter, masked_fill −∞."),
    ],
    mistakes=[
        Mistake(lambda logits, p: _in_order(logits, lambda each, total: total > p),
                ("越过 p 的那一个也要留，不然合起来不到 p；第一个就超过 p 时，一个也不剩了。看它之前的和。",
                 "The code that crosses p must stay, or they hold less than p; where the first is more than p, none "
                 "is left. Look at the sum before it.")),
        Mistake(lambda logits, p: _in_order(logits, lambda each, total: total - each >= p, descending=False),
                ("从最不可能的一头数起了：先按概率从大到小排。",
                 "You count from the unlikely end: sort by probability, largest first.")),
        Mistake(lambda logits, p: _in_order(logits, lambda each, total: total - each >= p, back=False),
                ("遮住的位置是排序之后的位置：要用 scatter 或 gather 放回原来的码字上。",
                 "What you hide are places in sorted order: put them back on their codes (scatter, or gather).")),
        Mistake(lambda logits, p: _in_order(
            logits, lambda each, total: total - each >= p, scores=lambda logits: logits),
                ("累加的是 logits；先做 softmax，概率才能累加。",
                 "You add up logits; apply softmax first: it is probabilities that add up.")),
        Mistake(_as_many_of_k,
                ("这是 top-k，每行留一样多；top-p 每行留多少，看这一行有多拿得准。",
                 "That is top-k, as many in every row; how many top-p keeps depends on how sure the row is.")),
        Mistake(lambda logits, p: _forbid(logits, logits.softmax(dim=-1) < p * logits.softmax(dim=-1).amax(
            dim=-1, keepdim=True)),
                ("这是 min-p：和最可能的那个比。top-p 看的是合起来有多少。",
                 "That is min-p, which compares with the likeliest code; top-p looks at the sum.")),
        Mistake(lambda logits, p: _forbid(logits, logits.softmax(dim=-1) < 1 - p),
                ("拿每一个的概率和 1 − p 比；要比的是从大到小累加的和。",
                 "You compare each probability with 1 − p; compare the sum, added up from the largest.")),
        Mistake(lambda logits, p: keep_top(logits, top_p=p).softmax(dim=-1),
                ("返回的是概率；这里要 logits，留下的不变，其余变成 −∞。",
                 "You return probabilities; return logits: what stays is unchanged, the rest is −∞.")),
        Mistake(lambda logits, p: logits.masked_fill(keep_top(logits, top_p=p).isinf(), 0.0),
                ("遮住的变成 0 了：logit 为 0 并不是不可能，−∞ 才是。",
                 "The hidden ones became 0: a logit of 0 is not impossible, −∞ is.")),
        Mistake(_first_rows_set,
                ("每一行都用了第一行留下的那些：每行要单独排序、单独数。",
                 "Every row uses what the first row keeps: sort and count each row by itself.")),
    ])
