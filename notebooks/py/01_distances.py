# %% [markdown]
# # 1. 多近才算近 · How near is near?
#
# <div lang="zh">
#
# **问题：** 量化就是“换成最近的码字”。可是“近”有几种量法？怎样算得快、省内存，又不出错？
#
# **大约 32 分钟，再加练习 17 分钟。你会：**
#
# 1. 看到欧氏、余弦、点积为同一个查询选出三个不同的码字，并知道它们何时一致；
# 2. 把 ‖x − e‖² 拆成三项，量出四种算法的内存和时间；
# 3. 让舍入误差选出错误的码字，再把它修好。
#
# **要先会什么：** 矩阵乘法和向量的长度。**一分钟回顾：** 编码器给出向量 $x$，码本有 K 个码字 $e$，token 就是最近的码字的编号（第 0 课），也叫**索引**：码字在码本里的行号。这里的码字先用 **k 均值**找：把向量分成 K 群，码字是每群的平均（第 2 课细讲）。
#
# 下面先画出整个模型，这一课细看中间的量化器怎样找最近的码字。再下面是这一课最后得到的图：同一个码本，只是整体平移了 4，用 bf16（只有大约 2 位有效数字的浮点格式）来算，区域就碎了。
#
# </div>
# <div lang="en">
#
# **Question:** to quantize is to take the nearest code. How many ways are there to be near, and how is it computed
# quickly, in little memory, and correctly?
#
# **In about 32 minutes, plus 17 for the exercises, you will:**
#
# 1. see Euclid, cosine and dot product choose three different codes for one query, and learn when they agree;
# 2. take ‖x − e‖² apart into three terms, and measure the memory and time of four ways to compute it;
# 3. let rounding choose the wrong code, and repair it.
#
# **What you need to know:** matrix products and the length of a vector. **One-minute recap:** the encoder gives a vector $x$,
# the codebook holds K codes $e$, and the token is the number of the nearest one (lesson 0), also called its
# **index**: the row of the codebook. Our codes come from **k-means**:
# split the vectors into K groups and let each code be its group's mean (lesson 2 explains it).
#
# Below, first, the whole model: this lesson is about how the quantizer in its middle finds the nearest code. Then the picture that
# the lesson ends on: one codebook, moved by 4; computed in bf16, a floating-point format of about 2 significant digits, the
# regions fall to pieces.
#
# </div>

# %%
import torch
import torch.nn.functional as F

from vqlab import SimpleVQVAE, classroom, held_out_photo, kmeans, nearest_code, photos, psnr
from vqlab.classroom import Option, Predict, Question, Quiz
from vqlab.lessons import distances as lesson

classroom.start()

# %% jupyter={"source_hidden": true}
torch.manual_seed(0)
classroom.architecture(SimpleVQVAE(512, 8), held_out_photo(), "quantizer")
colours = lesson.colour_plane(photos()["china"])[::100]
classroom.show(lesson.draw_broken_regions(kmeans(colours, 7, generator=torch.Generator().manual_seed(7))),
               "颜色平面按获胜的码字涂色：左边是正确的七块区域，右边是平移 4 之后 bf16 的答案，区域破碎。",
               "The plane of colours, painted by winning code: left the seven true regions, right bf16's answer after a move "
               "by 4, in pieces.")

# %% [markdown]
# ## 1. 三种距离，三个赢家 · Three distances, three winners
#
# <div lang="zh">
#
# *约 7 分钟。* 我们用真实的颜色：照片里每个像素去掉明暗，只留两个数，横轴从青到红，纵轴从蓝到绿。灰色在原点，于是**角度是色相，长度是饱和度**。码本是这些像素的 7 个 k 均值中心。纯灰的像素没有方向，先去掉。
#
# 照片：scikit-learn 自带的 `china.jpg`，CC BY 2.0。
#
# </div>
# <div lang="en">
#
# *About 7 minutes.* We use real colours: of every pixel of a photograph we drop the lightness and keep two numbers, from
# cyan to red and from blue to green. Grey is the origin, so **the angle is the hue and the length the saturation**. The
# codebook is 7 k-means centres of these pixels. Pure grey has no direction and is left out.
#
# Photograph: `china.jpg`, which ships with scikit-learn, CC BY 2.0.
#
# </div>

# %% jupyter={"source_hidden": true}
china = photos()["china"]
pixels = lesson.colour_plane(china)[::100]  # every 100th pixel, (N, 2)
pixels = pixels[pixels.norm(dim=1) > 0.01]
codes = (kmeans(pixels, 7, 20, generator=torch.Generator().manual_seed(7)) * 100).round() / 100
query = torch.tensor([[0.13, 0.2]])
classroom.say(f"{codes.shape[0]} 个码字，每个 {codes.shape[1]} 个数", f"{codes.shape[0]} codes of {codes.shape[1]} numbers")


