"""The held-out cat after a minute of training: ours and a peer, in turn. ``python tests/bench/photos.py``

The peer is vector-quantize-pytorch's VectorQuantize (EMA, k-means start, restart of dead codes) in our encoder and
decoder, with our optimizer, crops and seeds. Prints dB, perplexity and codes used on the cat, per seed, and the mean.
"""

import argparse
import statistics
import sys

import torch
from torch import nn
from vector_quantize_pytorch import VectorQuantize

from vqlab import EMAVectorQuantizer, SimpleVQVAE, crops, fit, held_out_photo, perplexity, photos, psnr, usage


class Peer(nn.Module):
    """vector-quantize-pytorch behind the three results and two attributes that SimpleVQVAE asks of a quantizer."""

    def __init__(self, num_embeddings, embedding_dim):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.vq = VectorQuantize(dim=embedding_dim, codebook_size=num_embeddings, kmeans_init=True,
                                 threshold_ema_dead_code=2, accept_image_fmap=True, decay=0.99)

    def forward(self, z_e):
        quantized, indices, loss = self.vq(z_e)
        return quantized, loss.squeeze(), indices.flatten()


QUANTIZERS = {"vqlab": EMAVectorQuantizer, "vector-quantize-pytorch": Peer}


def train(make, seconds, seed, *, batch=(8, 64), network=None, **settings):
    """(dB, perplexity, codes) on the cat, (perplexity, codes in %) on 640 training crops, steps."""
    torch.manual_seed(seed)
    quantizer = make(512, 8)
    torch.manual_seed(seed)
    model = SimpleVQVAE(512, 8, quantizer=quantizer, **network or {})
    batches = crops(photos(), *batch, generator=torch.Generator().manual_seed(seed))
    steps = sum(1 for _ in fit(model, batches, seconds=seconds, **settings))
    cat, judged = held_out_photo(), crops(photos(), generator=torch.Generator().manual_seed(1000))
    with torch.no_grad():
        image, _, indices = model(cat)
        seen = torch.cat([model(next(judged))[2] for _ in range(80)])
    return (psnr(image, cat).item(), perplexity(indices, 512).item(), usage(indices, 512).item() * 512,
            perplexity(seen, 512).item(), usage(seen, 512).item() * 100, steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=QUANTIZERS, help="train one of the two")
    options = parser.parse_args()
    for name, make in QUANTIZERS.items():
        if options.only not in (None, name):
            continue
        decibels = []
        for seed in range(options.seeds):
            db, on_cat, codes, on_crops, used, steps = train(make, options.seconds, seed)
            decibels.append(db)
            print(f"{name:24} seed {seed}: cat {db:.2f} dB, perplexity {on_cat:.0f}, {codes:.0f} codes; "
                  f"training crops: perplexity {on_crops:.0f}, {used:.1f} % of codes; {steps} steps", flush=True)
        print(f"{name:24} mean {statistics.mean(decibels):.2f} dB")


if __name__ == "__main__":
    sys.exit(main())
