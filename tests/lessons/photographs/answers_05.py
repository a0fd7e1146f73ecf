"""What students answer to the exercises of lesson 5: right in many spellings, and wrong in many ways."""

import math
from collections import defaultdict

import numpy as np
import torch
from torch.nn import functional


def field(kernels, strides, start=1, grow=lambda f, j, k, s: f + (k - 1) * j, step=lambda j, s: j * s):
    f, j = start, 1
    for k, s in zip(kernels, strides, strict=True):
        f, j = grow(f, j, k, s), step(j, s)
    return f, j


def field_backwards(kernels, strides):
    """From the output outwards."""
    width = 1
    for kernel, stride in zip(kernels.flip(0), strides.flip(0), strict=True):
        width = (width - 1) * stride + kernel
    return int(width), math.prod(strides.tolist())


def field_recursive(kernels, strides):
    if not len(kernels):
        return 1, 1
    width, jump = field_recursive(kernels[:-1], strides[:-1])
    return width + (kernels[-1] - 1) * jump, jump * strides[-1]


def field_products(kernels, strides):
    jumps = torch.cat([torch.ones(1, dtype=torch.int64), strides.cumprod(0)])
    return 1 + ((kernels - 1) * jumps[:-1]).sum(), jumps[-1]


def field_measured(kernels, strides):
    """By gradients: which pixels reach one output, and the next."""
    x = torch.zeros(1, 1, 400, requires_grad=True)
    y = x
    for kernel, stride in zip(kernels.tolist(), strides.tolist(), strict=True):
        y = functional.conv1d(y, torch.ones(1, 1, kernel), stride=stride)
    first, second = (torch.autograd.grad(y[0, 0, n], x, retain_graph=True)[0].nonzero()[:, 2] for n in (0, 1))
    return len(first), int(second[0] - first[0])


def field_intervals(kernels, strides):
    low, high, jump = 0, 0, 1
    for n in range(len(kernels)):
        high += (kernels[n].item() - 1) * jump
        jump *= strides[n].item()
    return high - low + 1, jump


def field_in_place(kernels, strides):
    kernels -= 1
    jumps = strides.cumprod(0)
    return 1 + (kernels[1:] * jumps[:-1]).sum() + kernels[0], jumps[-1]


def search(z, codebook, p, rate_weight):
    return (torch.cdist(z, codebook) ** 2 - rate_weight * torch.log2(p)).argmin(dim=1)


def search_broadcast(z, codebook, p, rate_weight):
    distances = ((z[:, None] - codebook) ** 2).sum(-1)
    return torch.argmin(distances + rate_weight * (1 / p).log2(), 1)


def search_expanded(z, codebook, p, rate_weight):
    scores = codebook.square().sum(1) - 2 * z @ codebook.t() - rate_weight * p.log() / math.log(2)
    return scores.min(dim=1).indices


def search_loops(z, codebook, p, rate_weight):
    answer = []
    for vector in z.tolist():
        costs = [sum((a - b) ** 2 for a, b in zip(vector, code, strict=True)) - rate_weight * math.log2(share)
                 for code, share in zip(codebook.tolist(), p.tolist(), strict=True)]
        answer.append(costs.index(min(costs)))
    return answer


def search_numpy(z, codebook, p, rate_weight):
    z, codebook, p = z.numpy(), codebook.numpy(), p.numpy()
    return (((z[:, None] - codebook) ** 2).sum(2) - rate_weight * np.log2(p)).argmin(1)


def search_padded(z, codebook, p, rate_weight):
    """Bits as one more dimension."""
    price = (-rate_weight * torch.log2(p)).sqrt()
    codes = torch.cat([codebook, price[:, None]], dim=1)
    return torch.cdist(functional.pad(z.double(), (0, 1)), codes.double()).argmin(1)


def search_transposed(z, codebook, p, rate_weight):
    return (torch.cdist(codebook, z).square() - rate_weight * p.log2()[:, None]).argmin(0)


def cost(z, codebook, p, rate_weight, distance=None, bits=lambda p: -torch.log2(p)):
    return (torch.cdist(z, codebook) ** 2 if distance is None else distance(z, codebook)) + rate_weight * bits(p)


def bits(tokens, K):
    counts, total = torch.ones(K + 1, K), 0.0
    for row in tokens:
        left = K
        for token in row:
            total -= torch.log2(counts[left, token] / counts[left].sum())
            counts[left, token] += 1
            left = token
    return total / (16 * tokens.numel())