# %% [markdown]
# <div lang="zh">
#
# 三种量法，各一行代码：
#
# - **欧氏**：差向量的长度，越小越近（`nearest_code`）；
# - **余弦**：只看方向，越大越近；
# - **点积**：$x\cdot e$，越大越近。
#
# </div>
# <div lang="en">
#
# Three measures, a line of code each:
#
# - **Euclid**: the length of the difference; the smaller, the nearer (`nearest_code`);
# - **cosine**: the direction alone; the larger, the nearer;
# - **dot product**: $x\cdot e$; the larger, the nearer.
#
# </div>

# %%
def by_cosine(z, codebook):
    return (F.normalize(z) @ F.normalize(codebook).t()).argmax(dim=1)


def by_dot(z, codebook):
    return (z @ codebook.t()).argmax(dim=1)


# %% jupyter={"source_hidden": true}
same = Predict(
    ("查询是一种暗黄色 (0.13, 0.20)。三种量法会选中几个不同的码字？",
     "The query is a dull yellow (0.13, 0.20). How many different codes do the three measures choose?"),
    options=[("一个：它们总是一致", "one: they always agree"), ("两个", "two"), ("三个", "three")])
same

# %% jupyter={"source_hidden": true}
same.hold()
chosen = [int(search(query, codes)) for search in (nearest_code, by_cosine, by_dot)]
classroom.say(f"欧氏、余弦、点积选中的码字：{chosen}", f"chosen by Euclid, cosine, dot product: {chosen}")
same.reveal(len(set(chosen)) - 1, (
    "余弦不管长短，点积偏爱长的码字：两者量的都不是“差多少”。",
    "Cosine ignores lengths and the dot product favours long codes: neither measures how much is lost."))

# %% [markdown]
# <div lang="zh">
#
# **拖一拖。** 拖动橙色菱形（查询）和圆点（码字）；也可用 Tab 选中，方向键移动。然后打开“区域”：
#
# - 欧氏的区域是多边形；
# - 余弦的区域是从原点张开的扇形：同一色相，不论鲜艳还是灰暗；
# - 点积的区域也是扇形，但落在其他码字的**凸包之内**的码字永远选不上：不管哪个方向，总有一个外面的码字点积更大。把一个码字拖到它们中间试试。（没有任何向量选中的码字，叫**死码字**；第 4 课的主角就是它。）
#
# </div>
# <div lang="en">
#
# **Drag.** Drag the orange diamond (the query) and the discs (codes), or reach them with Tab and move them with the arrow
# keys. Then switch on the regions:
#
# - Euclid's are polygons;
# - the cosine's are wedges from the origin: one hue, vivid or dull alike;
# - the dot product's are wedges too, but a code **inside the convex hull** of the others never wins: in every direction some
#   outer code has the larger product. Drag a code in among them and see. (A code that no vector chooses is a **dead code**: lesson 4 is
#   about them.)
#
# </div>

# %%
same.hold()
lesson.DistancePlane(pixels, codes, query=query[0].tolist())

# %% [markdown]
# <div lang="zh">
#
# **在整张照片上。** 现在用完整的三维颜色和 16 个码字。同一个码本，只换量法：**重建**（量化之后得到的图像）会差多少？
#
# </div>
# <div lang="en">
#
# **On the whole photograph.** Now with full three-dimensional colours and 16 codes. The same codebook, another measure: how
# much worse is the **reconstruction**, the image after quantizing?
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
same.hold()
import matplotlib.pyplot as plt

small = china[:, ::5, ::5]
colours = small.flatten(1).t()  # (N, 3)
palette = kmeans(colours, 16, generator=torch.Generator().manual_seed(0))
pictures = {name: palette[search(colours, palette)].t().reshape(small.shape)
            for name, search in (("欧氏 Euclid", nearest_code), ("余弦 cosine", by_cosine), ("点积 dot", by_dot))}
decibels = {name: psnr(picture[None], small[None]).item() for name, picture in pictures.items()}
euclid, cosine, dot = decibels.values()
assert euclid > cosine + 3 > dot + 3
figure, axes = plt.subplots(2, 2, figsize=(4.4, 3.3))
titles = ["原图 original"] + [f"{name}, {value:.0f} dB" for name, value in decibels.items()]
classroom.draw_images([small, *pictures.values()], titles, axes.flat)
classroom.show(figure, "同一张寺庙照片四次：原图；欧氏量化，几乎一样；余弦量化，明暗错乱；点积量化，大片发黑发白，只剩几种暗色。",
               "One temple photograph four times: original; by Euclid, nearly the same; by cosine, light and dark confused; "
               "by dot product, large parts black or white, with a few dull colours left.")

# %% [markdown]
# <div lang="zh">
#
# **要点。** 量化要的是误差最小，而误差就是欧氏距离：所以 VQ 默认用欧氏。点积和余弦是**相似度**，只有在长度不重要，或者已经归一化时才合适。
#
# </div>
# <div lang="en">
#
# **In short.** Quantization wants the smallest error, and that error is the Euclidean distance: hence VQ's default. Dot
# product and cosine are **similarities**: they fit where lengths do not matter or have been normalised.
#
# </div>

