"""What students answer to the exercises of lesson 7: right in many spellings, and wrong in many ways."""

import numpy as np
import torch

from vqlab.var import guide

INF = float("inf")


def whose(lengths):
    return torch.cat([torch.full((int(n),), k) for k, n in enumerate(lengths)])


def ends(lengths):
    return lengths.cumsum(0)


def finer(lengths):
    return whose(lengths)[:, None] - whose(lengths)


def windowed(n, window):
    return (finer(n) >= 0) & (finer(n) <= window)


def by_loops(lengths, window):
    scale = whose(lengths).tolist()
    return [[key <= query <= key + window for key in scale] for query in scale]


def by_blocks(lengths, window):
    seen = torch.zeros(int(lengths.sum()), int(lengths.sum()), dtype=torch.bool)
    ends = [0, *lengths.cumsum(0).tolist()]
    for k in range(len(lengths)):
        seen[ends[k]:ends[k + 1], ends[max(0, k - window)]:ends[k + 1]] = True
    return seen


def by_two_triangles(lengths, window):
    ones = torch.ones(len(lengths), len(lengths), dtype=torch.bool)
    scales = ones.tril() & ones.triu(-window)
    return scales.repeat_interleave(lengths, 0).repeat_interleave(lengths, 1)


def from_the_whole(lengths, window):
    scale = whose(lengths)
    return (scale[:, None] >= scale) & ~(scale[:, None] > scale + window)


def without_last(mask):
    mask = mask.clone()
    mask[-1, -1] = False
    return mask


def all_of(lengths):
    return torch.ones(int(lengths.sum()), int(lengths.sum()), dtype=torch.bool)


MASK_RIGHT = [
    windowed, by_loops, by_blocks, by_two_triangles, from_the_whole, lambda n, w: windowed(n, w).numpy(),
    lambda n, w: np.isin(finer(n).numpy(), range(w + 1)), lambda n, w: finer(n).clamp(0, w) == finer(n),
]
MASK_WRONG = [
    lambda n, w: finer(n) >= 0, lambda n, w: all_of(n).tril(), lambda n, w: all_of(n).triu(), lambda n, w: all_of(n),
    lambda n, w: all_of(n).tril() & all_of(n).triu(-w), lambda n, w: (finer(n) > 0) & (finer(n) <= w),
    lambda n, w: (finer(n) >= 0) & (finer(n) < w), lambda n, w: windowed(n, w).T, lambda n, w: ~windowed(n, w),
    lambda n, w: finer(n) == 0, lambda n, w: finer(n) == w, lambda n, w: finer(n).abs() <= w,
    lambda n, w: finer(n) <= w, lambda n, w: torch.where(windowed(n, w), 0.0, -INF),
    lambda n, w: windowed(torch.ones_like(n), w), lambda n, w: windowed(n, w)[None, None],
    lambda n, w: windowed(n, w)[n[0]:, n[0]:], lambda n, w: without_last(windowed(n, w)),
    lambda n, w: windowed(n, w).flip(0), lambda n, w: windowed(n.flip(0), w), lambda n, w: windowed(n, w + 1),
]


def ramp(strength, k, scales):
    return strength * k / (scales - 1)


def normal(w):
    return w / w.sum(-1, keepdim=True)


def guided(t=ramp, mix=lambda a, b, t: normal(a ** (1 + t) / b ** t)):
    return lambda a, b, strength, k, scales: mix(a, b, t(strength, k, scales))


def token_by_token(a, b, strength, k, scales):
    t = strength * k / (scales - 1)
    rows = []
    for p, q in zip(a.tolist(), b.tolist(), strict=True):
        weights = [x * (x / y) ** t for x, y in zip(p, q, strict=True)]
        rows.append([w / sum(weights) for w in weights])
    return rows


