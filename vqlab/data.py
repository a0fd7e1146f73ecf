"""Real pictures that ship inside scikit-image and scikit-learn: nothing is downloaded.

Everywhere in vqlab an image is float32 in [-1, 1], channels first: (3, H, W), or (B, 3, H, W) in a batch.
"""

import io
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

MAX_PIXELS = 50_000_000  # a photograph beyond this would not fit a laptop's memory once it is float32


def photos() -> dict[str, Tensor]:
    """The seven photographs to train on, by name.

    Returns:
        Name -> (3, H, W) float32 in [-1, 1]; the cat `held_out_photo` is not among them.

    Source: scikit-image `skimage.data` (astronaut, coffee, rocket, hubble_deep_field: public domain, NASA and
    CC0; motorcycle: Middlebury stereo benchmark, CC0 in scikit-image) and the files of scikit-learn's
    `load_sample_image` (china, flower: CC BY 2.0).
    """
    from PIL import Image
    from skimage import data as skimage_data

    pictures = {name: getattr(skimage_data, name)()
                for name in ("astronaut", "coffee", "rocket", "hubble_deep_field")}
    pictures["motorcycle"] = skimage_data.stereo_motorcycle()[0]
    folder = Path(find_spec("sklearn").submodule_search_locations[0], "datasets", "images")  # an import takes seconds
    pictures |= {name: np.array(Image.open(folder / f"{name}.jpg")) for name in ("china", "flower")}
    return {name: from_uint8(pixels) for name, pixels in pictures.items()}


def held_out_photo() -> Tensor:
    """Chelsea the cat, on whom nothing in vqlab is ever trained.

    Returns:
        (1, 3, 300, 448) float32 in [-1, 1]: `skimage.data.chelsea()[:300, :448]` (CC0).
    """
    from skimage import data as skimage_data

    return from_uint8(skimage_data.chelsea()[:300, :448]).unsqueeze(0)


def crops(pictures: dict[str, Tensor], batch_size: int = 8, size: int = 64, *,
          generator: torch.Generator | None = None) -> Iterator[Tensor]:
    """Random square cut-outs, half of them mirrored, for ever; every picture is drawn equally often.

    Args:
        pictures: what `photos` returns.
        batch_size: B.
        size: side of a crop in pixels.
        generator: CPU random numbers; the default is torch's global generator.

    Yields:
        (B, 3, size, size) float32 in [-1, 1], on the CPU.

    Raises:
        ValueError: `size` is larger than a picture.
    """
    for name, picture in pictures.items():
        if min(picture.shape[-2:]) < size:
            raise ValueError(f"expected pictures of at least {size} × {size} pixels, "
                             f"got {name} with {tuple(picture.shape)}")
    images = list(pictures.values())
    while True:
        batch = []
        for i in torch.randint(len(images), (batch_size,), generator=generator).tolist():
            _, height, width = images[i].shape
            top, left, mirror = (int(torch.randint(n, (), generator=generator))
                                 for n in (height - size + 1, width - size + 1, 2))
            crop = images[i][:, top:top + size, left:left + size]
            batch.append(crop.flip(-1) if mirror else crop)
        yield torch.stack(batch)


def tiles(photo: Tensor, size: int = 64) -> Tensor:
    """A photograph cut into squares, row by row; what fills no whole square at the right and bottom is left out.

    Args:
        photo: (1, C, H, W).
        size: of a square, in pixels.

    Returns:
        (number of squares, C, size, size).

    Raises:
        ValueError: not one photograph, or smaller than one square.
    """
    if photo.ndim != 4 or len(photo) != 1 or min(photo.shape[2:]) < size or size < 1:
        raise ValueError(f"expected a photo (1, C, H, W) of at least {size} × {size} pixels, "
                         f"got {tuple(photo.shape)}")
    squares = photo[0].unfold(1, size, size).unfold(2, size, size)  # (C, rows, columns, size, size)
    return squares.flatten(1, 2).transpose(0, 1).contiguous()


