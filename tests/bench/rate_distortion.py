"""Whole files against JPEG, WebP and AVIF, at equal size. ``python tests/bench/rate_distortion.py [--seconds 60]``

One minute of `python -m vqlab.train photos`' recipe, or a model of one's own, then three pictures that nothing trains
on: the cat, stained tissue, a retina. Our file at a few λ; what Pillow's encoders reach in a file of the same size,
between the two nearest of their qualities (dB linear in the logarithm of the size). Files with all their headers;
all dB from 8-bit pixels. JPEG: optimized, 4:2:0; WebP: method 6; AVIF: speed 4.
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, features
from skimage import data as skimage_data

from vqlab import compress, decompress, fit, held_out_photo, load, psnr, to_uint8
from vqlab.data import from_uint8
from vqlab.train.context import SHARE, fit_context
from vqlab.train.sources import open_source

RATE_WEIGHTS = (0, 0.002, 0.005, 0.01, 0.02)
ENCODERS = {
    "JPEG": dict(format="JPEG", optimize=True, qualities=(*range(3, 50, 2), *range(50, 96, 3))),
    "WebP": dict(format="WEBP", method=6, qualities=range(0, 97, 4)),
    "AVIF": dict(format="AVIF", qualities=range(5, 90, 4)),
}


def pictures():
    """Name -> (1, 3, H, W): the cat, 512 × 512 of tissue, and of the retina its middle at half the size."""
    retina = Image.fromarray(skimage_data.retina()).reduce(2).crop((97, 97, 609, 609))
    return {"cat": held_out_photo(),
            "immunohistochemistry": from_uint8(skimage_data.immunohistochemistry()).unsqueeze(0),
            "retina": from_uint8(np.asarray(retina)).unsqueeze(0)}


def curve(picture, format, qualities, **settings):
    """(bytes, dB) of an encoder's files, smallest first, each better than the one before."""
    pixels = to_uint8(picture[0])
    points = []
    for quality in qualities:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format, quality=quality, **settings)
        points.append((file.tell(), decibels(np.asarray(Image.open(file).convert("RGB")), pixels)))
    best = [point for point in sorted(points) if point[1] >= max(db for size, db in points if size <= point[0])]
    return np.array(best)


def decibels(pixels, reference):
    return psnr(from_uint8(pixels), from_uint8(reference)).item()


def ours(model, picture):
    """(λ, bytes, dB) of our files."""
    for rate_weight in RATE_WEIGHTS:
        data = compress(model, picture, rate_weight=rate_weight)
        yield rate_weight, len(data), decibels(to_uint8(decompress(model, data)[0]), to_uint8(picture[0]))


def train(seconds, seed):
    torch.manual_seed(seed)
    source = open_source("photos", seed=seed)
    model = source.tokenizer()
    images = (images for images, _ in source.batches)
    for _ in fit(model, images, seconds=(1 - SHARE) * seconds, records_per_second=1):
        pass
    fit_context(model, images, seconds=SHARE * seconds)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="measure this file of vqlab.save instead of training")
    options = parser.parse_args()
    model = load(options.model) if options.model else train(options.seconds, options.seed)
    names = [name for name in ENCODERS if name != "AVIF" or features.check("avif")]
    for title, picture in pictures().items():
        curves = {name: curve(picture, **ENCODERS[name]) for name in names}
        print(f"{title}, {picture.shape[3]} × {picture.shape[2]} pixels: ours, and how far above each at that size")
        for rate_weight, size, db in ours(model, picture):
            gaps = []
            for name, points in curves.items():
                inside = points[0, 0] <= size <= points[-1, 0]
                there = np.interp(np.log(size), np.log(points[:, 0]), points[:, 1])
                gaps.append(f"{name} {db - there:+.2f}" if inside else f"{name} has no such file")
            print(f"  λ = {rate_weight:<6} {size:6} bytes {8 * size / picture[0, 0].numel():.3f} bit/pixel "
                  f"{db:.2f} dB   {', '.join(gaps)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
