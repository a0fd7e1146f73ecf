import struct
import zlib
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vqlab import (
    EMAVectorQuantizer,
    FiniteScalarQuantizer,
    SimpleVQVAE,
    TokenContext,
    bits,
    bundled_model,
    compress,
    crops,
    decompress,
    fit,
    held_out_photo,
    load,
    pack,
    photos,
    psnr,
    save,
    to_uint8,
    tokens_of,
    unpack,
)
from vqlab.bundle import PATH
from vqlab.codec import correct_colours, fit_colours
from vqlab.codec.__main__ import main
from vqlab.context import bits_of

HEADER = 16 + 12  # bytes


@cache
def untrained(num_embeddings=23, channels=3, seed=0):
    torch.manual_seed(seed)
    context = TokenContext(num_embeddings, embedding_dim=4, hidden=8)
    with torch.no_grad():
        for parameter in context.parameters():
            parameter *= 2  # opinions
    return SimpleVQVAE(num_embeddings, 4, in_channels=channels, hidden=8, blocks=1, context=context).eval()


@pytest.fixture(scope="module")
def trained():
    """A small model that has seen photographs for a few seconds."""
    torch.manual_seed(0)
    model = SimpleVQVAE(64, 8, hidden=16, blocks=1, quantizer=EMAVectorQuantizer(64, 8), context=TokenContext(64))
    for _ in fit(model, crops(photos(), generator=torch.Generator().manual_seed(0)), steps=800):
        pass
    return model


