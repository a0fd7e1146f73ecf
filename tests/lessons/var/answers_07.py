"""What students answer to the exercises of lesson 7: right in many spellings, and wrong in many ways."""

import numpy as np
import torch

INF = float("inf")


def whose(lengths):
    return torch.cat([torch.full((int(n),), k) for k, n in enumerate(lengths)])


def ends(lengths):
    return lengths.cumsum(0)


def by_loops(lengths):
    scale = whose(lengths).tolist()
    return [[query >= key for key in scale] for query in scale]


def by_blocks(lengths):
    seen = torch.zeros(int(lengths.sum()), int(lengths.sum()), dtype=torch.bool)
    start = 0
    for n in lengths.tolist():
        seen[start:start + n, :start + n] = True
        start += n
    return seen


def by_last_visible(lengths):
    last = ends(lengths).repeat_interleave(lengths)  # the first place that a row does not see
    return torch.arange(int(lengths.sum())) < last[:, None]


def by_lower_blocks(lengths):
    scales = torch.ones(len(lengths), len(lengths), dtype=torch.bool).tril()
    return scales.repeat_interleave(lengths, 0).repeat_interleave(lengths, 1)


def without_last(mask):
    mask = mask.clone()
    mask[-1, -1] = False
    return mask


MASK_RIGHT = [
    lambda n: whose(n)[:, None] >= whose(n), lambda n: whose(n) <= whose(n).unsqueeze(1), by_loops, by_blocks,
    by_last_visible, by_lower_blocks, lambda n: np.greater_equal.outer(whose(n).numpy(), whose(n).numpy()),
    lambda n: ~(whose(n)[:, None] < whose(n)[None]),
]
MASK_WRONG = [
    lambda n: torch.ones(int(n.sum()), int(n.sum())).tril().bool(),
    lambda n: torch.ones(int(n.sum()), int(n.sum())).triu().bool(),
    lambda n: torch.ones(int(n.sum()), int(n.sum()), dtype=torch.bool),
    lambda n: torch.eye(int(n.sum()), dtype=torch.bool),
    lambda n: whose(n)[:, None] > whose(n), lambda n: whose(n)[:, None] <= whose(n), lambda n: by_blocks(n).T,
    lambda n: ~by_blocks(n), lambda n: whose(n)[:, None] == whose(n), lambda n: whose(n)[:, None] - whose(n) == 1,
    lambda n: (whose(n)[:, None] - whose(n)).abs() <= 1,
    lambda n: torch.where(by_blocks(n), 0.0, -INF), lambda n: torch.ones(len(n), len(n)).tril().bool(),
    lambda n: by_blocks(n)[None, None], lambda n: by_blocks(n)[n[0]:, n[0]:], lambda n: without_last(by_blocks(n)),
    lambda n: whose(n) >= whose(n), lambda n: by_blocks(n).flip(0), lambda n: by_blocks(n.flip(0)),
    lambda n: torch.arange(int(n.sum())) <= ends(n).repeat_interleave(n)[:, None],
]


def ramp(strength, k, scales):
    return strength * k / (scales - 1)


def guided(t=ramp, mix=lambda a, b, t: (1 + t) * a - t * b):
    return lambda a, b, strength, k, scales: mix(a, b, t(strength, k, scales))


GUIDANCE_RIGHT = [
    guided(), guided(mix=lambda a, b, t: a + t * (a - b)), guided(mix=lambda a, b, t: torch.lerp(b, a, 1 + t)),
    guided(t=lambda s, k, n: torch.linspace(0, s, n)[k]), guided(t=lambda s, k, n: s * (k / (n - 1))),
    guided(mix=lambda a, b, t: ((1 + t) * a.double() - t * b.double()).numpy()),
    guided(mix=lambda a, b, t: (1 + t) * a.log_softmax(-1) - t * b.log_softmax(-1)),
    guided(mix=lambda a, b, t: a.add(a - b, alpha=t)),
]
GUIDANCE_WRONG = [
    guided(t=lambda s, k, n: s), guided(t=lambda s, k, n: s * k / n), guided(t=lambda s, k, n: s * (k + 1) / n),
    guided(t=lambda s, k, n: s * (n - 1 - k) / (n - 1)), guided(t=lambda s, k, n: s * k),
    guided(t=lambda s, k, n: k / (n - 1)), guided(t=lambda s, k, n: s * (k // (n - 1))),
    guided(t=lambda s, k, n: s * (k / (n - 1)) ** 2), guided(mix=lambda a, b, t: (1 + t) * b - t * a),
    guided(mix=lambda a, b, t: b + t * (a - b)), guided(mix=lambda a, b, t: (1 + t) * a + t * b),
    guided(mix=lambda a, b, t: (1 - t) * a + t * b), guided(mix=lambda a, b, t: (1 + t) * a - b),
    guided(mix=lambda a, b, t: (1 + t) * a.softmax(-1) - t * b.softmax(-1)), guided(mix=lambda a, b, t: t * (a - b)),
    guided(mix=lambda a, b, t: a), guided(mix=lambda a, b, t: a - t * b),
    guided(mix=lambda a, b, t: ((1 + t) * a - t * b).softmax(-1)),
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