# %% [markdown]
# ## 2. 它们什么时候一致 · When they agree
#
# <div lang="zh">
#
# *约 5 分钟。* 很多代码把三者当成一回事。先猜，再数：4096 个高斯向量，512 个高斯码字，64 维。
#
# </div>
# <div lang="en">
#
# *About 5 minutes.* Plenty of code treats the three as one. Guess, then count: 4096 Gaussian vectors, 512 Gaussian codes, 64
# dimensions.
#
# </div>

# %% jupyter={"source_hidden": true}
guess = Predict(
    ("点积选中的码字，有百分之几和欧氏一样？", "For how many vectors, in percent, does the dot product choose Euclid's code?"),
    minimum=0, maximum=100, step=1, unit=("%", "%"))
guess

# %%
guess.hold()
generator = torch.Generator().manual_seed(0)
z = torch.randn(4096, 64, generator=generator, dtype=torch.float64)
gaussian = torch.randn(512, 64, generator=generator, dtype=torch.float64)


def agreement(codebook):
    nearest = nearest_code(z, codebook)
    return [round(100 * (search(z, codebook) == nearest).double().mean().item()) for search in (by_dot, by_cosine)]


dot_agrees, cosine_agrees = agreement(gaussian)
classroom.say(f"与欧氏一致：点积 {dot_agrees} %，余弦 {cosine_agrees} %",
              f"agree with Euclid: dot product {dot_agrees} %, cosine {cosine_agrees} %")

# %% jupyter={"source_hidden": true}
guess.hold()
guess.reveal(dot_agrees, ("高斯码字有长有短：点积偏爱长的，欧氏偏爱短的。",
                          "Gaussian codes differ in length: dot favours the long ones, Euclid the short."))

# %% [markdown]
# <div lang="zh">
#
# **试一试。** 回到上面的平面，勾选“所有码字等长”，再拖动查询：三个记号叠在一起，再也分不开。下面在 64 维里数一遍。
#
# </div>
# <div lang="en">
#
# **Try it.** Go back to the plane, tick “all codes of equal norm” and drag the query: the three marks now coincide and stay
# together. Below we count it in 64 dimensions.
#
# </div>

# %%
guess.hold()
equal_dot, equal_cosine = agreement(F.normalize(gaussian))
classroom.say(f"码字等长时，与欧氏一致：点积 {equal_dot} %，余弦 {equal_cosine} %",
              f"codes of equal norm, agree with Euclid: dot product {equal_dot} %, cosine {equal_cosine} %")

# %% [markdown]
# <div lang="zh">
#
# **要点。** 对同一个 x，码字等长时 ‖x‖² 和 ‖e‖² 都是常数，‖x − e‖² 最小就是 x·e 最大：三者必然一致。
#
# 一个著名的误会：Keras 官方 VQ-VAE 示例的注释写着 “L2-normalized distance”，代码却是普通的平方距离，什么也没有归一化。
#
# </div>
# <div lang="en">
#
# **In short.** For one x and codes of equal length both ‖x‖² and ‖e‖² are constant, so the smallest ‖x − e‖² is the largest x·e: the
# three must agree.
#
# A famous misunderstanding: a comment in Keras' official VQ-VAE example says “L2-normalized distance”, while the code is the
# plain squared distance; nothing is normalised.
#
# </div>

# %% [markdown]
# ## 3. 展开式，一项一项来 · The expansion, term by term
#
# <div lang="zh">
#
# *约 6 分钟。* 记号与颜色在公式和图里一致：橙色圆点是 ‖x‖²，绿色斜线是 ‖e‖²，紫色交叉线是 −2x·e。
#
# </div>
# <div lang="en">
#
# *About 6 minutes.* Marks and colours are the same in formula and figure: orange dots are ‖x‖², green slanted lines ‖e‖²,
# purple crossed lines −2x·e.
#
# </div>
#
# $$\|x-e\|^2 = \underbrace{\color{#E69F00}{\|x\|^2}}_{\cdots} + \underbrace{\color{#009E73}{\|e\|^2}}_{/\!/\!/}\; \underbrace{\color{#CC79A7}{-\,2\,x\cdot e}}_{\times\!\times\!\times}$$

# %% jupyter={"source_hidden": true}
dropped = Predict(
    ("只想知道哪个码字最近，哪一项可以不算？", "To learn only which code is nearest, which term need not be computed?"),
    options=[("‖x‖²", "‖x‖²"), ("‖e‖²", "‖e‖²"), ("−2x·e", "−2x·e"), ("哪项都不能少", "none can be left out")])
dropped

# %% [markdown]
# <div lang="zh">
#
# **一项一项加。** 移动滑块：第 1 步只有 −2x·e，第 2 步加上 ‖e‖²，第 3 步加上 ‖x‖²。菱形是目前的和，最低的胜出。每一步的赢家是谁？
#
# </div>
# <div lang="en">
#
# **Add them one by one.** Move the slider: step 1 is −2x·e alone, step 2 adds ‖e‖², step 3 adds ‖x‖². Diamonds are the sums so
# far; the lowest wins. Who wins at each step?
#
# </div>

