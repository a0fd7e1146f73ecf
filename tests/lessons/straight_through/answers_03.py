"""What students answer to the exercises of lesson 3: right in many spellings, and wrong in many ways."""

import torch
from torch.nn.functional import hardtanh, l1_loss, mse_loss


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s):
        ctx.s = s
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.s, None


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g * (ctx.saved_tensors[0].abs() < 1)


def hooked(x, s):
    y = x.clone()
    y.register_hook(lambda g: g * s)
    return y


def leaking(x, s):
    torch.set_grad_enabled(False)
    return s * x + ((1 - s) * x).detach()


def masked_sign(x):
    soft = x * (x.abs() < 1)
    return soft + (x.sign() - soft).detach()


def st(soft, hard):
    return soft + (hard - soft).detach()


def loss(e, q, k, b, c=1.0, m=None):
    e, q = e[k], q[k]
    return c * mse_loss(q, e.detach()) + (b if m is None else m) * mse_loss(e, q.detach())


def by_sums(e, q, keep, beta):
    n = keep.sum() * e.shape[1]
    c = ((q - e.detach()) ** 2 * keep[:, None]).sum() / n
    return c + beta * ((e - q.detach()) ** 2 * keep[:, None]).sum() / n


def by_index(e, q, keep, beta):
    i = keep.nonzero()[:, 0]
    return (q[i] - e[i].detach()).pow(2).mean() + beta * (e[i] - q[i].detach()).pow(2).mean()


def by_autograd(g, e, q, b):
    e = e.clone().requires_grad_()
    return torch.autograd.grad((g * e).sum() + b * mse_loss(e, q), e)[0]


RIGHT = {
    "03.scale_gradient": [
        Scale.apply,
        hooked,
        lambda x, s: s * x + ((1 - s) * x).detach(),
        lambda x, s: x.detach() + s * (x - x.detach()),
        lambda x, s: s * x + (1 - s) * x.detach(),
        lambda x, s: torch.lerp(x.detach(), x, s),
        lambda x, s: x * s - x.detach() * s + x.detach(),
        lambda x, s: s * x + (x - s * x).detach(),
        lambda x, s: s * x.double() + (1 - s) * x.double().detach(),
    ],
    "03.binary": [
        Sign.apply,
        masked_sign,
        lambda x: st(x.clamp(-1, 1), x.sign()),
        lambda x: st(hardtanh(x), x.sign()),
        lambda x: x.sign().detach() + x.clamp(-1, 1) - x.clamp(-1, 1).detach(),
        lambda x: st(x.clip(-1, 1), torch.where(x > 0, 1.0, -1.0)),
        lambda x: torch.where(x.abs() < 1, x + (x.sign() - x).detach(), x.sign()),
        lambda x: st(x.clamp(-1, 1).double(), (x > 0).double() * 2 - 1),
    ],
    "03.vq_loss": [
        loss,
        by_sums,
        by_index,
        lambda e, q, k, b: b * mse_loss(e[k], q[k].detach()) + mse_loss(q[k], e[k].detach()),
        lambda e, q, k, b: loss(e.double(), q.double(), k, b),
        lambda e, q, k, b: mse_loss(e.detach()[k], q[k]) + b * mse_loss(e[k], q.detach()[k]),
        lambda e, q, k, b: (
            sum(
                (q[i] - e[i].detach()).square().sum() + b * (e[i] - q[i].detach()).square().sum()
                for i in range(len(k))
                if k[i]
            )
            / (int(k.sum()) * e.shape[1])
        ),
    ],
    "03.encoder_gradient": [
        by_autograd,
        lambda g, e, q, b: g + 2 * b * (e - q) / e.numel(),
        lambda g, e, q, b: g - 2 * b / (e.shape[0] * e.shape[1]) * (q - e),
        lambda g, e, q, b: g.numpy() + b * 2 * (e.numpy() - q.numpy()) / e.numpy().size,
        lambda g, e, q, b: g.double() + 2 * b * (e.double() - q.double()) / e.numel(),
        lambda g, e, q, b: [row for row in g + 2 * b * (e - q) / e.numel()],
        lambda g, e, q, b: torch.add(g, e - q, alpha=2 * b / e.numel()),
        lambda g, e, q, b: (g + 2 * b * (e - q) / e.numel()).tolist(),
    ],
}

