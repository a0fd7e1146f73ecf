"""Exercises of lesson 4: perplexity, one step of the moving average, a restart that survives it."""

import torch

from vqlab import metrics
from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["perplexity", "ema_step", "restart"]


def _tokens(generator):
    """Seven times (indices (N,), K): unused codes first, last, between, or none; one index; K above N."""
    for size, k, used in ((8, 4, [0, 1, 2]), (30, 6, [1, 3, 5]), (50, 5, [0, 1, 2, 3, 4]), (12, 16, [2, 3, 9, 15]),
                          (20, 7, [3, 4]), (1, 3, [1])):
        shares = torch.rand(len(used), generator=generator) + 0.2
        yield torch.tensor(used)[torch.multinomial(shares, size, replacement=True, generator=generator)], k
    yield torch.randperm(8, generator=generator), 8


def _shares(indices, k):
    return torch.bincount(indices, minlength=k).float() / len(indices)


def _entropy(indices, k):
    return torch.special.entr(_shares(indices, k)).sum()


def _averages(generator):
    """Six times (n, m, counts, sums, decay): (K,), (K, D), (K,), (K, D); n from 0.05 up, some counts zero."""
    for k, d, decay in ((2, 1, 0.5), (3, 2, 0.9), (4, 3, 0.75), (5, 2, 0.99), (3, 3, 0.2), (1, 2, 0.6)):
        counts = torch.randint(0, 9, (k,), generator=generator).float()
        counts[torch.randperm(k, generator=generator)[:k // 2]] = 0
        n = torch.exp(4 * torch.rand(k, generator=generator) - 3)
        yield (n, n[:, None] * torch.randn(k, d, generator=generator),
               counts, counts[:, None] * torch.randn(k, d, generator=generator), decay)


def _ema_step(n, m, counts, sums, decay):
    n, m = decay * n + (1 - decay) * counts, decay * m + (1 - decay) * sums
    return n, m, m / n[:, None]


def _wrong_step(step):
    """(n, m) -> (n, m, m / n)."""
    def whole(n, m, counts, sums, decay):
        n, m = step(n, m, counts, sums, decay)
        return n, m, m / n[:, None]
    return whole


def _dead(generator):
    """Six times (codes, n, m, dead, vectors, size): none, one or all dead, in any order, and new places."""
    for k, d, number, size in ((3, 2, 1, 2.5), (5, 2, 3, 1.0), (4, 3, 4, 4.0), (6, 2, 2, 0.5), (8, 1, 5, 3.0),
                               (3, 2, 0, 2.0)):
        dead = torch.randperm(k, generator=generator)[:number]
        if number > 1:
            dead = dead.sort(descending=True).values.roll(1)  # neither rising nor falling, whatever was drawn
        n = torch.exp(3 * torch.rand(k, generator=generator) - 1)
        n[dead] = 1e-4 + 0.01 * torch.rand(number, generator=generator)
        codes = torch.randn(k, d, generator=generator)
        yield codes, n, codes * n[:, None], dead, torch.randn(number, d, generator=generator), size


def _restarted(codes=True, n=True, m=lambda vectors, size: vectors * size):
    """A restart that writes some of the three."""
    def restart(old_codes, old_n, old_m, dead, vectors, size):
        new_codes, new_n, new_m = old_codes.clone(), old_n.clone(), old_m.clone()
        if codes:
            new_codes[dead] = vectors
        if n:
            new_n[dead] = size
        if m:
            new_m[dead] = m(vectors, size)
        return new_codes, new_n, new_m
    return restart


def _all_codes(codes, n, m, dead, vectors, size):
    if not len(dead):
        return codes.clone(), n.clone(), m.clone()
    chosen = vectors[torch.arange(len(codes)) % len(vectors)]
    return chosen.clone(), torch.full_like(n, size), chosen * size


def _in_order(codes, n, m, dead, vectors, size):
    """As a mask would do it: the first vector for the first dead code."""
    return _restarted()(codes, n, m, dead.sort().values, vectors, size)


def _logarithm(counted):
    """exp(−Σ p ln p) with 0 · ln 0 as torch computes it."""
    def plain(indices, k):
        p = counted(indices, k)
        return torch.exp(-(p * p.log()).sum())
    return plain


def _clamped(which):
    """The averages' step with a count or an average raised to 1 where it is smaller."""
    def step(n, m, counts, sums, decay):
        counts = counts.clamp(min=1) if which == "counts" else counts
        n, m = decay * n + (1 - decay) * counts, decay * m + (1 - decay) * sums
        return n, m, m / (n.clamp(min=1) if which == "n" else n)[:, None]
    return step


def _only_chosen(n, m, counts, sums, decay):
    """Codes without vectors do not decay."""
    chosen = counts > 0
    new_n = torch.where(chosen, decay * n + (1 - decay) * counts, n)
    new_m = torch.where(chosen[:, None], decay * m + (1 - decay) * sums, m)
    return new_n, new_m, new_m / new_n[:, None]

perplexity = Exercise(
    "04.perplexity",
    title=("写出困惑度", "Write the perplexity"),
    reference=metrics.perplexity,
    cases=_tokens,
    hints=[
        ("先数：每个码字出现几次，占几成？torch.bincount(indices, minlength=K)。",
         "Count first: how often does each code occur, and what share is that? torch.bincount(indices, "
         "minlength=K)."),
        ("H = −Σ p ln p，再取 exp(H)。",
         "H = −Σ p ln p, then exp(H)."),
        ("p = 0 的项按 0 算：先挑出 p[p > 0]，或用 torch.special.entr(p)。",
         "Terms with p = 0 count 0: select p[p > 0] first, or use torch.special.entr(p)."),
    ],
    mistakes=[
        Mistake(_entropy,
                ("这是熵，单位是奈特；困惑度还要取指数：exp(H)。",
                 "That is the entropy in nats; perplexity is its exponential, exp(H).")),
        Mistake(_logarithm(_shares),
                ("有码字没用到时成了 NaN：0 · ln 0 在 torch 里是 NaN，这里要当作 0。挑出 p > 0 的，或用 "
                 "torch.special.entr。",
                 "NaN wherever a code is unused: torch makes 0 · ln 0 NaN, here it is 0. Select p > 0, or use "
                 "torch.special.entr.")),
        Mistake(lambda indices, k: _entropy(indices, k) / torch.tensor(2.0).log(),
                ("这是熵，单位是比特；困惑度还要取指数：2 的 H 次幂。",
                 "That is the entropy in bits; perplexity is 2 to that power.")),
        Mistake(lambda indices, k: torch.exp(_entropy(indices, k) / torch.tensor(2.0).log()),
                ("对数用了 log2，指数却用了 exp：两个底数要一样。",
                 "The logarithm is log2 but the power is exp: both need one base.")),
        Mistake(lambda indices, k: torch.exp(_entropy(indices, k)) / k,
                ("多除了 K：那是“占上限的几成”，不是困惑度。",
                 "Divided by K: that is the share of the most possible, not the perplexity.")),
        Mistake(lambda indices, k: 2 ** _entropy(indices, k),
                ("对数和指数的底数不一样：用 ln 就要用 exp，用 log2 就要用 2 的幂。",
                 "Logarithm and power have different bases: ln goes with exp, log2 with a power of 2.")),
        Mistake(lambda indices, k: torch.exp(-_entropy(indices, k)),
                ("少了负号：H = −Σ p ln p 是正的，所以结果在 1 和 K 之间。",
                 "A minus sign is missing: H = −Σ p ln p is positive, so the result lies between 1 and K.")),
        Mistake(lambda indices, k: torch.exp(_entropy(indices, k) / k),
                ("这里要求和，不是对 K 个码字取平均。", "Sum over the K codes; do not take their mean.")),
        Mistake(lambda indices, k: len(indices.unique()),
                ("这是用到的码字个数：只用过一次的也算一个。困惑度要看用得均不均匀。",
                 "That counts the codes in use, once being enough. Perplexity asks how evenly they are used.")),
        Mistake(lambda indices, k: 1 / _shares(indices, k).square().sum(),
                ("这是 1 / Σ p²，也是一种“有效个数”，但不是困惑度。",
                 "That is 1 / Σ p², another “effective number”, but not the perplexity.")),
    ])

ema_step = Exercise(
    "04.ema_step",
    title=("滑动平均走一步", "One step of the moving average"),
    reference=_ema_step,
    cases=_averages,
    hints=[
        ("n 和 m 用同一条规则更新：旧的 × λ + 新的 × (1 − λ)。",
         "n and m follow one rule: old × λ + new × (1 − λ)."),
        ("码字是更新**之后**的 m ÷ n；n 是 (K,)，m 是 (K, D)，除之前写成 n[:, None]。".replace("**", ""),
         "A code is the *new* m ÷ n; n is (K,) and m is (K, D), so write n[:, None] to divide.".replace("*", "")),
    ],
    mistakes=[
        Mistake(_wrong_step(lambda n, m, counts, sums, decay: (
                    (1 - decay) * n + decay * counts, (1 - decay) * m + decay * sums)),
                ("λ 和 1 − λ 换了位置：旧的乘 λ，新的乘 1 − λ。",
                 "λ and 1 − λ have changed places: the old gets λ, the new 1 − λ.")),
        Mistake(_wrong_step(lambda n, m, counts, sums, decay: (decay * n + counts, decay * m + sums)),
                ("新的一份忘了乘 1 − λ。比值 m / n 还对，但 n 不再是每步的平均个数。",
                 "The new share lacks its 1 − λ. The ratio m / n is right, but n is no longer a mean count.")),
        Mistake(lambda n, m, counts, sums, decay: (
                    decay * n + (1 - decay) * counts, decay * m + (1 - decay) * sums, sums / counts[:, None]),
                ("码字用的只是这一批的均值；应当用两个滑动平均之比 m / n。",
                 "The code is this batch's mean alone; it should be the ratio m / n of the two averages.")),
        Mistake(lambda n, m, counts, sums, decay: (
                    decay * n + (1 - decay) * counts, decay * m + (1 - decay) * sums,
                    (decay * m + (1 - decay) * sums) / n[:, None]),
                ("m 是新的，除的却是旧的 n。", "The new m is divided by the old n.")),
        Mistake(lambda n, m, counts, sums, decay: (
                    decay * n + (1 - decay) * counts, decay * m + (1 - decay) * sums,
                    decay * m / n[:, None] + (1 - decay) * sums / counts[:, None]),
                ("这是对均值取滑动平均：只被选中一次的一步，和被选中一百次的一步一样重。",
                 "That averages the means: a step with one vector weighs as much as a step with a hundred.")),
        Mistake(lambda n, m, counts, sums, decay: (
                    decay * n + (1 - decay) * counts, decay * m + (1 - decay) * sums,
                    decay * m + (1 - decay) * sums),
                ("码字是 m / n，不是 m。", "A code is m / n, not m.")),
        Mistake(_clamped("counts"),
                ("没被选中的码字按 1 个算了：counts 是 0 就是 0，n 照样衰减。",
                 "Codes that nobody chose were counted as 1: a count of 0 is 0, and n decays all the same.")),
        Mistake(_clamped("n"),
                ("n 小于 1 的被抬到了 1，码字就缩短了：n 是平均个数，可以比 1 小。",
                 "n below 1 was raised to 1, which shortens the codes: a mean count may be below 1.")),
        Mistake(_only_chosen,
                ("没被选中的码字也要衰减：n 和 m 都乘 λ（比值不变）。",
                 "Codes that nobody chose decay as well: n and m are both multiplied by λ (their ratio stays).")),
    ])

restart = Exercise(
    "04.restart",
    title=("真能活下来的重启", "A restart that survives"),
    reference=_restarted(),
    cases=_dead,
    hints=[
        ("码字有三份状态：codes、n、m。下一步 e = m / n 会用到哪两份？",
         "A code has three pieces of state: codes, n and m. Which two does the next e = m / n use?"),
        ("size 个向量都在 v：n = size，m = size × v，于是 m / n = v。",
         "size vectors, all at v: n = size and m = size × v, so m / n = v."),
        ("先 clone() 三份，再用 dead 当下标写：codes[dead] = vectors，一一对应。",
         "Clone all three, then write with dead as the index: codes[dead] = vectors, one by one."),
    ],
    mistakes=[
        Mistake(_restarted(n=False, m=None),
                ("只改了码本：下一步 e = m / n 又把它算回去。这正是那个著名的空操作。",
                 "Only the codebook changed: the next e = m / n takes it back. This is the famous no-op.")),
        Mistake(_restarted(n=False),
                ("m 改了，n 没有：m / n 会是一个巨大的向量。",
                 "m changed but n did not: m / n will be enormous.")),
        Mistake(_restarted(m=None),
                ("n 改了，m 没有：m / n 会缩到原点附近。",
                 "n changed but m did not: m / n shrinks to the origin.")),
        Mistake(_restarted(m=lambda vectors, size: vectors),
                ("m 应当是 size 个这样的向量之和：vectors × size，不然 m / n 就短了 size 倍。",
                 "m should be the sum of size such vectors, vectors × size; else m / n is too short.")),
        Mistake(_restarted(codes=False),
                ("平均量都对，码字本身要到下一步才跟上；这一步也要改。",
                 "The averages are right, but the code itself follows only a step later; write it now too.")),
        Mistake(_in_order,
                ("搬错了地方：dead 不一定从小到大，vectors[i] 属于 dead[i]（用布尔掩码就丢了次序）。",
                 "Moved to the wrong places: dead need not rise, and vectors[i] belongs to dead[i] (a boolean mask "
                 "loses "
                 "the order).")),
        Mistake(_all_codes,
                ("活着的码字也被换掉了；只能动 dead 里的那些。",
                 "Living codes were replaced too; touch only those in dead.")),
    ])
