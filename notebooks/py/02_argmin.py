# %% [markdown]
# # 2. 谁胜出 · Which code wins
#
# <div lang="zh">
#
# **问题：** 每个向量都换成最近的码字。哪个码字胜出？又丢了什么？
#
# **大约 30 分钟，再加练习 16 分钟；另有一节选读。你会：**
#
# 1. 拖动码字，看维诺图、归属和失真怎样跟着变；
# 2. 一步步走 Lloyd 算法，看失真为什么从不上升，又为什么会停在不好的地方；
# 3. 把照片画成 K 种颜色，画出码率—失真曲线，再弄清 argmin 为什么没有斜率。
#
# **要先会什么：** 平均值、平方距离、`argmin`。**一分钟回顾：** 码本有 K 个码字，每个向量换成最近的一个，只存它的编号（第 0 课）；“近”用欧氏距离，`nearest_code` 算得又准又省（第 1 课）。
#
# 下面先画出整个模型，这一课细看中间的量化器；再下面是这一课最后得到的图：同一张照片，用 2、16、256 种颜色。比特越多，分贝越高。
#
# </div>
# <div lang="en">
#
# **Question:** every vector is replaced by its nearest code. Which code wins, and what is lost?
#
# **In about 30 minutes, plus 16 for the exercises (one section is optional), you will:**
#
# 1. drag codes, and see Voronoi cells, assignments and distortion follow;
# 2. walk through Lloyd's algorithm, see why distortion never rises, and why it may still stop in a bad place;
# 3. paint a photograph in K colours, draw its rate–distortion curve, and learn why argmin has no slope.
#
# **What you need to know:** means, squared distances, `argmin`. **One-minute recap:** a codebook holds K codes; every vector is
# replaced by the nearest one, and only its number is stored (lesson 0); “near” is Euclid's distance, which `nearest_code`
# computes exactly and in little memory (lesson 1).
#
# Below, first, the whole model: this lesson is about the quantizer in its middle. Then the picture that the lesson ends on: one
# photograph in 2, 16 and 256 colours. The more bits, the more decibels.
#
# </div>

# %%
import torch

from vqlab import DummyDataset, SimpleVQVAE, classroom, held_out_photo, kmeans, nearest_code, photos, psnr, small_photo
from vqlab.classroom import Option, Predict, Question, Quiz
from vqlab.lessons import argmin as lesson
from vqlab.lessons.argmin import PalettePlayer, VoronoiPlane, distortion, lloyd_step

classroom.start()

# %% jupyter={"source_hidden": true}
torch.manual_seed(0)
classroom.architecture(SimpleVQVAE(512, 8), held_out_photo(), "quantizer")
photo = small_photo(photos()["astronaut"], 128)
ax = classroom.draw_images([lesson.repaint(photo, kmeans(photo.flatten(1).T[::4], size, 5, generator=torch.Generator()))
                            for size in (2, 16, 256)], ["K = 2", "K = 16", "K = 256"])[0]
ax.figure.set_size_inches(5.4, 2)
classroom.show(ax.figure, "宇航员的照片三次：用 2 种、16 种、256 种颜色，越来越像。",
               "The astronaut three times: in 2, 16 and 256 colours, ever more alike.")

# %% [markdown]
# ## 1. 拖动码字 · Drag the codes
#
# <div lang="zh">
#
# *8 分钟。* 取一张真实的照片（宇航员 Eileen Collins，NASA，公有领域），缩成 128 × 128 像素。每个像素是一个三维向量：红、绿、蓝，都在 [−1, 1]。为了画在平面上，取颜色变化最大的两个方向（主轴），随机抽 1000 个像素。
#
# </div>
# <div lang="en">
#
# *8 minutes.* A real photograph (the astronaut Eileen Collins, NASA, public domain), shrunk to 128 × 128 pixels. Each pixel
# is a vector of three numbers, red, green, blue, in [−1, 1]. To see them on a plane, take the two directions along which the
# colours vary most (principal axes) and 1000 pixels at random.
#
# </div>

# %%
photo = small_photo(photos()["astronaut"], 128)  # (3, 128, 128)
plane = lesson.photo_plane(photo, 1000, generator=torch.Generator().manual_seed(0))
classroom.say(f"平面保留了 {plane.kept:.0%} 的方差", f"the plane keeps {plane.kept:.0%} of the variance")

