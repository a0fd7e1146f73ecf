"""python -m vqlab.codec compress [MODEL] PICTURE FILE, or decompress [MODEL] FILE PICTURE; MODEL: the bundled one.

Prints the file's size in bytes and bits per pixel, and compressing also how well the picture comes back, in dB.
"""

import argparse
import sys
from pathlib import Path

from vqlab import bundled_model, compress, decompress, load, load_photo, pick_device, psnr, to_uint8


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vqlab.codec", description="A picture to a file of tokens, and "
                                     "back.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, source, target, says in (("compress", "PICTURE", "FILE", "a picture (JPEG, PNG, …) to a file"),
                                          ("decompress", "FILE", "PICTURE", "back; the ending says the format")):
        one = commands.add_parser(command, help=says, description=says)
        one.add_argument("model", metavar="MODEL", nargs="?", type=Path,
                         help="what `python -m vqlab.train photos` wrote (default: the bundled model)")
        one.add_argument("source", metavar=source, type=Path)
        one.add_argument("target", metavar=target, type=Path)
        if command == "compress":
            one.add_argument("--rate-weight", type=float, default=0.0, metavar="λ", help="0 for the nearest codes, "
                             "larger for a smaller file (default: 0)")
    options = parser.parse_args(arguments)
    try:
        model = (load(options.model) if options.model else bundled_model()).to(pick_device())
        if options.command == "compress":
            picture = load_photo(options.source, multiple=1).to(pick_device())
            data = compress(model, picture, rate_weight=options.rate_weight)
            options.target.write_bytes(data)
            back = decompress(model, data)
            print(f"{options.target}: {_size(data, picture)}, {psnr(back, picture).item():.2f} dB")
        else:
            data = options.source.read_bytes()
            picture = decompress(model, data)
            _write(picture, options.target)
            print(f"{options.target}: {picture.shape[3]} × {picture.shape[2]} pixels from {_size(data, picture)}")
    except (OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    return 0


def _size(data, picture):
    return f"{len(data):,} bytes, {8 * len(data) / picture[0, 0].numel():.3f} bits per pixel"


def _write(picture, path):
    from PIL import Image

    Image.fromarray(to_uint8(picture[0])).save(path)


if __name__ == "__main__":
    sys.exit(main())