def digits(size: int = 16) -> tuple[Tensor, Tensor]:
    """The 1797 handwritten digits of scikit-learn, enlarged from 8 × 8 pixels.

    Bilinear enlargement alone would blur: shrunk again by area, its digits had lost a quarter of their variety. So it
    is corrected by what the way back lost, a few times over (iterative back-projection).

    Args:
        size: side in pixels.

    Returns:
        images (1797, 1, size, size) float32 in [-1, 1], ink bright; labels (1797,) int64 in 0..9.

    Source: Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI repository, CC BY 4.0; Irani
    and Peleg (1991), "Improving resolution by image registration", for the correction.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float()[:, None] / 8 - 1  # (1797, 1, 8, 8), 0..16 -> -1..1
    enlarged = F.interpolate(images, (size, size), mode="bilinear")
    if size > 8:
        for _ in range(8):
            lost = images - F.interpolate(enlarged, (8, 8), mode="area")
            enlarged = (enlarged + F.interpolate(lost, (size, size), mode="bilinear")).clamp(-1, 1)
    return enlarged, torch.from_numpy(bunch.target).long()


def jitter(images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Each picture turned, stretched and moved a little, about 3°, 3 % and 1 % of its side; what comes in is dark.

    Args:
        images: (B, C, H, W) in [-1, 1].
        generator: CPU random numbers; the default is torch's global generator.

    Returns:
        (B, C, H, W).
    """
    turn, *rest = torch.randn(5, len(images), generator=generator)
    turn, (wide, high, right, down) = 0.05 * turn, rest
    cos, sin, wide, high = turn.cos(), turn.sin(), (0.03 * wide).exp(), (0.03 * high).exp()
    affine = torch.stack([torch.stack([cos * wide, -sin * high, 0.02 * right], dim=1),  # the half side is 1
                          torch.stack([sin * wide, cos * high, 0.02 * down], dim=1)], dim=1)  # (B, 2, 3)
    grid = F.affine_grid(affine.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1  # beyond the edge 0, that is dark


def load_photo(source: str | os.PathLike | bytes | io.IOBase, *, multiple: int = 4,
               max_side: int | None = None) -> Tensor:
    """One's own photograph, ready for the model.

    Honours the camera's EXIF rotation, puts transparent pictures on white, makes grey ones RGB, and trims right
    and bottom so that both sides divide by `multiple`.

    Args:
        source: a path, the file's bytes, or an open binary file.
        multiple: what height and width must divide by; 4 is the model's stride.
        max_side: shrink so that the longer side has at most this many pixels.

    Returns:
        (1, 3, H, W) float32 in [-1, 1].

    Raises:
        ValueError: not a readable image, fewer than `multiple` pixels a side, or more than MAX_PIXELS in all.
        FileNotFoundError: no file at that path.
    """
    from PIL import Image

    name, image = _read(source)
    if max_side and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    width, height = (side - side % multiple for side in image.size)
    if not (width and height):
        raise ValueError(f"expected a photograph of at least {multiple} × {multiple} pixels, got {name} with "
                         f"{image.size[0]} × {image.size[1]}")
    return from_uint8(np.asarray(image)[:height, :width]).unsqueeze(0)


class Folder(NamedTuple):
    """What `load_folder` found.

    Attributes:
        images: (N, C, size, size) float32 in [-1, 1].
        labels: (N,) int64, the number of a picture's class.
        classes: their names, sorted.
        skipped: files that are no pictures, with the reason; one line each.
    """

    images: Tensor
    labels: Tensor
    classes: list[str]
    skipped: list[str]


def load_folder(path: str | os.PathLike, size: int = 64, channels: int = 3) -> Folder:
    """One's own pictures: a folder with a subfolder for each class, or, without subfolders, one class.

    Each picture is read as `load_photo` does, scaled so that its shorter side is `size`, and the square in its middle
    is cut out. Files whose names do not end like a picture's (.jpg, .png, .webp, …), hidden ones and empty subfolders
    are passed over; a picture that cannot be read is skipped and named. All of it is held in memory: 49 kB a picture
    of 3 × 64 × 64.

    Args:
        path: the folder; subfolders may hold further ones, which belong to the same class.
        size: height and width, in pixels; a multiple of 4, the model's stride.
        channels: 3 for colour or 1 for grey.

    Raises:
        NotADirectoryError: no such folder.
        ValueError: no picture that can be read, another number of channels, or a size not divisible by 4.
    """
    from PIL import Image, ImageOps

    root = Path(path)
    if not root.is_dir():
        raise NotADirectoryError(f"expected a folder of pictures, got {path}: no such folder")
    if channels not in (1, 3) or size < 4 or size % 4:
        raise ValueError(f"expected 1 or 3 channels and a size divisible by 4, got {channels} and {size}")
    endings = set(Image.registered_extensions())
    files = [file for file in sorted(root.rglob("*")) if file.suffix.lower() in endings and file.is_file()
             and not any(part.startswith(".") for part in file.relative_to(root).parts)]
    in_classes = [file for file in files if file.parent != root]
    skipped = [f"{file}: beside the classes' folders, not in one" for file in files if in_classes
               and file.parent == root]
    images, names = [], []
    for file in in_classes or files:
        try:
            image = _read(file)[1]
        except ValueError as error:
            skipped.append(str(error))
            continue
        square = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
        images.append(from_uint8(np.asarray(square.convert("RGB" if channels == 3 else "L")).reshape(size, size, -1)))
        names.append(file.relative_to(root).parts[0] if in_classes else root.resolve().name)
    if not images:
        raise ValueError("\n".join([f"expected at least one picture (JPEG, PNG, …) in {path}, got none", *skipped]))
    classes = sorted(set(names))
    return Folder(torch.stack(images), torch.tensor([classes.index(name) for name in names]), classes, skipped)


def _read(source: str | os.PathLike | bytes | io.IOBase) -> tuple[str, "PIL.Image.Image"]:  # noqa: F821
    """A name for messages, and the picture upright, RGB, transparent parts on white; raises as `load_photo`."""
    from PIL import Image, ImageOps

    if isinstance(source, (bytes, bytearray, memoryview)):
        name, source = f"{len(source)} bytes", io.BytesIO(source)
    else:
        name = str(getattr(source, "name", source))
    try:
        with Image.open(source) as image:  # reads the header only: the size is checked before any decoding
            if image.width * image.height > MAX_PIXELS:
                raise _TooManyPixels(image.size)
            image.load()
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey: PIL's own convert would clip it
                values = np.asarray(image, dtype=np.float32)
                top = 65535.0 if values.max() > 255 else 255.0
                image = Image.fromarray((values.clip(0, top) * (255 / top)).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB")
    except FileNotFoundError:
        raise
    except (_TooManyPixels, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a photograph of at most {MAX_PIXELS:,} pixels, got {name}: {error}") from None
    except Exception as error:  # PIL raises a dozen kinds for damaged files
        raise ValueError(f"expected an image file that Pillow can read (JPEG, PNG, WebP …), got {name}: "
                         f"{error}") from error
    return name, image


class _TooManyPixels(Exception):
    def __init__(self, size: tuple[int, int]):
        super().__init__(f"{size[0]} × {size[1]} pixels")


class DummyDataset(Dataset):
    """Noise with labels, for shapes and tests only: there is nothing in it to learn.

    Item i depends on `seed` and i alone, whatever the order of access.

    Args:
        length: number of items.
        seed: another seed, another noise.

    Returns from `[i]`:
        image (3, 64, 64) float32 in [-1, 1); label (4,) int64 in 0..15.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> from vqlab import DummyDataset
        >>> for image, label in DataLoader(DummyDataset(length=10), batch_size=2):
        ...     pass
        >>> image.shape, image.dtype, label.shape, label.dtype
        (torch.Size([2, 3, 64, 64]), torch.float32, torch.Size([2, 4]), torch.int64)
    """

    def __init__(self, length: int = 100, seed: int = 0):
        if length < 0:
            raise ValueError(f"expected a length of 0 or more, got {length}")
        self.length, self.seed = length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not -self.length <= index < self.length:
            raise IndexError(f"expected an index below {self.length}, got {index}")
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index % self.length)
        image = torch.rand(3, 64, 64, generator=generator) * 2 - 1
        label = torch.randint(0, 16, (4,), generator=generator)
        return image, label


def from_uint8(pixels: np.ndarray) -> Tensor:
    """(H, W, C) uint8 -> (C, H, W) float32 in [-1, 1]."""
    return torch.tensor(pixels).permute(2, 0, 1).float().contiguous() / 127.5 - 1


def small_photo(photo: Tensor, size: int = 128) -> Tensor:
    """Shrink a photograph by averaging, to whole 8-bit levels as a file would hold them.

    Args:
        photo: (3, H, W) in [-1, 1].
        size: the new height and width.

    Returns:
        (3, size, size) float32 in [-1, 1].
    """
    small = F.interpolate(photo[None], size=(size, size), mode="area")[0]
    return ((small + 1) * 127.5).round() / 127.5 - 1


def to_uint8(image: Tensor) -> np.ndarray:
    """(3, H, W) or (1, H, W) float in [-1, 1], clipped -> (H, W, 3) uint8, ready to be shown or saved.

    Raises:
        ValueError: another shape, a batch for instance.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"expected one image (3, H, W) or (1, H, W), got {tuple(image.shape)}")
    pixels = ((image.detach().float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return pixels.expand(3, -1, -1).permute(1, 2, 0).cpu().contiguous().numpy()
