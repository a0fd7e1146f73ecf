import math
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from vqlab import VAR, EMAVectorQuantizer, Record, SimpleVQVAE, crops, digits, fit, load, photos, pick_device
from vqlab.train.__main__ import main
from vqlab.train.sources import open_source


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SimpleVQVAE(32, 8, hidden=16, blocks=1, quantizer=EMAVectorQuantizer(32, 8))


@pytest.fixture
def batches():
    return crops(photos(), 4, 32, generator=torch.Generator().manual_seed(0))


def test_fit_learns_real_photographs_and_reports_every_step(model, batches):
    records = list(fit(model, batches, steps=150))
    assert [record.step for record in records] == list(range(1, 151))
    assert all(isinstance(record, Record) and record.loss == pytest.approx(
        record.reconstruction + record.quantization, rel=1e-5) for record in records)
    first, last = records[0], sum(record.psnr for record in records[-10:]) / 10
    assert last > first.psnr + 5
    assert 1 <= last <= 60 and all(0 < record.usage <= 1 <= record.perplexity <= 32 for record in records)
    assert all(earlier.seconds < later.seconds for earlier, later in zip(records, records[1:], strict=False))
    assert not model.training


def test_fewer_records_leave_the_training_as_it_is(batches):
    weights, numbers = [], []
    for rate in (1e-9, math.inf):
        torch.manual_seed(0)
        model = SimpleVQVAE(16, 4, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 4))
        stream = crops(photos(), 2, 16, generator=torch.Generator().manual_seed(0))
        numbers.append([record.step for record in fit(model, stream, steps=5, records_per_second=rate)])
        weights.append(torch.cat([parameter.flatten() for parameter in model.parameters()]))
    assert numbers == [[1], [1, 2, 3, 4, 5]]
    assert torch.equal(*weights)
    with pytest.raises(ValueError, match="more than 0 records_per_second, got 0"):
        fit(model, batches, steps=1, records_per_second=0)


def test_fit_is_reproducible(batches):
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        model = SimpleVQVAE(16, 4, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 4))
        stream = crops(photos(), 2, 16, generator=torch.Generator().manual_seed(0))
        results.append([record.loss for record in fit(model, stream, steps=5)])
    assert results[0] == results[1]


def test_stopping_early_leaves_a_usable_model(model, batches):
    for record in fit(model, batches, steps=1000):
        if record.step == 3:
            break
    assert not model.training
    image = torch.zeros(1, 3, 16, 16)
    assert torch.equal(model(image)[0], model(image)[0])


def test_an_exception_in_the_loop_leaves_a_usable_model(model, batches):
    with pytest.raises(KeyboardInterrupt):
        for _ in fit(model, batches, steps=1000):
            raise KeyboardInterrupt
    assert not model.training


def test_fit_ends_by_the_clock_and_with_the_batches(model, batches):
    records = list(fit(model, batches, seconds=0.5))
    assert records and records[-1].seconds >= 0.5 or len(records) > 1
    assert [record.step for record in fit(model, [next(batches)] * 3, steps=99)] == [1, 2, 3]


def test_gradient_codes_learn_too(batches):
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 8, hidden=16, blocks=1)
    before = model.quantize.embedding.weight.clone()
    records = list(fit(model, batches, steps=5))
    assert not torch.equal(model.quantize.embedding.weight, before) and records[-1].quantization > 0


@pytest.mark.parametrize("budget", [{}, dict(seconds=0), dict(steps=-1), dict(seconds=float("nan"))])
def test_no_budget(model, batches, budget):
    with pytest.raises(ValueError, match="positive budget in seconds or steps"):
        fit(model, batches, **budget)


def test_divergence_is_said_and_keeps_the_last_finite_weights(model):
    huge = torch.full((1, 3, 16, 16), 1e30)
    stream = fit(model, [torch.zeros(1, 3, 16, 16), huge], steps=10)
    next(stream)
    with pytest.raises(ValueError, match="expected"):
        next(stream)
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert not model.training


def test_device_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("VQLAB_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")
    monkeypatch.delenv("VQLAB_DEVICE")
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("gpu", "cuda:99"):
        monkeypatch.setenv("VQLAB_DEVICE", wrong)
        with pytest.raises(ValueError, match=f"VQLAB_DEVICE, got '{wrong}'"):
            pick_device()


