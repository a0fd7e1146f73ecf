"""What students answer to the exercises of lesson 4: right in many spellings, and wrong in many ways."""

import math
from collections import Counter

import numpy as np
import torch


def p(i, k):
    return torch.bincount(i, minlength=k) / len(i)


def h(i, k):
    return torch.special.entr(p(i, k)).sum()


def counted(i, k):
    return math.exp(-sum(n / len(i) * math.log(n / len(i)) for n in Counter(i.tolist()).values()))


def in_numpy(i, k):
    q = np.bincount(i.numpy(), minlength=k) / len(i)
    q = q[q > 0]
    return np.exp(-(q * np.log(q)).sum())


def ema(n, m, c, s, d, a=None, e=None):
    a = 1 - d if a is None else a
    n, m = d * n + a * c, d * m + a * s
    return n, m, m / n[:, None] if e is None else e(n, m)


def ema_numpy(n, m, c, s, d):
    n, m = d * n.numpy() + (1 - d) * c.numpy(), d * m.numpy() + (1 - d) * s.numpy()
    return [n, m, m / n[:, None]]


def ema_loop(n, m, c, s, d):
    n, m = n.clone(), m.clone()
    for k in range(len(n)):
        n[k] = d * n[k] + (1 - d) * c[k]
        m[k] = d * m[k] + (1 - d) * s[k]
    return n, m, torch.stack([m[k] / n[k] for k in range(len(n))])


def ema_in_place(n, m, c, s, d):
    n.mul_(d).add_((1 - d) * c)
    m.mul_(d).add_((1 - d) * s)
    return n, m, m / n[:, None]


def put(e, n, m, dead, v, size, what="enm", total=None):
    e, n, m = e.clone(), n.clone(), m.clone()
    if "e" in what:
        e[dead] = v
    if "n" in what:
        n[dead] = size
    if "m" in what:
        m[dead] = v * size if total is None else total(v, size)
    return e, n, m


def put_loop(e, n, m, dead, v, size):
    e, n, m = e.clone(), n.clone(), m.clone()
    for i, k in enumerate(dead.tolist()):
        e[k], n[k], m[k] = v[i], size, size * v[i]
    return [e, n, m]


def put_numpy(e, n, m, dead, v, size):
    e, n, m, v = (x.numpy().copy() for x in (e, n, m, v))
    e[dead], n[dead], m[dead] = v, size, size * v
    return e, n, m


def put_copy(e, n, m, dead, v, size):
    return (e.index_copy(0, dead, v), n.index_fill(0, dead, size), m.index_copy(0, dead, size * v))


def put_scatter(e, n, m, dead, v, size):
    return put(e.double(), n.double(), m.double(), dead, v.double(), size)


def put_put(e, n, m, dead, v, size):
    at = (dead,)
    return e.index_put(at, v), n.index_put(at, torch.tensor(float(size))), m.index_put(at, v * size)


def by_mask(e, n, m, dead, v, size):
    mask = torch.zeros(len(e), dtype=torch.bool)
    mask[dead] = True
    e, n, m = e.clone(), n.clone(), m.clone()
    e[mask], n[mask], m[mask] = v, size, v * size
    return e, n, m


def in_place(e, n, m, dead, v, size):
    e[dead], n[dead], m[dead] = v, size, v * size
    return e, n, m


def first_only(e, n, m, dead, v, size):
    return put(e, n, m, dead[:1], v[:1], size)


def replaced(e, n, m, dead, v, size):
    return put(e, n, m, torch.arange(len(v)), v, size)


RIGHT = {
    "04.perplexity": [
        counted,
        in_numpy,
        lambda i, k: h(i, k).exp(),
        lambda i, k: 2 ** (h(i, k) / math.log(2)),
        lambda i, k: torch.exp(-(p(i, k) * (p(i, k) + 1e-10).log()).sum()),
        lambda i, k: torch.exp(-torch.xlogy(p(i, k), p(i, k)).sum()),
        lambda i, k: torch.distributions.Categorical(p(i, k)).perplexity(),
        lambda i, k: math.prod(float(q) ** -float(q) for q in p(i, k) if q > 0),
        lambda i, k: torch.exp(-(p(i, k)[p(i, k) > 0] * p(i, k)[p(i, k) > 0].log()).sum()).item(),
    ],
    "04.ema_step": [
        ema,
        ema_numpy,
        ema_loop,
        lambda *a: list(ema(*a)),
        lambda n, m, c, s, d: ema(n.double(), m.double(), c.double(), s.double(), d),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda n, m: m / n.unsqueeze(1)),
        lambda n, m, c, s, d: (n.lerp(c, 1 - d), m.lerp(s, 1 - d), (m.lerp(s, 1 - d).t() / n.lerp(c, 1 - d)).t()),
    ],
    "04.restart": [put, put_loop, put_numpy, put_copy, put_scatter, put_put],
}

