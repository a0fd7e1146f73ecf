"""How near is near: three measures on a plane of real colours, the expansion's terms, its price, its rounding."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from vqlab.classroom.figures import COLOURS, STYLE, png
from vqlab.classroom.font import register_font
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codebook import nearest_code

Search = Callable[[Tensor, Tensor], Tensor]  # z (N, D), codebook (K, D) -> indices (N,)

# Grey is the origin, so the angle is the hue and the length the saturation. Orthonormal rows.
AXES = torch.tensor([[2.0, -1.0, -1.0], [0.0, 3**0.5, -(3**0.5)]]) / 6**0.5  # (2, 3): cyan to red, blue to green
SPAN = 0.75  # the plane reaches from −SPAN to SPAN
MEASURES = {  # name -> (Chinese, English), the colour, matplotlib's marker and line
    "euclid": (("欧氏", "Euclid"), COLOURS["data"], "o", "-"),
    "cosine": (("余弦", "cosine"), COLOURS["black"], "^", "--"),
    "dot": (("点积", "dot product"), COLOURS["other"], "s", ":"),
}
TERMS = (  # in the order in which they are added: label, colour, hatch
    ("−2x·e", COLOURS["other"], "xx"),
    ("‖e‖²", COLOURS["codes"], "//"),
    ("‖x‖²", COLOURS["z_e"], ".."),
)
OFFSETS = (0, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
METHODS = {
    "formula": ("公式直接算", "formula as it is"),
    "centred": ("先居中，再用公式", "centre first, then formula"),
    "nearest_code": ("vqlab.nearest_code", "vqlab.nearest_code"),
}
GRID = 96  # queries a side in the rounding plane


def colour_plane(image: Tensor) -> Tensor:
    """Project every pixel's colour to two axes, red against cyan and green against blue; grey is the origin.

    Args:
        image: (3, H, W) in [-1, 1].

    Returns:
        (H·W, 2) float32.
    """
    return image.detach().float().flatten(1).t() @ AXES.t()


def colours_of(points: Tensor) -> Tensor:
    """The colour of each point of the plane at medium lightness: (N, 2) -> (N, 3) in [0, 1]."""
    return ((points.float() @ AXES + 1) / 2).clamp(0, 1)


def winners(z: Tensor, codebook: Tensor) -> dict[str, Tensor]:
    """The best code of each vector by three measures.

    Args:
        z: (N, D).
        codebook: (K, D).

    Returns:
        "euclid" (smallest distance), "cosine" (largest), "dot" (largest) -> (N,) int64; ties to the lowest index.
        The cosine with a vector of length zero counts as 0.
    """
    z, codebook = z.double(), codebook.double()
    cosines = F.normalize(z) @ F.normalize(codebook).t()
    return {"euclid": nearest_code(z, codebook), "cosine": cosines.argmax(dim=1),
            "dot": (z @ codebook.t()).argmax(dim=1)}


def expansion_terms(x: Tensor, codebook: Tensor) -> Tensor:
    """(D,), (K, D) -> (3, K): −2x·e, ‖e‖² and ‖x‖² for each code; their sum is the squared distance."""
    x, codebook = x.double(), codebook.double()
    return torch.stack([-2 * codebook @ x, codebook.square().sum(dim=1), x.square().sum().expand(len(codebook))])


def search_in(dtype: torch.dtype, z: Tensor, codebook: Tensor, *, centre: bool = False) -> Tensor:
    """The famous formula, argmin of ‖z‖² + ‖e‖² − 2 z·e, computed in one precision throughout.

    Args:
        dtype: such as `torch.bfloat16`.
        z: (N, D).
        codebook: (K, D).
        centre: subtract the mean of z from both, before the numbers are rounded to dtype.

    Returns:
        (N,) int64; where a distance is not a number, the first such code.
    """
    if centre:
        origin = z.mean(dim=0)
        z, codebook = z - origin, codebook - origin
    z, codebook = z.to(dtype), codebook.to(dtype)
    squares = z.square().sum(dim=1, keepdim=True) + codebook.square().sum(dim=1)
    return (squares - 2 * z @ codebook.t()).argmin(dim=1)


class DistancePlane(LessonWidget):
    """Codes and a query on the plane of colours, all to be dragged; Euclid, cosine and dot name their winners.

    Args:
        points: (N, 2) the photograph's colours; at most 600 are shown.
        codes: (K, 2).
        query: where it starts.
    """

    script = "distances.js"
    kind = "winners"
    setup = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)  # query, codes: what JavaScript has now
    alt_zh = ("颜色平面：灰色在原点，角度是色相，长度是饱和度。菱形是查询 x，带编号的圆是码字；"
              "圆圈、三角和方框分别标出欧氏、余弦和点积选中的码字，三者不同。")
    alt_en = ("The plane of colours: grey at the origin, the angle is the hue, the length the saturation. The "
              "diamond is the query x, numbered discs are codes; ring, triangle and square mark the "
              "winners by Euclid, cosine and dot product, which differ.")

    def __init__(self, points: Tensor, codes: Tensor, query: Sequence[float] = (0.13, 0.23)):
        self.points = points[:: max(1, -(-len(points) // 600))].double()
        super().__init__(setup={
            "kind": self.kind, "span": SPAN, "axes": AXES.double().tolist(), "points": self.points.tolist(),
            "alt": f"{self.alt_zh} {self.alt_en}", "start": codes.double().tolist(),
        }, state={"query": list(query), "codes": codes.double().tolist()})

    def picture(self) -> bytes:
        """Return the plane with its winners as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(5, 4.2))
            draw_winners(self.points, torch.tensor(self.state["codes"]), torch.tensor(self.state["query"]),
                         fig.subplots())
            return png(fig)