# %%
lesson.ExpansionPlane(pixels, codes, query=query[0].tolist())

# %% jupyter={"source_hidden": true}
dropped.hold()
cross = -2 * query @ codes.t()  # (1, K)
with_codes = cross + codes.square().sum(dim=1)
whole = with_codes + query.square().sum(dim=1, keepdim=True)
winners = [int(scores.argmin()) for scores in (cross, with_codes, whole)]
classroom.say(f"一项、两项、三项时的赢家：{winners}", f"winner with one, two, three terms: {winners}")
dropped.reveal(0, ("‖x‖² 对所有码字都一样，把它们一起抬高，名次不变。少了 ‖e‖²，就变成点积了。",
                   "‖x‖² is the same for every code: all rise alike and the ranking stays. Without ‖e‖² it is the dot product."))


# %% [markdown]
# <div lang="zh">
#
# **要点。** 只看 $-2x\cdot e$，比的是点积；加上 $\|e\|^2$，长码字付出代价，比的就是欧氏距离；$\|x\|^2$ 不改变名次，只让数值变成真正的距离。对一批向量，$x\cdot e$ 是一次矩阵乘法：这就是大家都用展开式的原因。
#
# </div>
# <div lang="en">
#
# **In short.** $-2x\cdot e$ alone compares dot products; adding $\|e\|^2$ makes long codes pay, and compares Euclidean
# distances; $\|x\|^2$ changes no ranking and only turns the scores into true distances. For a batch, $x\cdot e$ is one matrix
# product: that is why everyone uses the expansion.
#
# </div>

# %% [markdown]
# ### 练习 1 · Exercise 1
#
# <div lang="zh">
#
# ●○○ 约 5 分钟。一批图：z 是 (B, N, D)，codebook 是 (K, D)。用展开式写出每张图的平方距离表，返回 (B, N, K)。不要循环，也不要先做出 (B, N, K, D) 的差。
#
# </div>
# <div lang="en">
#
# ●○○ about 5 minutes. A batch of pictures: z is (B, N, D), codebook is (K, D). Write each picture's table of squared
# distances by the expansion and return (B, N, K). No loop, and no (B, N, K, D) of differences first.
#
# </div>

# %%
def batch_distances(z, codebook):  # (B, N, D), (K, D) -> (B, N, K)
    ...


lesson.exercises.expansion.check(batch_distances)


# %% jupyter={"source_hidden": true}
def solution(z, codebook):
    return z.square().sum(dim=-1, keepdim=True) + codebook.square().sum(dim=-1) - 2 * z @ codebook.t()


lesson.exercises.expansion.check(solution, quiet=True)


# %% [markdown]
# ### 练习 2 · Exercise 2
#
# <div lang="zh">
#
# ●●○ 约 6 分钟。手里只有点积的搜索（硬件算得快，许多向量数据库也只提供它）。请让它选出**欧氏**最近的码字：返回新的 z (N, M) 和新的码本 (K, M)，使 `(new_z @ new_codebook.t()).argmax(dim=1)` 就是欧氏的赢家。M 可以比 D 大。怎样把 ‖e‖² 那一项放进向量里？
#
# </div>
# <div lang="en">
#
# ●●○ about 6 minutes. All you have is a search by dot product (fast in hardware, and what many vector databases offer). Make
# it choose **Euclid's** nearest code: return a new z (N, M) and a new codebook (K, M) such that `(new_z @
# new_codebook.t()).argmax(dim=1)` is Euclid's winner. M may exceed D. How do you put the term ‖e‖² inside the vectors?
#
# </div>

# %%
def euclid_as_dot(z, codebook):  # (N, D), (K, D) -> (N, M), (K, M)
    ...  # return new_z, new_codebook


lesson.exercises.as_dot.check(euclid_as_dot)


# %% jupyter={"source_hidden": true}
def solution(z, codebook):
    cost = -codebook.square().sum(dim=1, keepdim=True) / 2  # ‖x − e‖² = ‖x‖² − 2 (x·e − ‖e‖²/2)
    return torch.cat([z, torch.ones(len(z), 1)], dim=1), torch.cat([codebook, cost], dim=1)


lesson.exercises.as_dot.check(solution, quiet=True)


# %% [markdown]
# ## 4. 代价 · The cost
#
# <div lang="zh">
#
# *约 6 分钟。* 同一个答案，四种算法：
#
# 1. **broadcast**：先做出全部的差，(N, K, D)；
# 2. **formula**：展开式，(N, K)；
# 3. **cdist**：PyTorch 自带；
# 4. **nearest_code**：vqlab 的，一块一块算。
#
# </div>
# <div lang="en">
#
# *About 6 minutes.* One answer, four ways:
#
# 1. **broadcast**: all differences first, (N, K, D);
# 2. **formula**: the expansion, (N, K);
# 3. **cdist**: PyTorch's own;
# 4. **nearest_code**: vqlab's, block by block.
#
# </div>

