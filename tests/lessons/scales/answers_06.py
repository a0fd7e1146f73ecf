"""What students answer to the exercises of lesson 6: right in many spellings, and wrong in many ways."""

import torch
from torch.nn.functional import adaptive_avg_pool2d, embedding, interpolate

from vqlab import nearest_code


def encode(
    f,
    codebook,
    scales,
    down="area",
    up="bicubic",
    start=None,
    keep=lambda f, rest, h: rest - h,
    search=nearest_code,
    rows=lambda x: x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]),
):
    rest, tokens = f if start is None else start, []
    for h, w in scales:
        small = down(rest, (h, w)) if callable(down) else interpolate(rest, (h, w), mode=down)
        index = search(rows(small), codebook).view(len(f), -1)
        tokens.append(index)
        codes = codebook[index].transpose(1, 2).reshape(len(f), -1, h, w)
        rest = keep(f, rest, interpolate(codes, f.shape[-2:], mode=up))
    return tokens


def by_sum(f, codebook, scales):
    """Keeps f_hat instead of the rest."""
    f_hat, tokens = torch.zeros_like(f), []
    for size in scales:
        small = interpolate(f - f_hat, size=size, mode="area")
        x = small.flatten(2).transpose(1, 2)  # (B, hw, D)
        tokens.append(torch.cdist(x.double(), codebook.double().expand(len(f), -1, -1)).argmin(-1))
        f_hat = f_hat + interpolate(
            embedding(tokens[-1], codebook).transpose(1, 2).unflatten(2, size), f.shape[2:], mode="bicubic"
        )
    return tokens


def picture_by_picture(f, codebook, scales):
    each = [encode(x[None], codebook, scales) for x in f]
    return [torch.cat(scale) for scale in zip(*each, strict=True)]


def encode_in_place(f, codebook, scales):
    tokens = []
    for size in scales:
        x = interpolate(f, size, mode="area")
        tokens.append(nearest_code(x.permute(0, 2, 3, 1).reshape(-1, f.shape[1]), codebook).view(len(f), -1))
        f -= interpolate(codebook[tokens[-1]].transpose(1, 2).unflatten(2, size), f.shape[2:], mode="bicubic")
    return tokens


def far(z, codebook):
    return torch.cdist(z, codebook).argmax(1)


def dot(z, codebook):
    return (z @ codebook.t()).argmax(1)


def highest(z, codebook):
    """The last of the nearest, as a loop with <= finds it."""
    best = torch.zeros(len(z), dtype=torch.int64)
    least = torch.full((len(z),), torch.inf)
    for k, code in enumerate(codebook):
        distance = (z - code).square().sum(1)
        best[distance <= least], least = k, torch.minimum(least, distance)
    return best


def lowest(z, codebook):
    """The first of the nearest, by the expansion, as a sort that keeps the order finds it."""
    table = (z**2).sum(1, keepdim=True) - 2 * z @ codebook.T + (codebook**2).sum(1)
    return table.sort(dim=1, stable=True).indices[:, 0]


def decode(tokens, codebook, scales, up="bicubic", full=None, shape=None, times=1):
    f_hat = 0
    for index, (h, w) in zip(tokens, scales, strict=False):
        codes = codebook[index]
        small = codes.transpose(1, 2).unflatten(2, (h, w)) if shape is None else shape(codes, h, w)
        f_hat = f_hat + times * interpolate(small, full or scales[-1], mode=up)
    return f_hat


def decode_permuted(tokens, codebook, scales):
    B, D = len(tokens[0]), codebook.shape[1]
    total = torch.zeros(B, D, *scales[-1])
    for k in range(len(tokens)):
        total += interpolate(
            codebook[tokens[k]].view(B, *scales[k], D).permute(0, 3, 1, 2), scales[-1], mode="bicubic"
        )
    return total