class ExpansionPlane(DistancePlane):
    """The same plane beside the terms of ‖x‖² + ‖e‖² − 2x·e, added one by one."""

    kind = "terms"
    alt_zh = ("每个码字三根首尾相接的柱子：−2x·e（交叉线）、‖e‖²（斜线）、‖x‖²（圆点），"
              "菱形标出它们的和，也就是距离的平方；最低的菱形就是最近的码字。")
    alt_en = ("For each code three bars, each starting where the last ended: −2x·e (crossed), ‖e‖² (slanted), ‖x‖² "
              "(dotted); a diamond marks their sum, the squared distance. The lowest diamond is the nearest code.")

    def picture(self) -> bytes:
        """Return the bars as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(5.6, 3))
            draw_terms(torch.tensor(self.state["query"]), torch.tensor(self.state["codes"]), fig.subplots())
            return png(fig)


class RoundingPlane(LessonWidget):
    """Which code wins everywhere on the plane, computed by torch in the chosen precision, far from the origin.

    The data are float32 numbers x + offset; the truth is brute force in float64 on exactly those numbers.

    Args:
        codes: (K, 2).
    """

    script = "distances.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    cells = binary()  # GRID × GRID winners, then as many flags: wrong
    alt_zh = "颜色平面按获胜的码字涂色：左边是正确答案，右边是 bf16 直接用公式的答案，区域破碎，错误处打了叉。"
    alt_en = ("The plane of colours, painted by winning code: left the truth, right what the formula gives in bf16, "
              "where regions are broken; errors are crossed out.")

    def __init__(self, codes: Tensor):
        self.codes, self.truths = codes.float(), {}
        super().__init__(setup={
            "kind": "rounding", "span": SPAN, "grid": GRID, "offsets": OFFSETS, "precisions": list(PRECISIONS),
            "methods": [[name, *label] for name, label in METHODS.items()], "alt": f"{self.alt_zh} {self.alt_en}",
            "colours": (colours_of(self.codes) * 255).round().int().tolist(),
        })
        self.update({"offset": 0, "precision": "fp32", "method": "formula"}, 0)
        self.on_msg(self._asked)

    def update(self, values: Mapping[str, Any], request: int) -> None:
        """Search for every query of the grid with these settings, and show who wins."""
        z, codes = _grid(self.codes, values["offset"])
        if values["offset"] not in self.truths:
            self.truths[values["offset"]] = _brute_force(z, codes)
        truth = self.truths[values["offset"]]
        dtype = PRECISIONS[values["precision"]]
        if values["method"] == "nearest_code":
            found = nearest_code(z, codes)
        else:
            found = search_in(dtype, z, codes, centre=values["method"] == "centred")
        wrong = found != truth
        middle = 2 * float(values["offset"]) ** 2 + SPAN**2
        with self.hold_sync():
            self.cells = found.byte().numpy().tobytes() + wrong.byte().numpy().tobytes()
            self.answer = {"values": dict(values), "request": request, "wrong": float(wrong.double().mean()),
                           "norm": middle, "gap": _gap(middle, dtype)}

    def _asked(self, _, content, buffers) -> None:
        self.update(content["values"], content["request"])

    def picture(self) -> bytes:
        """Return truth and bf16 at offset 4 side by side as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            return png(draw_broken_regions(self.codes, Figure(figsize=(4.2, 2.3))))