def bits_by_dictionary(tokens, K):
    seen, total = defaultdict(int), 0.0
    for row in tokens.tolist():
        left = None
        for token in row:
            total += math.log2((seen[left] + K) / (seen[left, token] + 1))
            seen[left] += 1
            seen[left, token] += 1
            left = token
    return total / 16 / len(tokens) / len(tokens[0])


def bits_padded(tokens, K):
    left = functional.pad(tokens, (1, 0), value=K)[:, :-1]
    counts, total = np.ones((K + 1, K)), 0.0
    for before, token in zip(left.flatten(), tokens.flatten(), strict=True):
        total += -np.log2(counts[before, token] / counts[before].sum())
        counts[before, token] += 1
    return total / tokens.numel() / 16


def bits_by_gamma(tokens, K):
    """The product of all probabilities of a row of counts, at once."""
    left = functional.pad(tokens, (1, 0), value=K)[:, :-1]
    counts = torch.zeros(K + 1, K, dtype=torch.float64)
    counts.index_put_((left.flatten(), tokens.flatten()), torch.ones(tokens.numel(), dtype=torch.float64),
                      accumulate=True)
    log_p = math.lgamma(K) * (K + 1) + torch.lgamma(counts + 1).sum() - torch.lgamma(counts.sum(1) + K).sum()
    return -log_p / math.log(2) / (16 * tokens.numel())


def bits_flat(tokens, K):
    H, W = tokens.shape
    flat, counts, total = tokens.flatten().tolist(), [[1] * K for _ in range(K + 1)], 0
    for n, token in enumerate(flat):
        row = counts[flat[n - 1] if n % W else K]
        total -= math.log(row[token] / sum(row), 2)
        row[token] = row[token] + 1
    return total / (H * 4 * W * 4)


def variant(tokens, K, left=lambda rows, r, c, K: rows[r][c - 1] if c else K, first=1, log=math.log2, before=0,
            after=1, extra=0, pixels=16, start=0.0):
    counts, total, rows = [[first] * K for _ in range(K + 1)], start, tokens.tolist()
    for r, line in enumerate(rows):
        for c, token in enumerate(line):
            row = counts[left(rows, r, c, K)]
            row[token] += before
            total -= log(row[token] / (sum(row) + extra))
            row[token] += after
    return total / (pixels * tokens.numel())


def finished(tokens, K, smooth=0):
    left = functional.pad(tokens, (1, 0), value=K)[:, :-1].flatten()
    counts = torch.full((K + 1, K), float(smooth))
    for pair in zip(left, tokens.flatten(), strict=True):
        counts[pair] += 1
    p = counts / counts.sum(1, keepdim=True)
    return -p[left, tokens.flatten()].log2().sum() / (16 * tokens.numel())


def zero_order(tokens, K):
    p = torch.bincount(tokens.flatten(), minlength=K) / tokens.numel()
    return torch.special.entr(p).sum() / math.log(2) / 16


def in_place(tokens, K):
    answer = bits(tokens, K)
    tokens += 1
    return answer


def search_in_place(z, codebook, p, rate_weight):
    p.log2_()
    return (torch.cdist(z, codebook) ** 2 - rate_weight * p).argmin(1)


RIGHT = {
    "05.receptive_field": [
        field, field_backwards, field_recursive, field_products, field_measured, field_intervals,
        lambda *a: list(field(*a)),
        lambda *a: torch.tensor(field(*a)),
        lambda *a: np.array(field_intervals(*a)),
    ],
    "05.cheap_search": [
        search, search_broadcast, search_expanded, search_loops, search_numpy, search_padded, search_transposed,
        lambda *a: search(*a).int(),
        lambda *a: search(*a).tolist(),
        lambda z, c, p, w: search(z.double(), c.double(), p.double(), w),
    ],
    "05.context_bits": [
        bits, bits_by_dictionary, bits_padded, bits_by_gamma, bits_flat, variant,
        lambda *a: torch.as_tensor(bits(*a)),
        lambda *a: float(bits(*a)),
        lambda *a: np.float64(bits_flat(*a)),
    ],
}

