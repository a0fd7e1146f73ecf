import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import vqlab
from vqlab import (
    DummyDataset,
    crops,
    digits,
    held_out_photo,
    jitter,
    load_folder,
    load_photo,
    photos,
    small_photo,
    tiles,
    to_uint8,
)


def png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def test_photos_are_real_and_in_range_and_the_cat_is_not_among_them():
    pictures = photos()
    assert sorted(pictures) == ["astronaut", "china", "coffee", "flower", "hubble_deep_field", "motorcycle", "rocket"]
    for picture in pictures.values():
        assert picture.dtype == torch.float32 and picture.shape[0] == 3 and min(picture.shape[1:]) >= 400
        assert -1 <= picture.min() < -0.9 and 0.9 < picture.max() <= 1


def test_the_held_out_photo_is_chelsea():
    from skimage.data import chelsea
    cat = held_out_photo()
    assert cat.shape == (1, 3, 300, 448)
    assert np.array_equal(to_uint8(cat[0]), chelsea()[:300, :448])


def test_two_photos_are_scikit_learns():
    from sklearn.datasets import load_sample_image
    pictures = photos()
    for name in ("china", "flower"):
        assert np.array_equal(to_uint8(pictures[name]), load_sample_image(f"{name}.jpg"))


def test_photos_need_no_network(monkeypatch):
    import socket

    def refuse(*_):
        raise OSError("no network in this test")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    photos(), held_out_photo(), digits()


def test_crops_are_cut_from_the_pictures_and_follow_the_generator():
    picture = torch.arange(3 * 6 * 8.0).view(3, 6, 8)
    batches = [next(crops({"one": picture}, 5, 4, generator=torch.Generator().manual_seed(3))) for _ in range(2)]
    assert torch.equal(*batches)
    windows = [picture[:, i:i + 4, j:j + 4] for i in range(3) for j in range(5)]
    windows += [window.flip(-1) for window in windows]
    for crop in batches[0]:
        assert any(torch.equal(crop, window) for window in windows)


def test_crops_come_from_every_picture_equally_often():
    small, large = torch.zeros(3, 4, 4), torch.ones(3, 4, 40)
    batch = next(crops({"small": small, "large": large}, 400, 4, generator=torch.Generator().manual_seed(0)))
    assert 0.4 < batch.mean().item() < 0.6


def test_crops_larger_than_a_picture():
    with pytest.raises(ValueError, match="at least 64 × 64 pixels, got tiny"):
        next(crops({"tiny": torch.zeros(3, 32, 99)}))


def test_digits():
    images, labels = digits()
    assert images.shape == (1797, 1, 16, 16) and images.dtype == torch.float32
    assert labels.dtype == torch.int64 and labels.bincount().min() > 170
    assert images.min() == -1 and 0.9 < images.max() <= 1
    # Shrunk by area they are again what they were, 8 × 8 pixels of 0..16, on average within half a level.
    from sklearn.datasets import load_digits
    small = (torch.nn.functional.interpolate(images, (8, 8), mode="area")[:, 0] + 1) * 8
    assert (small - torch.from_numpy(load_digits().images)).abs().mean() < 0.1
    assert digits(8)[0].shape == (1797, 1, 8, 8)


def test_dummy_dataset_is_reproducible_and_in_range():
    assert len(DummyDataset()) == 100  # the seed's
    dataset = DummyDataset(length=10)
    image, label = dataset[3]
    assert torch.equal(image, DummyDataset(10)[3][0]) and torch.equal(image, dataset[-7][0])
    assert not torch.equal(image, dataset[4][0]) and not torch.equal(image, DummyDataset(10, seed=1)[3][0])
    assert image.shape == (3, 64, 64) and -1 <= image.min() and image.max() <= 1
    assert label.dtype == torch.int64 and 0 <= label.min() and label.max() <= 15
    shapes = [(image.shape, label.shape) for image, label in DataLoader(dataset, batch_size=2)]
    assert shapes == [((2, 3, 64, 64), (2, 4))] * 5
    assert len(list(dataset)) == 10
    with pytest.raises(IndexError, match="below 10, got 10"):
        dataset[10]
    with pytest.raises(ValueError, match="got -1"):
        DummyDataset(-1)


