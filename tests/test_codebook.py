import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vqlab import Codebook, EMACodebook, VectorQuantizer2, kmeans, nearest_code, nearest_code_by_cosine
from vqlab.codebook import _Scores, _winner


@pytest.fixture(autouse=True, scope="module", params=["small", "large"])
def size(request):
    """Every test twice, with the kernels of a small search and with those of a large one (see `vqlab.codebook`)."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "large":
            patch.setattr("vqlab.codebook._CONVOLVE", (1, 1))
            patch.setattr("vqlab.codebook._COMPARE_ALL", 0)
        yield


def brute_force(z, codebook):
    """float64, the plain formula, lowest index on ties: an oracle that shares nothing with the search."""
    return torch.stack([(vector - codebook.double()).square().sum(dim=1).argmin() for vector in z.double()])


def random_vectors(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 40), k=st.integers(1, 30), d=st.integers(1, 9), seed=st.integers(0, 2**31),
       offset=st.sampled_from([0.0, 1.0, 1e3, 1e5]), spread=st.sampled_from([1e-4, 1.0, 1e4]))
def test_nearest_code_is_brute_force_in_float64(n, k, d, seed, offset, spread):
    vectors = random_vectors(seed, n + k, d) * spread + offset
    z, codebook = vectors[:n], vectors[n:]
    assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))


@st.composite
def searches_meant_to_fail(draw):
    """z (N, D) and a codebook (K, D) where rounding decides: near ties, duplicates, far or tiny values, any K."""
    n, d = draw(st.integers(1, 20)), draw(st.integers(1, 9))
    k = draw(st.one_of(st.integers(1, 70), st.sampled_from([127, 128, 1009, 1024, 1031])))
    seed = draw(st.integers(0, 2**31))
    z, codebook = random_vectors(seed, n, d), random_vectors(seed + 1, k, d)
    arrangement = draw(st.sampled_from(["anywhere", "one ulp apart", "mirrored", "on a sphere", "duplicates",
                                        "z itself"]))
    if arrangement == "one ulp apart":
        steps = random_vectors(seed + 2, k, d).sign()
        codebook = torch.nextafter(codebook[:1].expand(k, d), codebook[:1] + steps)
    elif arrangement == "mirrored":  # exact ties in exact arithmetic, half of them rounded away
        codebook = torch.cat([codebook, -codebook])[random_vectors(seed + 2, 2 * k).argsort()]
        z = z * draw(st.sampled_from([0.0, 1e-7]))
    elif arrangement == "on a sphere":
        codebook, z = torch.nn.functional.normalize(codebook), z * 1e-6
    elif arrangement == "duplicates":
        codebook = codebook[random_vectors(seed + 2, k).argsort() // 3]
    elif arrangement == "z itself":
        codebook = z[torch.arange(k) % n] * (1 + 2.0**-23)
    scale = draw(st.sampled_from([1.0, 1e4, 1e15, 1e-3, 1e-18, 1e-20, 1e-23, 1e-38, 1e-43]))  # the last is denormal
    offset = draw(st.sampled_from([0.0, 0.0, 1.0, -1e3, 1e5])) * min(scale, 1)
    dtype = draw(st.sampled_from([torch.float32, torch.float32, torch.float64]))
    return z.to(dtype) * scale + offset, codebook.to(dtype) * scale + offset


@settings(max_examples=400, deadline=None)
@given(searches_meant_to_fail())
def test_nearest_code_is_brute_force_where_rounding_decides(search):
    z, codebook = search
    assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))


def test_nearest_code_far_from_the_origin_where_the_bare_expansion_fails():
    z, codebook = random_vectors(0, 500, 8) + 1000, random_vectors(1, 64, 8) + 1000
    bare = (codebook.square().sum(1) - 2 * z @ codebook.T).argmin(dim=1)
    truth = brute_force(z, codebook)
    assert (bare != truth).float().mean() > 0.02  # the case is a hard one
    assert torch.equal(nearest_code(z, codebook), truth)


def test_codes_that_differ_only_by_rounding():
    z = torch.zeros(1, 8)  # its own mean: only the codes' lengths say how much a score may be off
    for seed in range(40):
        codebook = torch.nn.functional.normalize(random_vectors(seed, 200, 8))  # all at distance 1, to 1e-7
        assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))


@pytest.mark.parametrize("outlier", [8e5, 1e9])
def test_one_exploded_code_does_not_blur_the_others(outlier):
    z, codebook = random_vectors(0, 300, 8), random_vectors(1, 64, 8)
    codebook[5] = outlier
    assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))


def test_ties_go_to_the_lowest_index():
    codebook = torch.tensor([[9.0], [1.0], [-1.0], [1.0]])
    assert nearest_code(torch.tensor([[0.0], [1.0], [-3.0]]), codebook).tolist() == [1, 1, 2]
    assert nearest_code(random_vectors(0, 50, 3), torch.ones(8, 3)).eq(0).all()


def test_a_code_is_nearest_to_itself():
    codebook = random_vectors(2, 100, 16)
    assert torch.equal(nearest_code(codebook, codebook), torch.arange(100))


def test_answer_does_not_depend_on_the_chunks(monkeypatch):
    z, codebook = random_vectors(0, 300, 8), random_vectors(1, 40, 8)
    codebook[20:] = codebook[:20]  # every nearest code is a tie: the short list has two entries a row
    whole = nearest_code(z, codebook)
    monkeypatch.setattr("vqlab.codebook._CHUNK", {"cpu": 64})
    assert torch.equal(nearest_code(z, codebook), whole)
    assert whole.max() < 20


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_answer_survives_fast_matrix_products(precision):
    z, codebook = random_vectors(0, 200, 16), random_vectors(1, 64, 16)
    try:
        torch.set_float32_matmul_precision(precision)
        assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("kernel", [torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv])
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_answer_survives_fast_kernels(kernel, precision):
    z, codebook = random_vectors(0, 200, 16), random_vectors(1, 64, 16)
    try:
        kernel.fp32_precision = precision
        assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))
    finally:
        kernel.fp32_precision = "ieee"


def test_large_search_without_onednn(monkeypatch):
    z, codebook = random_vectors(0, 3001, 16), random_vectors(1, 700, 16)  # 2.1 million scores
    found = nearest_code(z, codebook)
    assert torch.equal(found, brute_force(z, codebook))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert torch.equal(nearest_code(z, codebook), found)


def test_answer_survives_autocast_and_half_precision_input():
    z, codebook = random_vectors(0, 200, 16), random_vectors(1, 64, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(nearest_code(z, codebook), brute_force(z, codebook))
    for dtype in (torch.float16, torch.bfloat16):
        half = z.to(dtype)
        assert torch.equal(nearest_code(half, codebook), brute_force(half, codebook))


# Peak of what a process holds, in MB, beyond inputs and results: VmHWM is the kernel's own count.
PEAK = """
import sys, torch
from vqlab import nearest_code
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
torch.set_num_threads(1)
z, codebook = torch.randn({n}, {d}), torch.randn({k}, {d})
codebook[:] = {codes}
nearest_code(torch.randn(9, {d}), torch.ones(9, {d}))  # what the libraries need once, for ties too
result = z.new_ones({n}, dtype=torch.int64)
before = peak()
result[:] = nearest_code(z, codebook)
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("n, k, d, codes", [(20_000, 2_000, 8, "codebook"), (64, 262_144, 32, "codebook"),
                                            (2_000, 512, 64, "codebook[0]")])  # the last: nothing but ties