# %%
def by_broadcast(z, codebook):
    return (z[:, None] - codebook).square().sum(dim=2).argmin(dim=1)


def by_formula(z, codebook):  # (N, D), (K, D) -> (N,)
    cross = z @ codebook.t()  # (N, K)
    squares = z.square().sum(dim=1, keepdim=True) + codebook.square().sum(dim=1) - 2 * cross  # (N, 1) + (K,) - (N, K)
    return squares.argmin(dim=1)


def by_cdist(z, codebook):
    return torch.cdist(z, codebook).argmin(dim=1)


searches = {"broadcast": by_broadcast, "formula": by_formula, "cdist": by_cdist, "nearest_code": nearest_code}
assert torch.equal(by_formula(z, gaussian), nearest_code(z, gaussian))  # 同样的答案 the same answer

# %% jupyter={"source_hidden": true}
memory_guess = Predict(
    ("N = 1024，K = 256，D = 64，float32。差 z[:, None] − codebook 这一个张量占多少 MiB？",
     "N = 1024, K = 256, D = 64, float32. How many MiB does the one tensor z[:, None] − codebook take?"),
    minimum=0, maximum=1024, step=1, unit=("MiB", "MiB"))
memory_guess

# %% jupyter={"source_hidden": true}
memory_guess.hold()
N, K, D = 1024, 256, 64
difference = N * K * D * 4 / 2**20  # 4 bytes a number
table = N * K * 4 / 2**20
print(f"(N, K, D): {difference:.0f} MiB    (N, K): {table:.0f} MiB")
memory_guess.reveal(difference, ("N·K·D 个数，每个 4 字节。展开式的表只有 (N, K)，是它的 1/D。",
                                 "N·K·D numbers of 4 bytes. The expansion's table is (N, K), smaller by a factor of D."))

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
memory_guess.hold()
vectors = torch.randn(N, D, generator=torch.Generator().manual_seed(1))
book = torch.randn(K, D, generator=torch.Generator().manual_seed(2))
memory = {name: lesson.peak_memory(search, vectors, book) / 2**20 for name, search in searches.items()}
times = lesson.time_ratios(searches, vectors, book)
assert memory["broadcast"] >= 2 * difference and max(memory["formula"], memory["cdist"]) < memory["broadcast"] / 20
figure, axes = plt.subplots(1, 2, figsize=(6, 2), sharey=True)
lesson.draw_price(memory, times, axes)
classroom.show(figure, "两组横条：四种算法的内存峰值和时间。broadcast 的内存比其他三种大几十倍，时间也最长。",
               "Two groups of bars: peak memory and time of four ways. Broadcast takes tens of times the memory of the others, "
               "and the most time.")

# %% [markdown]
# <div lang="zh">
#
# 内存由 PyTorch 的 profiler 量出，是输入之外的峰值；时间是与最快者的比值，你的机器会给出别的数。broadcast 的峰值是**两份** (N, K, D)：差，和它的平方。
#
# N 加大到 16 倍呢？公式的表跟着 N 一起变大；`nearest_code` 的表有上限，还随 N 变大的，只有每个向量的索引和另一个数。
#
# </div>
# <div lang="en">
#
# Memory is measured by PyTorch's profiler, the peak beyond the inputs; times are multiples of the fastest, and differ on
# your machine. Broadcast peaks at **two** tensors (N, K, D): the difference and its square.
#
# And with 16 times the N? The formula's table grows along; `nearest_code`'s has a ceiling, and only the indices, with one
# more number a vector, still grow with N.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
memory_guess.hold()
many = torch.randn(16 * N, D, generator=torch.Generator().manual_seed(3))
growth = {name: lesson.peak_memory(searches[name], many, book) / 2**20 / memory[name]
          for name in ("formula", "cdist", "nearest_code")}
assert growth["formula"] > 12 and growth["nearest_code"] < 10
print(*(f"{name}: × {ratio:.1f}" for name, ratio in growth.items()), sep="\n")

# %% [markdown]
# ## 5. 舍入 · Rounding
#
# <div lang="zh">
#
# *约 8 分钟。* 展开式又快又省。它有什么缺点？用一维的例子：x = 10000，两个码字在 10000.5 和 10003：真正的平方距离是 0.25 和 9。
#
# </div>
# <div lang="en">
#
# *About 8 minutes.* The expansion is fast and takes little memory. What is the catch? In one dimension: x = 10000, with codes at
# 10000.5 and 10003. The true squared distances are 0.25 and 9.
#
# </div>

# %% jupyter={"source_hidden": true}
rounding = Predict(
    ("float32 有大约 7 位有效数字。展开式会给出什么？", "float32 has about 7 digits. What will the expansion give?"),
    options=[("0.25 和 9", "0.25 and 9"), ("大约 0.25 和 9，末位不准", "about 0.25 and 9, last digits off"),
             ("0 和 0", "0 and 0"), ("报错", "an error")])