def test_uint8_round_trip_is_exact():
    pixels = np.arange(3 * 16 * 16, dtype=np.uint8).reshape(16, 16, 3)
    assert np.array_equal(to_uint8(load_photo(png(pixels))[0]), pixels)
    grey = to_uint8(torch.zeros(1, 2, 2))
    assert grey.shape == (2, 2, 3) and (grey == 128).all()
    with pytest.raises(ValueError, match=r"one image .* got \(1, 3, 4, 4\)"):
        to_uint8(torch.zeros(1, 3, 4, 4))


def test_load_photo_trims_to_the_stride_and_shrinks():
    pixels = np.zeros((71, 130, 3), np.uint8)
    assert load_photo(png(pixels)).shape == (1, 3, 68, 128)
    assert load_photo(png(pixels), max_side=65).shape == (1, 3, 36, 64)  # 130 × 71 shrinks to 65 × 36


def test_load_photo_takes_grey_transparent_sixteen_bit_and_palette_pictures():
    grey = np.full((8, 8), 200, np.uint8)
    assert (to_uint8(load_photo(png(grey))[0]) == 200).all()
    clear = np.zeros((8, 8, 4), np.uint8)  # black, but wholly transparent: on white it is white
    assert (to_uint8(load_photo(png(clear))[0]) == 255).all()
    sixteen = np.full((8, 8), 200 * 257, np.uint16)
    assert (to_uint8(load_photo(png(sixteen))[0]) == 200).all()
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 40, np.uint8)).quantize(4).save(file, "GIF")
    assert (to_uint8(load_photo(file.getvalue())[0]) == 40).all()


def test_load_photo_honours_exif_rotation(tmp_path):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate 90° clockwise to look at it
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    upright = to_uint8(load_photo(tmp_path / "turned.png")[0])
    assert upright.shape == (16, 8, 3) and (upright[:8] == 255).all() and (upright[8:] == 0).all()


def test_load_photo_reads_paths_strings_and_open_files(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(np.full((4, 4, 3), 7, np.uint8)))
    with open(path, "rb") as file:
        assert torch.equal(load_photo(file), load_photo(str(path)))