WRONG = {
    "05.receptive_field": [
        field_in_place,
        lambda *a: field(*a, grow=lambda f, j, k, s: f + k * j),
        lambda *a: field(*a, grow=lambda f, j, k, s: f + (k - 1) * j * s),
        lambda *a: field(*a, grow=lambda f, j, k, s: f + k - 1),
        lambda *a: field(*a, grow=lambda f, j, k, s: f * k),
        lambda *a: field(*a, grow=lambda f, j, k, s: f + (k - 1) * s),
        lambda *a: field(*a, start=0),
        lambda *a: field(*a, step=lambda j, s: j + s),
        lambda *a: field(*a, step=lambda j, s: j + s - 1),
        lambda *a: field(*a, step=lambda j, s: s),
        lambda *a: field(*a, step=lambda j, s: j),
        lambda k, s: field(k.flip(0), s.flip(0)),
        lambda *a: field(*a)[0],
        lambda *a: field(*a)[::-1],
        lambda *a: (field(*a)[0] ** 2, field(*a)[1]),
        lambda *a: (field(*a)[0] ** 2, field(*a)[1] ** 2),
        lambda *a: (field(*a)[0] // 2, field(*a)[1]),
        lambda *a: (a[0].sum(), field(*a)[1]),
        lambda *a: (field(*a)[0] - 1, field(*a)[1]),
        lambda k, s: (field(k, s)[0], len(k)),
        lambda k, s: field(k[:-1], s[:-1]),
        lambda *a: field(*a)[1],
        lambda k, s: [field(k[: n + 1], s[: n + 1]) for n in range(len(k))],
    ],
    "05.cheap_search": [
        search_in_place,
        lambda z, c, p, w: search(z, c, p, -w),
        lambda z, c, p, w: search(z, c, p, 0),
        lambda z, c, p, w: search(z, c, p, 2 * w),
        lambda *a: cost(*a, bits=lambda p: -p.log()).argmin(1),
        lambda *a: cost(*a, bits=lambda p: -p.log10()).argmin(1),
        lambda *a: cost(*a, bits=lambda p: -p).argmin(1),
        lambda *a: cost(*a, bits=lambda p: 1 / p).argmin(1),
        lambda *a: cost(*a, bits=lambda p: -p * p.log2()).argmin(1),
        lambda *a: cost(*a, distance=torch.cdist).argmin(1),
        lambda *a: cost(*a, distance=lambda z, c: torch.cdist(z, c) ** 2 / z.shape[1]).argmin(1),
        lambda *a: cost(*a, distance=lambda z, c: -z @ c.t()).argmin(1),
        lambda *a: cost(*a).argmax(1),
        lambda *a: cost(*a).argmin(0),
        lambda *a: cost(*a).amin(1),
        lambda *a: cost(*a).min(1),
        lambda *a: cost(*a),
        lambda *a: cost(*a).argmin(),
        lambda *a: search(*a) + 1,
        lambda *a: search(*a)[:, None],
        lambda z, c, p, w: c[search(z, c, p, w)],
        lambda z, c, p, w: p.expand(len(z), -1).argmax(1),
        lambda z, c, p, w: torch.nn.functional.one_hot(search(z, c, p, w), len(c)),
    ],
    "05.context_bits": [
        in_place,
        zero_order,
        finished,
        lambda *a: finished(*a, smooth=1),
        lambda *a: variant(*a, before=1, after=0),
        lambda *a: variant(*a, left=lambda rows, r, c, K: K),
        lambda *a: variant(*a, left=lambda rows, r, c, K: rows[r][c - 1] if c else rows[r - 1][-1] if r else K),
        lambda *a: variant(*a, left=lambda rows, r, c, K: rows[r][c - 1] if c else 0),
        lambda *a: variant(*a, left=lambda rows, r, c, K: rows[r - 1][c] if r else K),
        lambda *a: variant(*a, left=lambda rows, r, c, K: rows[r][c - 1]),
        lambda *a: variant(*a, log=math.log),
        lambda *a: variant(*a, log=math.log10),
        lambda *a: variant(*a, pixels=1),
        lambda *a: variant(*a, pixels=4),
        lambda t, K: variant(t, K, pixels=1 / t.numel()),
        lambda *a: variant(*a, after=0),
        lambda *a: variant(*a, first=0),
        lambda t, K: variant(t, K, extra=1 - K),
        lambda *a: -variant(*a),
        lambda t, K: variant(t.t(), K),
        lambda t, K: math.log2(K) / 16,
        lambda *a: variant(*a) * 2,
        lambda *a: variant(*a) / 8,
        lambda *a: variant(*a, left=lambda rows, r, c, K: rows[r][c + 1] if c + 1 < len(rows[r]) else K),
    ],
}