def decode_one_hot(tokens, codebook, scales):
    parts = []
    for i, (h, w) in zip(tokens, scales, strict=False):
        hot = torch.nn.functional.one_hot(i, len(codebook)).float()
        parts.append(interpolate((hot @ codebook).mT.reshape(len(i), -1, h, w), scales[-1], mode="bicubic"))
    return torch.stack(parts).sum(0)


def last(tokens, codebook, scales):
    return decode(tokens[-1:], codebook, [scales[len(tokens) - 1], scales[-1]])


def all_scales(tokens, codebook, scales):
    return sum(decode([tokens[k]], codebook, [scales[k], scales[-1]]) for k in range(len(scales)))


def read(
    added,
    scales,
    total=lambda added, k: added[:k].sum(0) if isinstance(added, torch.Tensor) else sum(added[:k]),
    down="area",
    size=lambda scales, k: scales[k],
    ks=None,
):
    parts = [interpolate(total(added, k), size(scales, k), mode=down) for k in ks or range(1, len(scales))]
    return torch.cat([x.flatten(2).transpose(1, 2) for x in parts], 1)


def running(added, scales):
    f_hat, out = torch.zeros_like(added[0]), []
    for h, size in zip(added[:-1], scales[1:], strict=True):
        f_hat = f_hat + h
        out.append(adaptive_avg_pool2d(f_hat, size).permute(0, 2, 3, 1).flatten(1, 2))
    return torch.cat(out, 1)


def read_in_place(added, scales):
    out = []
    for k in range(1, len(scales)):
        if k > 1:
            added[k - 1] += added[k - 2]
        out.append(interpolate(added[k - 1], scales[k], mode="area").flatten(2).transpose(1, 2))
    return torch.cat(out, 1)


def rearranged(added, scales):
    x = read(added, scales)
    return x.reshape(len(x), x.shape[2], x.shape[1])


RIGHT = {
    "06.encode": [
        encode,
        by_sum,
        picture_by_picture,
        lambda *a: tuple(encode(*a)),
        lambda *a: [i.tolist() for i in encode(*a)],
        lambda *a: encode(*a, down=adaptive_avg_pool2d),
        lambda *a: [i.numpy() for i in encode(*a)],
        lambda f, c, s: encode(f.double(), c.double(), s),
        lambda *a: [i.int() for i in encode(*a)],
        lambda *a: encode(*a, search=lambda z, c: ((z[:, None] - c) ** 2).sum(-1).argmin(1)),
        lambda *a: encode(*a, search=lowest),
    ],
    "06.decode": [
        decode,
        decode_permuted,
        decode_one_hot,
        lambda t, c, s: decode(t, c.double(), s),
        lambda *a: decode(*a).numpy(),
        lambda t, c, s: decode(t, c, s, shape=lambda e, h, w: e.mT.reshape(len(e), -1, h, w)),
        lambda *a: [x for x in decode(*a)],
    ],
    "06.var_input": [
        read,
        running,
        lambda a, s: read(a.double(), s),
        lambda a, s: list(read(a, s)),
        lambda a, s: read(a, s).numpy(),
        lambda a, s: read(a, s, total=lambda a, k: a.cumsum(0)[k - 1]),
        lambda a, s: torch.cat([adaptive_avg_pool2d(sum(a[:k]), s[k]).flatten(2).mT for k in range(1, len(s))], 1),
    ],
}

