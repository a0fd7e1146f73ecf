"""What students answer to the exercises of lesson 2: right in many spellings, and wrong in many ways."""

import math

import numpy as np
import torch

from vqlab import nearest_code
from vqlab.lessons.argmin import lloyd_step


def squares(z, codebook):
    return ((z[:, None] - codebook) ** 2).sum(-1)


def one_by_one(z, codebook):
    total = 0
    for x in z:
        total += min(((x - e) ** 2).sum().item() for e in codebook)
    return total / len(z)


def distortion_numpy(z, codebook):
    z, e = z.numpy(), codebook.numpy()
    return ((z[:, None] - e[None]) ** 2).sum(-1).min(1).mean()


def weighted(z, codebook, weights):
    new, indices = codebook.clone(), nearest_code(z, codebook)
    for k in range(len(codebook)):
        w = weights[indices == k]
        if w.sum() > 0:
            new[k] = (w[:, None] * z[indices == k]).sum(0) / w.sum()
    return new


def by_one_hot(z, codebook, weights):
    w = torch.nn.functional.one_hot(nearest_code(z, codebook), len(codebook)).float() * weights[:, None]  # (N, K)
    total = w.sum(0)[:, None]
    return torch.where(total > 0, w.t() @ z / total.clamp(min=1e-12), codebook)


def by_index_add(z, codebook, weights):
    indices = nearest_code(z, codebook)
    sums = torch.zeros_like(codebook).index_add(0, indices, z * weights[:, None])
    total = torch.zeros(len(codebook)).index_add(0, indices, weights)
    new = codebook.clone()
    new[total > 0] = sums[total > 0] / total[total > 0, None]
    return new


def by_bincount(z, codebook, weights):
    indices = squares(z, codebook).argmin(1)
    total = torch.bincount(indices, weights, minlength=len(codebook))
    sums = torch.stack(
        [torch.bincount(indices, weights * z[:, d], minlength=len(codebook)) for d in range(z.shape[1])], 1
    )
    return torch.where(total[:, None] > 0, sums / total[:, None], codebook)


def in_numpy(z, codebook, weights):
    z, e, w = z.numpy().astype(float), codebook.numpy().copy(), weights.numpy()
    a = ((z[:, None] - e[None]) ** 2).sum(-1).argmin(1)
    for k in range(len(e)):
        if w[a == k].sum() > 0:
            e[k] = np.average(z[a == k], axis=0, weights=w[a == k])
    return e


def rows(z, codebook, weights):
    return [row for row in weighted(z, codebook, weights)]


def in_double(z, codebook, weights):
    return weighted(z.double(), codebook.double(), weights.double())


def step(change, empty=lambda old: old, group=None, alive=lambda w: w.sum() > 0):
    def lloyd(z, codebook, weights):
        indices = (group or nearest_code)(z, codebook)
        return torch.stack(
            [
                change(z[indices == k], weights[indices == k, None], codebook[k], weights, z)
                if alive(weights[indices == k])
                else empty(codebook[k])
                for k in range(len(codebook))
            ]
        )

    return lloyd


def mean(m, w, old, weights, z):
    return (w * m).sum(0) / w.sum()


def weighted_in_place(z, codebook, weights):
    indices = nearest_code(z, codebook)
    for k in range(len(codebook)):
        w = weights[indices == k]
        if w.sum() > 0:
            codebook[k] = (w[:, None] * z[indices == k]).sum(0) / w.sum()
    return codebook


def last_only(z, codebook, weights):
    """Spares the last code alone."""
    new = step(mean, alive=lambda w: True)(z, codebook, weights)
    new[-1] = torch.where(new[-1].isnan(), codebook[-1], new[-1])
    return new


def moving_while_grouping(z, codebook, weights):
    new = codebook.clone()
    for k in range(len(codebook)):
        w = weights * (nearest_code(z, new) == k)
        if w.sum() > 0:
            new[k] = (w[:, None] * z).sum(0) / w.sum()
    return new