# %% jupyter={"source_hidden": true}
border = Predict(("两个码字的地盘之间，边界是什么形状？", "Between the territories of two codes, what shape is the border?"), [
    ("圆弧，以较强的码字为圆心", "an arc around the stronger code"), ("直线", "a straight line"),
    ("看点有多密", "it depends on how dense the points are")])
border

# %% [markdown]
# <div lang="zh">
#
# 拖动圆圈（或按 Tab 选中，用方向键移动，按住 Shift 走小步）。每个点连到离它最近的码字。目标：让**失真**（到最近码字的平方距离的平均）低于 k 均值给出的数。勾选“只看码字的颜色”，看到的就是解码器能看到的全部。
#
# </div>
# <div lang="en">
#
# Drag the circles (or Tab to one and use the arrow keys, Shift for small steps). Each point is tied to its nearest code. Your
# goal: a **distortion** (the mean squared distance to the nearest code) below the one that k-means gives. Tick “Code colours only” to see all that a decoder gets to see.
#
# </div>

# %%
border.hold()
goal = kmeans(plane.points, 6, 40, generator=torch.Generator().manual_seed(0))
start = torch.tensor([[-1.2, 0.2], [-0.6, -0.3], [0.0, 0.2], [0.4, -0.4], [0.9, 0.1], [1.4, 0.3]])
playground = VoronoiPlane(plane, start, goal=distortion(plane.points, goal))
playground

# %% jupyter={"source_hidden": true}
border.hold()
border.reveal(1, because=("到两个码字一样远的点，在它们连线的垂直平分线上：一条直线。点的疏密不起作用，码字也没有强弱。",
    "Points equally far from two codes lie on the perpendicular bisector: a straight line. Density plays no part, "
    "and no code is stronger than another."))

# %% [markdown]
# <div lang="zh">
#
# 每一点归最近的码字，这样划分的平面叫**维诺图**（Voronoi diagram）。每一格是凸的，由码字之间的平分线围成。
#
# **要点：** 一个点换成哪个码字，只看谁最近。**失真**是到它的平方距离的平均，在各维上求和：
#
# </div>
# <div lang="en">
#
# The plane divided by which code is nearest is a **Voronoi diagram**. Every cell is convex, bounded by bisectors.
#
# **In short:** which code replaces a point depends on nothing but which is nearest. **Distortion** is the mean squared
# distance to it, summed over the dimensions:
#
# </div>
#
# $$k(z) = \arg\min_k \|{\color{#0072B2} z} - {\color{#009E73} e_k}\|^2, \qquad \mathcal D = \frac1N \sum_n \|{\color{#0072B2} z_n} - {\color{#009E73} e_{k(z_n)}}\|^2$$

# %% [markdown]
# <div lang="zh">
#
# 控件里的数由页面中的 JavaScript 算出。用 `vqlab` 再算一遍你留下的码字：
#
# </div>
# <div lang="en">
#
# The numbers in the widget are computed by JavaScript in the page. Compute them again with `vqlab`, from the codes as you left
# them:
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
indices = nearest_code(plane.points, playground.codebook)  # (1000,)
counts, left = torch.bincount(indices, minlength=6).tolist(), distortion(plane.points, playground.codebook)
classroom.say(f"失真 {left:.4f}；每个码字的点数 {counts}", f"distortion {left:.4f}; points of each code {counts}")


# %% [markdown]
# ## 2. Lloyd：两步轮流走 · Lloyd: two moves in turn
#
# <div lang="zh">
#
# *8 分钟。* 用手拖很累。1957 年 Lloyd 想到：**先分配**（每个点归最近的码字），**再移动**（每个码字走到它的点的均值），反复做。这就是 k 均值。走一步只要四行：
#
# </div>
# <div lang="en">
#
# *8 minutes.* Dragging is tiring. In 1957 Lloyd had an idea: **assign** (each point to its nearest code), then **move** (each
# code to the mean of its points), again and again. That is k-means. One step takes four lines:
#
# </div>