WRONG = {
    "06.encode": [
        encode_in_place,
        lambda *a: encode(*a, keep=lambda f, rest, h: f),
        lambda *a: encode(*a, keep=lambda f, rest, h: f - h),
        lambda *a: encode(*a, keep=lambda f, rest, h: rest + h),
        lambda *a: encode(*a, keep=lambda f, rest, h: h),
        lambda *a: encode(*a, up="nearest"),
        lambda *a: encode(*a, up="bilinear"),
        lambda *a: encode(*a, down="nearest"),
        lambda *a: encode(*a, down="bilinear"),
        lambda *a: encode(*a, down="bicubic"),
        lambda *a: encode(*a, search=far),
        lambda *a: encode(*a, search=highest),
        lambda *a: encode(*a, rows=lambda x: x.reshape(-1, x.shape[1])),
        lambda *a: encode(*a, search=dot),
        lambda *a: encode(*a)[::-1],
        lambda *a: encode(*a)[-1],
        lambda *a: torch.cat(encode(*a), 1),
        lambda *a: encode(*a)[:-1],
        lambda f, c, s: [i.view(len(f), *n) for i, n in zip(encode(f, c, s), s, strict=True)],
        lambda f, c, s: [c[i] for i in encode(f, c, s)],
        lambda *a: [i + 1 for i in encode(*a)],
        lambda *a: [i.flatten() for i in encode(*a)],
        lambda *a: encode(*a, keep=lambda f, rest, h: rest - h / 2),
        lambda f, c, s: encode(f, c, s, rows=lambda x: x.permute(0, 3, 2, 1).reshape(-1, x.shape[1])),
        lambda f, c, s: encode(f, c, s, down="area", start=f - f.mean()),
    ],
    "06.decode": [
        last,
        all_scales,
        lambda *a: decode(*a, up="nearest"),
        lambda *a: decode(*a, up="bilinear"),
        lambda *a: decode(*a, up="area"),
        lambda t, c, s: decode(t, c, s, shape=lambda e, h, w: e.reshape(len(e), -1, h, w)),
        lambda t, c, s: decode(t, c, s, shape=lambda e, h, w: e.mT.reshape(len(e), -1, w, h).mT),
        lambda t, c, s: decode(t, c, s, shape=lambda e, h, w: e.mT.reshape(len(e), -1, w, h)),
        lambda t, c, s: decode(t, c, s, full=s[len(t) - 1]),
        lambda t, c, s: decode(t, c, s) / len(t),
        lambda t, c, s: decode(t, c, s) / len(s),
        lambda t, c, s: decode(t[:1], c, s),
        lambda *a: -decode(*a),
        lambda *a: decode(*a, times=2),
        lambda *a: decode(*a).permute(0, 2, 3, 1),
        lambda *a: decode(*a).mT,
        lambda t, c, s: [decode(t[: k + 1], c, s) for k in range(len(t))],
        lambda *a: decode(*a).flatten(2).mT,
        lambda *a: decode(*a)[0],
        lambda t, c, s: decode(t, c, s, full=s[0]),
        lambda *a: decode(*a).mean(0),
        lambda t, c, s: decode(t[:-1] or t, c, s),
        lambda t, c, s: interpolate(last(t, c, s), s[0], mode="area"),
    ],
    "06.var_input": [
        read_in_place,
        rearranged,
        lambda a, s: read(a, s, total=lambda a, k: a[k - 1]),
        lambda a, s: read(a, s, total=lambda a, k: a[k]),
        lambda a, s: read(a, s, total=lambda a, k: sum(a)),
        lambda a, s: read(a, s, total=lambda a, k: sum(a[: k + 1])),
        lambda a, s: read(a, s, total=lambda a, k: sum(a[:k]) / k),
        lambda a, s: read(a, s, down="nearest"),
        lambda a, s: read(a, s, down="bilinear"),
        lambda a, s: read(a, s, down="bicubic"),
        lambda a, s: read(a, s, size=lambda s, k: s[k - 1]),
        lambda a, s: read(a, s).mT,
        lambda a, s: read(a, s)[:, 1:],
        lambda a, s: read(a, s, ks=range(1, len(s) + 1), size=lambda s, k: s[min(k, len(s) - 1)]),
        lambda a, s: torch.cat([read(a, s), torch.zeros(a.shape[1], 1, a.shape[2])], 1),
        lambda a, s: -read(a, s),
        lambda a, s: read(a, s, size=lambda s, k: s[-1]),
        lambda a, s: read(a, s, total=lambda a, k: a[0]),
        lambda a, s: read(a, s).flatten(1),
        lambda a, s: read(a, s).flip(1),
        lambda a, s: read(a, s).sum(0),
        lambda a, s: 2 * read(a, s),
        lambda a, s: [read(a, s), s],
    ],
}