def plus_epsilon(z, codebook, weights):
    w = torch.nn.functional.one_hot(nearest_code(z, codebook), len(codebook)).float() * weights[:, None]
    return w.t() @ z / (w.sum(0)[:, None] + 1e-8)


def bits(K, indices, palette_bits=24):
    return K + palette_bits / indices.numel()


def size(indices):
    return indices.shape[0] * indices.shape[1]


RIGHT = {
    "02.distortion": [
        one_by_one,
        distortion_numpy,
        lambda z, e: squares(z, e).min(dim=1).values.mean(),
        lambda z, e: squares(z, e).amin(1).sum() / len(z),
        lambda z, e: ((z - e[nearest_code(z, e)]) ** 2).sum(1).mean().item(),
        lambda z, e: (z - e[nearest_code(z, e)]).norm(dim=1).square().mean(),
        lambda z, e: torch.cdist(z.double(), e.double()).amin(1).pow(2).mean(),
        lambda z, e: torch.nn.functional.mse_loss(e[nearest_code(z, e)], z, reduction="sum") / len(z),
        lambda z, e: torch.nn.functional.mse_loss(e[nearest_code(z, e)], z) * z.shape[1],
        lambda z, e: np.float64(squares(z, e).amin(1).mean()),
    ],
    "02.lloyd_step": [weighted, by_one_hot, by_index_add, by_bincount, in_numpy, rows, in_double, step(mean)],
    "02.rate": [
        lambda i, p: math.log2(len(p)) + 24 * len(p) / i.numel(),
        lambda i, p: torch.tensor(float(len(p))).log2() + 24 * p.shape[0] / size(i),
        lambda i, p: math.ceil(math.log2(len(p))) + 24 * len(p) / size(i),
        lambda i, p: (size(i) * np.log2(p.shape[0]) + 24 * p.shape[0]) / size(i),
        lambda i, p: math.log(len(p), 2) + p.numel() * 8 / i.numel(),
        lambda i, p: (len(p) - 1).bit_length() + len(p) * 24 / i.numel(),
        lambda i, p: math.log(len(p)) / math.log(2) + len(p) / i.numel() * 24,
        lambda i, p: torch.tensor(len(p), dtype=torch.float64).log2() + torch.tensor(24.0 * len(p)) / i.numel(),
    ],
}

