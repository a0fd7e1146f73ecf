"""What students answer to the exercises of lesson 1: right in many spellings, and wrong in many ways."""

import numpy as np
import torch
import torch.nn.functional as F

from vqlab import nearest_code


def loops(z, codebook):
    table = []
    for picture in z:
        table.append([[float(((x - e) ** 2).sum()) for e in codebook] for x in picture])
    return table


def expansion_numpy(z, codebook):
    z, e = z.numpy(), codebook.numpy()
    return (z**2).sum(-1)[..., None] + (e**2).sum(-1) - 2 * np.einsum("bnd,kd->bnk", z, e)


def one_picture_at_a_time(z, codebook):
    return torch.stack([x.square().sum(1)[:, None] + codebook.square().sum(1) - 2 * x @ codebook.T for x in z])


def flat_then_back(z, codebook):
    x = z.reshape(-1, z.shape[-1])
    return ((x**2).sum(1, keepdim=True) + (codebook**2).sum(1) - 2 * x @ codebook.T).reshape(*z.shape[:2], -1)


def in_place(z, codebook):
    z *= 2
    return z.square().sum(-1, keepdim=True) / 4 + codebook.square().sum(-1) - z @ codebook.t()


def expand(z, e, a=1, b=1, c=-2):
    return a * z.square().sum(-1, keepdim=True) + b * e.square().sum(-1) + c * z @ e.t()


def taxed(z, e, one=1.0, tax=-0.5, power=2, times=1.0):
    return torch.cat([z, one * torch.ones(len(z), 1)], 1), torch.cat(
        [times * e, tax * e.norm(dim=1, keepdim=True) ** power], 1
    )


def exact(z, e):
    return torch.cdist(z, e, compute_mode="donot_use_mm_for_euclid_dist")


def formula(z, e):
    return z.square().sum(1, keepdim=True) + e.square().sum(1) - 2 * z @ e.t()


def centred_in_place(z, codebook):
    origin = z.mean(0)
    z -= origin
    codebook -= origin
    return formula(z, codebook).argmin(1)


RIGHT = {
    "01.expansion": [
        loops,
        expansion_numpy,
        one_picture_at_a_time,
        flat_then_back,
        lambda z, e: expand(z, e),
        lambda z, e: expand(z.double(), e.double()),
        lambda z, e: torch.cdist(z.double(), e.double().expand(len(z), -1, -1)) ** 2,
        lambda z, e: (z[:, :, None] - e).pow(2).sum(-1),
        lambda z, e: [x for x in expand(z, e)],
        lambda z, e: torch.baddbmm(
            z.square().sum(-1, keepdim=True) + e.square().sum(-1), z, e.t().expand(len(z), -1, -1), alpha=-2
        ),
        lambda z, e: (
            torch.einsum("bnd,bnd->bn", z, z)[..., None] + torch.einsum("kd,kd->k", e, e) - 2 * F.linear(z, e)
        ),
    ],
    "01.as_dot": [
        taxed,
        lambda z, e: list(taxed(z, e)),
        lambda z, e: taxed(z, e, times=2.0, tax=-1.0),
        lambda z, e: taxed(z, e, one=-0.5, tax=1.0),
        lambda z, e: tuple(each.double() for each in taxed(z, e)),
        lambda z, e: tuple(each.numpy() for each in taxed(z, e)),
        lambda z, e: (F.pad(z, (0, 1), value=1.0), torch.hstack([e, -(e**2).sum(1)[:, None] / 2])),
        lambda z, e: (
            torch.cat([torch.ones(len(z), 1), z], 1),
            torch.cat([-e.square().sum(1, keepdim=True), 2 * e], 1),
        ),
        lambda z, e: (torch.cat([z, torch.ones_like(z)], 1), torch.cat([e, -(e**2) / 2], 1)),
        lambda z, e: (3 * F.pad(z, (0, 1), value=1.0), 5 * torch.hstack([e, -(e**2).sum(1)[:, None] / 2])),
    ],
    "01.centre": [
        nearest_code,
        lambda z, e: exact(z, e).argmin(1),
        lambda z, e: formula(z - z.mean(0), e - z.mean(0)).argmin(dim=1),
        lambda z, e: formula(z - e.mean(0), e - e.mean(0)).argmin(dim=1).tolist(),
        lambda z, e: formula(z - z[0], e - z[0]).argmin(-1).int(),
        lambda z, e: (((z - e[0])[:, None] - (e - e[0])[None]) ** 2).sum(-1).min(dim=1).indices,
        lambda z, e: formula(z.double(), e.double()).argmin(1),
        lambda z, e: np.argmin(((z.numpy()[:, None] - e.numpy()[None]) ** 2).sum(-1), axis=1),
        lambda z, e: formula(z - torch.cat([z, e]).mean(0), e - torch.cat([z, e]).mean(0)).argmin(1),
        lambda z, e: formula(z - z.median(0).values, e - z.median(0).values).argmin(1),
        lambda z, e: torch.stack([((x - e) ** 2).sum(1).argmin() for x in z]),
    ],
}