def test_command_line_trains_and_saves(tmp_path):
    command = [sys.executable, "-m", "vqlab.train", "photos", "--seconds", "2", "--seed", "1", "--out",
               str(tmp_path / "new" / "folder")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2.0/2.0 s" in run.stderr and "Warning" not in run.stderr  # the progress bar got there
    assert re.search(r"the held-out cat comes back at \d+\.\d\d dB, perplexity \d+, \d+ of 512 codes", run.stdout)
    model = load(tmp_path / "new" / "folder" / "model.safetensors")
    assert model.vocab_size == 512 and not model.training
    assert {file.name for file in (tmp_path / "new" / "folder").iterdir()} == {"model.safetensors", "rebuilt.png"}
    with Image.open(tmp_path / "new" / "folder" / "rebuilt.png") as sheet:
        assert sheet.size == (448, 2 * 300)  # the cat, and below her what came back


def test_command_line_trains_words_by_scale(tmp_path, capsys):
    assert main(["photos", "--seconds", "2", "--patch-nums", "1", "2", "8", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"the held-out cat comes back at \d+\.\d\d dB, perplexity \d+, \d+ of 512 codes", printed)
    rows = re.findall(r"up to +(\d+) × \d+ +(\d+\.\d\d) dB, perplexity +\d+, +\d+ codes among (\d+) tokens", printed)
    tiles_of_the_cat = (300 // 32) * (451 // 32)
    assert [(int(side), int(words)) for side, _, words in rows] == [
        (1, tiles_of_the_cat), (2, 4 * tiles_of_the_cat), (8, 64 * tiles_of_the_cat)]
    assert rows[-1][1] in printed.splitlines()[0]
    assert load(tmp_path / "model.safetensors").quantize.sizes == ((1, 1), (2, 2), (8, 8))


def test_interrupting_the_command_line_keeps_what_was_learnt(tmp_path):
    command = [sys.executable, "-m", "vqlab.train", "photos", "--seconds", "600", "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,  # a job in a shell's background
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:  # ignores it
        try:
            seen = b""
            while b"step " not in seen:  # the bar names the step once training runs
                chunk = os.read(process.stderr.fileno(), 4096)
                assert chunk, seen.decode()
                seen += chunk
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 0 and b"what was learnt is kept" in stderr and b"held-out cat" in stdout
    assert load(tmp_path / "model.safetensors").vocab_size == 512


@pytest.mark.parametrize("arguments, message", [
    (["photos", "--seconds", "0", "--out", "x"], "seconds above 0, got 0"),
    (["cats", "--out", "x"], "expected photos, digits or a folder of pictures, got cats: no such folder"),
    (["photos"], "required: --out"),
    (["photos", "--patch-nums", "2", "1", "--out", "x"], "photos: expected patch_nums to be increasing"),
    (["photos", "--patch-nums", "1", "500", "--out", "x"], "photos: expected pictures of at least 2000 × 2000"),
    (["photos", "--channels", "1", "--out", "x"], "photos: expected --channels 3 for photos, got 1"),
    (["digits", "--size", "18", "--out", "x"], "digits: expected --size to be a multiple of 4, got 18"),
    (["digits", "--size", "32", "--patch-nums", "1", "4", "--out", "x"], "expected --size 16, 4 times the last"),
    (["digits", "--channels", "2", "--out", "x"], "invalid choice: 2"),
])
def test_command_line_says_what_is_wrong(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_an_unwritable_folder_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SystemExit):
        main(["photos", "--seconds", "60", "--out", str(tmp_path / "file")])
    assert "expected a folder that can be written" in capsys.readouterr().err


def test_command_line_trains_digits_and_their_prior(tmp_path, capsys):
    assert main(["digits", "--seconds", "4", "--seed", "1", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "0.80/0.80 s" in shown.err and "3.2/3.2 s" in shown.err  # a fifth for the tokenizer
    assert re.search(r"297 held-out digits come back at \d+\.\d\d dB, perplexity \d+, \d+ of 64 codes", shown.out)
    assert {file.name for file in tmp_path.iterdir()} == {"model.safetensors", "rebuilt.png", "var.safetensors",
                                                          "samples.png"}
    model, var = load(tmp_path / "model.safetensors"), load(tmp_path / "var.safetensors")
    assert isinstance(var, VAR) and var.num_classes == 10 and not var.training
    assert all(torch.equal(value, var.tokenizer.state_dict()[name]) for name, value in model.state_dict().items())
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.size == (10 * 48, 10 * 48)  # 10 a class, 16 pixels thrice as large


def test_a_very_short_training_shows_its_seconds(tmp_path, capsys):
    main(["photos", "--seconds", "0.4", "--out", str(tmp_path)])
    assert "/0.40 s" in capsys.readouterr().err


@pytest.fixture
def pictures(tmp_path):
    """Bright and dark pictures in two classes: RGB, grey, RGBA, turned by EXIF, all of other sizes; one is broken."""
    folder = tmp_path / "pictures"
    random = np.random.default_rng(0)
    for name, low, high in (("bright", 150, 256), ("dark", 0, 100)):
        (folder / name).mkdir(parents=True)
        for number, (mode, shape) in enumerate([("RGB", (40, 60, 3)), ("L", (64, 33)), ("RGBA", (20, 20, 4))] * 4):
            pixels = np.full(shape, random.integers(low, high), np.uint8)
            if mode == "RGBA":
                pixels[..., 3] = 255
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.zeros((32, 64, 3), np.uint8)
    turned[:, :32] = 80
    Image.fromarray(turned).save(folder / "dark" / "turned.jpg", exif=exif, quality=95)
    (folder / "dark" / "broken.png").write_bytes(b"\x89PNG no picture")
    (folder / "notes.txt").write_text("not a picture, and not said to be one")
    return folder


def test_command_line_trains_a_folder_and_its_prior(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(pictures), "--seconds", "5", "--size", "16", "--prior", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert re.search(r"skipped: .*broken\.png", shown.err) and shown.err.count("skipped") == 1
    assert "25 pictures of 2 classes: bright, dark; 2 held out" in shown.err
    assert re.search(r"2 held-out pictures come back at \d+\.\d\d dB, perplexity \d+, \d+ of 128 codes", shown.out)
    var = load(out / "var.safetensors")
    assert var.lengths == [1, 2**2, 4**2] and var.tokenizer.in_channels == 3
    images = var.generate(torch.tensor([0, 1]).repeat_interleave(8), generator=torch.Generator().manual_seed(0))
    assert images.shape == (16, 3, 16, 16)
    with Image.open(out / "samples.png") as sheet:
        assert sheet.size == (10 * 48, 2 * 48)


def test_a_folders_batches_hold_each_picture_with_its_class(pictures):
    source = open_source(str(pictures), size=16, patch_nums=(1, 2, 4), prior=True)
    images, labels = next(source.batches)
    assert source.classes == ["bright", "dark"] and images.shape == (32, 3, 16, 16)
    assert ((images.mean(dim=(1, 2, 3)) < 0) == (labels == 1)).all() and 0 < labels.sum() < 32
    seen = {image.numpy().tobytes() for _ in range(20) for image in next(source.batches)[0]}
    assert not seen & {image.numpy().tobytes() for image in source.judged}  # held out


def test_command_line_trains_a_folder_of_one_class_in_grey(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(pictures / "bright"), "--seconds", "2", "--channels", "1", "--patch-nums", "1", "2", "4",
                 "--out", str(out)]) == 0
    assert "12 pictures of 1 classes: bright; 1 held out" in capsys.readouterr().err
    model = load(out / "model.safetensors")
    assert model.in_channels == 1 and model.vocab_size == 512 and model.quantize.sizes == ((1, 1), (2, 2), (4, 4))
    assert not (out / "var.safetensors").exists()


def test_a_folder_without_pictures_is_said(pictures, tmp_path, capsys):
    for file in pictures.rglob("*.png"):
        file.write_bytes(b"broken")
    (pictures / "dark" / "turned.jpg").unlink()
    with pytest.raises(SystemExit):
        main([str(pictures), "--out", str(tmp_path / "out")])
    message = capsys.readouterr().err
    assert "expected at least one picture" in message and "broken.png" in message


def test_only_the_first_1500_digits_are_trained_on():
    source = open_source("digits", prior=True)
    images, labels = digits()
    assert torch.equal(source.judged, images[1500:])
    known = {image.numpy().tobytes(): int(label) for image, label in zip(images[:1500], labels, strict=False)}
    for _ in range(20):
        batch, named = next(source.batches)
        pairs = list(zip(batch, named, strict=True))
        assert all(known[image.numpy().tobytes()] == int(label) for image, label in pairs[16:])
        for image, label in pairs[:16]:  # jittered: its like is among the 1500, under that label
            nearest = (images[:1500] - image).square().mean(dim=(1, 2, 3)).argsort()[:5]
            assert label in labels[nearest]


def test_scales_of_a_source():
    assert open_source("photos").patch_nums is None
    assert open_source("photos", prior=True).patch_nums == (1, 2, 4, 8, 16)
    assert open_source("digits").patch_nums == (1, 2, 3, 4)
    assert open_source("digits", size=24).patch_nums == (1, 2, 4, 6)
    assert next(open_source("photos", patch_nums=(1, 3)).batches)[0].shape == (8, 3, 12, 12)
