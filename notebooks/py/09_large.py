# %% [markdown]
# # 9. 规模 · Scale
#
# <div lang="zh">
#
# **问题：** 同一个搜索，从笔记本到集群：它花多少内存、多少时间，是什么先撑不住？
#
# **大约 40 分钟，再加练习 22 分钟。你会：**
#
# 1. 算出放不下的 N × K 矩阵，把它切成块，再用两层归约搜得更快，答案一个不差；
# 2. 数一数半精度选错多少，让两个进程学同一个码本，再看它们不通气会怎样；
# 3. 把码本从 512 个码字放大到 262144 个，画出代价曲线，用倒排表换一条更平的。
#
# **要先会什么：** 第 1 课的展开式、`argmin`，浮点数有几位。**一分钟回顾：** 每个向量换成最近的码字，比的是 ‖e‖² − 2z·e（第 1 课）；码本用 EMA 学习，死码字重启（第 4 课）。
#
# 这一课的时间都是同一次运行里的**比值**：你的机器会给出别的数，道理不变。
#
# </div>
# <div lang="en">
#
# **Question:** one search, from laptop to cluster: what memory and time does it cost, and what gives out first?
#
# **In about 40 minutes, plus 22 for the exercises, you will:**
#
# 1. work out the N × K matrix that does not fit, cut it into chunks, then search faster in two levels, with not one answer
#    changed;
# 2. count the wrong winners of half precision, let two processes learn one codebook, and see what happens if they do not talk;
# 3. grow the codebook from 512 codes to 262144, draw the cost curves, and trade for a flatter one with inverted lists.
#
# **What you need to know:** lesson 1's expansion, `argmin`, and that floating-point numbers have few digits. **One-minute recap:**
# every vector is replaced by its nearest code, by comparing ‖e‖² − 2z·e (lesson 1); the codebook learns by EMA, and dead codes are
# restarted (lesson 4).
#
# Times in this lesson are **ratios** within one run: your machine gives other numbers, the reasons stay.
#
# </div>

# %%
import math

import torch

from vqlab import classroom, held_out_photo, nearest_code, photos, pick_device, psnr, small_photo
from vqlab.lessons import large as lesson

classroom.start()

# %% [markdown]
# ## 1. 放不下的矩阵 · The matrix that does not fit
#
# <div lang="zh">
#
# *5 分钟。* 搜索最近的码字，先算一张分数表：每个向量一行，每个码字一列（第 1 课的 ‖e‖² − 2z·e）。64 张 512 × 512 的图，步幅 8，就是 262144 个向量；码本有 16384 个码字，每个 32 个数，float32。
#
# </div>
# <div lang="en">
#
# *5 minutes.* To find nearest codes one first makes a table of scores, a row a vector, a column a code (‖e‖² − 2z·e, lesson 1).
# 64 pictures of 512 × 512 at stride 8 are 262144 vectors; the codebook has 16384 codes of 32 numbers, in float32.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_matrix = classroom.Predict(
    question=("向量和码本合起来大约 34 MiB。分数表多大？", "Vectors and codebook together take about 34 MiB. How large is the table?"),
    options=[("差不多，几十 MiB", "about the same, some tens of MiB"), ("大约 1 GiB", "about 1 GiB"),
             ("大约 16 GiB", "about 16 GiB"), ("大约 1 TiB", "about 1 TiB")])
guess_matrix

# %%
lesson.MatrixMemory()

# %% [markdown]
# <div lang="zh">
#
# 拖一拖 N、K、D，换一换精度：
#
# - 把 N 和 K 都加倍，输入加倍，分数表变成几倍？
# - D 变大，哪几条变长，哪几条不动？
# - 换成 16 位，只省一半：能救回来吗？
#
# </div>
# <div lang="en">
#
# Move N, K and D, and change the precision:
#
# - Double both N and K: the inputs double. And the table?
# - With larger D, which bars grow and which stay?
# - 16 bits halve everything. Does that save it?
#
# </div>

# %% jupyter={"source_hidden": true}
guess_matrix.hold()
memory = lesson.memory_of(n=262144, k=16384, d=32)
inputs, scores, chunk = map(lesson.bytes_said, (memory["vectors"] + memory["codebook"], memory["scores"], memory["chunk"]))
classroom.say(f"输入 {inputs}，分数 {scores}，其中一块 {chunk}", f"inputs {inputs}, scores {scores}, one chunk of them {chunk}")
guess_matrix.reveal(2, because=(
    "N × K 个数，每个 4 字节：2¹⁸ · 2¹⁴ · 4 = 2³⁴ 字节。输入随 N 和 K 相加，分数表随它们相乘。",
    "N × K numbers of 4 bytes: 2¹⁸ · 2¹⁴ · 4 = 2³⁴ bytes. Inputs grow with the sum of N and K, the table with their product."))
assert memory["scores"] == 16 * 2**30


# %% [markdown]
# <div lang="zh">
#
# **要点：** 先撑不住的是内存，而且不是数据，是中间结果：它随 **N × K** 长，与 D 无关。可我们要的只有每行的一个索引，共 N 个数。
#
# </div>
# <div lang="en">
#
# **Takeaway:** memory gives out first, and not for the data but for something in between: it grows with **N × K**, whatever D. And
# all we want of it is one index a row, N numbers.
#
# </div>

# %% [markdown]
# ## 2. 切成块 · In chunks
#
# <div lang="zh">
#
# *5 分钟。* 一行的赢家不用看别的行。那就一次算几行，记下赢家，把这块分数扔掉：
#
# </div>
# <div lang="en">
#
# *5 minutes.* A row's winner needs no other row. So take a few rows, note their winners, and throw their scores away:
#
# </div>

# %%
def chunked(z, codebook, rows, winners=lambda scores: scores.argmin(dim=1)):
    norms, found = codebook.square().sum(dim=1), []
    for part in z.split(rows):  # (rows, K): ‖e‖² − 2 z·e
        found.append(winners(torch.addmm(norms, part, codebook.t(), alpha=-2)))
    return torch.cat(found)


