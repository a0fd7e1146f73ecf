"""The codebook: K code vectors, the search for the nearest one, and the ways in which codes learn and survive.

    z (N, D) --nearest_code--> indices (N,) --codebook(indices)--> codes (N, D)

`Codebook` learns by gradients, `EMACodebook` by a moving average. Both can start from k-means and revive dead
codes; any quantizer holds one of them. Under `torch.distributed` every process learns from the vectors of all.
"""

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

# Scores held at once, in float32: 8 MiB, which stay in a CPU's cache; 32 MiB on a GPU, whose kernels want more work.
_CHUNK = {"cpu": 2**21, "cuda": 2**23}
# Unit roundoff of a product, by the precision that torch.backends lets it have: float32, TF32, bfloat16.
_ROUNDOFF = {"none": 2.0**-24, "ieee": 2.0**-24, "tf32": 2.0**-10, "bf16": 2.0**-7}
# Rows and scores from which on a CPU makes the scores by convolution, see `_convolution`.
_CONVOLVE = 128, 2**20
# Float64 numbers up to which a vector that two codes come near is compared with every code.
_COMPARE_ALL = 2**18


@torch.no_grad()
def nearest_code(z: Tensor, codebook: Tensor) -> Tensor:
    """The index of the nearest code, argmin over k of ‖z_n − e_k‖², ties to the lowest index; exact and bounded.

    1. The expansion ‖z − e‖² = ‖z‖² + ‖e‖² − 2 z·e turns the search into one matrix product (‖z‖² is the same for
       every code, so it is left out). It is taken some rows at a time, so N × K numbers are never held.
    2. Looking through the product costs more than making it, if every score must carry its index. So: two levels.
       The codes form about √K groups. A first pass keeps the least score of each group and no index; of these few
       the least names the group, and of the group's few members the least names the code.
    3. The expansion rounds. Where the runner-up does not come within the rounding error of the best, the best is
       the nearest. The other rows, usually a few in a hundred, are settled by the plain formula in float64.

    The answer is that of brute force in float64, on any device, in any chunking, under any autocast.

    Args:
        z: (N, D) vectors, floating point.
        codebook: (K, D) code vectors.

    Returns:
        (N,) int64.

    Raises:
        ValueError: shapes do not fit, no vector, no code, or values that are not finite.
        TypeError: a dtype that is not floating point.
    """
    _check(z, codebook)
    with torch.autocast(z.device.type, enabled=False):
        scores_of = _Scores(z, codebook)
        indices = torch.empty(len(z), dtype=torch.int64, device=z.device)
        lead = torch.empty(len(z), device=z.device)
        for start in range(0, len(z), scores_of.step):  # all shapes are known beforehand: a GPU is never waited for
            rows = slice(start, start + scores_of.step)
            indices[rows], lead[rows] = _winner(*scores_of(z[rows]))
        if not (lead.amin() > -torch.inf) & (scores_of.longest.square() < torch.inf):
            raise ValueError("expected finite vectors and codes (below 1e18), got NaN, Inf or an overflow")

        close = (lead <= 0).nonzero().squeeze(1)
        if 0 < len(close) * codebook.numel() <= _COMPARE_ALL:  # too little work to choose candidates
            indices[close] = (z[close, None].double() - codebook.double()).square_().sum(dim=2).argmin(dim=1)
        elif len(close):
            for rows in close.split(scores_of.few):
                indices[rows] = _settle(z[rows], codebook, *scores_of(z[rows]))
        return indices