# %%
def one_step(points, codes):  # (N, D), (K, D) -> (K, D)
    owner = torch.cdist(points, codes).argmin(dim=1)  # assign: (N,)
    member = torch.nn.functional.one_hot(owner, len(codes)).to(points)  # (N, K), one 1 in each row
    counts = member.sum(dim=0)[:, None]  # (K, 1)
    return torch.where(counts > 0, member.t() @ points / counts, codes)  # move: the means


few = plane.points[:4]
assert torch.allclose(one_step(plane.points, few), lloyd_step(plane.points, few), atol=1e-4)  # 与 vqlab 相同 as vqlab

# %% jupyter={"source_hidden": true}
lloyd = Predict(("从三个不同的起点走到不再变化，失真会一样吗？",
                 "From three different starts, run until nothing moves: is the distortion the same?"), [
    ("一样：每步都下降，总会到最低点", "yes: every step goes down, so all reach the lowest point"),
    ("不一样，但每条路都从不上升", "no, although no path ever rises"),
    ("不一样，而且途中会上升", "no, and on the way it may rise")])
lloyd

# %% [markdown]
# <div lang="zh">
#
# 按“走一步”或“走到底”；“换个起点”有三个起点。记下每次停下来时的失真。走到一半也可以自己拖。
#
# </div>
# <div lang="en">
#
# Press “One step” or “Run”; “Another start” goes through three starts. Note the distortion where each one stops. You may also
# drag a code half way.
#
# </div>

# %%
starts = torch.stack([plane.points[torch.randperm(1000, generator=torch.Generator().manual_seed(seed))[:4]]
                      for seed in range(3)])  # (3, 4, 2): four random points of the photograph
VoronoiPlane(plane, starts, lloyd=True)

# %%
lloyd.hold()
for codes in starts:
    seen = [distortion(plane.points, codes)]
    for step in range(40):
        codes = lloyd_step(plane.points, codes)
        seen.append(distortion(plane.points, codes))
    assert all(later <= earlier + 1e-9 for earlier, later in zip(seen, seen[1:], strict=False))  # never rises
    classroom.say(f"失真：开始 {seen[0]:.3f}，第一步之后 {seen[1]:.3f}，最后 {seen[-1]:.3f}",
                  f"distortion: {seen[0]:.3f} at the start, {seen[1]:.3f} after a step, {seen[-1]:.3f} at the end")

# %% jupyter={"source_hidden": true}
lloyd.hold()
lloyd.reveal(1, because=("每一步都不升，可是三个起点停在不同的地方：Lloyd 只找到局部最小。好的起点（k-means++）有帮助，也不能保证。",
    "No step goes up, yet the three starts end in different places: Lloyd finds a local minimum. A good start (k-means++) "
    "helps, and guarantees nothing."))

# %% [markdown]
# <div lang="zh">
#
# **为什么从不上升：** 分配时，每个点换到更近的码字，失真只会变小；移动时，均值是平方距离之和最小的点，失真也只会变小。
#
# `vqlab.kmeans` 就是 k-means++ 起点加上同样的步子。（差别只有一处：没有成员的码字，`kmeans` 会搬到最远的点上，这里让它留在原处。）
#
# </div>
# <div lang="en">
#
# **Why it never rises:** when assigning, a point only changes to a nearer code; when moving, the mean is the point with the
# least sum of squared distances. Both can only lower the distortion.
#
# `vqlab.kmeans` is a k-means++ start and the same steps. (One difference: `kmeans` moves a code without members onto the
# farthest point, here it stays.)
#
# </div>

# %% jupyter={"source_hidden": true}
lloyd.hold()
codes = kmeans(plane.points, 6, iterations=0, generator=torch.Generator().manual_seed(1))  # the start alone
for step in range(10):
    codes = lloyd_step(plane.points, codes)
ours = kmeans(plane.points, 6, iterations=10, generator=torch.Generator().manual_seed(1))
same = torch.allclose(codes, ours, atol=1e-4)
classroom.say(f"十步之后与 kmeans 相同：{same}", f"after ten steps the same as kmeans: {same}")

