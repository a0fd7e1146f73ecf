"""Words by scale beside words of one scale, trained equally long: ``python tests/bench/scales.py``

Both learn from the same crops, in turn, per seed; then the held-out cat, cut into tiles of 64 × 64 pixels, comes
back: its dB (all tiles as one picture) after each scale, and how many of the 512 codes each scale uses on training
crops.
"""

import argparse
import sys

import torch

from vqlab import (
    EMACodebook,
    EMAVectorQuantizer,
    MultiScaleQuantizer,
    SimpleVQVAE,
    crops,
    fit,
    held_out_photo,
    perplexity,
    photos,
    psnr,
    tiles,
    usage,
)


def one_scale():
    return EMAVectorQuantizer(512, 8)


def five_scales():
    codebook = EMACodebook(512, 8, kmeans_start=True, restart_below=0.03)
    return MultiScaleQuantizer(512, 8, (1, 2, 4, 8, 16), codebook=codebook)


def one_picture(squares):
    """(n, C, 64, 64) -> (C, n·64, 64), below each other."""
    return squares.transpose(0, 1).flatten(1, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    cat = tiles(held_out_photo())
    for seed in range(options.seeds):
        final = []
        for make in (one_scale, five_scales):
            torch.manual_seed(seed)
            model = SimpleVQVAE(512, 8, quantizer=make())
            batches = crops(photos(), generator=torch.Generator().manual_seed(seed))
            steps = sum(1 for _ in fit(model, batches, seconds=options.seconds))
            sums = model.idxBl_to_img(model.img_to_idxBl(cat), cumulative=True)
            decibels = [psnr(one_picture(picture), one_picture(cat)).item() for picture in sums]
            final.append(decibels[-1])
            print(f"{make.__name__:12} seed {seed}, {steps} steps: cat {' '.join(f'{db:.2f}' for db in decibels)} dB")
            words = model.img_to_idxBl(torch.cat([next(batches) for _ in range(64)]))
            every = torch.cat([scale.flatten() for scale in words])
            for name, scale in [*enumerate(words), ("all", every)]:
                print(f"    scale {name!s:3}: {usage(scale, 512).item():6.1%} of the codes, "
                      f"perplexity {perplexity(scale, 512).item():.0f}", flush=True)
        print(f"five scales: {final[1] - final[0]:+.2f} dB against one, seed {seed}")


if __name__ == "__main__":
    sys.exit(main())