rounding

# %%
rounding.hold()
x, e = torch.tensor(10000.0), torch.tensor([10000.5, 10003.0])
plain, expanded = (x - e).square().tolist(), (x * x + e * e - 2 * x * e).tolist()
gap = torch.finfo(torch.float32).eps * 2**27
classroom.say(f"先减再平方：{plain}\n展开式：{expanded}\n2e8 附近相邻的 float32 相差 {gap:.0f}",
              f"difference, squared: {plain}\nexpansion: {expanded}\nneighbouring float32 numbers near 2e8 are {gap:.0f} apart")

# %% jupyter={"source_hidden": true}
rounding.hold()
rounding.reveal(2, ("x² + e² 和 2x·e 都约两亿，那里相邻的 float32 相差 16。大数相减，有用的小数位早已舍掉：灾难性抵消。",
                    "x² + e² and 2x·e are both about 2e8, where neighbouring float32 numbers are 16 apart. The digits that "
                    "matter were rounded away before the subtraction: catastrophic cancellation."))

# %% [markdown]
# <div lang="zh">
#
# **`torch.cdist` 也一样。** 超过 25 行时它默认改用矩阵乘法。PyTorch 的 issue #42479 报告了下面这个例子：正确的距离是 109。
#
# </div>
# <div lang="en">
#
# **`torch.cdist` does it too.** With more than 25 rows it switches to the matrix product by default. PyTorch's issue #42479
# reported this very example, whose true distance is 109.
#
# </div>

# %% tags=["nbval-ignore-output"]
rounding.hold()
a, b = torch.tensor([[512695.0]]), torch.tensor([[512804.0]])
one, many = torch.cdist(a, b)[0].item(), torch.cdist(a.repeat(26, 1), b)[0].item()
classroom.say(f"1 行：{one:.0f}；26 行：{many:.0f}", f"1 row: {one:.0f}; 26 rows: {many:.0f}")
assert one == 109 and abs(many - 109) > 10

# %% [markdown]
# ### 弄坏它，再修好它 · Break it, then repair it
#
# <div lang="zh">
#
# 移动“平移”滑块：所有颜色和码字一起离开原点，它们之间的距离没有变，正确的区域也不该变。
#
# 1. fp32：到多远开始出错？
# 2. bf16、fp16：一开始就全对吗？
# 3. 改用“先居中”。哪一种精度完全修好了？
# 4. `nearest_code` 呢？
#
# </div>
# <div lang="en">
#
# Move the slider: all colours and codes leave the origin together, the distances between them
# stay, and so should the regions.
#
# 1. fp32: how far out do errors begin?
# 2. bf16, fp16: is all well at the start?
# 3. Now centre first. Which precision is repaired completely?
# 4. And `nearest_code`?
#
# </div>

# %%
lesson.RoundingPlane(codes)

# %% jupyter={"source_hidden": true}
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    limits = torch.finfo(dtype)
    digits = torch.tensor(2 / limits.eps).log10().item()  # of the largest whole numbers without gaps
    name = str(dtype).removeprefix("torch.")
    classroom.say(f"{name}：{digits:.1f} 位，最大 {limits.max:.5g}", f"{name}: {digits:.1f} digits, largest {limits.max:.5g}")

# %% [markdown]
# <div lang="zh">
#
# **在真实的特征上数一数。** 小猫 Chelsea 的 2048 个 4 × 4 像素小块（48 维），寺庙照片的 256 个小块作码字，整体平移 0 到 1000。先猜：
#
# </div>
# <div lang="en">
#
# **Counted on real features.** 2048 patches of 4 × 4 pixels (48 dimensions) of Chelsea the cat, 256 of the temple as codes,
# all moved by 0 to 1000.
# First a guess:
#
# </div>

# %% jupyter={"source_hidden": true}
repaired = Predict(
    ("居中之后，哪些精度选错的不到 0.1%？", "After centring, in which precision are fewer than 0.1 % of the choices wrong?"),
    options=[("三种都是", "in all three"), ("只有 fp32", "in fp32 alone"), ("都不行", "in none")])
repaired

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
repaired.hold()


def patches(photo, number):
    every = photo.unfold(1, 4, 4).unfold(2, 4, 4).permute(1, 2, 0, 3, 4).reshape(-1, 48)
    return every[torch.randperm(len(every), generator=torch.Generator().manual_seed(0))[:number]]


features, patch_codes = patches(held_out_photo()[0], 2048), patches(china, 256)
offsets, wrong = (0, 1, 10, 100, 1000), {}
for centre in (False, True):
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        for offset in offsets:
            moved, moved_codes = features + offset, patch_codes + offset
            truth = nearest_code(moved.double(), moved_codes.double())
            found = lesson.search_in(dtype, moved, moved_codes, centre=centre)
            label = f"{name}, 居中 centred" if centre else name
            wrong.setdefault(label, []).append((found != truth).double().mean().item())