# %% [markdown]
# ## 3. K 种颜色的照片 · A photograph in K colours
#
# <div lang="zh">
#
# *8 分钟。* 现在用全部三维，全部 16384 个像素。每个像素只存一个**索引**：$\log_2 K$ 比特。原图是 24 比特。索引之外还要存一次调色板，每种颜色 24 比特。
#
# </div>
# <div lang="en">
#
# *8 minutes.* Now all three dimensions and all 16384 pixels. Each pixel stores one **index**: $\log_2 K$ bits. The original
# has 24 bits. The palette must be stored too, once, 24 bits a colour.
#
# </div>

# %% jupyter={"source_hidden": true}
doubling = Predict(("颜色数每翻一倍（每像素多一个比特），平均提高多少分贝？",
                    "Each doubling of the colours (one more bit a pixel) gains how many decibels, on average?"),
                   minimum=0, maximum=10, step=0.1, unit=("分贝", "dB"))
doubling

# %% [markdown]
# <div lang="zh">
#
# 拖动 K，或按“从 2 播放到 256”。曲线只画你到过的地方。每个 K 的调色板都是用 k 均值在**这张照片自己**的 4096 个像素上学的，这很占便宜，下面会量一量。
#
# </div>
# <div lang="en">
#
# Drag K, or press “Play from 2 to 256”. The curve shows only where you have been. The palette of each K was learnt by k-means on 4096 pixels of
# **this very photograph**, an unfair advantage that we measure below.
#
# </div>

# %%
player = PalettePlayer(photo, generator=torch.Generator().manual_seed(0))
player

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
doubling.hold()


def quality(picture, palette):
    return psnr(lesson.repaint(picture, palette), picture).item()

sizes = [2, 4, 8, 16, 32, 64, 128, 256]
learnt = [quality(photo, player.palettes[size]) for size in sizes]
gain = (learnt[-1] - learnt[0]) / 7
print(*(f"K = {size}: {value:.1f} dB" for size, value in zip(sizes, learnt, strict=True)), sep="\n")
assert learnt == sorted(learnt) and 3.0 < gain < 3.7

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
doubling.hold()
doubling.reveal(round(gain, 1), because=("若颜色填满 d 维空间，K 翻倍时误差变为 2 的 −2/d 次方倍，也就是提高约 6.02/d 分贝。"
    "这里介于 d = 1 和 d = 3 之间：颜色大致铺在一张曲面上。",
    "If the colours filled d dimensions, a doubling would multiply the error by 2 to the −2/d: a gain of about 6.02/d dB. "
    "Here it lies between d = 1 and d = 3: the colours lie roughly on a sheet."))

# %% [markdown]
# <div lang="zh">
#
# **率失真：** 失真要小，**码率**（平均每像素的比特数）就要高，两样不可兼得。高码率时，D 维均匀数据的平方误差正比于 $K^{-2/D}$（Zador 1982；Gersho 1979）。
#
# 和谁比？**基线：** 不看照片的均匀网格。**反例：** `DummyDataset` 的噪声，颜色填满三维，没有结构可以利用。
#
# </div>
# <div lang="en">
#
# **Rate and distortion:** the less distortion, the higher the **rate** (the mean number of bits a pixel): one is paid for with the
# other. At high rate the squared error of data uniform in D dimensions goes as $K^{-2/D}$ (Zador 1982; Gersho 1979).
#
# Compared with what? **Baseline:** an even grid that never saw the photograph. **Negative control:** the noise of
# `DummyDataset`, whose colours fill all three dimensions and have no structure to use.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
doubling.hold()
noise = DummyDataset()[0][0]  # (3, 64, 64)
pixels = noise.flatten(1).T.contiguous()
curves = {("照片，学到的 photo,", "learnt"): [(lesson.palette_rate(k, 128, 128), db) for k, db in zip(sizes, learnt, strict=True)]}
curves["照片，网格 photo,", "grid"] = [(lesson.palette_rate(n**3, 128, 128), quality(photo, lesson.grid_palette(n)))
                                for n in range(2, 7)]
curves["噪声，学到的 noise,", "learnt"] = [
    (lesson.palette_rate(k, 64, 64), quality(noise, kmeans(pixels, k, generator=torch.Generator().manual_seed(0))))
    for k in sizes]
ax = lesson.draw_rate_distortion(curves)
classroom.show(ax.figure, "三条码率—失真曲线：照片用学到的调色板最高，网格低得多，噪声即使学了调色板也不高。",
               "Three rate–distortion curves: the photo with a learnt palette is highest, an even grid far lower; "
               "noise stays low, even with a learnt palette.")