def test_memory_stays_bounded(n, k, d, codes):
    run = subprocess.run([sys.executable, "-c", PEAK.format(n=n, k=k, d=d, codes=codes)], capture_output=True,
                         text=True, check=True)
    assert float(run.stdout) < 64  # N × K float32 would be 160 MB in the first case


def test_nothing_in_the_loop_waits_for_the_device():
    z, codebook = torch.empty(500, 8, device="meta"), torch.empty(70, 8, device="meta")  # shapes only: nothing to ask
    index, lead = _winner(*_Scores(z, codebook)(z[:100]))
    assert index.shape == lead.shape == (100,)
    with pytest.raises(RuntimeError):  # its results are asked for, once, behind the loop
        nearest_code(z, codebook)
    learner = EMACodebook(70, 8).to("meta")
    learner.observe(z[:100], index)  # and without restarts, learning from them asks for nothing


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision", ["highest", "high"])
def test_search_on_cuda_is_exact_and_bounded(precision):
    z, codebook = random_vectors(0, 20_000, 32) + 100, random_vectors(1, 5_001, 32) + 100
    codebook[3000:] = codebook[:2001]
    expected = nearest_code(z, codebook)
    on_cuda = z.cuda(), codebook.cuda()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    try:
        torch.set_float32_matmul_precision(precision)
        found = nearest_code(*on_cuda)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found.is_cuda and torch.equal(found.cpu(), expected)
    assert torch.cuda.max_memory_allocated() - before < 64 * 2**20