WRONG = {
    "04.perplexity": [
        h,
        lambda i, k: h(i, k) / math.log(2),
        lambda i, k: 2 ** h(i, k),
        lambda i, k: torch.exp(h(i, k) / math.log(2)),
        lambda i, k: torch.exp(-h(i, k)),
        lambda i, k: torch.exp(-(p(i, k) * p(i, k).log()).sum()),
        lambda i, k: torch.exp(-(p(i, k) * p(i, k).log()).nansum() / k),
        lambda i, k: len(i.unique()),
        lambda i, k: 1 / p(i, k).square().sum(),
        lambda i, k: h(i, k).exp() / k,
        lambda i, k: h(i, k) / math.log(k),
        lambda i, k: p(i, k).max(),
        lambda i, k: 1 / p(i, k).max(),
        lambda i, k: (p(i, k) > 0).float().mean(),
        lambda i, k: k,
        lambda i, k: torch.exp(torch.special.entr(torch.bincount(i, minlength=k).float()).sum()),
        lambda i, k: torch.exp(torch.special.entr(torch.bincount(i, minlength=k).float().softmax(0)).sum()),
        lambda i, k: int(h(i, k).exp()),
        lambda i, k: p(i, k),
        lambda i, k: torch.special.entr(p(i, k)).exp(),
        lambda i, k: h(i, k).exp() - 1,
        lambda i, k: 10 ** h(i, k),
        lambda i, k: h(i, k).exp() ** 2,
    ],
    "04.ema_step": [
        ema_in_place,
        lambda n, m, c, s, d: ema(n, m, c, s, 1 - d),
        lambda n, m, c, s, d: ema(n, m, c, s, d, 1),
        lambda n, m, c, s, d: (*ema(n, m, c, s, d)[:2], s / c[:, None]),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: M),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: M / n[:, None]),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: m / N[:, None]),
        lambda n, m, c, s, d: ema(n, m, c.clamp(min=1), s, d),
        lambda n, m, c, s, d: ema(n, m, c, s, d)[::-1],
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: M / N.clamp(min=1)[:, None]),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: M / (N[:, None] + 1)),
        lambda n, m, c, s, d: ema(n, m, c, s, d)[:2],
        lambda n, m, c, s, d: ema(n, m, c, s, d)[2],
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: m / n[:, None]),
        lambda n, m, c, s, d: (n + c, m + s, (m + s) / (n + c)[:, None]),
        lambda n, m, c, s, d: ema(n, m, c, s / c[:, None], d),
        lambda n, m, c, s, d: tuple(
            torch.where((c > 0).view(-1, *[1] * (x.ndim - 1)), x, y)
            for x, y in zip(ema(n, m, c, s, d), (n, m, m / n[:, None]), strict=True)
        ),
        lambda n, m, c, s, d: ema(n, m, c, s, d, d),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: M / N.sum()),
        lambda n, m, c, s, d: ema(n, m, c, s, d, e=lambda N, M: M * N[:, None]),
    ],
    "04.restart": [
        in_place,
        by_mask,
        first_only,
        replaced,
        lambda *a: put(*a, what="e"),
        lambda *a: put(*a, what="em"),
        lambda *a: put(*a, what="en"),
        lambda *a: put(*a, what="nm"),
        lambda *a: put(*a, total=lambda v, s: v),
        lambda *a: put(*a, total=lambda v, s: v / s),
        lambda *a: put(*a)[::-1],
        lambda *a: put(*a)[0],
        lambda *a: put(*a)[:2],
        lambda e, n, m, dead, v, s: (v, torch.full((len(v),), s), v * s),
        lambda e, n, m, dead, v, s: put(e, n, m, dead, v, 1.0),
        lambda e, n, m, dead, v, s: put(e, n, m, dead, v.flip(0), s),
        lambda e, n, m, dead, v, s: (e, n, m),
        lambda e, n, m, dead, v, s: put(e, n, m, dead.sort().values, v, s),
        lambda *a: put(*a, total=lambda v, s: 0 * v),
        lambda e, n, m, dead, v, s: put(e, n + s, m, dead, v, s),
    ],
}