assert min(learnt[5:]) > max(db for rate, db in curves["照片，网格 photo,", "grid"]) + 5

# %% [markdown]
# ### 换一张照片 · Another photograph
#
# <div lang="zh">
#
# 要说明的是：调色板是在同一张照片上学的。拿去画另一张（一杯咖啡），它就差得多：
#
# </div>
# <div lang="en">
#
# A caveat: the palette was learnt on the same photograph. On another one (a cup of coffee) it does much worse:
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
coffee = small_photo(photos()["coffee"], 128)
own = kmeans(coffee.flatten(1).T.contiguous(), 64, generator=torch.Generator().manual_seed(0))
with_own, with_other = quality(coffee, own), quality(coffee, player.palettes[64])
classroom.say(f"咖啡，64 种颜色：用自己的调色板 {with_own:.1f} dB，用宇航员的 {with_other:.1f} dB",
              f"the coffee in 64 colours: {with_own:.1f} dB with its own palette, {with_other:.1f} dB with the astronaut's")
assert with_own > with_other + 3

# %% [markdown]
# ## 4. 平局 · Ties
#
# <div lang="zh">
#
# *选读，4 分钟。* 落在边界上的点，到两个码字一样远。谁胜出？
#
# </div>
# <div lang="en">
#
# *Optional, 4 minutes.* A point on the border is equally far from two codes. Which one wins?
#
# </div>

# %% jupyter={"source_hidden": true}
tie = Predict(("码本里有两个完全相同的码字，2 号和 5 号。5 号会被选中吗？",
               "Codes 2 and 5 of a codebook are identical. Will code 5 ever be chosen?"), [
    ("会，各一半", "yes, half of the time"), ("会，偶尔", "yes, now and then"), ("永远不会", "never")])
tie

# %%
tie.hold()
twins = playground.plane.points[[10, 20, 30, 40, 50, 30]].clone()  # codes 2 and 5 are the same
counts = torch.bincount(nearest_code(plane.points, twins), minlength=6).tolist()
middle, pair = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
winners = nearest_code(middle, pair).item(), nearest_code(middle, pair.flip(0)).item()
classroom.say(f"各被选中几次：{counts}\n正中间的点，两个码字一前一后、一后一前，选中：{winners}",
              f"how often each is chosen: {counts}\na point half way, the two codes in either order, chooses: {winners}")

# %% jupyter={"source_hidden": true}
tie.hold()
tie.reveal(2, because=("vqlab 的规则是平局取最小的索引，所以 5 号从一开始就是死码字：永远没有向量选它。",
    "vqlab's rule: on ties the lowest index wins. So code 5 is a dead code from the start: no vector ever chooses it."))

# %% [markdown]
# <div lang="zh">
#
# 真实数据里也有平局。像素和调色板都取 8 位整数，就能精确地数出来。换一条规则，失真一点不变，变的只有 token。
#
# **要点：** 平局不影响失真，只影响索引。所以规则必须写明，否则同一张图在两台机器上可能得到不同的 token。
#
# </div>
# <div lang="en">
#
# Real data has ties too. With pixels and palette as 8-bit integers they can be counted exactly. Another rule leaves the
# distortion exactly as it was and changes only the tokens.
#
# **In short:** ties leave distortion alone and change the indices. So the rule must be stated, or two machines may make
# different tokens of one picture.
#
# </div>

# %% jupyter={"source_hidden": true}
tie.hold()


def levels(x):
    return ((x + 1) * 127.5).round().double()  # 0 … 255

colours, palette = levels(photo.flatten(1).T), levels(lesson.grid_palette(4))
squares = (colours[:, None] - palette).square().sum(dim=2)  # (16384, 64), exact
lowest, highest = squares.argmin(dim=1), 63 - squares.flip(1).argmin(dim=1)
assert torch.equal(lowest, nearest_code(colours, palette))
differ = (lowest != highest).sum().item()
same = torch.equal(squares.amin(1), squares.gather(1, highest[:, None])[:, 0])
classroom.say(f"{len(colours)} 个 token 里有 {differ} 个不同；失真相同：{same}",
              f"{differ} of {len(colours)} tokens differ; the same distortion: {same}")