# %% jupyter={"source_hidden": true}
guess_chunks = classroom.Predict(
    question=("16384 个向量，1024 个码字。分成 16 块，每块 1024 行，时间会怎样？",
              "16384 vectors, 1024 codes. In 16 chunks of 1024 rows, how does the time change?"),
    options=[("更慢：多了循环", "slower: there is a loop now"), ("一样：乘法一次没少", "the same: not one product fewer"),
             ("更快", "faster")])
guess_chunks

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_chunks.hold()
generator = torch.Generator().manual_seed(2)
z, codebook = torch.randn(16384, 16, generator=generator), torch.randn(1024, 16, generator=generator)
same = int((chunked(z, codebook, 1024) == chunked(z, codebook, len(z))).sum())
peaks = {rows: classroom.peak_memory(chunked, z, codebook, rows) for rows in (len(z), 1024, 64)}
seconds = classroom.seconds_in_turn({rows: lambda rows=rows: chunked(z, codebook, rows) for rows in peaks})
for rows, peak in peaks.items():
    said = f"{lesson.bytes_said(peak):>8}", f"{seconds[rows] / seconds[1024]:.2f}"
    classroom.say(f"{rows:5} 行一块：{said[0]}，时间 × {said[1]}", f"{rows:5} rows a chunk: {said[0]}, time × {said[1]}")
classroom.say(f"{len(z)} 个索引里相同的：{same}", f"of {len(z)} indices the same: {same}")
assert same == len(z) and peaks[len(z)] > 8 * peaks[1024]
faster, smaller = seconds[len(z)] > 1.1 * seconds[1024], seconds[64] < 0.9 * seconds[1024]
guess_chunks.reveal(2 if faster else 1, because=(
    ("64 MiB 的表要写进内存再读回来；4 MiB 的一块留在缓存里，算完就用。" if faster else
     "每块 1024 行，这台机器上没有差别；缓存小的机器上，整张表要写进内存再读回来，会更慢。") +
    ("64 行一块还要快些：256 KiB 放得进更近的缓存。" if smaller else "块太小也不好：每块都有固定的开销。"),
    ("A table of 64 MiB is written to memory and read back; a chunk of 4 MiB stays in the cache." if faster else
     "With 1024 rows a chunk there is no difference on this machine; where caches are smaller, the whole table is written to memory "
     "and read back, which is slower.") +
    (" 64 rows a chunk are faster still: 256 KiB fit a nearer cache." if smaller else
     " Chunks too small do not pay either: each has a fixed cost.")))

# %% [markdown]
# <div lang="zh">
#
# **要点：** 分块把内存从 N × K 变成**行数 × K**，索引一个不差，还不用付时间。`nearest_code` 在 CPU 上一块最多 2²¹ 个分数，8 MiB。
#
# </div>
# <div lang="en">
#
# **Takeaway:** chunks turn a memory of N × K into **rows × K**, leave every index as it was, and cost no time. On a CPU
# `nearest_code` takes at most 2²¹ scores a chunk, 8 MiB.
#
# </div>

# %% [markdown]
# ## 3. 相乘，还是找最小 · Multiplying, or finding the least
#
# <div lang="zh">
#
# *10 分钟。* 现在每块两步：乘出分数，找每行最小的。D = 16 时，一个分数要 16 次乘加；找最小只要比较一次。
#
# </div>
# <div lang="en">
#
# *10 minutes.* A chunk now takes two steps: multiply, then find the least of each row. With D = 16 a score takes 16 multiplications
# and additions, finding the least one comparison.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_steps = classroom.Predict(
    question=("K = 1024，D = 16，在 CPU 上。argmin 花的时间是乘积的几倍？",
              "K = 1024, D = 16, on a CPU. How long does argmin take, in units of the product?"),
    options=[("大约 1/16", "about 1/16"), ("大约 1/4", "about 1/4"), ("差不多，甚至更久", "about as long, or longer")])
guess_steps

# %% tags=["nbval-ignore-output"]
guess_steps.hold()
steps = {
    "argmin": lambda scores: scores.argmin(dim=1),
    "min": lambda scores: scores.min(dim=1),
    "amin": lambda scores: scores.amin(dim=1),  # 只要值，不要位置 the value, not where it is
}
bars = lesson.StepTimes(steps)
bars

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_steps.hold()
argmin, amin = bars.times["argmin"], bars.times["amin"]
classroom.say(f"以乘积的时间为 1：argmin {argmin:.2f}，amin {amin:.2f}，相差 {argmin / amin:.0f} 倍",
              f"in units of the product's time: argmin {argmin:.2f}, amin {amin:.2f}, a factor of {argmin / amin:.0f}")
guess_steps.reveal(0 if argmin < 0.12 else 1 if argmin < 0.4 else 2, because=(
    "乘积一条指令处理许多个数；argmin 要带着位置，一个一个地比（PyTorch 的 ReduceOpsKernel.cpp）。amin 不要位置，又能成批地比。",
    "The product handles many numbers an instruction; argmin carries a position along and compares one by one (PyTorch's "
    "ReduceOpsKernel.cpp). amin needs no position and compares in batches again."))
assert argmin > 2 * amin

# %% [markdown]
# <div lang="zh">
#
# 换几个 K 和 D 再测：D 越大，乘积占得越多；可 argmin 从来不便宜，amin 总是便宜。
#
# </div>
# <div lang="en">
#
# Measure again with other K and D: the larger D, the more the product weighs; but argmin is never cheap, and amin always is.
#
# </div>
#
# ### 两层 · Two levels
#
# <div lang="zh">
#
# 慢的是“在哪里”，快的是“多小”。那就把一行 K 个分数看成 G 组：先用 amin 求每组的最小值（快），在 G 个最小值里找赢家的组（少），只打开这一组找位置（少）。
#
# </div>
# <div lang="en">
#
# “Where” is slow, “how small” is fast. So see a row of K scores as G groups: amin gives each group's minimum (fast), find the winner's
# group among the G minima (few), open that group alone for the position (few).
#
# </div>