def test_load_photo_says_what_is_wrong(tmp_path, monkeypatch):
    whole = png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="image file that Pillow can read .* got 9 bytes"):
        load_photo(b"not a pic")
    with pytest.raises(ValueError, match="image file"):
        load_photo(whole[:len(whole) // 2])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        load_photo(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="image file"):
        load_photo(tmp_path)
    with pytest.raises(ValueError, match="at least 4 × 4 pixels, got .* 3 × 9"):
        load_photo(png(np.zeros((9, 3, 3), np.uint8)))
    monkeypatch.setattr("vqlab.data.MAX_PIXELS", 1000)
    with pytest.raises(ValueError, match="at most 1,000 pixels, got .* 64 × 64"):
        load_photo(whole)


def test_a_gigantic_file_is_refused_before_it_is_decoded():
    # The header of a PNG says 60 000 × 60 000; its pixels break off, and none is waited for.
    import struct
    import zlib

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    with pytest.raises(ValueError, match="at most 50,000,000 pixels"):
        load_photo(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))


def test_package_is_light_and_complete():
    import subprocess
    import sys
    code = "import sys, vqlab; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "ipywidgets", "anywidget", "IPython", "skimage", "sklearn", "PIL"} & set(loaded)
    assert all(hasattr(vqlab, name) for name in vqlab.__all__)


def test_tiles_are_the_photograph_cut_row_by_row():
    photo = torch.arange(2 * 5 * 7).view(1, 2, 5, 7)
    squares = tiles(photo, 2)
    assert squares.shape == (2 * 3, 2, 2, 2)
    assert torch.equal(squares[1], photo[0, :, 0:2, 2:4]) and torch.equal(squares[3], photo[0, :, 2:4, 0:2])
    with pytest.raises(ValueError, match=r"at least 8 × 8 pixels, got \(1, 2, 5, 7\)"):
        tiles(photo, 8)
    with pytest.raises(ValueError, match="expected a photo"):
        tiles(photo[0], 2)


def test_a_small_photo_holds_whole_8_bit_levels():
    photo = small_photo(photos()["astronaut"], 32)
    levels = (photo + 1) * 127.5
    assert photo.shape == (3, 32, 32)
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    block = photos()["astronaut"][:, :16, :16].mean(dim=(1, 2))  # 512 / 32 = 16
    assert torch.allclose(photo[:, 0, 0], block, atol=0.51 / 127.5)


def write(path, colour, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_a_folder_has_a_class_for_each_subfolder(tmp_path):
    write(tmp_path / "red" / "a.png", (255, 0, 0))
    write(tmp_path / "blue" / "deep" / "b.PNG", (0, 0, 255), (30, 20))
    write(tmp_path / "blue" / "c.jpg", (0, 0, 255), (5, 9))
    write(tmp_path / "stray.png", (0, 0, 0))
    write(tmp_path / ".hidden" / "d.png", (0, 0, 0))
    (tmp_path / "empty").mkdir()
    (tmp_path / "red" / "notes.txt").write_text("passed over")
    (tmp_path / "red" / "z.png").write_bytes(b"broken")
    images, labels, classes, skipped = load_folder(tmp_path, 8)
    assert images.shape == (3, 3, 8, 8) and images.dtype == torch.float32 and classes == ["blue", "red"]
    assert labels.tolist() == [0, 0, 1]
    assert (images[2] == torch.tensor([1.0, -1, -1])[:, None, None]).all()
    assert images[:2, 2].min() > 0.95 and images[:2, 0].max() < -0.95
    assert len(skipped) == 2 and "stray.png: beside the classes" in skipped[0] and "z.png" in skipped[1]


def test_a_folder_without_subfolders_is_one_class_and_its_pictures_are_squares_from_the_middle(tmp_path):
    pixels = np.zeros((16, 48), np.uint8)
    pixels[:, 16:32] = 255  # white in the middle
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    left = np.zeros((16, 16), np.uint8)
    left[:, :8] = 255
    Image.fromarray(left).save(tmp_path / "turned.png", exif=exif)
    folder = load_folder(tmp_path, 16, channels=1)
    assert folder.classes == [tmp_path.name] and folder.labels.tolist() == [0, 0] and not folder.skipped
    turned, wide = folder.images
    assert wide.shape == (1, 16, 16) and (wide == 1).all()
    assert (turned[:, :8] == 1).all() and (turned[:, 8:] == -1).all()  # upright, white is above


def test_a_folder_says_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="at least one picture .* got none"):
        load_folder(tmp_path)
    with pytest.raises(NotADirectoryError, match="no such folder"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="size divisible by 4, got 3 and 30"):
        load_folder(tmp_path, 30)
    with pytest.raises(ValueError, match="1 or 3 channels .* got 4"):
        load_folder(tmp_path, channels=4)


def test_jitter_moves_a_picture_a_little_and_only_that():
    pictures = torch.full((200, 1, 32, 32), -1.0)
    pictures[:, :, 12:20, 10:22] = 1  # a box in the middle
    moved = jitter(pictures, generator=torch.Generator().manual_seed(0))
    assert torch.equal(moved, jitter(pictures, generator=torch.Generator().manual_seed(0)))
    assert moved.min() >= -1 and moved.max() <= 1 + 1e-6
    ink = (moved + 1) / 2
    places = torch.arange(32) - 15.5
    across = (ink.sum(dim=2)[:, 0] * places).sum(dim=1) / ink.sum(dim=(1, 2, 3))  # where the middle of the ink is
    assert 0.2 < across.std() < 0.5 and abs(across.mean()) < 0.1  # 0.02 of a half side of 16 pixels: 0.32
    assert ink.sum(dim=(1, 2, 3)).mean() == pytest.approx(96, rel=0.03)
    assert 2 < ink.sum(dim=(1, 2, 3)).std() < 7  # 3 % each way: 96 · 0.042 = 4