WRONG = {
    "02.distortion": [
        lambda z, e: squares(z, e).amin(1).sqrt().mean(),
        lambda z, e: squares(z, e).amin(1).mean().sqrt(),
        lambda z, e: squares(z, e).amin(1).sum(),
        lambda z, e: ((z - e[nearest_code(z, e)]) ** 2).mean(),
        lambda z, e: squares(z, e).amax(1).mean(),
        lambda z, e: squares(z, e).mean(),
        lambda z, e: squares(z, e).amin(0).mean(),
        lambda z, e: squares(z, e).amin(1),
        lambda z, e: squares(z, e).amin(1).sum() / len(e),
        lambda z, e: squares(z, e).min(),
        lambda z, e: (z - e[nearest_code(z, e)]).abs().sum(1).mean(),
        lambda z, e: (z - e[nearest_code(z, e)]).mean(),
        lambda z, e: (z - e[nearest_code(z, e)]) ** 2,
        lambda z, e: (z - e[nearest_code(z, e)]).sum(1).square().mean(),
        lambda z, e: squares(z, e).amin(1).median(),
        lambda z, e: squares(z, e).argmin(1),
        lambda z, e: squares(z, e).amin(1).mean() / 2,
        lambda z, e: -squares(z, e).amin(1).mean(),
        lambda z, e: squares(z, e).mean(1).amin(),
        lambda z, e: z.var(),
        lambda z, e: squares(z, e).amin(1).mean()[None],
        lambda z, e: (e[nearest_code(z, e)]).square().sum(1).mean(),
        lambda z, e: squares(z, e).sum(1).mean(),
        lambda z, e: squares(z, e).amin(1).square().mean(),
        lambda z, e: squares(z, e).amin(1).mean().log10() * 10,
    ],
    "02.lloyd_step": [
        weighted_in_place,
        last_only,
        plus_epsilon,
        moving_while_grouping,
        lambda z, e, w: lloyd_step(z, e),
        step(mean, alive=lambda w: True),
        step(mean, alive=lambda w: len(w) > 0),
        step(mean, empty=torch.zeros_like),
        step(mean, empty=lambda old: old * torch.nan),
        step(lambda m, w, old, weights, z: (w * m).sum(0)),
        step(lambda m, w, old, weights, z: (w * m).mean(0)),
        step(lambda m, w, old, weights, z: (w * m).sum(0) / weights.sum()),
        step(lambda m, w, old, weights, z: (w * m).sum(0) / len(z)),
        step(lambda m, w, old, weights, z: (mean(m, w, old, weights, z) + old) / 2),
        step(lambda m, w, old, weights, z: old),
        step(lambda m, w, old, weights, z: m.median(0).values),
        step(mean, group=lambda z, e: squares(z, e).argmax(1)),
        step(lambda m, w, old, weights, z: (w**2 * m).sum(0) / (w**2).sum()),
        lambda z, e, w: step(mean)(z * w[:, None], e, w),
        lambda z, e, w: nearest_code(z, e),
        lambda z, e, w: weighted(z, e, w).t(),
        lambda z, e, w: weighted(z, e, w)[:-1],
        lambda z, e, w: weighted(z, e, (w > 0).float()),
        lambda z, e, w: weighted(z, e, w.round()),
        lambda z, e, w: weighted(z, e, w) - e,
    ],
    "02.rate": [
        lambda i, p: math.log2(len(p)),
        lambda i, p: math.log(len(p)) + 24 * len(p) / i.numel(),
        lambda i, p: math.log10(len(p)) + 24 * len(p) / i.numel(),
        lambda i, p: math.log2(len(p)) + 24 * len(p),
        lambda i, p: math.log2(len(p)) + 3 * len(p) / i.numel(),
        lambda i, p: math.log2(len(p)) + 8 * len(p) / i.numel(),
        lambda i, p: math.log2(len(i.unique())) + 24 * len(i.unique()) / i.numel(),
        lambda i, p: math.log2(len(i.unique())) + 24 * len(p) / i.numel(),
        lambda i, p: math.log2(int(i.max()) + 1) + 24 * len(p) / i.numel(),
        lambda i, p: i.numel() * math.log2(len(p)) + 24 * len(p),
        lambda i, p: len(p) + 24 * len(p) / i.numel(),
        lambda i, p: math.log2(len(p)) + 24 * len(p) / len(i),
        lambda i, p: 24.0,
        lambda i, p: math.log2(len(p)) * 24 * len(p) / i.numel(),
        lambda i, p: 24 * len(p) / i.numel(),
        lambda i, p: math.log2(len(p)) + 24 / i.numel(),
        lambda i, p: 2 ** len(p) / i.numel(),
        lambda i, p: len(p).bit_length() + 24 * len(p) / i.numel(),
        lambda i, p: (math.log2(len(p)) + 24 * len(p)) / i.numel(),
        lambda i, p: 24 / (math.log2(len(p)) + 24 * len(p) / i.numel()),
        lambda i, p: (math.log2(len(p)) + 24 * len(p) / i.numel()) / 8,
        lambda i, p: 3 * (math.log2(len(p)) + 24 * len(p) / i.numel()),
        lambda i, p: math.log2(len(p)) + 24 * len(i.unique()) / i.numel(),
        lambda i, p: round(math.log2(len(p)) + 24 * len(p) / i.numel()),
    ],
}
