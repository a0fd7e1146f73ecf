"""What each choice of the photographs' recipe buys. ``python tests/bench/ablation.py``

Each choice is taken back alone and the minute trained again, on the same seed: the held-out cat in dB and codes, 640
training crops of 64 × 64 in perplexity, each beside what the whole recipe got. The peer of `photos.py` comes last.
"""

import argparse
import statistics
import sys
from functools import partial

from photos import Peer, train

from vqlab import EMACodebook, EMAVectorQuantizer, VectorQuantizer2


def with_codebook(num_embeddings, embedding_dim, **settings):
    """EMAVectorQuantizer whose codebook differs from the recipe's in `settings`."""
    settings = dict(kmeans_start=True, restart_below=EMAVectorQuantizer(2, 1).embedding.restart_below) | settings
    return EMAVectorQuantizer(num_embeddings, embedding_dim,
                              codebook=EMACodebook(num_embeddings, embedding_dim, **settings))


RECIPE = "the recipe"
CHOICES = {
    RECIPE: dict(make=EMAVectorQuantizer),
    "Adam alone, no Muon": dict(make=EMAVectorQuantizer, optimizer="adam"),
    "no k-means start": dict(make=partial(with_codebook, kmeans_start=False)),
    "no restart": dict(make=partial(with_codebook, restart_below=0.0)),
    "restart below half the uniform share, the peer's rule": dict(make=partial(with_codebook, restart_below=0.5)),
    "averages over 20 steps, not 100": dict(make=partial(with_codebook, decay=0.95)),
    "codes by gradient, no averages, start or restart": dict(make=VectorQuantizer2),
    "commitment weight 0.25, the paper's": dict(make=partial(EMAVectorQuantizer, commitment_weight=0.25)),
    "rotation trick": dict(make=partial(EMAVectorQuantizer, estimator="rotation_trick")),
    "50 crops of 32 × 32, not 8 of 64 × 64": dict(make=EMAVectorQuantizer, batch=(50, 32)),
    "1 residual block, not 2": dict(make=EMAVectorQuantizer, network=dict(blocks=1)),
    "3 residual blocks": dict(make=EMAVectorQuantizer, network=dict(blocks=3)),
    "96 channels, not 64": dict(make=EMAVectorQuantizer, network=dict(hidden=96)),
    "vector-quantize-pytorch's quantizer": dict(make=Peer),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="choices whose name holds a TEXT")
    options = parser.parse_args()
    whole = None
    print(f"{'':55} cat dB          codes   crops' perplexity  steps")
    for name, choice in CHOICES.items():
        if name != RECIPE and options.only and not any(text in name for text in options.only):
            continue
        runs = [train(**choice, seconds=options.seconds, seed=seed) for seed in range(options.seeds)]
        decibels, _, codes, on_crops, _, steps = (statistics.mean(column) for column in zip(*runs, strict=True))
        whole = whole or (decibels, codes, on_crops)
        print(f"{name:55} {decibels:.2f} ({decibels - whole[0]:+.2f})  {codes:3.0f} ({codes - whole[1]:+4.0f})  "
              f"{on_crops:3.0f} ({on_crops - whole[2]:+4.0f})        {steps:5.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