# %% [markdown]
# ## 5. 没有斜率 · No slope
#
# <div lang="zh">
#
# *6 分钟。* 让一个向量 $z$ 横穿平面，第二个坐标不动。解码器只看到它最近的码字，记作 $z_q$（q 是 quantized，量化后的）；设目标是 $t$，它的损失是 $\|z_q - t\|^2$。梯度下降需要它对 $z$ 的斜率。
#
# </div>
# <div lang="en">
#
# *6 minutes.* Let a vector $z$ walk across the plane, its second coordinate fixed. The decoder sees only its nearest code,
# written $z_q$ (q for quantized); with a target $t$ its loss is $\|z_q - t\|^2$. Gradient descent needs the slope of that with respect to $z$.
#
# </div>

# %% jupyter={"source_hidden": true}
slope = Predict(("在 1000 个位置上，用 h = 0.001 算有限差分（前后各走 h）。多少个位置的斜率不是零？",
                 "At 1000 places, take finite differences with h = 0.001 (h each way). At how many is the slope not zero?"),
                minimum=0, maximum=1000, unit=("个", "places"))
slope

# %%
codes = (goal * 100).round() / 100  # two decimals, so that the borders are the same everywhere
t = torch.tensor([0.3, -0.1])

def at(x):
    return torch.stack([x, x.new_tensor(-0.1)])[None]  # (1, 2)
def loss(x):
    return (codes[nearest_code(at(x), codes)] - t).square().sum()
def error(x):
    return (codes[nearest_code(at(x), codes)] - at(x)).square().sum()


# %% jupyter={"source_hidden": true}
slope.hold()
xs = torch.linspace(-1.5, 1.8, 1000, dtype=torch.float64)
winners = nearest_code(torch.stack([xs, torch.full_like(xs, -0.1)], dim=1), codes)
axes = lesson.draw_steps(xs, lesson.sweep(loss, xs), lesson.sweep(error, xs), plane.colour(codes)[winners])
classroom.show(axes[0].figure, "上：解码器的损失是台阶，换一个码字跳一次。下：量化误差连续，由几段抛物线拼成。",
               "Above: the decoder's loss is a staircase, one jump for each change of code. Below: the quantization error "
               "is continuous, pieced together from parabolas.")

# %%
slope.hold()
for h in (0.1, 0.01, 0.001):
    slopes = (lesson.sweep(loss, xs + h) - lesson.sweep(loss, xs - h)) / (2 * h)
    number, largest = int((slopes != 0).sum()), slopes.abs().max()
    classroom.say(f"h = {h}：{number} 个不为零，最大 {largest:.0f}", f"h = {h}: {number} not zero, the largest {largest:.0f}")

# %% jupyter={"source_hidden": true}
slope.hold()
h = 0.001
slopes = (lesson.sweep(loss, xs + h) - lesson.sweep(loss, xs - h)) / (2 * h)
slope.reveal(int((slopes != 0).sum()), because=("只有离边界不到 h 的位置不是零，而那里的数随 h 变小而发散：不是斜率，是跳变。",
    "Only the places within h of a border; and there the number diverges as h shrinks: not a slope but a jump."))

# %% [markdown]
# <div lang="zh">
#
# 自动求导怎么说？索引是整数，路到这里就断了。可是**码字**和**误差**是有斜率的：固定了谁胜出，$\|z - e_k\|^2$ 就是普通的抛物线。
#
# </div>
# <div lang="en">
#
# What does autograd say? An index is an integer, and there the path ends. The **codes** and the **error** do have slopes: once
# the winner is fixed, $\|z - e_k\|^2$ is an ordinary parabola.
#
# </div>

# %%
slope.hold()
z = plane.points[:100].double().requires_grad_()
book = goal.double().requires_grad_()
z_q = book[nearest_code(z, book)]
nothing = torch.autograd.grad((z_q - 1).square().sum(), z, allow_unused=True)[0]
to_z, to_book = torch.autograd.grad((z - z_q).square().sum(), [z, book])
as_said = torch.allclose(to_z, 2 * (z - z_q))
classroom.say(f"损失对 z 的梯度：{nothing}\n误差对 z 的梯度是 2 (z − z_q)：{as_said}",
              f"gradient of the loss at z: {nothing}\ngradient of the error at z is 2 (z − z_q): {as_said}")

