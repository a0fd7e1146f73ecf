"""The everyday codec that our tokens are measured against, at the same number of bytes."""

from io import BytesIO

from PIL import Image
from torch import Tensor

from vqlab.data import load_photo, to_uint8


def jpeg_within(image: Tensor, max_bytes: int) -> tuple[Tensor, int]:
    """The best JPEG of a picture that takes at most so many bytes.

    Args:
        image: (3, H, W) float32 in [-1, 1].
        max_bytes: the budget, the file's header included.

    Returns:
        The picture that comes back, (3, H, W) float32 in [-1, 1], and the bytes it took.

    Raises:
        ValueError: not even the worst quality is that small.
    """
    pixels = Image.fromarray(to_uint8(image))
    for quality in range(95, 0, -1):
        file = BytesIO()
        pixels.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= max_bytes:
            return load_photo(file.getvalue(), multiple=1)[0], file.tell()
    raise ValueError(f"expected a budget of at least {file.tell()} bytes for this picture, got {max_bytes}")
