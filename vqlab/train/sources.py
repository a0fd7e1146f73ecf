"""What one trains on: pictures with labels, some held out to judge by, and how large the models should be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from vqlab.codebook import EMACodebook
from vqlab.context import TokenContext
from vqlab.data import crops, digits, held_out_photo, jitter, load_folder, photos, tiles
from vqlab.multiscale import MultiScaleQuantizer
from vqlab.quantizer import EMAVectorQuantizer
from vqlab.vqvae import STRIDE, SimpleVQVAE

TRAINING_DIGITS = 1500  # the last 297 are for judging only


@dataclass
class Source:
    """Pictures to train on, and the recipe that fits them.

    Attributes:
        batches: endless, (images (B, C, size, size) float32 in [-1, 1], labels (B,) int64).
        judged: (N, C, H, W), what the report judges by: never trained on, unless there are too few pictures.
        judged_name: what the report calls them.
        classes: names, in the order of the labels.
        channels: of a picture.
        patch_nums: the scales; None for one scale.
        vocab_size: K.
        tokenizer_share: of the seconds, where a prior is trained too.
        notes: what the reader should know before training starts, a line each.
    """

    batches: Iterator[tuple[Tensor, Tensor]]
    judged: Tensor
    judged_name: str
    classes: list[str]
    channels: int
    patch_nums: Sequence[int] | None
    vocab_size: int = 512
    tokenizer_share: float = 0.4
    notes: Sequence[str] = ()

    def tokenizer(self) -> SimpleVQVAE:
        """A SimpleVQVAE of D = 8 that has learnt nothing yet."""
        if self.patch_nums is None:
            quantizer, context = EMAVectorQuantizer(self.vocab_size, 8), TokenContext(self.vocab_size)
        else:
            codebook = EMACodebook(self.vocab_size, 8, kmeans_start=True, restart_below=0.03)
            quantizer = MultiScaleQuantizer(self.vocab_size, 8, self.patch_nums, codebook=codebook)
            context = None
        return SimpleVQVAE(self.vocab_size, 8, in_channels=self.channels, quantizer=quantizer, context=context)


def open_source(name: str, *, size: int | None = None, channels: int | None = None,
                patch_nums: Sequence[int] | None = None, prior: bool = False, seed: int = 0,
                rank: int = 0) -> Source:
    """The bundled photographs ("photos"), the bundled digits ("digits"), or a folder of one's own pictures.

    Args:
        name: one of these two names, or the folder's path.
        size: side of a picture; by default what the scales ask for, and without scales 64 (digits: 16).
        channels: 3 or 1; by default colour, and grey for digits.
        patch_nums: the scales; by default one scale, and for a prior 1, 2, 4, … (digits: 1, 2, 3, 4) up to size / 4.
        prior: whether a prior will be trained too: it needs scales, and has an easier time with fewer codes.
        seed: of the order of the pictures, and of what a folder holds out.
        rank: of several processes; each draws in an order of its own, all hold out the same.

    Raises:
        NotADirectoryError: no such folder.
        ValueError: settings that do not fit each other or the pictures, or no picture that can be read.
    """
    channels_of_bundled = {"photos": 3, "digits": 1}
    if channels is not None and channels != channels_of_bundled.get(name, channels):
        raise ValueError(f"expected --channels {channels_of_bundled[name]} for {name}, got {channels}")
    if patch_nums and size not in (None, STRIDE * patch_nums[-1]):
        raise ValueError(f"expected --size {STRIDE * patch_nums[-1]}, {STRIDE} times the last scale, got {size}")
    size = STRIDE * patch_nums[-1] if patch_nums else size or (16 if name == "digits" else 64)
    if size < STRIDE or size % STRIDE:
        raise ValueError(f"expected --size to be a multiple of {STRIDE}, got {size}")
    if not patch_nums and (prior or name == "digits"):
        patch_nums = (1, 2, 3, 4) if (name, size) == ("digits", 16) else _doubling(size // STRIDE)
    generator = torch.Generator().manual_seed(seed + (rank << 32))
    if name == "photos":
        source = _photos(size, patch_nums, generator)
    elif name == "digits":
        source = _digits(size, patch_nums, generator)
    else:
        source = _folder(name, size, channels or 3, patch_nums, prior, generator, seed)
    source.tokenizer()  # says it if the scales are none
    return source


def _photos(size, patch_nums, generator):
    cat, cuts = held_out_photo(), crops(photos(), size=size, generator=generator)
    first = next(cuts)  # says it if a photograph is too small
    batches = ((images, torch.zeros(len(images), dtype=torch.int64)) for images in chain([first], cuts))
    # Scales fix the size of a picture, so there the cat comes in squares.
    return Source(batches, tiles(cat, size) if patch_nums else cat, "the held-out cat", ["photos"], 3, patch_nums)


def _digits(size, patch_nums, generator):
    images, labels = digits(size)
    batches = _draw(images[:TRAINING_DIGITS], labels[:TRAINING_DIGITS], generator)
    # Half of a batch is jittered: with none the prior learns the 1500 by heart, with all its samples vary less.
    batches = ((torch.cat([jitter(x[::2], generator=generator), x[1::2]]), torch.cat([y[::2], y[1::2]]))
               for x, y in batches)
    judged, classes = images[TRAINING_DIGITS:], [str(digit) for digit in range(10)]
    return Source(batches, judged, f"{len(judged)} held-out digits", classes, 1, patch_nums, vocab_size=64,
                  tokenizer_share=0.2)


def _folder(path, size, channels, patch_nums, prior, generator, seed):
    images, labels, classes, skipped = load_folder(path, size, channels)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    out, rest = order[:len(images) // 10], order[len(images) // 10:]  # every tenth is held out
    judged, name = (images[out], f"{len(out)} held-out pictures") if len(out) else (images, "the pictures themselves")
    notes = [*(f"skipped: {reason}" for reason in skipped),
             f"{len(images)} pictures of {len(classes)} classes: {', '.join(classes)}; {len(out)} held out"]
    return Source(_draw(images[rest], labels[rest], generator), judged, name, classes, channels, patch_nums,
                  vocab_size=128 if prior else 512, notes=notes)


def _draw(images, labels, generator, batch_size=32):
    """Endless batches; a picture may come twice in one."""
    while True:
        chosen = torch.randint(len(images), (batch_size,), generator=generator)
        yield images[chosen], labels[chosen]


def _doubling(last):
    """1, 2, 4, … below `last`, and `last`."""
    return (*(2**n for n in range(last.bit_length()) if 2**n < last), last)