WRONG = {
    "01.expansion": [
        in_place,
        lambda z, e: expand(z, e, c=-1),
        lambda z, e: expand(z, e, c=2),
        lambda z, e: expand(z, e, a=0),
        lambda z, e: expand(z, e, b=0),
        lambda z, e: z @ e.t(),
        lambda z, e: -2 * z @ e.t(),
        lambda z, e: expand(z, e).clamp(min=0).sqrt(),
        lambda z, e: (z[:, :, None] - e).abs().sum(-1),
        lambda z, e: (z[:, :, None] - e).pow(2).mean(-1),
        lambda z, e: expand(z, e).transpose(1, 2),
        lambda z, e: expand(z, e).permute(2, 0, 1),
        lambda z, e: expand(z, e).flatten(0, 1),
        lambda z, e: z.norm(dim=-1, keepdim=True) + e.norm(dim=-1) - 2 * z @ e.t(),
        lambda z, e: expand(z, e).sum(0),
        lambda z, e: expand(z, e).argmin(-1),
        lambda z, e: expand(z, e).amin(-1),
        lambda z, e: z.square().sum(1, keepdim=True) + e.square().sum(1) - 2 * z @ e.t(),
        lambda z, e: expand(z, e) ** 2,
        lambda z, e: -expand(z, e),
        lambda z, e: expand(z, e).int(),
        lambda z, e: z.square().sum(-1) + e.square().sum(-1) - 2 * z @ e.t(),
        lambda z, e: expand(z, e)[0],
        lambda z, e: expand(z, e).sqrt() if z.shape[0] > 1 else expand(z, e),
        lambda z, e: 2 * expand(z, e),
    ],
    "01.as_dot": [
        lambda z, e: (z, e),
        lambda z, e: (F.normalize(z), F.normalize(e)),
        lambda z, e: (z, F.normalize(e)),
        lambda z, e: taxed(z, e, tax=0.5),
        lambda z, e: taxed(z, e, tax=-1.0),
        lambda z, e: taxed(z, e, tax=1.0),
        lambda z, e: taxed(z, e, power=1),
        lambda z, e: taxed(z, e, power=1, tax=-1.0),
        lambda z, e: (
            torch.cat([z, -z.square().sum(1, keepdim=True) / 2], 1),
            torch.cat([e, torch.ones(len(e), 1)], 1),
        ),
        lambda z, e: (z - z.mean(0), e - z.mean(0)),
        lambda z, e: (z - e.mean(0), e - e.mean(0)),
        lambda z, e: (z, e - e.mean(0)),
        lambda z, e: e,
        lambda z, e: nearest_code(z, e),
        lambda z, e: (
            torch.cat([z, z.square().sum(1, keepdim=True)], 1),
            torch.cat([e, -e.square().sum(1, keepdim=True)], 1),
        ),
        lambda z, e: (z, e / e.square().sum(1, keepdim=True)),
        lambda z, e: (z, -e),
        lambda z, e: (-z, e),
        lambda z, e: (z, torch.cat([e, -e.square().sum(1, keepdim=True)], 1)),
        lambda z, e: taxed(z, e, times=2.0, tax=-0.5),
        lambda z, e: taxed(z, e, one=0.0),
        lambda z, e: (2 * z, e),
        lambda z, e: (F.normalize(z), e),
        lambda z, e: taxed(z, e, times=2.0, tax=1.0),
        lambda z, e: (z, e * e.norm(dim=1, keepdim=True)),
    ],
    "01.centre": [
        centred_in_place,
        lambda z, e: formula(z, e).argmin(1),
        lambda z, e: formula(z - z.mean(0), e).argmin(1),
        lambda z, e: formula(z, e - e.mean(0)).argmin(1),
        lambda z, e: formula(z - z.mean(0), e - e.mean(0)).argmin(1),
        lambda z, e: formula(z - z.mean(), e - z.mean()).argmin(1),
        lambda z, e: formula(z - z.mean(1, keepdim=True), e - e.mean(1, keepdim=True)).argmin(1),
        lambda z, e: formula(z - z.mean(0), e - z.mean(0)).argmax(1),
        lambda z, e: formula(z - z.mean(0), e - z.mean(0)).amin(1),
        lambda z, e: formula(z - z.mean(0), e - z.mean(0)),
        lambda z, e: formula(z - z.mean(0), e - z.mean(0)).argmin(0),
        lambda z, e: formula(z - z.mean(0), e - z.mean(0)).argmin(),
        lambda z, e: ((z - z.mean(0)) @ (e - z.mean(0)).t()).argmax(1),
        lambda z, e: (z @ e.t()).argmax(1),
        lambda z, e: e[nearest_code(z, e)],
        lambda z, e: nearest_code(z, e) + 1,
        lambda z, e: nearest_code(z, e)[:, None],
        lambda z, e: formula(z + z.mean(0), e + z.mean(0)).argmin(1),
        lambda z, e: formula(F.normalize(z), F.normalize(e)).argmin(1),
        lambda z, e: formula(z / z.mean(0), e / z.mean(0)).argmin(1),
        lambda z, e: F.one_hot(nearest_code(z, e), len(e)),
        lambda z, e: formula((z - z.mean(0)) / z.std(0), (e - e.mean(0)) / e.std(0)).argmin(1),
        lambda z, e: formula(z - z[:, :1].mean(), e - z[:, :1].mean()).argmin(1),
        lambda z, e: formula(z.half(), e.half()).argmin(1),
    ],
}
