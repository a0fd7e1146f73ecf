"""The README's picture: ``python -m vqlab.lessons.start.front MODEL PICTURE``, MODEL by ``python -m vqlab.train``."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from vqlab import held_out_photo, load, psnr
from vqlab.classroom.figures import draw_images, png, use_style
from vqlab.lessons.start.tokens import draw_dictionary, draw_tokens


def draw_front(model: torch.nn.Module) -> plt.Figure:
    """Draw the held-out cat, her tokens, the cat again, and the whole vocabulary below."""
    cat = held_out_photo()
    height, width = cat.shape[2:]
    tokens = model.img_to_idxBl(cat)
    again = model.idxBl_to_img(tokens, size=(height, width))
    alike = torch.arange(model.vocab_size)[:, None].expand(-1, 25)  # each token among its like, 5 × 5 times
    dictionary = model.idxBl_to_img([alike])[:, :, 8:12, 8:12]
    order = torch.bincount(tokens[0].flatten(), minlength=model.vocab_size).argsort(descending=True, stable=True)
    figure = plt.figure(figsize=(10, 4.1))
    top = figure.add_gridspec(2, 3, height_ratios=[2.6, 1.1])
    axes = [figure.add_subplot(top[0, column]) for column in range(3)]
    draw_images([cat[0]], ["没见过的照片 an unseen photograph"], axes[:1])
    draw_tokens(tokens[0].view(height // 4, width // 4), dictionary, axes[1])
    axes[1].set_title(f"{tokens[0].numel()} tokens, 9 比特 bits each", fontsize=12)
    draw_images([again[0]], [f"从 tokens 画回 drawn from tokens: {psnr(again, cat).item():.1f} dB"], axes[2:])
    draw_dictionary(dictionary, order, figure.add_subplot(top[1, :]), columns=64)
    figure.axes[-1].set_title(f"全部 {model.vocab_size} 种 all {model.vocab_size} different tokens", fontsize=12)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model.safetensors")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args()
    use_style()
    options.picture.write_bytes(png(draw_front(load(options.model))))


if __name__ == "__main__":
    main()