# %% jupyter={"source_hidden": true}
slope.hold()
h, nudge = 1e-6, torch.zeros_like(book)
nudge[0, 0] = h
with torch.no_grad():
    difference = (distortion(z, book + nudge) - distortion(z, book - nudge)) * 100 / (2 * h)
same = abs(difference - to_book[0, 0].item()) < 1e-3
classroom.say(f"误差对码字的梯度，有限差分与自动求导相同：{same}",
              f"gradient of the error at a code: finite differences and autograd agree: {same}")

# %% [markdown]
# <div lang="zh">
#
# **要点：** argmin 的斜率几乎处处为零，在边界上不存在。所以码本可以从误差学（取均值，或者顺着误差的斜率走），编码器却得不到解码器的梯度。第 3 课讲怎样越过这级台阶。
#
# </div>
# <div lang="en">
#
# **In short:** the slope of argmin is zero almost everywhere, and does not exist on the borders. So a codebook can learn
# from the error (by means, or down the slope of the error), but no gradient from the decoder reaches the encoder. Lesson 3 gets past that step.
#
# </div>

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 最近的码字胜出，平分线围成维诺图。
# - Lloyd 轮流分配和移动，失真从不上升，但会停在局部最小。
# - 多一个比特，照片高约 3 分贝；网格和噪声得到的更少。调色板换一张照片就差得多。
# - argmin 没有斜率，量化误差有。
#
# </div>
# <div lang="en">
#
# - The nearest code wins; bisectors bound the Voronoi cells.
# - Lloyd assigns and moves in turn; distortion never rises, but may stop in a local minimum.
# - One more bit gave the photograph about 3 dB; grid and noise gained less. On another photograph the palette does far worse.
# - argmin has no slope; the quantization error has one.
#
# </div>

# %% [markdown]
# ## 小测验 · Quiz