# %% jupyter={"source_hidden": true}
guess_groups = classroom.Predict(
    question=("K = 1024。分成几组，要逐个找位置的分数最少？", "K = 1024. With how many groups is the position sought among the fewest scores?"),
    options=[("2", "2"), ("32", "32"), ("512", "512")])
guess_groups

# %%
codes, cat_vectors = lesson.patch_codes(2**18), lesson.cat_vectors(512)  # 2 × 2 像素的小块 patches of 2 × 2 pixels
lesson.GroupedRow(cat_vectors[:8], codes[:1024])


# %% [markdown]
# <div lang="zh">
#
# 拖动组数，看“要逐个找位置的分数”何时最少。再把舍入的界拉大：分数有舍入误差，最小值相差不到这个界的组**都可能**藏着真正的赢家，都要打开。
#
# </div>
# <div lang="en">
#
# Move the number of groups and see when the fewest scores are searched for a position. Then widen the rounding bound: scores
# are rounded, so every group whose minimum is within the bound **may** hold the true winner and must be opened.
#
# </div>

# %%
def two_levels(scores, groups):
    n, K = scores.shape
    grid = scores.view(n, groups, K // groups)
    minima = grid.amin(dim=2)  # (n, G)，快 fast
    group = minima.argmin(dim=1)  # 赢家在哪一组 whose group
    opened = grid[torch.arange(n), group]  # (n, K / G)，只打开它 that one alone
    return group * (K // groups) + opened.argmin(dim=1)


# %% jupyter={"source_hidden": true}
guess_groups.hold()
for groups in (2, 32, 512):
    print(f"G = {groups:3}: {groups} + {1024 // groups} = {groups + 1024 // groups}")
found = chunked(z, codebook, 1024, lambda scores: two_levels(scores, 32))
same = int((found == nearest_code(z, codebook)).sum())
classroom.say(f"{len(z)} 个索引里与 nearest_code 相同的：{same}", f"of {len(z)} indices the same as nearest_code's: {same}")
guess_groups.reveal(1, because=(
    "G 个最小值，加上打开的一组 K/G 个：G + K/G 在 G = √K = 32 时最小，64 个，不是 1024 个。",
    "G minima and the K/G scores of the opened group: G + K/G is least at G = √K = 32, which gives 64 instead of 1024."))

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_groups.hold()
with_levels = lesson.StepTimes(steps | {
    "两层 two levels": lambda scores: two_levels(scores, math.isqrt(scores.shape[1]))}, num_codes=4096)
with_levels


# %% [markdown]
# ### 乘积的另一个名字 · The product by another name
#
# <div lang="zh">
#
# 编码器给的是 (B, D, H, W)。把码字当作 **1 × 1 卷积**的 K 个核，½‖e‖² 当偏置，卷一次就是 K 张分数图（−z·e + ½‖e‖²，是原来的一半），`argmin` 在通道上取。乘加一次不少，只是 PyTorch 把卷积交给另一个库（x86 的 CPU 上是 oneDNN，`addmm` 用的是 MKL）：
#
# </div>
# <div lang="en">
#
# The encoder gives (B, D, H, W). Take the codes as the K kernels of a **1 × 1 convolution** with the biases ½‖e‖²: it makes K maps of
# scores (−z·e + ½‖e‖², half of ours), and `argmin` goes over channels. Not one multiplication fewer, but PyTorch gives a convolution to
# another library (on x86 CPUs oneDNN; for `addmm` it asks MKL):
#
# </div>

# %% tags=["nbval-ignore-output"]
def by_convolution(pictures, codebook):  # (B, D, H, W), (K, D) -> (B, K, H, W)
    return torch.nn.functional.conv2d(pictures, -codebook[:, :, None, None], codebook.square().sum(dim=1) / 2)


vectors, norms = z[:4096], codebook.square().sum(dim=1)
pictures = vectors.view(4, 32, 32, 16).movedim(-1, 1)
assert torch.equal(by_convolution(pictures, codebook).argmin(dim=1).flatten(), nearest_code(vectors, codebook))
seconds = classroom.seconds_in_turn({"addmm": lambda: torch.addmm(norms, vectors, codebook.t(), alpha=-2),
                                     "conv2d": lambda: by_convolution(pictures, codebook)})
ratio = seconds["conv2d"] / seconds["addmm"]
classroom.say(f"索引都相同；时间是 addmm 的 {ratio:.2f} 倍", f"all indices the same; in {ratio:.2f} of addmm's time")

# %% [markdown]
# <div lang="zh">
#
# **要点：** 归约的代价取决于你问什么。问“多小”，一遍快扫；问“在哪里”，只在 G + K/G 个数里找，G ≈ √K。`nearest_code` 就是这样搜的（它的组是隔着取的，见练习二），再加三样：先居中；CPU 上大的乘积当作卷积；舍入的界之内有**第二个候选**的行，另用 float64 裁定。所以它快，而且和 float64 逐一相减的答案相同。
#
# </div>
# <div lang="en">
#
# **Takeaway:** what a reduction costs depends on what you ask. “How small” is one fast pass; “where” is sought among G + K/G numbers
# only, G ≈ √K. `nearest_code` searches like this (its groups are taken at regular distances, see exercise 2) and adds three things: it
# centres first, takes large products on a CPU as convolutions, and rows with a **second candidate** within the rounding bound are
# settled in float64. Hence it is fast, and its answers are those of plain differences in float64.
#
# </div>
#
# ## 4. 半精度选错的赢家 · Half precision's wrong winners
#
# <div lang="zh">
#
# *6 分钟。* 16 位的数省一半内存，GPU 算得也快。训练可以用它；搜索呢？拿真实的向量：没见过的猫的 512 个 2 × 2 小块（12 个数），码字是训练照片的小块。512 个码字时，bf16 大约每 20 个选错 1 个。
#
# </div>
# <div lang="en">
#
# *6 minutes.* Numbers of 16 bits halve the memory, and a GPU computes faster with them. Training can use them; can the search?
# Take real vectors: 512 patches of 2 × 2 pixels (12 numbers) of the unseen cat, with patches of the training photographs as
# codes. With 512 codes bf16 chooses wrongly about once in 20.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_half = classroom.Predict(
    question=("码字从 512 个加到 262144 个，bf16 选错的比例会怎样？", "From 512 codes to 262144: what happens to bf16's share of wrong winners?"),
    options=[("变小：码字更近，舍入误差也更小", "it falls: nearer codes, smaller rounding errors"), ("不变：位数没变", "it stays: the digits are the same"),
             ("升到几倍", "it grows several times")])
guess_half

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_half.hold()
sizes, wrong, losses = (512, 4096, 32768, 262144), {}, {}
origin = cat_vectors.mean(dim=0)
for K in sizes:
    nearest = nearest_code(cat_vectors, codes[:K])
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        for label, moved in ((name, 0), (f"{name}, 居中 centred", origin)):
            found = lesson.search_in(dtype, cat_vectors - moved, codes[:K] - moved)
            wrong.setdefault(label, []).append(1 - lesson.recall(found, cat_vectors, codes, nearest))
            error, least = ((cat_vectors - codes[each]).square().mean().item() for each in (found, nearest))
            losses[label, K] = error / least - 1
figure = lesson.draw_wrong(wrong, sizes).figure
classroom.show(figure, "四条上升的线：选错的比例随码字增多而升高；bf16 从约 5 % 升到约 40 %，fp16 从不到 1 % 升到约 10 %，居中后都低一些。",
               "Four rising lines: the share of wrong winners grows with the codebook, bf16 from about 5 % to about 40 %, fp16 "
               "from below 1 % to about 10 %; centred, each is somewhat lower.")
more = f"bf16 {losses['bf16', K]:.0%}, fp16 {losses['fp16', K]:.1%}"
classroom.say(f"262144 个码字时多出的误差：{more}", f"more error with 262144 codes: {more}")
guess_half.reveal(2, because=(
    "码字越多，第一名和第二名越接近；16 位的数却不会更密，它们就打平了。居中让数变小、变密，有用，但救不了全部。",
    "The more codes, the closer first and second come, while 16-bit numbers get no denser: they tie. Centring makes the numbers "
    "smaller and so denser: it helps, but does not save them all."))
bf16 = wrong["bf16"]
assert 0.02 < bf16[0] < 0.1 and bf16[3] > 4 * bf16[0] and wrong["fp16"][3] < bf16[3]
assert all(wrong[f"{name}, 居中 centred"][3] < wrong[name][3] for name in ("fp16", "bf16"))

# %% [markdown]
# ### 计数器 · Counters
#
# <div lang="zh">
#
# 码本的**统计**更怕半精度。滑动平均要数“多少个向量选了这个码字”。半精度的计数器会停下来：
#
# </div>
# <div lang="en">
#
# The codebook's **statistics** fear half precision even more. A moving average counts how many vectors chose a code, and a
# counter in half precision comes to a halt:
#
# </div>

# %%
for dtype, full in ((torch.float16, 2048), (torch.bfloat16, 256), (torch.float32, 2**24)):
    print(f"{dtype}: {full} + 1 = {(torch.tensor(full, dtype=dtype) + 1).item():.0f}")

# %% [markdown]
# <div lang="zh">
#
# **要点：** 网络可以半精度，**搜索、损失和码本统计用 float32**（vqlab 在 autocast 里也这样做）。混合精度训练的论文同样留着 float32 的权重，用 float32 累加。
#
# </div>
# <div lang="en">
#
# **Takeaway:** the network may run in half precision; **search, losses and codebook statistics stay in float32** (so vqlab does, even
# under autocast). The paper on mixed precision training likewise keeps float32 weights and sums in float32.
#
# </div>

# %% [markdown]
# ## 5. 有 GPU 的话 · The GPU, if there is one
#
# <div lang="zh">
#
# *2 分钟。* 同样的步骤，换一个设备（环境变量 `VQLAB_DEVICE`）。GPU 的内存更贵：一百万个向量、16384 个码字，单是分数表就几乎占满一张大显卡。
#
# </div>
# <div lang="en">
#
# *2 minutes.* The same steps on another device (environment variable `VQLAB_DEVICE`). A GPU's memory is dearer: the scores of
# a million vectors and 16384 codes alone would nearly fill a large card.
#
# </div>

# %% tags=["nbval-ignore-output"]
device = pick_device()
table = lesson.bytes_said(lesson.memory_of(2**20, 16384, 32)["scores"])
classroom.say(f"一百万 × 16384 个分数：{table}", f"a million × 16384 scores: {table}")
if device.type == "cuda":
    print({name: f"{time:.2f}" for name, time in lesson.step_times(steps, 1024, 16, device=device).items()})
    many, few = torch.randn(2**18, 32, device=device), torch.randn(16384, 32, device=device)
    seconds = classroom.seconds_in_turn({"chunked": lambda: chunked(many, few, 4096),
                                         "nearest_code": lambda: nearest_code(many, few)})
    print(f"nearest_code / chunked: {seconds['nearest_code'] / seconds['chunked']:.2f}")
else:
    classroom.say("这台机器没有 GPU（或没有选它）：这一步跳过，其余照常。",
                  "No GPU here (or not chosen): skipped; all else runs.")

# %% [markdown]
# ## 6. 两个进程，一个码本 · Two processes, one codebook
#
# <div lang="zh">
#
# *6 分钟。* 一张卡不够快，就开几个进程，各看一份数据。网络的梯度由 PyTorch 的 DDP 取平均。码本用滑动平均学习，没有梯度，DDP 不会替它求和：每一步，各进程要把**个数**和**和**加起来（all-reduce），再各自更新。
#
# 下面真的开两个进程（`torch.distributed`，gloo），学 64 种颜色，50 步；每步 2048 个像素，一个进程一半。
#
# </div>
# <div lang="en">
#
# *6 minutes.* If one card is too slow, run several processes, each with its share of the data. PyTorch's DDP averages the network's
# gradients. A codebook that learns by moving averages has none, and DDP adds nothing up for it: at each step the processes must add up
# their **counts** and **sums** (all-reduce), then update.
#
# Here two real processes (`torch.distributed`, gloo) learn 64 colours in 50 steps; of the 2048 pixels of a step each sees half.
#
# </div>

# %%
alone = lesson.learn()  # 一个进程，整批数据 one process, the whole batch
ranks = lesson.learn_in_processes(2)  # python -m vqlab.lessons.large.ranks，两次 twice
for rank in ranks:
    gap = lesson.codebook_gap(rank["together"], alone).max().item()
    classroom.say(f"与一个进程的最大差小于 1e-5：{gap < 1e-5}",
                  f"largest difference from one process below 1e-5: {gap < 1e-5}")

# %% jupyter={"source_hidden": true}
guess_apart = classroom.Predict(
    question=("两个进程从同一个码本出发，但各学各的，不通气。50 步后，1 号进程来读 0 号写的图，会怎样？",
              "Two processes start from one codebook but learn apart, sharing nothing. After 50 steps rank 1 reads a picture that "
              "rank 0 wrote. What happens?"),
    options=[("几乎一样：数据来自同样的照片", "almost the same: their data come from the same photographs"),
             ("差十分贝左右，整片的颜色都错", "some ten decibels worse, whole areas in wrong colours"),
             ("完全是噪声", "nothing but noise")])
guess_apart

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_apart.hold()
cat = small_photo(held_out_photo()[0, :, :, 60:360], 96)
first, second = ranks


def read(kind, step):  # 0 号写，1 号读 rank 0 writes, rank 1 reads
    return lesson.read_by_other(cat, first[kind][step], second[kind][step])


decibels = {label: [psnr(read(kind, step), cat).item() for step in range(50)]
            for label, kind in (("共享 shared", "together"), ("各学各的 apart", "apart"))}
figure = lesson.draw_reading(decibels).figure
classroom.show(figure, "两条线：共享统计时一直约 28 dB；各学各的，几步之内就跌到 15 dB 上下，再也回不来。",
               "Two lines: sharing statistics, about 28 dB throughout; learning apart, it falls to about 15 dB within some steps and "
               "stays there.")
shared, apart = decibels.values()
classroom.say(f"第 50 步：共享 {shared[-1]:.1f} dB，各学各的 {apart[-1]:.1f} dB",
              f"step 50: shared {shared[-1]:.1f} dB, apart {apart[-1]:.1f} dB")
guess_apart.reveal(1, because=(
    "多数码字还差不多，但重启过的码字各奔东西：同一个 token 在两边是两种颜色，而且没有人报错。",
    "Most codes are still alike, but those that were restarted went their own ways: one token means two colours, and nobody "
    "reports an error."))
assert shared[-1] > apart[-1] + 5

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_apart.hold()
classroom.PictureExplorer(
    lambda step: ([read("together", step - 1), read("apart", step - 1)],
                  {(f"{zh}", f"{en}"): f"{values[step - 1]:.1f} dB"
                   for zh, en, values in (("共享", "shared", shared), ("各学各的", "apart", apart))}),
    sliders=[classroom.Slider("step", "第几步", "step", 1, 50, 1, 50)],
    pictures=[("共享统计", "sharing"), ("各学各的", "apart")],
    alt_zh="两张猫，都由 0 号进程写、1 号进程读：共享统计的颜色自然；各学各的成片颜色都错了。",
    alt_en="Two cats, written by rank 0 and read by rank 1: natural colours where statistics are shared; patches of wrong colour "
           "where each learnt apart.")

# %% [markdown]
# <div lang="zh">
#
# **要点：** 共享的不是均值，而是**个数与和**：加起来再除，才等于一个进程看完整批。起点（k 均值）和重启用的随机向量也要由一个进程定，再广播。整个训练这样开：`torchrun --nproc-per-node=2 -m vqlab.train photos`；更多机器，只多写 `--nnodes`。
#
# </div>
# <div lang="en">
#
# **Takeaway:** what is shared is not means but **counts and sums**: add, then divide, and it equals one process on the whole batch. The
# start (k-means) and the random vectors of restarts must be decided by one process, too, and broadcast. A whole training starts
# so: `torchrun --nproc-per-node=2 -m vqlab.train photos`; for more machines add `--nnodes`.
#
# </div>

# %% [markdown]
# ## 7. 从 512 到 262144 · From 512 codes to 262144
#
# <div lang="zh">
#
# *6 分钟。* 内存有分块管着，只剩时间。全部比较，K 加倍，时间就加倍。能不能**不全部比较**？先把码字分到几百个格里（k 均值），每格一张表，叫**倒排表**；一个向量只搜最近的几格（nprobe）。FAISS 在十亿个向量里就这样搜，代价是：它是**近似**的。
#
# 拖动查询，看什么时候漏掉最近的码字：
#
# </div>
# <div lang="en">
#
# *6 minutes.* Chunks keep memory in check; what is left is time. Comparing all, twice the K takes twice as long. Need **all** be
# compared? Sort the codes into a few hundred cells (k-means), a list a cell, called **inverted lists**; a vector searches only the
# few nearest cells (nprobe). That is how FAISS searches a billion vectors, and the price is that it is **approximate**.
#
# Drag the query and see when the nearest code is missed:
#
# </div>

# %%
lesson.CellSearch(photos()["motorcycle"].flatten(1)[::2, ::900].t())  # 红和蓝 red and blue


# %%
def search_lists(z, codes, centres, lists, nprobe):
    best, index = torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    probes = torch.cdist(z, centres).topk(nprobe, largest=False).indices  # (N, nprobe)
    for cell in probes.unique().tolist():
        rows = (probes == cell).any(dim=1).nonzero().squeeze(1)  # 谁要搜这一格 who searches this cell
        near, place = torch.cdist(z[rows], codes[lists[cell]]).min(dim=1)
        closer = near < best[rows]
        best[rows[closer]] = near[closer]
        index[rows[closer]] = lists[cell][place[closer]]
    return index


# %% jupyter={"source_hidden": true}
guess_recall = classroom.Predict(
    question=("65536 个码字分成 256 格，每个向量只搜 1 格（约千分之四的码字）。猫的小块，百分之几能找到真正最近的？",
              "65536 codes in 256 cells, and each vector searches 1 cell (about four codes in a thousand). For how many of the cat's "
              "patches, in percent, is the truly nearest code found?"),
    minimum=0, maximum=100, step=1, unit=("%", "%"))
guess_recall

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_recall.hold()
probes, recalls = [1, 2, 4, 8, 16], {}
noise = torch.Generator().manual_seed(0)
data = {"照片小块 patches": (cat_vectors, codes[:65536]),
        "高斯噪声 noise": (torch.randn(512, 12, generator=noise), torch.randn(65536, 12, generator=noise))}
for label, (vectors, many) in data.items():
    centres, lists = lesson.inverted_lists(many, 256)
    nearest = nearest_code(vectors, many)
    recalls[label] = [lesson.recall(search_lists(vectors, many, centres, lists, nprobe), vectors, many, nearest)
                      for nprobe in probes]
    if vectors is cat_vectors:
        lengths = torch.tensor([len(each) for each in lists])
        order = torch.cdist(vectors, centres).argsort(dim=1)
        compared = [lengths[order[:, :nprobe]].sum(dim=1).double().mean().item() / len(many) for nprobe in probes]
figure = lesson.draw_recall(compared, recalls, probes)
classroom.show(figure.figure, "两条上升的线：照片小块只搜 1 格就找对约 80 %，8 格接近 100 %；高斯噪声 1 格只有约 40 %，8 格约 90 %。点旁写着比较了百分之几的码字。",
               "Two rising lines: for patches 1 cell finds about 80 %, 8 cells nearly all; for Gaussian noise 1 cell about 40 %, 8 "
               "about 90 %. Beside the points: the share of codes compared.")
real, gaussian = recalls.values()
guess_recall.reveal(round(100 * real[0]), because=(
    f"搜 8 格找对 {real[3]:.1%}，只比较了 {compared[3]:.1%} 的码字。靠的是数据自己成团：对照组高斯噪声没有团，同样 1 格只找对 {gaussian[0]:.0%}。",
    f"8 cells find {real[3]:.1%} and compare {compared[3]:.1%} of the codes. It works because data cluster: the control, Gaussian noise, "
    f"has no clusters, and 1 cell finds {gaussian[0]:.0%}."))
assert 0.7 < real[0] < 0.95 and real[3] > 0.98 and gaussian[0] < real[0] - 0.2 and compared[3] < 0.05

# %% jupyter={"source_hidden": true}
guess_slope = classroom.Predict(
    question=("码字从 4096 个到 262144 个，多 64 倍。全部比较的时间多几倍？倒排表呢（格数 ≈ √K，搜 8 格）？",
              "From 4096 codes to 262144, 64 times as many. How many times longer does comparing all take, and how many with inverted "
              "lists (about √K cells, 8 searched)?"),
    options=[("都约 64 倍", "both about 64"), ("约 64 倍；8 倍上下", "about 64; around 8"), ("都约 8 倍", "both about 8")])
guess_slope

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_slope.hold()
names, curves = ("一层，分块 one level", "nearest_code", "倒排表 8 格 lists, 8 cells"), {}
queries = cat_vectors[:256]


def times_with(K):
    centres, lists = lesson.inverted_lists(codes[:K], 2 ** ((K.bit_length() - 1) // 2))  # 不计时 not timed
    searches = (lambda: chunked(queries, codes[:K], max(16, 2**20 // K)), lambda: nearest_code(queries, codes[:K]),
                lambda: search_lists(queries, codes, centres, lists, 8))
    return classroom.seconds_in_turn(dict(zip(names, searches, strict=True)), 3)


for K in sizes:
    for name, time in times_with(K).items():
        curves.setdefault(name, {})[K] = time
shortest = min(time for curve in curves.values() for time in curve.values())
curves = {name: {K: time / shortest for K, time in curve.items()} for name, curve in curves.items()}
figure = lesson.draw_costs(curves).figure
classroom.show(figure, "双对数图：全部比较的两条线陡，斜率约 1；倒排表的线平得多，在小码本时反而更慢，大码本时快许多倍。",
               "A log–log plot: the two that compare all are steep, slope about 1; inverted lists are much flatter, slower for "
               "small codebooks, many times faster for large ones.")
exact, lists_slope = (lesson.slope(curves[name], 4096, 262144) for name in (names[0], names[2]))
for name, zh, en in zip(names, ("一层，分块", "nearest_code", "倒排表，8 格"), ("one level, in chunks", "nearest_code", "lists, 8 cells"),
                        strict=True):
    slope, ratio = lesson.slope(curves[name], 4096, 262144), curves[name][262144] / curves[name][4096]
    classroom.say(f"{zh}：斜率 {slope:.2f}，× {ratio:.0f}", f"{en}: slope {slope:.2f}, × {ratio:.0f}")
guess_slope.reveal(1, because=(
    "全部比较，时间 ∝ K，斜率约 1；码本大到装不进缓存，还要再慢一些。倒排表比较 √K 个格心和 8 · K/√K 个码字，时间 ∝ √K，斜率约 0.5；表要预先建好，码本一变就要重建。",
    "Comparing all, time ∝ K, slope about 1, and more where the codebook leaves the cache. Lists compare √K centres and "
    "8 · K/√K codes: time ∝ √K, slope about 0.5; they must be built beforehand, and again whenever the codebook changes."))
assert 0.5 < exact < 2 and lists_slope < exact

# %% [markdown]
# <div lang="zh">
#
# **要点：** 精确搜索的时间 ∝ N · K · D，谁也绕不开；只能省内存、省归约、加机器。近似搜索才改得了斜率。实际系统怎么选：
#
# | 规模 | 做法 |
# | --- | --- |
# | 训练，K 到几万 | 精确，分块；码本每步都在变，倒排表来不及建 |
# | 更多数据 | `torchrun`，一机多卡到多机；统计 all-reduce |
# | 码字固定，上百万到十亿 | 倒排表（FAISS），用 nprobe 调召回率和速度 |
#
# </div>
# <div lang="en">
#
# **Takeaway:** exact search takes time ∝ N · K · D, and nobody gets around it; one saves memory, saves on the reduction, adds machines.
# Only approximation changes the slope. What real systems choose:
#
# | scale | what one does |
# | --- | --- |
# | training, K up to tens of thousands | exact, in chunks; the codebook moves every step, too fast to build lists |
# | more data | `torchrun`, from one machine's cards to many machines; statistics all-reduced |
# | fixed codes, millions to a billion | inverted lists (FAISS), nprobe trades recall for speed |
#
# </div>

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 先撑不住的是 N × K 的中间结果；分块之后内存有上限，索引不变。
# - 在 CPU 上，问“在哪里”的 argmin 和乘积一样贵；两层归约只在 G + K/G 个数里找位置。
# - 半精度选错的赢家随 K 增多；搜索和统计用 float32。
# - 几个进程要共享个数与和；不通气，同一个 token 就有了两种意思，却没有人报错。
# - 精确搜索斜率为 1；倒排表约为 0.5，但会漏，漏多少取决于数据成不成团。
#
# </div>
# <div lang="en">
#
# - What gives out first is the table of N × K in between; in chunks memory has a ceiling and no index changes.
# - On a CPU argmin, which asks “where”, costs as much as the product; two levels seek the position among G + K/G numbers.
# - Half precision's wrong winners grow with K; search and statistics stay in float32.
# - Processes must share counts and sums; apart, one token comes to mean two things, and nobody reports an error.
# - Exact search has slope 1, inverted lists about 0.5; but they miss some, and how many depends on whether the data cluster.
#
# </div>
#
# ## 小测验 · Quiz

# %% jupyter={"source_hidden": true}
Option, Question = classroom.Option, classroom.Question
classroom.Quiz([
    Question(("N 和 K 都加倍，D 不变。一块最多 2²¹ 个分数的分块搜索，峰值内存怎么变？",
              "N and K both double, D stays. What happens to the peak memory of a search with at most 2²¹ scores a chunk?"), [
        Option(("变成 4 倍", "it is 4 times as large"), False,
               ("那是整张 N × K 的表；分块不把它一次做出来。", "That is the whole N × K table, which is never made at once.")),
        Option(("分数那一块不变，只有输入和输出加倍", "the chunk of scores stays; only input and output double"), True,
               ("对：行数减半，行长加倍，乘积有上限。", "Right: half as many rows, twice as long; the product has a ceiling.")),
        Option(("减半：每块的行数少了", "it halves: a chunk has fewer rows"), False,
               ("行数是少了，可每行也长了一倍。", "Fewer rows, but each is twice as long."))]),
    Question(("两层搜索只打开最小值最小的那一组。什么时候答案会和 float64 逐一相减的不同？",
              "A two-level search opens only the group with the smallest minimum. When may it differ from plain differences in float64?"), [
        Option(("不会不同：最小的分数就在那一组", "never: the smallest score is in that group"), False,
               ("最小的**舍入过的**分数在那一组；真正的赢家可能在别组。",
                "The smallest rounded score is; the true winner may be in another group.")),
        Option(("两个码字近得在舍入误差之内时", "when two codes are within the rounding error"), True,
               ("对：这样的行要把界内的候选都找出来，用 float64 裁定。",
                "Right: in such rows all candidates within the bound are found, and float64 decides.")),
        Option(("G 不是 √K 时", "when G is not √K"), False, ("G 只影响快慢。", "G changes the speed alone."))]),
    Question(("两个进程各有 EMA 码本，网络用 DDP。忘了 all-reduce 码本的统计，会看到什么？",
              "Two processes have EMA codebooks, the network uses DDP. Someone forgot to all-reduce the statistics. What does one see?"), [
        Option(("马上报错", "an error at once"), False,
               ("形状都对，没有什么可报的。", "All shapes fit; there is nothing to report.")),
        Option(("损失还在降，但同一个 token 在两边是不同的码字", "the loss still falls, but one token means different codes"), True,
               ("对：只看 0 号进程的损失发现不了，要比较两边的码本。", "Right: rank 0's loss does not show it; compare the codebooks.")),
        Option(("没有影响：DDP 会同步所有参数", "nothing: DDP synchronizes all parameters"), False,
               ("DDP 平均的是梯度；EMA 码本没有梯度。", "DDP averages gradients; an EMA codebook has none."))]),
    Question(("码本有一百万个码字，正在训练，每步都在变。搜索太慢，先试什么？",
              "A codebook of a million codes is being trained and moves every step. The search is too slow. What do you try first?"), [
        Option(("倒排表", "inverted lists"), False,
               ("每步都要重建，而且训练会学到它漏掉的错误。", "They need rebuilding every step, and training would learn from what they miss.")),
        Option(("搜索改用 bf16", "search in bf16"), False,
               ("码字这么多，bf16 会常常选错。", "With so many codes bf16 would choose wrongly very often.")),
        Option(("更多进程分担 N，统计 all-reduce", "more processes that share N, statistics all-reduced"), True,
               ("对：时间 ∝ N · K，N 可以平分，答案不变。", "Right: time ∝ N · K; N can be split and the answers stay."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●○○ · 6 分钟。** 上面按向量分块；现在按**码字**分块，码本放不下时就这样搜：`z` 是 (N, D)，`codebook` 是 (K, D)，一次最多算 `size` 个码字的分数，返回 (N,) 的索引。检查时会看你有没有偷偷做出整张表。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●○○ · 6 minutes.** The chunks above were of vectors; now take chunks of **codes**, as one does when the
# codebook does not fit: `z` is (N, D), `codebook` (K, D), the scores of at most `size` codes at once; return (N,) indices. The
# check watches whether the whole table is made after all.
#
# </div>

# %%
def my_chunked(z, codebook, size):
    ...


lesson.exercises.chunked.check(my_chunked)


# %% jupyter={"source_hidden": true}
def solution(z, codebook, size):
    best, index = torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    for start in range(0, len(codebook), size):
        codes = codebook[start:start + size]
        value, place = (codes.square().sum(dim=1) - 2 * z @ codes.t()).min(dim=1)
        index = torch.where(value < best, start + place, index)
        best = torch.minimum(value, best)
    return index


lesson.exercises.chunked.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 8 分钟。** 上面的组是相邻的码字，K 要整除。`nearest_code` 的组是隔着取的：第 k 个码字在第 `k % groups` 组，K 是多少都行。照这样写两层：`scores` 是 (N, K)；返回每行赢家所在的组 (N,)，和赢家的索引 (N,)。检查时会数：每行只许在 G + ⌈K/G⌉ 个数里找位置。
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 8 minutes.** The groups above were neighbours and had to divide K. Those of `nearest_code` are taken at regular
# distances: code k belongs to group `k % groups`, whatever K. Write the two levels for them: `scores` is (N, K); return the group of
# each row's winner, (N,), and the winner's index, (N,). The check counts: of each row the position may be sought among G + ⌈K/G⌉
# numbers only.
#
# </div>

# %%
def my_two_levels(scores, groups):
    ...


lesson.exercises.two_levels.check(my_two_levels)


# %% jupyter={"source_hidden": true}
def solution(scores, groups):
    n, K = scores.shape
    filled = torch.nn.functional.pad(scores, (0, -K % groups), value=torch.inf)  # 补满，inf 不会赢 inf never wins
    grid = filled.view(n, -1, groups)  # 一列一组 a column is a group
    group = grid.amin(dim=1).argmin(dim=1)
    return group, grid[torch.arange(n), :, group].argmin(dim=1) * groups + group


lesson.exercises.two_levels.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●●○ · 8 分钟。** P 个进程各数了一遍：`counts` 是 (P, K)，每个码字被选中几次；`sums` 是 (P, K, D)，选中它的向量之和。返回新的码本 (K, D)：每个码字是**所有**选中它的向量的均值；谁也没选的，照 `codebook` 原样。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●●○ · 8 minutes.** P processes have counted: `counts` is (P, K), how often each code was chosen; `sums` is (P, K, D), the sum
# of the vectors that chose it. Return the new codebook (K, D): each code the mean of **all** vectors that chose it; one that nobody
# chose stays as in `codebook`.
#
# </div>

# %%
def my_merged(counts, sums, codebook):
    ...


lesson.exercises.merged.check(my_merged)


# %% jupyter={"source_hidden": true}
def solution(counts, sums, codebook):
    count = counts.sum(dim=0)[:, None]  # all_reduce
    return torch.where(count > 0, sums.sum(dim=0) / count.clamp(min=1), codebook)


lesson.exercises.merged.check(solution, quiet=True)

# %% [markdown]
# ## 来源 · Sources
#
# <div lang="zh">
#
# - 倒排表与 GPU 上的十亿级搜索：Johnson、Douze、Jégou（2017），FAISS，arXiv 1702.08734；倒排表用于量化：Jégou、Douze、Schmid（2011），doi 10.1109/TPAMI.2010.57。
# - 矩阵乘法算距离的舍入：PyTorch issue #42479。argmin 与 amin 的实现：PyTorch，`aten/src/ATen/native/cpu/ReduceOpsKernel.cpp`；谁来做卷积：`Convolution.cpp`，上一级文件夹。
# - 混合精度：Micikevicius 等（2018），arXiv 1710.03740，第 3 节。
# - 数据并行：Li 等（2020），PyTorch Distributed，arXiv 2006.15704。
# - 不同之处：码字是照片小块的样本，没有训练；两个进程在一台机器上，用 gloo 而不是 NCCL；FAISS 的倒排表还把向量压缩。
#
# </div>
# <div lang="en">
#
# - Inverted lists and a billion vectors on GPUs: Johnson, Douze and Jégou (2017), FAISS, arXiv 1702.08734; lists for quantization:
#   Jégou, Douze and Schmid (2011), doi 10.1109/TPAMI.2010.57.
# - Rounding of distances by matrix product: PyTorch issue #42479. How argmin and amin are made: PyTorch,
#   `aten/src/ATen/native/cpu/ReduceOpsKernel.cpp`; who does a convolution: `Convolution.cpp`, one folder up.
# - Mixed precision: Micikevicius et al. (2018), arXiv 1710.03740, section 3.
# - Data parallelism: Li et al. (2020), PyTorch Distributed, arXiv 2006.15704.
# - How this differs: codes are samples of patches, nothing is trained on them; two processes share one machine, with gloo instead
#   of NCCL; FAISS' lists also compress their vectors.
#
# </div>