@pytest.mark.parametrize("z, codebook, error, message", [
    (torch.zeros(3), torch.zeros(2, 3), ValueError, r"z \(N, D\) and codebook \(K, D\), got \(3,\) and \(2, 3\)"),
    (torch.zeros(4, 2), torch.zeros(2, 3), ValueError, r"got \(4, 2\) and \(2, 3\)"),
    (torch.zeros(0, 3), torch.zeros(2, 3), ValueError, "at least one vector"),
    (torch.zeros(4, 3), torch.zeros(0, 3), ValueError, "at least one vector and one code"),
    (torch.zeros(4, 3, dtype=torch.int64), torch.zeros(2, 3), TypeError, "floating point"),
    (torch.full((4, 3), torch.nan), torch.zeros(2, 3), ValueError, "NaN"),
    (torch.zeros(4, 3), torch.full((2, 3), torch.inf), ValueError, "Inf"),
    (torch.full((4, 3), 1e30), torch.zeros(2, 3), ValueError, "overflow"),
])
def test_nearest_code_says_what_is_wrong(z, codebook, error, message):
    with pytest.raises(error, match=message):
        nearest_code(z, codebook)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 40), k=st.integers(1, 30), d=st.integers(1, 9), seed=st.integers(0, 2**31),
       stretch=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]))
def test_cosine_search_finds_the_largest_cosine_whatever_the_lengths(n, k, d, seed, stretch):
    z, codebook = random_vectors(seed, n, d), random_vectors(seed + 1, k, d)
    cosines = torch.nn.functional.cosine_similarity(z.double()[:, None], codebook.double(), dim=2)  # (N, K)
    lengths = random_vectors(seed + 2, k, 1).abs() + 0.1
    found = nearest_code_by_cosine(z * stretch, codebook * lengths)
    assert torch.allclose(cosines.gather(1, found[:, None])[:, 0], cosines.amax(dim=1), atol=1e-6)


def test_cosine_and_euclid_differ_and_agree_on_equal_lengths():
    codebook = torch.tensor([[5.0, 0.5], [1.0, 1.0]])
    assert nearest_code(torch.tensor([[1.0, 0.1]]), codebook).item() == 1
    assert nearest_code_by_cosine(torch.tensor([[1.0, 0.1]]), codebook).item() == 0
    z, units = random_vectors(0, 300, 8), torch.nn.functional.normalize(random_vectors(1, 64, 8))
    assert torch.equal(nearest_code_by_cosine(z, units), nearest_code(torch.nn.functional.normalize(z), units))


def test_cosine_of_zero_vectors_counts_as_zero():
    codebook = torch.tensor([[0.0, 0.0], [1.0, 0.2], [0.0, 1.0]])
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, -1.0]])
    assert nearest_code_by_cosine(z, codebook).tolist() == [0, 1, 0]
    # 80° from the first code still counts for more than a code with no direction; 100° does not
    codebook = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    for degrees, index in ((80, 0), (100, 1)):
        angle = torch.deg2rad(torch.tensor(degrees))
        assert nearest_code_by_cosine(torch.stack([angle.sin(), angle.cos()])[None], codebook).item() == index