def draw_broken_regions(codes: Tensor, figure: Figure | None = None) -> Figure:
    """Draw who wins everywhere on the plane: the truth, and what bf16 gives once all has moved by 4; × are errors.

    Args:
        codes: (K, 2).
        figure: where to draw; a new one otherwise.
    """
    figure = plt.figure(figsize=(3.4, 1.9)) if figure is None else figure
    z, moved = _grid(codes, 4)
    truth, found = _brute_force(z, moved), search_in(torch.bfloat16, z, moved)
    pairs = ((truth, "正确 the truth"), (found, "bf16 + 4"))
    for ax, (indices, title) in zip(figure.subplots(1, 2), pairs, strict=True):
        ax.imshow(colours_of(codes)[indices].view(GRID, GRID, 3).numpy())
        rows, columns = (indices != truth).view(GRID, GRID).numpy().nonzero()
        ax.plot(columns[::12], rows[::12], "x", color=COLOURS["black"], markersize=3, markeredgewidth=0.8)
        ax.set(title=title, xticks=[], yticks=[])
    return figure


def _grid(codes: Tensor, offset: float) -> tuple[Tensor, Tensor]:
    """The plane's queries (GRID², 2), from the top left, and the codes, both moved by offset along each axis."""
    at = (torch.arange(GRID) + 0.5) / GRID * 2 * SPAN - SPAN
    x, y = torch.meshgrid(at, at.flip(0), indexing="xy")
    return torch.stack([x, y], dim=2).view(-1, 2) + offset, codes + offset


def _brute_force(z: Tensor, codes: Tensor) -> Tensor:
    return (z.double()[:, None] - codes.double()).square().sum(dim=2).argmin(dim=1)


def _gap(value: float, dtype: torch.dtype) -> float | None:
    """From a number to the next larger one of its type; None where it overflows."""
    if value > torch.finfo(dtype).max:
        return None
    return torch.finfo(dtype).eps * 2.0 ** np.floor(np.log2(value))


def peak_memory(search: Search, z: Tensor, codebook: Tensor) -> int:
    """The most bytes that ``search(z, codebook)`` held at once beyond its arguments, as torch's profiler counts."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
            search(z, codebook)
        trace = Path(folder) / "trace.json"
        measured.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Ev Idx"], event["args"]["Bytes"]) for event in events
                     if event.get("name") == "[memory]" and event["args"]["Device Type"] == 0)
    held = np.cumsum([change for *_, change in changes])
    return int(max(held, default=0))


class _quiet:
    """Nothing on stderr, not even what C++ writes: the profiler announces its start and stop there."""

    def __enter__(self):
        self.stderr = os.dup(2)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)

    def __exit__(self, *_):
        os.dup2(self.stderr, 2)
        os.close(self.stderr)


def time_ratios(searches: Mapping[str, Search], z: Tensor, codebook: Tensor, repeats: int = 5) -> dict[str, float]:
    """Each search's time as a multiple of the fastest one's: medians, taken in turn to share the noise."""
    seconds = {name: [] for name in searches}
    for search in searches.values():
        search(z, codebook)  # the first call also pays for setting up
    for _ in range(repeats):
        for name, search in searches.items():
            start = time.perf_counter()
            search(z, codebook)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(all_) for name, all_ in seconds.items()}
    return {name: median / min(medians.values()) for name, median in medians.items()}


def draw_winners(points: Tensor, codes: Tensor, query: Tensor, ax: Axes | None = None) -> Axes:
    """Draw the plane: the photograph's colours, the codes, the query and its three winners."""
    ax = plt.subplots(figsize=(5.6, 4.6))[1] if ax is None else ax
    ax.scatter(*points.t(), c=colours_of(points).numpy(), s=6, zorder=1)
    ax.axhline(0, color="#999999", lw=0.8)
    ax.axvline(0, color="#999999", lw=0.8)
    ax.scatter(*codes.t(), c=colours_of(codes).numpy(), s=150, edgecolors="black", zorder=3)
    for k, code in enumerate(codes.tolist()):
        ax.text(*code, str(k), ha="center", va="center", fontsize=9, zorder=6,
                bbox={"boxstyle": "circle,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75})
    for size, (name, index) in zip((620, 1000, 950), winners(query[None], codes).items(), strict=True):
        (zh, en), colour, marker, line = MEASURES[name]
        ax.plot(*zip(query.tolist(), codes[index[0]].tolist(), strict=True), line, color=colour, lw=1.5, zorder=2)
        ax.scatter(*codes[index[0]], s=size, marker=marker, facecolors="none", edgecolors=colour, linewidths=2.2,
                   zorder=4, label=f"{zh} {en}: {int(index[0])}")
    ax.scatter(*query, marker="D", s=80, c=COLOURS["z_e"], edgecolors="black", zorder=5, label="查询 query x")
    ax.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), aspect="equal", xlabel="青 cyan  ↔  红 red",
           ylabel="蓝 blue  ↔  绿 green")
    ax.legend(loc="lower right", fontsize=9, markerscale=0.35)
    return ax