GUIDANCE_RIGHT = [
    guided(), guided(mix=lambda a, b, t: normal(a * (a / b) ** t)), token_by_token,
    guided(mix=lambda a, b, t: ((1 + t) * a.log() - t * b.log()).softmax(-1)),
    guided(mix=lambda a, b, t: (a.log() + t * (a / b).log()).softmax(-1)),
    guided(t=lambda s, k, n: torch.linspace(0, s, n)[k]), guided(t=lambda s, k, n: s * (k / (n - 1))),
    guided(mix=lambda a, b, t: normal(a.double() ** (1 + t) * b.double() ** -t).numpy()),
    guided(mix=lambda a, b, t: guide(a.log(), b.log(), t, 1, 2).log_softmax(-1).exp()),
]
GUIDANCE_WRONG = [
    guided(t=lambda s, k, n: s), guided(t=lambda s, k, n: s * k / n), guided(t=lambda s, k, n: s * (k + 1) / n),
    guided(t=lambda s, k, n: s * (n - 1 - k) / (n - 1)), guided(t=lambda s, k, n: s * k),
    guided(t=lambda s, k, n: k / (n - 1)), guided(t=lambda s, k, n: s * (k // (n - 1))),
    guided(t=lambda s, k, n: s * (k / (n - 1)) ** 2), guided(mix=lambda a, b, t: (1 + t) * a - t * b),
    guided(mix=lambda a, b, t: ((1 + t) * a - t * b).softmax(-1)), guided(mix=lambda a, b, t: a),
    guided(mix=lambda a, b, t: normal(((1 + t) * a - t * b).relu())),
    guided(mix=lambda a, b, t: a ** (1 + t) / b ** t),
    guided(mix=lambda a, b, t: (1 + t) * a.log() - t * b.log()), guided(mix=lambda a, b, t: normal(b * (a / b) ** t)),
    guided(mix=lambda a, b, t: ((1 + t) * a.log() - t * b.log()).log_softmax(-1)),
    guided(mix=lambda a, b, t: ((1 + t) * a.log() - t * b.log()).exp().softmax(-1)),
    guided(mix=lambda a, b, t: ((1 + t) * a.log() + t * b.log()).softmax(-1)),
    guided(mix=lambda a, b, t: ((1 + t) * a.log() - b.log()).softmax(-1)),
    guided(mix=lambda a, b, t: normal((a / b) ** t)),
    guided(mix=lambda a, b, t: normal(b * (b / a.clamp(min=1e-9)) ** t)),
    guided(mix=lambda a, b, t: normal(a * (a / b) ** t).mT),
    guided(mix=lambda a, b, t: normal((a * (a / b) ** t).mT).mT),
    guided(mix=lambda a, b, t: normal((1 + t) * a / (t * b).clamp(min=1e-9))),
]


def sorted_top_p(logits, p, hidden=lambda each, before, p: before >= p, descending=True, back=True, fill=-INF,
                 scores=lambda x: x.softmax(-1)):
    order = scores(logits).argsort(dim=-1, descending=descending)
    each = scores(logits).gather(-1, order)
    hide = hidden(each, each.cumsum(-1) - each, p)
    if back:
        hide = hide.gather(-1, order.argsort(-1))
    return torch.where(hide, fill, logits)


def row_by_row(logits, p):
    out = torch.full_like(logits, -INF)
    for row, kept in zip(logits, out, strict=True):
        held = 0.0
        for k in row.argsort(descending=True).tolist():
            if held >= p:
                break
            kept[k], held = row[k], held + row.softmax(-1)[k].item()
    return out


def by_likelier(logits, p):
    each = logits.double().softmax(-1)
    likelier = each[:, None] > each[:, :, None]  # (B, K, K): is the last likelier than the middle?
    return logits.masked_fill((likelier * each[:, None]).sum(-1) >= p, -INF)


def shifted(logits, p):
    values, order = logits.sort(dim=-1, descending=True)
    remove = values.softmax(-1).cumsum(-1) >= p
    remove = torch.cat([torch.zeros_like(remove[:, :1]), remove[:, :-1]], dim=1)  # keep the one that crosses p
    return values.masked_fill(remove, -INF).gather(-1, order.argsort(-1))


def by_threshold(logits, p):
    each, _ = logits.softmax(-1).sort(dim=-1, descending=True)
    count = (each.cumsum(-1) - each < p).sum(-1, keepdim=True)
    return logits.masked_fill(logits.softmax(-1) < each.gather(-1, count - 1), -INF)


def in_numpy(logits, p):
    x = logits.double().numpy()
    each = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    order = (-each).argsort(-1)
    before = np.take_along_axis(each, order, -1).cumsum(-1) - np.take_along_axis(each, order, -1)
    hide = np.zeros_like(x, dtype=bool)
    np.put_along_axis(hide, order, before >= p, -1)
    return np.where(hide, -np.inf, x)


TOP_P_RIGHT = [sorted_top_p, row_by_row, by_likelier, shifted, by_threshold, in_numpy,
               lambda logits, p: sorted_top_p(logits, p).log_softmax(-1)]
TOP_P_WRONG = [
    lambda x, p: sorted_top_p(x, p, hidden=lambda each, before, p: before + each > p),
    lambda x, p: sorted_top_p(x, p, hidden=lambda each, before, p: before + each >= p),
    lambda x, p: sorted_top_p(x, p, hidden=lambda each, before, p: before < p),
    lambda x, p: sorted_top_p(x, p, descending=False), lambda x, p: sorted_top_p(x, p, back=False),
    lambda x, p: sorted_top_p(x, p, fill=0.0), lambda x, p: sorted_top_p(x, p).softmax(-1),
    lambda x, p: sorted_top_p(x, p, scores=lambda x: x),
    lambda x, p: sorted_top_p(x, p, scores=lambda x: x.softmax(0)),
    lambda x, p: torch.where(x.softmax(-1) < 1 - p, -INF, x), lambda x, p: torch.where(x.softmax(-1) < p, -INF, x),
    lambda x, p: torch.where(x.softmax(-1) < p * x.softmax(-1).amax(-1, keepdim=True), -INF, x),
    lambda x, p: torch.where(x < x.topk(max(1, int(p * x.shape[1])), dim=-1).values[:, -1:], -INF, x),
    lambda x, p: torch.where(sorted_top_p(x[:1], p).isinf(), -INF, x), lambda x, p: x,
    lambda x, p: torch.where(x == x.amax(-1, keepdim=True), x, -INF),
    lambda x, p: sorted_top_p(x, 1 - p), lambda x, p: sorted_top_p(x, p)[:, :-1],
    lambda x, p: sorted_top_p(x, p, fill=INF), lambda x, p: x.sort(dim=-1, descending=True).values,
]

RIGHT = {"07.mask": MASK_RIGHT, "07.guidance": GUIDANCE_RIGHT, "07.top_p": TOP_P_RIGHT}
WRONG = {"07.mask": MASK_WRONG, "07.guidance": GUIDANCE_WRONG, "07.top_p": TOP_P_WRONG}