WRONG = {
    "03.scale_gradient": [
        leaking,
        lambda x, s: s * x,
        lambda x, s: x,
        lambda x, s: x.detach(),
        lambda x, s: x.detach() * s,
        lambda x, s: (1 - s) * x + (s * x).detach(),
        lambda x, s: s * x + x.detach(),
        lambda x, s: s * x.detach() + x,
        lambda x, s: x + (s * x - x).detach(),
        lambda x, s: s * x + (1 - s) * x,
        lambda x, s: x * s + x * (1 + s),
        lambda x, s: s * x - ((1 - s) * x).detach(),
        lambda x, s: (s * x + (1 - s) * x).detach(),
        lambda x, s: x / s if s else x,
        lambda x, s: x.detach() + s * x,
        lambda x, s: x - s * (x - x.detach()),
        lambda x, s: x + s * (x - x.detach()),
        lambda x, s: x.detach() + (x - x.detach()),
        lambda x, s: s * s * x + ((1 - s * s) * x).detach(),
        lambda x, s: s,
    ],
    "03.binary": [
        lambda x: x.sign(),
        lambda x: torch.sign(x).detach(),
        lambda x: st(x, x.sign()),
        lambda x: x.clamp(-1, 1),
        lambda x: st(x.tanh(), x.sign()),
        lambda x: x.clamp(-1, 1) + (x.sign() - x.clamp(-1, 1)),
        lambda x: x.clamp(-1, 1).detach() + x.sign() - x.clamp(-1, 1),
        lambda x: x.tanh(),
        lambda x: x,
        lambda x: st(x.clamp(0, 1), x.sign()),
        lambda x: st(x.clamp(-1, 1), (x > 0).float()),
        lambda x: st(x.clamp(-1, 1), -x.sign()),
        lambda x: x.round(),
        lambda x: st(x.clamp(-1, 1), x.round()),
        lambda x: st(x - x.clamp(-1, 1), x.sign()),
        lambda x: st(2 * x.clamp(-1, 1), x.sign()),
        lambda x: st(x.clamp(-2, 2), x.sign()),
        lambda x: st(x.abs().clamp(-1, 1), x.sign()),
        lambda x: x.sign() + (x - x.sign()).detach(),
        lambda x: st(x.clamp(-1, 1), x),
        lambda x: st(x.sigmoid(), x.sign()),
    ],
    "03.vq_loss": [
        lambda e, q, k, b: loss(e, q, k, b, b, 1.0),
        lambda e, q, k, b: loss(e, q, k, b, b),
        lambda e, q, k, b: loss(e, q, k, 1),
        lambda e, q, k, b: (1 + b) * mse_loss(e[k], q[k]),
        lambda e, q, k, b: loss(e, q, k, b, 0),
        lambda e, q, k, b: loss(e, q, k, 0),
        lambda e, q, k, b: loss(e, q, torch.ones_like(k), b),
        lambda e, q, k, b: mse_loss(q[k], e[k]) + b * mse_loss(e[k], q[k].detach()),
        lambda e, q, k, b: mse_loss(q[k], e[k].detach()) + b * mse_loss(e[k], q[k]),
        lambda e, q, k, b: loss(e * k[:, None], q * k[:, None], torch.ones_like(k), b),
        lambda e, q, k, b: loss(e, q, k, b) * e[k].numel(),
        lambda e, q, k, b: loss(e, q, k, b) * e.shape[1],
        lambda e, q, k, b: loss(q, e, k, b),
        lambda e, q, k, b: loss(e, q, k, b).detach(),
        lambda e, q, k, b: l1_loss(q[k], e[k].detach()) + b * l1_loss(e[k], q[k].detach()),
        lambda e, q, k, b: loss(e, q, k, b).sqrt(),
        lambda e, q, k, b: (mse_loss(q[k], e[k].detach()), b),
        lambda e, q, k, b: mse_loss(e[k] + (q[k] - e[k]).detach(), e[k].detach()) + b * mse_loss(e[k], q[k].detach()),
        lambda e, q, k, b: loss(e, q, k, 1 - b),
        lambda e, q, k, b: loss(e, q, k, b) / 2,
        lambda e, q, k, b: mse_loss(q[k].detach(), e[k].detach()) * (1 + b),
        lambda e, q, k, b: -loss(e, q, k, b),
    ],
    "03.encoder_gradient": [
        lambda g, e, q, b: g,
        lambda g, e, q, b: g + b * (e - q) / e.numel(),
        lambda g, e, q, b: g + 2 * b * (q - e) / e.numel(),
        lambda g, e, q, b: g + 2 * b * (e - q),
        lambda g, e, q, b: g + 2 * b * (e - q) / len(e),
        lambda g, e, q, b: g + 2 * b * (e - q) / e.shape[1],
        lambda g, e, q, b: 2 * b * (e - q) / e.numel(),
        lambda g, e, q, b: g + 2 * (e - q) / e.numel(),
        lambda g, e, q, b: b * (g + 2 * (e - q) / e.numel()),
        lambda g, e, q, b: g + (1 + b) * 2 * (e - q) / e.numel(),
        lambda g, e, q, b: -(g + 2 * b * (e - q) / e.numel()),
        lambda g, e, q, b: g - 2 * b * (e - q) / e.numel(),
        lambda g, e, q, b: (g + 2 * b * (e - q) / e.numel()).t(),
        lambda g, e, q, b: (g + 2 * b * (e - q) / e.numel()).mean(),
        lambda g, e, q, b: g + b * (e - q) ** 2 / e.numel(),
        lambda g, e, q, b: 2 * (g + 2 * b * (e - q) / e.numel()),
        lambda g, e, q, b: (g + 2 * b * (e - q) / e.numel()).flatten(),
        lambda g, e, q, b: g + 2 * b * (e - q).abs() / e.numel(),
        lambda g, e, q, b: (g + 2 * b * (e - q) / e.numel()).half().int(),
    ],
}