def test_cosine_search_says_what_is_wrong_and_survives_half_precision():
    with pytest.raises(TypeError, match="floating point"):
        nearest_code_by_cosine(torch.zeros(4, 3, dtype=torch.int64), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"got \(4, 2\) and \(2, 3\)"):
        nearest_code_by_cosine(torch.zeros(4, 2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="NaN"):
        nearest_code_by_cosine(torch.full((4, 3), torch.inf), torch.ones(2, 3))
    z, codebook = random_vectors(0, 200, 16), random_vectors(1, 64, 16)
    for dtype in (torch.float16, torch.bfloat16):
        half = z.to(dtype)
        assert torch.equal(nearest_code_by_cosine(half, codebook), nearest_code_by_cosine(half.float(), codebook))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = nearest_code_by_cosine(z, codebook)
    assert torch.equal(under, nearest_code_by_cosine(z, codebook))


@pytest.mark.parametrize("kind", [Codebook, EMACodebook])
def test_a_cosine_codebook_looks_the_unnormalised_code_up(kind):
    codebook = kind(2, 2, metric="cosine")
    with torch.no_grad():
        codebook.weight.copy_(torch.tensor([[5.0, 0.5], [1.0, 1.0]]))
    indices = codebook.search(torch.tensor([[1.0, 0.1], [0.1, 0.1]]))
    assert codebook(indices).tolist() == [[5.0, 0.5], [1.0, 1.0]]
    with pytest.raises(ValueError, match="metric out of euclidean, cosine, got 'dot'"):
        kind(2, 2, metric="dot")


def test_kmeans_is_as_good_as_scikit_learns():
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_digits
    data = torch.from_numpy(load_digits().data).float()
    centres = kmeans(data, 20, iterations=50, generator=torch.Generator().manual_seed(0))
    inertia = (data - centres[nearest_code(data, centres)]).square().sum().item()
    theirs = KMeans(20, n_init=1, random_state=0).fit(data.numpy()).inertia_
    assert inertia < 1.05 * theirs


def test_kmeans_finds_separate_clusters_and_refuses_too_few_vectors():
    corners = torch.tensor([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    data = corners.repeat(5, 1)
    found = kmeans(data, 3, generator=torch.Generator().manual_seed(0))
    assert sorted(found.tolist()) == corners.tolist()
    with pytest.raises(ValueError, match="N >= 4"):
        kmeans(corners, 4)


@pytest.mark.parametrize("kind", [Codebook, EMACodebook])
def test_codebook_starts_from_kmeans_once(kind):
    data = torch.tensor([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]]).repeat(5, 1)
    codebook = kind(3, 2, kmeans_start=True)
    codebook.start(data)
    assert sorted(codebook.weight.tolist()) == sorted(data[:3].tolist())
    codebook.start(data + 100)
    assert codebook.weight.max() == 9


def test_kmeans_start_with_fewer_vectors_than_codes():
    codebook = EMACodebook(8, 2, kmeans_start=True)
    codebook.start(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert set(map(tuple, codebook.weight.tolist())) == {(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)}


def test_ema_fixed_point_is_the_cluster_mean_from_the_first_step_on():
    data = random_vectors(0, 200, 4)
    codebook = EMACodebook(5, 4, decay=0.9)
    for _ in range(3):  # debiased: no slow crawl away from the start
        indices = torch.arange(200) % 5
        codebook.observe(data, indices)
        means = torch.stack([data[indices == k].mean(dim=0) for k in range(5)])
        assert torch.allclose(codebook.weight, means, atol=1e-5)


def test_ema_is_the_recurrence_of_the_paper():
    first, second = random_vectors(0, 6, 2), random_vectors(1, 4, 2)
    codebook = EMACodebook(2, 2, decay=0.75)
    codebook.observe(first, torch.tensor([0, 0, 0, 0, 1, 1]))
    codebook.observe(second, torch.tensor([0, 0, 0, 1]))
    # n = .75 × .25 × 4 + .25 × 3 and so on; the common factor .25 cancels in m / n
    expected = (0.75 * first[:4].sum(0) + second[:3].sum(0)) / (0.75 * 4 + 3)
    assert torch.allclose(codebook.weight[0], expected, atol=1e-6)


def test_a_code_nobody_chose_stays_where_it_is():
    codebook = EMACodebook(3, 2)
    before = codebook.weight[2].clone()
    for _ in range(500):
        codebook.observe(random_vectors(0, 20, 2), torch.arange(20) % 2)
    assert torch.equal(codebook.weight[2], before)


@pytest.mark.parametrize("kind", [Codebook, EMACodebook])
def test_a_revived_code_survives_the_step_and_the_next(kind):
    torch.manual_seed(0)
    data = random_vectors(0, 64, 4)
    codebook = kind(8, 4, restart_below=0.1)
    with torch.no_grad():
        codebook.weight[0] = 0
        codebook.weight[1:] = 1e3  # seven dead codes, far from every vector
    codebook.observe(data, codebook.search(data))
    revived = codebook.weight[1:].clone()
    for code in revived:
        assert (data == code).all(dim=1).any()  # each sits on a vector of the batch
    codebook.observe(data, torch.zeros(64, dtype=torch.int64))  # a step in which nobody chooses them
    assert torch.allclose(codebook.weight[1:], revived, rtol=1e-5)
    chosen = codebook.search(data).unique()
    assert len(chosen) > 4


def test_observing_needs_a_training_quantizer():
    vq = VectorQuantizer2(8, 4, codebook=EMACodebook(8, 4))
    z_e = random_vectors(0, 2, 4, 3, 3)
    state = {name: value.clone() for name, value in vq.state_dict().items()}
    vq.eval()(z_e)
    vq.train().encode(z_e)
    assert all(torch.equal(value, state[name]) for name, value in vq.state_dict().items())
    vq(z_e)
    assert not torch.equal(vq.embedding.weight, state["embedding.weight"])


@pytest.mark.parametrize("arguments", [dict(num_embeddings=0), dict(embedding_dim=0), dict(decay=1.0)])
def test_codebook_says_what_is_wrong(arguments):
    with pytest.raises(ValueError, match="expected .* got"):
        EMACodebook(**{"num_embeddings": 4, "embedding_dim": 2, **arguments})


def test_codebook_is_a_module_whose_gradient_reaches_only_the_chosen_codes():
    codebook = Codebook(4, 2)
    codebook(torch.tensor([1, 1])).sum().backward()
    assert codebook.weight.grad.tolist() == [[0, 0], [2, 2], [0, 0], [0, 0]]
    assert isinstance(codebook.weight, nn.Parameter)
