"""Who judges what was written: a classifier of real digits, the nearest training picture, variety."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS, draw_images

SIDE = 8  # pixels: what the digits were scanned at, and are judged at


def small(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 64): brought to 8 × 8 by area, in [-1, 1]."""
    return F.interpolate(images.detach().cpu().clamp(-1, 1), (SIDE, SIDE), mode="area").flatten(1)


class Judge:
    """A support vector machine and a memory, both of the training digits alone.

    Args:
        images: (N, C, H, W) in [-1, 1].
        labels: (N,) int64.
    """

    def __init__(self, images: Tensor, labels: Tensor):
        from sklearn.svm import SVC

        self.memory, self.labels = small(images), labels
        self.machine = SVC(gamma=0.02, C=10).fit(self.memory.numpy(), labels.numpy())

    def names(self, images: Tensor) -> Tensor:
        """(B,) int64: what digit the machine sees in each picture."""
        return torch.from_numpy(self.machine.predict(small(images).numpy()))

    def nearest(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(distances, indices), each (B,): the nearest training picture at 8 × 8, root of the summed squares."""
        distances = torch.cdist(small(images), self.memory)
        return distances.min(dim=1)

    def neighbour_names(self, images: Tensor) -> Tensor:
        """(B,) int64: the label of the nearest training picture."""
        return self.labels[self.nearest(images)[1]]


class Verdict(NamedTuple):
    """How well a set of pictures was written.

    Attributes:
        named: the share that the machine names as asked.
        novelty: mean distance to the nearest training picture, as a multiple of that of held-out real digits.
        variety: mean distance between two of a class, as a multiple of that of training digits.
    """

    named: float
    novelty: float
    variety: float


def judge(samples: Tensor, labels: Tensor, judging: Judge, held_out: Tensor) -> Verdict:
    """Judge pictures (B, C, H, W), asked to be ``labels`` (B,); ``held_out`` are real digits never trained on."""
    far, real = judging.nearest(samples)[0].mean(), judging.nearest(held_out)[0].mean()
    ours = _spread(small(samples), labels)
    theirs = _spread(judging.memory, judging.labels)
    return Verdict((judging.names(samples) == labels).float().mean().item(), (far / real).item(), ours / theirs)


def _spread(pictures: Tensor, labels: Tensor) -> float:
    """Mean distance between two different pictures of a class, the mean over classes."""
    classes = [pictures[labels == label] for label in labels.unique()]
    return torch.stack([torch.pdist(each).mean() for each in classes if len(each) > 1]).mean().item()


def draw_verdicts(verdicts: Mapping[float, Verdict], axis: str, ax: Axes | None = None) -> Axes:
    """Draw how many are named as asked, how varied and how new they are, against a setting named ``axis``."""
    ax = ax or plt.subplots(figsize=(6.7, 2.4))[1]
    looks = (("named", "认成所要的 named as asked", "data", "o"),
             ("variety", "多样（训练图 = 1） variety (training = 1)", "z_e", "s"),
             ("novelty", "新（留出图 = 1） novelty (held out = 1)", "codes", "^"))
    for field, label, colour, marker in looks:
        ax.plot(list(verdicts), [getattr(verdict, field) for verdict in verdicts.values()], marker=marker,
                color=COLOURS[colour], label=label)
    ax.set(xlabel=axis, ylim=0)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=10)
    return ax


def draw_guesses(pictures: Tensor, labels: Tensor, scores: Tensor) -> Figure:
    """Draw pictures (B, C, H, W), and below each what share of belief each class gets from its log-likelihood.

    Args:
        pictures: at most about eight.
        labels: (B,) what they really are; marked by hatching and a triangle.
        scores: (B, classes) log-likelihoods in nats.
    """
    fig, axes = plt.subplots(2, len(pictures), squeeze=False, figsize=(1.1 * len(pictures) + 0.4, 2.3))
    draw_images(list(pictures), [f"{label}" for label in labels.tolist()], axes[0])
    for ax, label, share in zip(axes[1], labels.tolist(), scores.softmax(dim=1), strict=True):
        bars = ax.bar(range(len(share)), share.tolist(), color=COLOURS["light"])
        bars[label].set(color=COLOURS["z_e"], hatch="///", edgecolor="white")
        ax.plot(label, -0.42, "^", color=COLOURS["z_e"], markersize=7, clip_on=False)
        ax.set(ylim=(0, 1), yticks=[0, 1], xticks=range(0, len(share), 3))
        ax.tick_params(labelsize=8)
    axes[1][0].set_ylabel("相信\nbelief")
    return fig


def draw_completions(shares: dict[tuple[str, str], Sequence[float]], scales: Sequence[int],
                     ax: Axes | None = None) -> Axes:
    """Draw how often the machine sees each digit, 0 to 1, against the number of scales given."""
    ax = ax or plt.subplots(figsize=(5, 2.4))[1]
    for (name, values), colour, marker in zip(shares.items(), ("data", "z_e"), "os", strict=False):
        ax.plot(range(len(values)), [100 * value for value in values], marker=marker, color=COLOURS[colour],
                label=" ".join(name))
    tokens = [sum(n * n for n in scales[:k]) for k in range(len(scales) + 1)]
    ax.set(xticks=range(len(tokens)), xticklabels=[f"{k}\n({n})" for k, n in enumerate(tokens)], ylim=(-5, 105),
           xlabel="给定几个尺度（几个 token） scales given (tokens)", ylabel="评委认成 judged as (%)")
    ax.legend(fontsize=10)
    return ax