figure, axes = plt.subplots(figsize=(6.2, 2.6))
lesson.draw_rounding(offsets, wrong, axes)
classroom.show(figure, "选错的比例随偏移变化：不居中时三种精度都升到接近 100%，bf16 最早；居中后三条线都是平的，fp32 为零，bf16 仍有几个百分点。",
               "Share of wrong codes over the offset: uncentred, all three precisions rise to nearly 100 %, bf16 first; "
               "centred, all lines are flat, fp32 at zero, bf16 still at a few percent.")
classroom.say(*("\n".join(f"{name.replace('居中 centred', centred)}: {100 * shares[0]:.1f} … {100 * shares[-1]:.1f} %"
                          for name, shares in wrong.items()) for centred in ("居中", "centred")))
assert wrong["fp32"][-1] > 0.5 and wrong["bf16"][2] > 0.5 and max(wrong["fp32, 居中 centred"]) < 0.001
assert 0.001 < min(wrong["fp16, 居中 centred"]) < min(wrong["bf16, 居中 centred"])
repaired.reveal(1, ("平移的危害三种都消除了，但 bf16 和 fp16 的数本身位数就少：在原点也会选错一些。",
                    "The harm of the offset is gone in all three, but bf16 and fp16 numbers have few digits: even at the origin "
                    "some choices are wrong."))

# %% [markdown]
# ### 怎样才能完全正确 · How to be exact
#
# <div lang="zh">
#
# `vqlab.nearest_code` 分三步：
#
# 1. 减去同一个原点，距离不变，舍入误差变小；
# 2. 用一次矩阵乘法算出分数，并**估出误差的上界**：比最好的分数差不超过它的码字，都进入短名单；
# 3. 短名单用 float64 老老实实地相减、平方、求和。
#
# 名单里几乎总是只有一个码字，所以第三步很便宜。
#
# </div>
# <div lang="en">
#
# `vqlab.nearest_code` takes three steps:
#
# 1. subtract one origin: distances stay, rounding errors shrink;
# 2. get the scores from one matrix product, with a **bound on their error**: every code within it of the best score is
#    short-listed;
# 3. settle the short list by plain differences in float64.
#
# The list nearly always holds a single code, so the third step is cheap.
#
# </div>

# %%
centred, codes_centred = features - features.mean(dim=0), patch_codes - features.mean(dim=0)
scores = codes_centred.square().sum(dim=1) - 2 * centred @ codes_centred.t()  # step 2, without ‖x‖²
size = centred.norm(dim=1) + codes_centred.norm(dim=1).max()
slack = (48 + 8) * torch.finfo(torch.float32).eps * 2 * size.square()  # simpler and wider than nearest_code's
short_list = scores <= (scores.amin(dim=1) + slack)[:, None]
mean = short_list.sum(dim=1).double().mean()
classroom.say(f"短名单平均有 {mean:.1f} 个码字，一共 {len(patch_codes)} 个",
              f"the short list holds {mean:.1f} of {len(patch_codes)} codes on average")
for offset in offsets:
    moved, moved_codes = features + offset, patch_codes + offset
    exact = torch.cdist(moved.double(), moved_codes.double(), compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=1)
    errors = int((nearest_code(moved, moved_codes) != exact).sum())
    classroom.say(f"偏移 {offset}：nearest_code 错 {errors} 个", f"offset {offset}: nearest_code has {errors} wrong")


# %% [markdown]
# ### 练习 3 · Exercise 3
#
# <div lang="zh">
#
# ●●○ 约 6 分钟。数据离原点几千甚至几万，而且每一维的偏移都不同。写一个 float32 的搜索：先居中，再用公式，返回 (N,) 的索引。要减去谁的均值，从哪里减？
#
# </div>
# <div lang="en">
#
# ●●○ about 6 minutes. The data lie thousands, even tens of thousands of units from the origin, each dimension at an offset of its own. Write a search
# in float32: centre first, then use the formula; return (N,) indices. Whose mean do you subtract, and from what?
#
# </div>

# %%
def nearest_centred(z, codebook):
    ...


lesson.exercises.centre.check(nearest_centred)


# %% jupyter={"source_hidden": true}
def solution(z, codebook):
    origin = z.mean(dim=0)
    return by_formula(z - origin, codebook - origin)


lesson.exercises.centre.check(solution, quiet=True)

# %% [markdown]
# ## 6. 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - “最近”要先说用哪种量法；误差就是欧氏距离，所以量化用欧氏。码字等长时三者一致。
# - ‖x‖² 不影响名次；少了 ‖e‖² 就变成点积。
# - 展开式把 (N, K, D) 的内存变成 (N, K)；分块之后，这张表有上限。
# - 大数相减会丢掉有效位：居中修好 fp32；要完全正确，就用误差界加 float64 的短名单。
#
# </div>
# <div lang="en">
#
# - “Nearest” needs a measure; the error is Euclid's, so quantization uses Euclid. With codes of equal norm all three agree.
# - ‖x‖² changes no ranking; without ‖e‖² it is the dot product.
# - The expansion turns memory (N, K, D) into (N, K); in blocks, that table has a ceiling.
# - Differences of large numbers lose their digits: centring repairs fp32; exactness takes an error bound and a short list
#   in float64.
#
# </div>