def picture(height, width, channels=3, seed=0):
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@given(st.integers(1, 33), st.integers(1, 33), st.sampled_from([1, 2, 3, 23, 64, 300]), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_tokens_come_back_exactly(height, width, num_embeddings, seed):
    model = untrained(num_embeddings)
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randint(num_embeddings, (-(-height // 4), -(-width // 4)), generator=random)
    again, size = unpack(model, pack(model, tokens, (height, width)))
    assert torch.equal(again, tokens) and again.dtype == torch.int64 and size == (height, width)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
@settings(max_examples=20, deadline=None)
def test_a_picture_of_any_size_comes_back_as_its_tokens_draw_it(height, width, channels):
    model, image = untrained(channels=channels), picture(height, width, channels)
    data = compress(model, image)
    tokens, size = unpack(model, data)
    assert torch.equal(tokens, tokens_of(model, image)) and size == (height, width)
    back = decompress(model, data)
    drawn = model.idxBl_to_img([tokens.view(1, -1)], size=(4 * tokens.shape[0], 4 * tokens.shape[1]))
    drawn = drawn[:, :, :height, :width]
    assert back.shape == image.shape
    assert torch.equal(decompress(model, pack(model, tokens, size)), drawn)  # no correction
    assert (back - image).square().mean() <= (drawn - image).square().mean()


def test_colours_are_corrected_by_least_squares():
    drawn = picture(20, 30)
    mix = torch.tensor([[0.25, -0.125, 0.0625], [0, 0.125, 0.25], [0.0625, 0, -0.25]])
    shift = torch.tensor([0.125, -0.0625, 0.25])
    image = drawn + torch.einsum("cd,bdhw->bchw", mix, drawn) + shift[:, None, None]
    colours = fit_colours(drawn, image)
    assert colours.dtype == torch.int8 and colours.shape == (3, 4)
    assert (colours / 256 - torch.cat([mix, shift[:, None]], dim=1)).abs().max() < 0.005
    assert (correct_colours(drawn, colours) - image).square().mean() < 1e-4 * (drawn - image).square().mean() + 1e-5
    # of one colour alone only the shift is known, and nothing blows up
    flat = torch.full((1, 3, 4, 4), 0.5)
    assert (correct_colours(flat, fit_colours(flat, flat - 0.1)) - flat + 0.1).abs().max() < 0.01
    assert fit_colours(flat, flat + 100).max() == 127


def test_without_a_rate_weight_tokens_are_the_nearest_codes():
    model, image = untrained(), picture(24, 36)
    assert torch.equal(tokens_of(model, image).flatten(), model.img_to_idxBl(image)[0][0])


def test_a_larger_rate_weight_trades_bits_for_distance(trained):
    cat = held_out_photo()
    weights = trained.quantize.embedding.weight
    z_e = trained.encoder(cat)[0].flatten(1).T
    bytes_, distances = [], []
    for rate_weight in (0, 1e-9, 1e-3, 1e-2, 1e-1, 1e9):
        tokens = tokens_of(trained, cat, rate_weight=rate_weight)
        bytes_.append(len(pack(trained, tokens)))
        distances.append((z_e - weights[tokens.flatten()]).square().mean().item())
    assert bytes_[0] == bytes_[1] and bytes_[1] > bytes_[2] > bytes_[3] > bytes_[4] > bytes_[5]
    assert distances[0] == distances[1] < distances[2] < distances[3] < distances[4] < distances[5]


def test_the_search_beats_the_nearest_codes_and_one_that_does_not_look_ahead(trained):
    image, rate_weight = held_out_photo()[..., :120, :160], 0.02
    squares = torch.cdist(trained.encoder(image)[0].flatten(1).T, trained.quantize.embedding.weight).square()
    context = trained.context.integer()
    margined = context.blank(30, 40)
    number = context.blank(30, 40)
    context.inside(number)[:] = np.arange(1200).reshape(30, 40)
    for places, frequencies in context.wave(margined):
        here = squares[number.ravel()[places]].detach().numpy()
        margined.ravel()[places] = (here + rate_weight * bits_of(frequencies)).argmin(axis=1)
    greedy = torch.from_numpy(context.inside(margined).copy())

    def cost(tokens):
        distance = squares.gather(1, tokens.view(-1, 1)).sum()
        return (distance + rate_weight * bits(trained, tokens).sum()).item()
    found = cost(tokens_of(trained, image, rate_weight=rate_weight))
    assert found < 0.99 * min(cost(greedy), cost(tokens_of(trained, image)))


def test_a_rate_weight_wants_distances():
    model = SimpleVQVAE(30, 2, hidden=8, blocks=1, quantizer=FiniteScalarQuantizer([6, 5]), context=TokenContext(30))
    with pytest.raises(ValueError, match="Euclidean distance, got FiniteScalarQuantizer"):
        compress(model, picture(8, 8), rate_weight=0.1)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="rate_weight of 0 or more"):
            compress(untrained(), picture(8, 8), rate_weight=wrong)


def test_command_line(trained, tmp_path, capsys):
    path, picture_path, file, back = (tmp_path / name for name in ("m.safetensors", "cat.png", "cat.vqt", "back.png"))
    save(trained, path)
    image = held_out_photo()[..., :50, :71]
    Image.fromarray(to_uint8(image[0])).save(picture_path)
    assert main(["compress", str(path), str(picture_path), str(file), "--rate-weight", "0.01"]) == 0
    data = compress(trained, image, rate_weight=0.01)
    assert file.read_bytes() == data
    decibels = psnr(decompress(trained, data), image).item()
    says = f"{len(data)} bytes, {8 * len(data) / 3550:.3f} bits per pixel, {decibels:.2f} dB"
    assert says in capsys.readouterr().out
    assert main(["decompress", str(path), str(file), str(back)]) == 0
    assert "back.png: 71 × 50 pixels" in capsys.readouterr().out
    assert np.array_equal(np.asarray(Image.open(back)), to_uint8(decompress(trained, data)[0]))


@pytest.mark.parametrize("arguments, message", [
    (["decompress", "cat.jpg", "back.png"], "starts with b'vqt1'"),
    (["compress", "nowhere.png", "cat.vqt"], "nowhere.png"),
    (["compress", "cat.jpg", "cat.vqt", "--rate-weight", "-1"], "rate_weight of 0 or more, got -1"),
    (["compress", "nowhere.safetensors", "cat.jpg", "cat.vqt"], "nowhere.safetensors: no such file"),
])
def test_command_line_says_what_is_wrong(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 20)).save("cat.jpg")
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err and not (tmp_path / "cat.vqt").exists()


def test_the_bundled_model():
    model, cat = bundled_model(), held_out_photo()
    assert PATH.stat().st_size < 1_000_000 and model.vocab_size == 512 and not model.training
    data = compress(model, cat)
    assert psnr(decompress(model, data), cat) > 30.5 and 8 * len(data) / cat[0, 0].numel() < 0.4
    smaller = compress(model, cat, rate_weight=0.005)
    assert len(smaller) < 0.9 * len(data) and psnr(decompress(model, smaller), cat) > 30


def test_edges_are_repeated():
    model, image = untrained(), picture(5, 6)
    filled = torch.cat([image, image[:, :, -1:].expand(-1, -1, 3, -1)], dim=2)
    filled = torch.cat([filled, filled[..., -1:].expand(-1, -1, -1, 2)], dim=3)
    assert torch.equal(tokens_of(model, image), tokens_of(model, filled))


def test_every_code_can_be_written():
    model = untrained(300)
    tokens = torch.arange(300).view(15, 20)
    assert torch.equal(unpack(model, pack(model, tokens))[0], tokens)


def test_a_file_is_as_long_as_its_bits_say():
    model = untrained(300)
    tokens = torch.randint(300, (40, 50), generator=torch.Generator().manual_seed(0))
    length = bits(model, tokens).sum().item() / 8
    assert abs(len(pack(model, tokens)) - HEADER - length) < 4 + 0.002 * length


def test_context_pays(trained):
    tokens = tokens_of(trained, held_out_photo())
    assert bits(trained, tokens).mean() < 6  # log₂ 64


def test_a_file_outlives_saving_and_loading(trained, tmp_path):
    data = compress(trained, held_out_photo())
    save(trained, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert compress(again, held_out_photo()) == data
    assert torch.equal(decompress(again, data), decompress(trained, data))


def test_the_encoder_may_change():
    model, tokens = untrained(), torch.randint(23, (4, 4))
    torch.manual_seed(9)
    other = SimpleVQVAE(23, 4, hidden=8, blocks=1, context=untrained().context)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        other.encoder[1].weight += 1
    assert torch.equal(unpack(other, pack(model, tokens))[0], tokens)
    with torch.no_grad():
        other.decoder[0].weight[0, 0, 0, 0] += 1
    with pytest.raises(ValueError, match="expected a file of model [0-9a-f]{8}, got one of [0-9a-f]{8}"):
        unpack(other, pack(model, tokens))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_is_said(data):
    model = untrained()
    whole = pack(model, torch.arange(48).view(6, 8) % 23)
    how = data.draw(st.sampled_from(["flip", "cut", "append"]))
    if how == "flip":
        place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
    elif how == "cut":
        damaged = whole[:data.draw(st.integers(0, len(whole) - 1))]
    else:
        damaged = whole + data.draw(st.binary(min_size=1, max_size=9))
    with pytest.raises(ValueError, match="expected a (whole )?file of vqlab.compress"):
        unpack(model, bytes(damaged))


def sealed(header, payload):
    return header + struct.pack("<I", zlib.crc32(header + payload)) + payload


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_forged_file_gives_some_tokens_or_an_error(payload):
    model = untrained()
    header = pack(model, torch.zeros(6, 8, dtype=torch.int64))[:12]
    try:
        tokens, _ = unpack(model, sealed(header, payload))
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert tokens.shape == (6, 8) and 0 <= tokens.min() and tokens.max() < 23


def test_a_forged_size_is_not_believed():
    model = untrained()
    header = pack(model, torch.zeros(1, 1, dtype=torch.int64))[:8]
    for size in ((0, 4), (60000, 60000)):
        with pytest.raises(ValueError, match=f"expected 1 to .* pixels, got {size[0]} × {size[1]}"):
            unpack(model, sealed(header + struct.pack("<HH", *size), bytes(16)))


@pytest.mark.parametrize("foreign", [b"", b"vqt", b"\xff\xd8\xff\xe0 a JPEG, let us say", b"vqt1"])
def test_foreign_files(foreign):
    with pytest.raises(ValueError, match=rf"starts with b'vqt1', got {len(foreign)} bytes"):
        decompress(untrained(), foreign)


def test_what_cannot_be_written():
    model = untrained()
    without = SimpleVQVAE(16, 4, hidden=8, blocks=1)
    for call in (lambda: compress(without, picture(8, 8)), lambda: unpack(without, b"")):
        with pytest.raises(ValueError, match="expected a model with a context"):
            call()
    for wrong in (picture(0, 8), picture(8, 8)[0], torch.cat([picture(8, 8)] * 2), "cat.jpg"):
        with pytest.raises(ValueError, match=r"expected one picture \(1, 3, H, W\), got"):
            compress(model, wrong)
    with pytest.raises(ValueError, match="65535 pixels a side"):
        compress(model, torch.zeros(1, 3, 1, 65536))
    with pytest.raises(ValueError, match="expected images"):
        compress(model, picture(8, 8, channels=1))
    with pytest.raises(TypeError, match="uint8"):
        compress(model, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="expected 2 × 3 tokens for 7 × 9 pixels, got 2 × 2"):
        pack(model, torch.zeros(2, 2, dtype=torch.int64), (7, 9))
    with pytest.raises(ValueError, match="tokens in 0..22, got 0..23"):
        pack(model, torch.tensor([[0, 23]]))


def test_a_quantizer_without_codes_of_its_own():
    model = SimpleVQVAE(30, 2, hidden=8, blocks=1, quantizer=FiniteScalarQuantizer([6, 5]), context=TokenContext(30))
    image = picture(9, 10)
    assert torch.equal(unpack(model, compress(model, image))[0], tokens_of(model, image))


@pytest.mark.cuda
def test_files_are_the_same_on_a_gpu(trained, tmp_path):
    save(trained, tmp_path / "model.safetensors")
    there = load(tmp_path / "model.safetensors").cuda()
    data = compress(trained, held_out_photo())
    assert torch.equal(unpack(there, data)[0], unpack(trained, data)[0])
    tokens = tokens_of(there, held_out_photo().cuda())
    assert torch.equal(unpack(trained, compress(there, held_out_photo()))[0], tokens)
    torch.testing.assert_close(decompress(there, data).cpu(), decompress(trained, data), atol=1e-3, rtol=0)