# %% jupyter={"source_hidden": true}
Quiz([
    Question(("Lloyd 停下来了，失真不再变化。这说明什么？", "Lloyd has stopped, distortion no longer changes. What follows?"), [
        Option(("这是最好的码本", "this is the best codebook"), False,
               ("三个起点停在三个不同的失真上，不会都是最好的。", "Three starts ended at three distortions; not all can be best.")),
        Option(("每个码字都在自己那些点的均值上", "every code lies on the mean of its points"), True,
               ("对。这是局部最小的必要条件，不保证全局最小。", "Yes: necessary for a minimum, no proof of the global one.")),
        Option(("每个码字的点一样多", "every code has equally many points"), False,
               ("最小化的是平方距离，不是点数之差。", "Squared distance is minimised, not the difference in counts."))]),
    Question(("K 从 64 加到 128，每像素的索引多几个比特？", "K grows from 64 to 128. How many more bits does an index take?"), [
        Option(("64", "64"), False, ("那是多出来的颜色数。", "That is how many colours were added.")),
        Option(("1", "1"), True, ("log2(128) − log2(64) = 1。", "log2(128) − log2(64) = 1.")),
        Option(("两倍", "twice as many"), False, ("翻倍的是 K，比特数只加 1。", "K doubles; the bits grow by 1."))]),
    Question(("z 往右移一点点，没有越过边界。z_q 怎样变？", "z moves a little to the right, crossing no border. What does z_q do?"), [
        Option(("也往右移一点点", "it moves a little to the right too"), False,
               ("z_q 是码字，只有码字自己动它才动。", "z_q is a code; it moves only if the code does.")),
        Option(("完全不变", "nothing at all"), True, ("所以斜率是零。", "Hence the slope of zero.")),
        Option(("跳到另一个码字", "it jumps to another code"), False, ("只有越过边界才跳。", "It jumps only across a border."))]),
    Question(("平局时改取最大的索引，什么会变？", "On ties take the highest index instead. What changes?"), [
        Option(("失真", "the distortion"), False, ("两个码字一样远，误差相同。", "Both codes are equally far: same error.")),
        Option(("token", "the tokens"), True, ("对，所以规则要写明。", "Yes, which is why the rule must be stated.")),
        Option(("什么都不变", "nothing"), False, ("索引变了，存下来的就变了。", "The index changes, so what is stored does."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●○○ · 4 分钟。** 写出失真：每个向量到最近码字的平方距离，各维求和，再对 N 个向量平均。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●○○ · 4 minutes.** Write the distortion: each vector's squared distance to its nearest code, summed over the
# dimensions, averaged over the N vectors.
#
# </div>

# %%
def my_distortion(z, codebook):  # (N, D), (K, D) -> a number
    ...


lesson.exercises.distortion.check(my_distortion)


# %% jupyter={"source_hidden": true}
def solution(z, codebook):
    return (z - codebook[nearest_code(z, codebook)]).square().sum(dim=1).mean()

lesson.exercises.distortion.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 8 分钟。** 照片里同一种颜色会出现许多次，何必每个像素都算？把每种颜色写一次，记下次数作权重。写出带权重的 Lloyd 一步：`weights` 是 (N,)，不小于 0，不一定是整数；返回新的码本。一个码字若没有成员，或成员的权重都是 0，就留在原处。不要改动传进来的码本。
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 8 minutes.** One colour occurs many times in a photograph; why compute every pixel? List each colour
# once, with how often it occurs as its weight. Write one step of Lloyd with weights: `weights` is (N,), not negative, not
# always whole; return the new codebook. A code without members, or whose members all have weight 0, stays. Do not change the
# codebook you were given.
#
# </div>

# %%
def my_lloyd_step(z, codebook, weights):  # (N, D), (K, D), (N,) -> (K, D)
    ...


lesson.exercises.lloyd_step.check(my_lloyd_step)


# %% jupyter={"source_hidden": true}
def solution(z, codebook, weights):
    indices, new = nearest_code(z, codebook), codebook.clone()
    for k in range(len(codebook)):
        w = weights[indices == k, None]  # (n, 1)
        if w.sum() > 0:
            new[k] = (w * z[indices == k]).sum(dim=0) / w.sum()
    return new


lesson.exercises.lloyd_step.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●○○ · 4 分钟。** 一张 K 色图像每像素多少比特？K 是 2 的幂，索引按定长编码（每个 log₂ K 比特），再加上整个调色板（每种颜色 24 比特，用没用到都要存）。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●○○ · 4 minutes.** How many bits per pixel is a picture in K colours? K is a power of two; indices in a
# fixed-length code (log₂ K bits each), plus the whole palette (24 bits a colour, used or not).
#
# </div>

# %%
def my_rate(indices, palette):  # (H, W) int64, (K, 3) -> bits per pixel
    ...


lesson.exercises.rate.check(my_rate)


# %% jupyter={"source_hidden": true}
def solution(indices, palette):
    bits = torch.tensor(len(palette)).log2() * indices.numel() + 24 * len(palette)
    return bits / indices.numel()

lesson.exercises.rate.check(solution, quiet=True)

# %% [markdown]
# ## 出处 · Sources
#
# <div lang="zh">
#
# - S. P. Lloyd, Least squares quantization in PCM（1957 年写成，1982 年发表），doi:10.1109/TIT.1982.1056489。两步法的出处，好读。
# - D. Arthur, S. Vassilvitskii, k-means++，2007。怎样选起点，以及能保证什么。
# - A. Gersho, Asymptotically optimal block quantization，1979，doi:10.1109/TIT.1979.1056067。$K^{-2/D}$ 的由来。
# - P. Zador，同一主题，1982，doi:10.1109/TIT.1982.1056490。严格的证明。
# - 照片：scikit-image，宇航员（NASA，公有领域）；咖啡（CC0）。
#
# </div>
# <div lang="en">
#
# - S. P. Lloyd, Least squares quantization in PCM (written 1957, published 1982), doi:10.1109/TIT.1982.1056489. The two moves,
#   readable to this day.
# - D. Arthur, S. Vassilvitskii, k-means++, 2007. How to choose a start, and what it guarantees.
# - A. Gersho, Asymptotically optimal block quantization, 1979, doi:10.1109/TIT.1979.1056067. Where $K^{-2/D}$ comes from.
# - P. Zador, on the same subject, 1982, doi:10.1109/TIT.1982.1056490. The rigorous proof.
# - Photographs: scikit-image, astronaut (NASA, public domain); coffee (CC0).
#
# </div>
