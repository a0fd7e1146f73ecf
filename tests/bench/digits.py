"""Are the digits right, new and varied? ``python tests/bench/digits.py``

Trains what ``python -m vqlab.train digits`` trains, per seed, and prints

- of 500 samples, 50 a class, at `generate`'s own settings: how many an SVM, fitted on the first 1500 real digits of
  8 × 8 pixels, names as asked; the mean distance to the nearest of those 1500, over that of the 297 held-out digits;
  the mean distance of two samples of a class, over that of two training digits of a class. Samples are brought to
  8 × 8 by area; real digits are taken as they are. Marks: 98 %, 0.85, 0.70.
- how many of the 297 held-out digits are told by the likelihood of their tokens, and by their nearest neighbour;
- the time for 64 digits at once, and for one.
"""

import argparse
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from vqlab import digits, load
from vqlab.train.__main__ import main as train

TRAINING = 1500


def variety(pictures, labels):
    """Mean distance of two different pictures of a class, mean over classes."""
    return torch.stack([F.pdist(pictures[labels == label]).mean() for label in labels.unique()]).mean().item()


def novelty(pictures, seen):
    """Mean distance to the nearest picture seen in training."""
    return torch.cdist(pictures, seen).amin(dim=1).mean().item()


def three_numbers(var, generator, **settings):
    """(share named as asked, novelty over that of held-out digits, variety over that of training digits)."""
    real = load_digits()
    pixels, truth = torch.tensor(real.data).float(), torch.tensor(real.target)
    seen, labels = pixels[:TRAINING], torch.arange(10).repeat_interleave(50)
    images = var.generate(labels, generator=generator, **settings).clamp(-1, 1)
    samples = (F.interpolate(images, (8, 8), mode="area").flatten(1) + 1) * 8  # 0..16, as the real ones
    named = SVC().fit(seen, truth[:TRAINING]).predict(samples)
    return ((torch.tensor(named) == labels).float().mean().item(),
            novelty(samples, seen) / novelty(pixels[TRAINING:], seen),
            variety(samples, labels) / variety(seen, truth[:TRAINING]))


def told_by_likelihood(var):
    """Share of the held-out digits whose true class makes their tokens likeliest."""
    images, labels = (each[TRAINING:] for each in digits())
    idx_Bl = var.tokenizer.img_to_idxBl(images)
    scores = torch.stack([var.log_likelihood(idx_Bl, torch.full_like(labels, label)) for label in range(10)], dim=1)
    return (scores.argmax(dim=1) == labels).float().mean().item()


def milliseconds(work, times=20):
    work()
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    real = load_digits()
    neighbour = KNeighborsClassifier(1).fit(real.data[:TRAINING], real.target[:TRAINING])
    nearest = neighbour.score(real.data[TRAINING:], real.target[TRAINING:])
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            train(["digits", "--seconds", str(options.seconds), "--seed", str(seed), "--out", folder])
            var = load(f"{folder}/var.safetensors")
        for guidance in (1.5, 0.0):  # the default, and for comparison the conditional model itself
            named, new, varied = three_numbers(var, torch.Generator().manual_seed(seed), guidance=guidance)
            print(f"seed {seed}, guidance {guidance}: {named:.1%} named as asked, novelty {new:.3f}, "
                  f"variety {varied:.3f}")
        print(f"seed {seed}: held-out digits told by likelihood {told_by_likelihood(var):.1%}, by nearest neighbour "
              f"{nearest:.1%}; 64 digits in {milliseconds(lambda: var.generate(torch.arange(64) % 10)):.0f} ms, "  # noqa: B023
              f"one in {milliseconds(lambda: var.generate(torch.tensor([3]))):.1f} ms", flush=True)  # noqa: B023


if __name__ == "__main__":
    sys.exit(main())