def draw_terms(query: Tensor, codes: Tensor, ax: Axes | None = None) -> Axes:
    """Draw for each code its three terms end to end, and a diamond where they end."""
    ax = plt.subplots(figsize=(6.4, 3.4))[1] if ax is None else ax
    terms = expansion_terms(query, codes)
    at, bottom = np.arange(len(codes)), np.zeros(len(codes))
    for number, (values, (label, colour, hatch)) in enumerate(zip(terms.numpy(), TERMS, strict=True)):
        ax.bar(at + 0.25 * (number - 1), values, 0.25, bottom, color="white", edgecolor=colour, hatch=hatch,
               label=label)
        bottom = bottom + values
    ax.plot(at + 0.25, bottom, "D", color=COLOURS["black"], label="和 sum = ‖x − e‖²")
    ax.axhline(0, color=COLOURS["black"], lw=0.8)
    ax.set(xlabel="码字 code", ylabel="平方距离 squared distance", xticks=at)
    ax.legend(fontsize=9, ncols=2)
    return ax


def draw_price(memory: Mapping[str, float], times: Mapping[str, float],
               axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw what each search costs: memory in MiB, time as a multiple of the fastest, both on a log axis."""
    axes = plt.subplots(1, 2, figsize=(7.5, 2.6), sharey=True)[1] if axes is None else axes
    for ax, costs, label, colour, hatch in (
            (axes[0], memory, "内存 memory (MiB)", COLOURS["data"], "//"),
            (axes[1], times, "时间 time (× 最快 fastest)", COLOURS["z_e"], "..")):
        bars = ax.barh(list(costs), list(costs.values()), color="white", edgecolor=colour, hatch=hatch)
        ax.bar_label(bars, [f"{value:.3g}" for value in costs.values()], padding=3)
        ax.set(xscale="log", xlabel=label, xlim=(min(costs.values()) / 2, max(costs.values()) * 5))
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
    axes[0].set_ylim(len(memory) - 0.5, -0.5)
    return list(axes)


def draw_rounding(offsets: Sequence[float], wrong: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the share of wrong codes (percent) over the offset, one line for each way to compute."""
    ax = plt.subplots(figsize=(7, 3.2))[1] if ax is None else ax
    looks = zip(wrong, ("o", "s", "^", "D", "v", "P"), ("-", "-", "-", "--", "--", "--"),
                [COLOURS[name] for name in ("data", "z_e", "other", "light", "wrong", "codes")], strict=False)
    for name, marker, line, colour in looks:
        percent = [100 * share for share in wrong[name]]
        ax.plot(range(len(offsets)), percent, line, marker=marker, color=colour, label=name)
    ax.set(xticks=range(len(offsets)), xticklabels=[f"{offset:g}" for offset in offsets],
           xlabel="离原点的偏移 offset from the origin", ylabel="选错 wrong (%)", ylim=(-4, 104))
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