# %% jupyter={"source_hidden": true}
Quiz([
    Question(("所有码字的长度都是 1。哪个说法对？", "All codes have length 1. Which is true?"), [
        Option(("余弦、点积、欧氏选同一个码字", "cosine, dot product and Euclid choose the same code"), True,
               ("对：‖e‖² 是常数，三个名次一样。", "Right: ‖e‖² is constant, so the three rankings are one.")),
        Option(("还要 x 的长度也是 1 才行", "only if x has length 1, too"), False,
               ("x 的长度对所有码字都一样，不改变名次。", "The length of x is the same for every code and changes no ranking.")),
        Option(("三者的数值相等", "their values are equal"), False,
               ("名次相同，数值不同：点积 0.8 时平方距离可以是 0.4。",
                "The rankings agree, the values do not: with a dot product of 0.8 a squared distance can be 0.4.")),
    ]),
    Question(("搜索时漏了 ‖e‖²，会怎样？", "A search forgets ‖e‖². What happens?"), [
        Option(("没有影响", "nothing"), False, ("没有影响的是 ‖x‖²。", "The one without effect is ‖x‖².")),
        Option(("长的码字赢得太多", "long codes win too often"), True,
               ("对：剩下的是点积，长码字不用为长度付代价。", "Right: what is left is the dot product; long codes do not pay for their length.")),
        Option(("短的码字赢得太多", "short codes win too often"), False,
               ("反了：‖e‖² 正是对长码字的惩罚，少了它长的占便宜。",
                "The other way round: ‖e‖² is the penalty on long codes.")),
    ]),
    Question(("D 加倍，哪种算法的峰值内存大约也加倍？", "D doubles. Whose peak memory about doubles?"), [
        Option(("broadcast", "broadcast"), True, ("对：它存 N·K·D 个数。", "Right: it holds N·K·D numbers.")),
        Option(("formula", "formula"), False, ("它的表是 (N, K)，与 D 无关。", "Its table is (N, K), whatever D.")),
        Option(("nearest_code", "nearest_code"), False,
               ("它的块有上限，只有居中后的副本随 D 变。", "Its blocks have a ceiling; only the centred copies grow with D.")),
    ]),
    Question(("模型整体用 bf16 训练，搜索应该怎么算？", "A model trains in bf16. How should the search run?"), [
        Option(("也用 bf16，居中就行", "in bf16 too, centred"), False,
               ("居中去掉了平移的危害，但 bf16 只有大约 2 位有效数字，仍会选错几个百分点。",
                "Centring undoes the offset, but bf16 has about 2 digits: a few percent stay wrong.")),
        Option(("转成 fp16", "in fp16"), False,
               ("位数多一点，但大于 65504 就溢出。", "A few more digits, but beyond 65504 it overflows.")),
        Option(("转成 float32，居中，近似打平的再用 float64 裁定", "in float32, centred, near ties settled in float64"), True,
               ("对：`nearest_code` 就这样做，在 autocast（PyTorch 的自动混合精度）里也一样。",
                "Right: so does `nearest_code`, under autocast (PyTorch's automatic mixed precision) as well.")),
    ]),
])

# %% [markdown]
# ## 出处 · Sources
#
# <div lang="zh">
#
# - van den Oord 等（2017），VQ-VAE，arXiv 1711.00937：最近邻用欧氏距离；第 3 节是这门课的起点。
# - Keras 示例 `vq_vae.py`：注释里的 “L2-normalized”；练习怎样核对注释和代码。
# - PyTorch issue #42479：`cdist` 用矩阵乘法时结果错误；文档 `torch.cdist` 的 `compute_mode` 说怎样关掉它。
# - scikit-learn 文档 `euclidean_distances`：展开式的“灾难性抵消”；issue #9354 里有更多例子。
# - 与论文不同：这里的特征是颜色和像素小块，不是训练好的编码器输出。
#
# </div>
# <div lang="en">
#
# - van den Oord et al. (2017), VQ-VAE, arXiv 1711.00937: nearest neighbours by Euclidean distance; section 3 is where this
#   course starts.
# - Keras' example `vq_vae.py`: “L2-normalized” in a comment; good practice in checking comments against code.
# - PyTorch issue #42479: wrong results of `cdist` by matrix product; `compute_mode` in the documentation of `torch.cdist` says
#   how to switch it off.
# - scikit-learn's documentation of `euclidean_distances`: the expansion's “catastrophic cancellation”; issue #9354 has more
#   examples.
# - Unlike the paper: features here are colours and patches of pixels, not outputs of a trained encoder.
#
# </div>
