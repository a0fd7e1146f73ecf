"""Exercises of lesson 4: perplexity, one step of the moving average, a restart that survives it."""

import torch

from vqlab import metrics
from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["perplexity", "ema_step", "restart"]


def _tokens(generator):
    """(indices, K): some codes unused, some used alike."""
    for size, k in ((8, 4), (30, 6), (50, 5), (12, 16)):
        yield torch.randint(k // 2 + 1, (size,), generator=generator), k
    yield torch.arange(8), 8


def _shares(indices, k):
    return torch.bincount(indices, minlength=k).float() / len(indices)


def _entropy(indices, k):
    return torch.special.entr(_shares(indices, k)).sum()


def _averages(generator):
    """(n, m, counts, sums, decay): (K,), (K, D), (K,), (K, D); every n > 0."""
    for k, d, decay in ((2, 1, 0.5), (3, 2, 0.9), (4, 3, 0.75), (3, 2, 0.99)):
        counts = torch.randint(1, 9, (k,), generator=generator).float()
        yield (4 * torch.rand(k, generator=generator) + 1, 4 * torch.randn(k, d, generator=generator),
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
    """(codes, n, m, dead, vectors, size): one to three dead codes, and where they shall live."""
    for k, d, dead in ((3, 2, [1]), (5, 2, [0, 3]), (4, 3, [1, 2, 3]), (6, 2, [5])):
        n = 4 * torch.rand(k, generator=generator) + 1
        n[dead] = 1e-4
        codes = torch.randn(k, d, generator=generator)
        yield codes, n, codes * n[:, None], torch.tensor(dead), torch.randn(len(dead), d, generator=generator), 2.5


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
    chosen = vectors[torch.arange(len(codes)) % len(vectors)]
    return chosen.clone(), torch.full_like(n, size), chosen * size

perplexity = Exercise(
    "04.perplexity",
    title=("写出困惑度", "Write the perplexity"),
    reference=metrics.perplexity,
    cases=_tokens,
    mistakes=[
        Mistake(_entropy,
                ("这是熵，单位是奈特；困惑度还要取指数：exp(H)。",
                 "That is the entropy in nats; perplexity is its exponential, exp(H).")),
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
    ])

restart = Exercise(
    "04.restart",
    title=("真能活下来的复活", "A restart that survives"),
    reference=_restarted(),
    cases=_dead,
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
        Mistake(_all_codes,
                ("活着的码字也被换掉了；只能动 dead 里的那些。",
                 "Living codes were replaced too; touch only those in dead.")),
    ])
