"""The N × K matrix of scores beside the vectors it is made of, and the memory that machines have."""

import traitlets
from matplotlib.figure import Figure

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget

PRECISIONS = {"float64": 8, "float32": 4, "float16, bfloat16": 2}  # bytes a number
CHUNK = 2**21  # scores in one chunk, as in `nearest_code` on a CPU
MACHINES = (  # round figures, to draw a line at: bytes, Chinese, English
    (2 * 2**30, "Binder", "Binder"), (16 * 2**30, "笔记本", "laptop"), (80 * 2**30, "大显卡", "large GPU"))
PARTS = {  # what is held: its label in both languages
    "vectors": ("向量 z (N, D)", "vectors z (N, D)"),
    "codebook": ("码本 (K, D)", "codebook (K, D)"),
    "indices": ("索引 (N,)", "indices (N,)"),
    "chunk": ("一块分数", "one chunk of scores"),
    "scores": ("分数 (N, K)", "scores (N, K)"),
    "differences": ("全部的差 (N, K, D)", "all differences (N, K, D)"),
}


def memory_of(n: int, k: int, d: int, itemsize: int = 4) -> dict[str, int]:
    """Bytes that each part of a search for the nearest of K codes takes, for N vectors of D numbers.

    Args:
        n, k, d: N, K, D.
        itemsize: bytes a number.

    Returns:
        As in `PARTS`; indices are int64; a chunk holds at most `CHUNK` scores, but at least one row of K.

    >>> memory_of(4096, 512, 64)["scores"] // 2**20
    8
    """
    return {"vectors": n * d * itemsize, "codebook": k * d * itemsize, "indices": n * 8,
            "chunk": min(n, max(1, CHUNK // k)) * k * itemsize, "scores": n * k * itemsize,
            "differences": n * k * d * itemsize}


def bytes_said(number: float) -> str:
    """A number of bytes for people.

    >>> bytes_said(8 * 2**20), bytes_said(1536), bytes_said(5)
    ('8 MiB', '1.5 KiB', '5 B')
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if number < 1024 or unit == "PiB":
            return f"{float(f'{number:.3g}'):g} {unit}"  # three digits, never 1e+03
        number /= 1024


class MatrixMemory(LessonWidget):
    """Sliders for N, K, D and the precision: what each part of the search takes, on a log scale beside machines."""

    script = "memory.js"
    setup = traitlets.Dict().tag(sync=True)
    alt_zh = ("横条图，对数刻度：输入和一块分数只要几 MiB；完整的分数矩阵长得多，"
              "全部的差更长，可以越过 Binder、笔记本和大显卡的内存线。")
    alt_en = ("Bars on a log scale: inputs and one chunk of scores take some MiB; the whole matrix of scores is much "
              "longer, all differences longer still, past the lines of Binder's, a laptop's, a large GPU's memory.")

    def __init__(self, n: int = 16384, k: int = 1024, d: int = 64):
        self.n, self.k, self.d = n, k, d
        super().__init__(setup={
            "n": n, "k": k, "d": d, "chunk": CHUNK, "precisions": list(PRECISIONS.items()),
            "parts": [[name, *label] for name, label in PARTS.items()], "machines": MACHINES,
            "alt": f"{self.alt_zh} {self.alt_en}"})

    def figure(self) -> Figure:
        """Draw the bars of N, K, D as the widget starts, in float32."""
        fig = Figure(figsize=(6.4, 2.6))
        ax = fig.subplots()
        memory = memory_of(self.n, self.k, self.d)
        labels = [f"{zh}" if zh == en else f"{zh.partition(' ')[0]} {en}" for zh, en in PARTS.values()]
        bars = ax.barh(labels, list(memory.values()), color="white", edgecolor=COLOURS["data"], hatch="//")
        ax.bar_label(bars, [bytes_said(value) for value in memory.values()], padding=3)
        for row, (size, zh, en) in enumerate(MACHINES):
            ax.axvline(size, color=COLOURS["wrong"], linestyle="--", linewidth=1.2)
            ax.text(1.3 * size, row, zh if zh == en else f"{zh} {en}", va="center", fontsize=9)
        ax.set(xscale="log", xlim=(2**10, 2**48),
               xlabel=f"字节 bytes, N = {self.n}, K = {self.k}, D = {self.d}, float32")
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        return fig