class _Scores:
    """(n, D) rows of z -> (n, size, groups) scores ½‖e‖² − z·e in float32, and (n,) by how much they may be off.

    Code k is member k // groups of group k % groups. The scores beyond K, which fill the last group up, are infinite.
    The next call may overwrite the scores of this one.
    """

    def __init__(self, z: Tensor, codebook: Tensor):
        num_codes, width = codebook.shape
        self.groups = min(num_codes, 32 * math.ceil(math.sqrt(num_codes) / 32))  # by 32: whole vector registers
        self.size = -(-num_codes // self.groups)
        self.origin = z.mean(dim=0, dtype=torch.float32)  # moving everything changes no distance; it rounds less
        self.minus_codes = torch.zeros(self.size * self.groups, width, dtype=torch.float32, device=z.device)
        torch.sub(self.origin, codebook, out=self.minus_codes[:num_codes])
        lengths = self.minus_codes.norm(dim=1)
        self.shortest, self.longest = lengths[:num_codes].aminmax()
        self.half_norms = lengths.square().mul_(0.5)
        self.half_norms[num_codes:] = torch.inf
        cpu, gpu = torch.backends.mkldnn, torch.backends.cuda
        kernels = (cpu.conv, cpu.matmul) if z.device.type == "cpu" else (gpu.matmul,)
        self.relative = (width + 8) * max(_ROUNDOFF[kernel.fp32_precision] for kernel in kernels)
        self.underflow = 4 * (width + 8) * torch.finfo(torch.float32).tiny
        rows = _CHUNK.get(z.device.type, _CHUNK["cpu"]) // num_codes
        self.step = min(len(z), max(16, rows))  # a product of fewer rows would do little but read the codes
        self.few = max(1, rows // 4)  # as many as can be settled at once: each may have K candidates, in float64
        least_rows, least_scores = _CONVOLVE
        self.convolves = (z.device.type == "cpu" and torch.backends.mkldnn.is_available()
                          and self.step >= max(least_rows, width) and self.step * num_codes >= least_scores)
        if not self.convolves:  # addmm writes here every time: in fresh memory the heap would grow by pieces
            self.buffer = torch.empty(self.step, len(self.half_norms), dtype=torch.float32, device=z.device)

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        centred = (z - self.origin).float()
        if self.convolves:
            scores = _convolution(centred, self.minus_codes, self.half_norms)
        else:
            scores = torch.addmm(self.half_norms, centred, self.minus_codes.t(), out=self.buffer[:len(z)])
        # The winner is no farther than the shortest code, so by the triangle inequality its own norm is at most
        # `reach`, and products of norms bound every rounding.
        norms = centred.norm(dim=1)
        reach = torch.minimum(2 * norms + self.shortest, self.longest)
        slack = self.relative * reach * (reach + 2 * norms) + self.underflow
        return scores.view(-1, self.size, self.groups), slack


def _convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(n, D) vectors, (K, D) weight, (K,) bias -> (n, K): x weightᵀ + bias, as a 1 × 1 convolution on a CPU.

    The sums are those of `addmm`, but by oneDNN, in the widest registers the processor has. PyTorch gives `addmm`
    to MKL, which takes up to twice as long where Intel did not make the processor. oneDNN first copies the weight: no
    gain for few rows, nor wanted where the copy would be larger than the result.
    """
    n, width = x.shape
    if n % 16:  # 16 pictures, one pixel wide: of fewer, PyTorch does not always ask oneDNN
        x = F.pad(x, (0, 0, 0, -n % 16))
    pictures = x.view(16, -1, 1, width).permute(0, 3, 1, 2)  # (B, D, H, W), in memory still vector by vector
    return F.conv2d(pictures, weight[:, :, None, None], bias).permute(0, 2, 3, 1).reshape(len(x), -1)[:n]


def _winner(scores: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """(n, size, groups) scores -> (n,) int64 the least one's code; (n,) its lead over the next, less the slack."""
    groups = scores.shape[2]
    row = torch.arange(len(scores), device=scores.device)
    minima = scores.amin(dim=1)  # (n, groups)
    best, group = minima.min(dim=1)
    members = scores[row, :, group]  # (n, size)
    member = members.min(dim=1).indices
    minima[row, group] = members[row, member] = torch.inf
    runner_up = torch.minimum(minima.amin(dim=1), members.amin(dim=1))
    return member * groups + group, runner_up - best - slack


def _check(z: Tensor, codebook: Tensor) -> None:
    if z.ndim != 2 or codebook.ndim != 2 or z.shape[1] != codebook.shape[1]:
        raise ValueError(f"expected z (N, D) and codebook (K, D), got {tuple(z.shape)} and {tuple(codebook.shape)}")
    if z.numel() == 0 or codebook.numel() == 0:
        raise ValueError(f"expected at least one vector and one code, got z {tuple(z.shape)} and codebook "
                         f"{tuple(codebook.shape)}")
    if not (z.is_floating_point() and codebook.is_floating_point()):
        raise TypeError(f"expected floating point vectors, got {z.dtype} and {codebook.dtype}")


def _settle(z: Tensor, codebook: Tensor, scores: Tensor, slack: Tensor) -> Tensor:
    """(n,) int64: for each row of z the nearest code of those whose scores, (n, size, groups), come near the best."""
    groups = scores.shape[2]
    minima = scores.amin(dim=1)
    bound = minima.amin(dim=1) + slack
    row, group = (minima <= bound.unsqueeze(1)).nonzero(as_tuple=True)
    near, member = (scores[row, :, group] <= bound[row].unsqueeze(1)).nonzero(as_tuple=True)
    row, code = row[near], member.mul_(groups).add_(group[near])  # the pairs between which float64 decides
    distances = z.new_empty(len(row), dtype=torch.float64)
    step = max(1, _CHUNK["cpu"] // 8 // z.shape[1])
    for d, r, c in zip(distances.split(step), row.split(step), code.split(step), strict=True):
        torch.sum((z[r].double() - codebook[c].double()).square_(), dim=1, out=d)
    least = distances.new_full((len(z),), torch.inf).scatter_reduce_(0, row, distances, "amin")
    first = (distances == least[row]).nonzero().squeeze(1)
    return code.new_full((len(z),), len(codebook)).scatter_reduce_(0, row[first], code[first], "amin")


@torch.no_grad()
def nearest_code_by_cosine(z: Tensor, codebook: Tensor) -> Tensor:
    """The index of the code whose direction is nearest, argmax over k of cos(z_n, e_k), ties to the lowest index.

    For unit vectors ‖u − v‖² = 2 − 2 cos(u, v), so this is `nearest_code` on vectors divided by their lengths.
    A zero vector has no direction: its cosine with every vector counts as 0. So a zero z gets index 0, and a zero
    code wins only where no code lies within 90°.

    Args:
        z: (N, D) vectors, floating point, of any lengths.
        codebook: (K, D) code vectors, likewise.

    Returns:
        (N,) int64.

    Raises:
        ValueError, TypeError: as `nearest_code`.

    Source: Yu et al. (2021), "Vector-quantized Image Modeling with Improved VQGAN", arXiv 2110.04627, section 3.2.
    Deviation: the lengths are only ignored, not removed; the code that is looked up keeps its own, as in VAR
    (FoundationVision/VAR, `models/quant.py`).
    """
    _check(z, codebook)
    z, codebook = (F.normalize(vectors.double(), dim=1, eps=1e-300).float() for vectors in (z, codebook))
    zero = (codebook == 0).all(dim=1, keepdim=True)  # such a code gets a dimension of its own, at 90° to all others
    return nearest_code(F.pad(z, (0, 1)), torch.cat([codebook, zero.float()], dim=1))


@torch.no_grad()
def kmeans(data: Tensor, num_clusters: int, iterations: int = 10, *,
           generator: torch.Generator | None = None) -> Tensor:
    """Lloyd's algorithm from a k-means++ start: centres that (locally) minimise Σ ‖z − nearest centre‖².

    A cluster that loses all its members is put on the vector that is farthest from its centre.

    Args:
        data: (N, D) floating point, N >= K.
        num_clusters: K.
        iterations: Lloyd steps; each lowers the sum above.
        generator: CPU random numbers for the start; the default is torch's global generator.

    Returns:
        (K, D) float32 centres on data's device.

    Raises:
        ValueError: fewer vectors than clusters.

    Source: Lloyd (1982), doi 10.1109/TIT.1982.1056489; Arthur and Vassilvitskii (2007), "k-means++".
    """
    if data.ndim != 2 or len(data) < num_clusters or num_clusters < 1:
        raise ValueError(f"expected data (N, D) with N >= {num_clusters} clusters >= 1, got {tuple(data.shape)}")
    data = data.detach().float()
    picks = [int(torch.randint(len(data), (), generator=generator))]
    distances = (data - data[picks[0]]).square().sum(dim=1)
    while len(picks) < num_clusters:  # k-means++: the farther from all centres so far, the likelier
        mass = distances.double().cumsum(dim=0)
        threshold = torch.rand((), generator=generator, dtype=torch.float64).to(mass.device) * mass[-1]
        picks.append(min(int(torch.searchsorted(mass, threshold)), len(data) - 1))
        distances = torch.minimum(distances, (data - data[picks[-1]]).square().sum(dim=1))
    centres = data[picks]
    for _ in range(iterations):
        nearest = nearest_code(data, centres)
        counts, sums = _count_and_sum(data, nearest, num_clusters)
        centres = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), centres)
        empty = (counts == 0).nonzero().squeeze(1)
        if len(empty):
            errors = (data - centres[nearest]).square().sum(dim=1)
            centres[empty] = data[errors.topk(len(empty)).indices]
    return centres


def _count_and_sum(z: Tensor, indices: Tensor, num_embeddings: int) -> tuple[Tensor, Tensor]:
    """Per code: how many vectors chose it (K,), and their sum (K, D); float32."""
    counts = z.new_zeros(num_embeddings).index_add_(0, indices, z.new_ones(len(indices)))  # bincount waits for a GPU
    sums = z.new_zeros(num_embeddings, z.shape[1]).index_add_(0, indices, z)
    return counts, sums


def entropy_loss(z: Tensor, codebook: Tensor, *, temperature: float = 0.01) -> Tensor:
    """Every vector should be sure of its code, and all codes should be chosen alike: mean H(p_n) − H(mean p_n).
    熵损失：每个向量要选得坚决，全体向量要选得均匀。

    p_n = softmax over k of −‖z_n − e_k‖² / temperature is a soft choice, so both entropies have gradients. The
    minimum, −ln K, is reached when each vector has one clear code and all codes are used equally. It raises the
    usage; whether it lowers the error is another question. Unlike the search it holds N × K numbers.

    Args:
        z: (N, D) the encoder's vectors, with their gradient.
        codebook: (K, D) code vectors; they receive a gradient too, unless they carry none (`EMACodebook`), in
            which case the term moves the encoder alone.
        temperature: of the soft choice, in units of squared distance.

    Returns:
        Scalar float32 in nats, from −ln K to 0, also under autocast.

    Raises:
        ValueError: shapes do not fit, or a temperature that is not positive.

    Source: Yu et al. (2023), MAGVIT-v2, arXiv 2310.05737, section 3.1; Jansen et al. (2019), arXiv 1911.05894.
    Deviation: MAGVIT-v2's codes are corners of a cube; the soft choice among learnt codes, by distance and with
    this temperature, is google-research/maskgit's.
    """
    if z.ndim != 2 or codebook.ndim != 2 or z.shape[1] != codebook.shape[1] or not z.numel():
        raise ValueError(f"expected z (N, D) and codebook (K, D), got {tuple(z.shape)} and {tuple(codebook.shape)}")
    if not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    with torch.autocast(z.device.type, enabled=False):
        z, codebook = z.float(), codebook.float()
        scores = 2 * z @ codebook.t() - codebook.square().sum(dim=1)  # −‖z − e‖² + ‖z‖², the same for every code
        log_p = F.log_softmax(scores / temperature, dim=1)  # (N, K)
        p = log_p.exp()
        average = p.mean(dim=0).clamp(min=torch.finfo(p.dtype).tiny)  # the slope of −p ln p at 0 is infinite
        return (average * average.log()).sum() - (p * log_p).sum(dim=1).mean()


def _everyones(z: Tensor) -> Tensor:
    """(N, D) of this process -> (P·N, D), those of all P processes, in order of rank."""
    if not _many_processes():
        return z
    parts = [torch.empty_like(z) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, z.contiguous())
    return torch.cat(parts)


def _many_processes() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


SEARCHES = {"euclidean": nearest_code, "cosine": nearest_code_by_cosine}


class Codebook(nn.Module):
    """K code vectors that learn by gradients (through the quantizer's codebook loss).

    The remedies for dead codes live here, so every quantizer has them:

    - `kmeans_start`: the first training batch's k-means centres replace the random start.
    - `restart_below`: after each training step, a code whose share of the vectors (a moving average) is below
      this fraction of the uniform share 1/K is put on a random vector of the batch; 0 restarts nothing.
    - `metric="cosine"`: the search compares directions alone, see `nearest_code_by_cosine`. Start, learning and
      restart are the same, and a code keeps its length.

    Args:
        num_embeddings: K.
        embedding_dim: D.
        kmeans_start: see above.
        restart_below: see above.
        metric: "euclidean" or "cosine", see above.
        decay: of the moving averages.

    Attributes:
        weight: (K, D) parameter, drawn from U(−1/K, 1/K).
        cluster_size: (K,) moving average of the vectors per training step that chose each code.

    Raises:
        ValueError: a size below 1, a decay outside [0, 1), a metric of another name.
    """

    learns_by_gradient = True

    def __init__(self, num_embeddings: int, embedding_dim: int, *, kmeans_start: bool = False,
                 restart_below: float = 0.0, metric: str = "euclidean", decay: float = 0.99):
        super().__init__()
        if num_embeddings < 1 or embedding_dim < 1:
            raise ValueError(f"expected at least one code of one dimension, got num_embeddings={num_embeddings}, "
                             f"embedding_dim={embedding_dim}")
        if not 0 <= decay < 1:
            raise ValueError(f"expected a decay in [0, 1), got {decay}")
        if metric not in SEARCHES:
            raise ValueError(f"expected a metric out of {', '.join(SEARCHES)}, got {metric!r}")
        self.config = dict(num_embeddings=num_embeddings, embedding_dim=embedding_dim, kmeans_start=kmeans_start,
                           restart_below=restart_below, metric=metric, decay=decay)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.restart_below, self.metric, self.decay = restart_below, metric, decay
        bound = 1 / num_embeddings
        self.weight = nn.Parameter(torch.empty(num_embeddings, embedding_dim).uniform_(-bound, bound))
        self.register_buffer("cluster_size", torch.zeros(num_embeddings))
        self.register_buffer("started", torch.tensor(not kmeans_start))
        self._seen_started = False

    def search(self, z: Tensor) -> Tensor:
        """(N, D) -> (N,) int64, the nearest code of each vector, by the codebook's metric."""
        return SEARCHES[self.metric](z, self.weight)

    def forward(self, indices: Tensor) -> Tensor:
        """Indices of any shape -> their code vectors, (..., D)."""
        return F.embedding(indices, self.weight)

    def entropy_loss(self, z: Tensor) -> Tensor:
        """`entropy_loss` of z (N, D) and these codes; by cosine it compares directions, as the search does."""
        codes = self.weight.clone()  # as they are now: averages and restarts write them before backward
        if self.metric == "cosine":
            z, codes = F.normalize(z, dim=1), F.normalize(codes, dim=1)
        return entropy_loss(z, codes)

    def has_started(self) -> bool:
        """Whether the codes are where they start from; False before a k-means start."""
        # `started` is saved with the model, on whatever device; once seen, a GPU is not asked again every step
        self._seen_started = self._seen_started or bool(self.started)
        return self._seen_started

    def _load_from_state_dict(self, *arguments):
        super()._load_from_state_dict(*arguments)
        self._seen_started = False

    @torch.no_grad()
    def start(self, z: Tensor) -> None:
        """Once, before the first training search: put the codes on the k-means centres of z (N, D), if asked to."""
        if not self.has_started():
            z = _everyones(z)
            repeats = -(-self.num_embeddings // len(z))  # a batch of fewer than K vectors: some centres coincide
            self.weight.copy_(kmeans(z.repeat(repeats, 1), self.num_embeddings))
            self.started.fill_(True)
            if _many_processes():  # each drew other random numbers
                dist.broadcast(self.weight, src=0)

    @torch.no_grad()
    def observe(self, z: Tensor, indices: Tensor) -> None:
        """After each training search: keep count of who was chosen, learn from it, restart dead codes.

        Args:
            z: (N, D) the vectors that were quantized.
            indices: (N,) their codes.
        """
        counts, sums = _count_and_sum(z.float(), indices, self.num_embeddings)
        if _many_processes():
            dist.all_reduce(counts)
            dist.all_reduce(sums)
        self.cluster_size.lerp_(counts, 1 - self.decay)
        self._learn(sums)
        if not self.restart_below:
            return  # to see who is dead, a GPU must be waited for
        uniform_share = self.cluster_size.sum() / self.num_embeddings
        dead = (self.cluster_size < self.restart_below * uniform_share).nonzero().squeeze(1)
        if len(dead):
            z = _everyones(z)
            vectors = z[torch.randint(len(z), (len(dead),)).to(z.device)].float()
            if _many_processes():
                dist.broadcast(vectors, src=0)
            self._restart(dead, vectors, uniform_share)

    def _learn(self, sums: Tensor) -> None:
        """What the counts and sums of a step teach the codes: here nothing, the gradient does."""

    def _restart(self, dead: Tensor, vectors: Tensor, size: Tensor) -> None:
        """Put the dead codes on these vectors, as if each were chosen `size` times a step."""
        self.weight[dead] = vectors
        self.cluster_size[dead] = size


class EMACodebook(Codebook):
    """K code vectors, each the moving average of the encoder outputs that chose it; no gradient.

    With λ = decay, per training step and code: n ← λ n + (1−λ) count, m ← λ m + (1−λ) sum, e = m / n.

    Both averages start at zero, so their ratio is unbiased from the first step on, and a code that nobody chose
    (n = 0) stays where it is; dividing by a smoothed count instead makes it shrink or explode. A restart sets
    m and n along with the code: were only the code moved, the next e = m / n would undo it.

    Attributes:
        embed_sum: (K, D) the moving sum m; `cluster_size` is n.

    Source: van den Oord et al. (2017), arXiv 1711.00937, appendix A.1. Deviations: no Laplace smoothing of n;
    restart as in Dhariwal et al. (2020), "Jukebox", arXiv 2005.00341, section 3.1.
    """

    learns_by_gradient = False

    def __init__(self, num_embeddings: int, embedding_dim: int, **settings):
        super().__init__(num_embeddings, embedding_dim, **settings)
        self.weight.requires_grad_(False)
        self.register_buffer("embed_sum", torch.zeros(num_embeddings, embedding_dim))

    def _learn(self, sums: Tensor) -> None:
        self.embed_sum.lerp_(sums, 1 - self.decay)
        alive = self.cluster_size > 1e-6  # below, m / n would be the ratio of two rounding errors
        means = self.embed_sum / self.cluster_size[:, None]
        self.weight.copy_(torch.where(alive[:, None], means, self.weight))

    def _restart(self, dead: Tensor, vectors: Tensor, size: Tensor) -> None:
        super()._restart(dead, vectors, size)
        self.embed_sum[dead] = vectors * size
