# %% [markdown]
# # 4. 码本坍缩 · Codebook collapse
#
# <div lang="zh">
#
# **问题：** 买了一本 512 个词的词典，为什么模型只肯用其中几十个？谁能把其余的救活？
#
# **大约 40 分钟，你会：**
#
# 1. 亲手杀死一本码本，看清它是怎么死的；
# 2. 学会看困惑度和使用率，也学会不信它们；
# 3. 把六种补救办法一样一样试过，再任意组合，最后看一次完整的一分钟训练。
#
# 最后一幅画：同一个网络，同一批照片，一本死码本和一本活码本。
#
# </div>
# <div lang="en">
#
# **Question:** you bought a dictionary of 512 words; why does the model use a few dozen of them, and who revives the rest?
#
# **In about 40 minutes you will:**
#
# 1. kill a codebook yourself and see how it dies;
# 2. learn to read perplexity and usage, and to distrust them;
# 3. try six remedies one by one, combine them as you like, and watch one whole minute of training at the end.
#
# The last picture: one network, the same photographs, a dead codebook and a living one.
#
# </div>

# %%
import torch

from vqlab import EMACodebook, EMAVectorQuantizer, FiniteScalarQuantizer, SimpleVQVAE, VectorQuantizer2
from vqlab import classroom, crops, fit, perplexity, photos, pick_device, usage
from vqlab.classroom import Option, Predict, Question, Quiz
from vqlab.lessons import collapse as lesson

classroom.start()

# %% [markdown]
# ## 1. 杀死一本码本 · Killing a codebook
#
# <div lang="zh">
#
# *6 分钟。* 这是第 0 课的网络，量化器换成最朴素的 `VectorQuantizer2`：码字从 U(−1/K, 1/K) 随机抽出，由码本损失的梯度推动（第 3 课），没有任何补救。训练 50 步。
#
# </div>
# <div lang="en">
#
# *6 minutes.* This is the network of lesson 0 with the plainest quantizer, `VectorQuantizer2`: codes drawn from
# U(−1/K, 1/K), moved by the gradient of the codebook loss (lesson 3), no remedy at all. Train it for 50 steps.
#
# </div>

# %% jupyter={"source_hidden": true}
first = Predict(("50 步之后，512 个码字里还有百分之几有人用？",
                 "After 50 steps, what percentage of the 512 codes is still in use?"),
                minimum=0, maximum=100, step=1, unit=("%", "%"))
first

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
plain = SimpleVQVAE(512, 8).to(pick_device())
batches = crops(photos(), generator=torch.Generator().manual_seed(0))

panel = lesson.CollapsePanel("没有补救", "No remedy", 50)
for record in panel.watch_codes(plain, fit(plain, batches, steps=50), x="step"):
    pass

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
dead = lesson.score(plain)
print(dead)
first.reveal(round(100 * dead.usage), because=(
    "其余的全死了：没有一个向量选它们。", "All the others are dead: not one vector chooses them."))
assert dead.usage < 0.25 or record.step < 50  # 早停除外 unless stopped early

# %% [markdown]
# <div lang="zh">
#
# 右边的平面是 $z_e$ 散布最宽的两个方向：橙点是编码器的输出，绿方块是有人选的码字，灰叉是没人选的。
#
# 起点太坏：512 个码字都挤在原点附近，$z_e$ 却散在四周。碰巧靠外的几个码字赢得一切；只有赢家收到梯度，于是走得更近，赢得更多。输家收不到梯度，**永远不动**。
#
# </div>
# <div lang="en">
#
# The plane on the right shows the two directions in which $z_e$ spreads most: orange dots are encoder outputs, green
# squares codes in use, grey crosses unused ones.
#
# The start is bad: all 512 codes sit near the origin, while the $z_e$ lie around it. The few codes that happen to be
# outermost win everything; only winners receive a gradient, come nearer and win more. Losers receive none and **never
# move**.
#
# </div>

# %% [markdown]
# ## 2. 另外两种死法 · Two more ways to die
#
# <div lang="zh">
#
# *6 分钟。* 为了快，下面都用小一半的网络、256 个码字、80 步：每次不到一秒。先给一个好起点（k-means），再把学习率调高 40 倍：编码器跑得太快，码字追不上。
#
# </div>
# <div lang="en">
#
# *6 minutes.* To be quick, from here on the network is half as wide, with 256 codes and 80 steps: less than a second each.
# First a good start (k-means), then 40 times the learning rate: the encoder runs too fast, and the codes cannot keep up.
#
# </div>

# %% tags=["nbval-ignore-output"]
used = {}
for lr in (0.0015, 0.06):
    run = lesson.SmallRun(lambda: lesson.remedied(["kmeans"]), lr=lr).finish()
    used[lr] = run.score.usage
    print(f"学习率 learning rate {lr}: 使用率 usage 第一步 first step {100 * run.records[0].usage:.0f} %"
          f" → 最后 in the end {100 * used[lr]:.0f} %")

# %% [markdown]
# <div lang="zh">
#
# 第三种死法更隐蔽。码字也可以不用梯度，而是用**滑动平均**：记下选它的向量有几个（$n$）、和是多少（$m$），码字就是 $e = m / n$。一份流传很广的代码让 $m$ 从码字开始，$n$ 却从 0 开始。
#
# </div>
# <div lang="en">
#
# The third way is better hidden. Codes can do without gradients: keep a **moving average** of how many vectors chose a
# code ($n$) and of their sum ($m$), and let the code be $e = m / n$. A widely copied piece of code starts $m$ at the
# codes, but $n$ at 0.
#
# </div>

# %% jupyter={"source_hidden": true}
biased = Predict(("一个没人选的码字，长度是 8。走一步之后，它的长度大约是？",
                  "A code that nobody chose has length 8. About how long is it after one step?"), [
    ("还是 8：没人选就不动", "still 8: nobody chose it, so it stays"), ("7.92：乘了 0.99", "7.92: times 0.99"),
    ("0：除不了就清零", "0: nothing to divide"), ("几十万", "hundreds of thousands")])
biased

# %%
lengths = {kind.__name__: lesson.unused_length(kind) for kind in (lesson.UndebiasedEMA, EMACodebook)}
for name, length in lengths.items():
    print(f"{name:14} 没人选的码字 unused codes: 8 → {length:.1e}")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
biased.reveal(3, because=(
    "m = 0.99 × 8，n 却只是防止除零的 ε ≈ 0.00001：码字被扔到几十万以外，再也没有人会选它。我们的 EMACodebook 让 m 和 n "
    "都从 0 开始，比值从第一步起就没有偏差，没人选的码字留在原地。",
    "m = 0.99 × 8, but n is only the ε ≈ 0.00001 that prevents a division by zero: the code is thrown hundreds of "
    "thousands away, and nobody will ever choose it. Our EMACodebook starts m and n both at 0: their ratio is unbiased "
    "from the first step on, and an unused code stays where it is."))
blown = lesson.SmallRun(lambda: VectorQuantizer2(256, 8, codebook=lesson.UndebiasedEMA(256, 8))).finish()
print("照片上 on photos:", blown.score)
assert 1e5 < lengths["UndebiasedEMA"] < 1e7 and blown.score.usage < 0.1 and used[0.06] < 0.75 * used[0.0015]

# %% [markdown]
# <div lang="zh">
#
# **记住：** 死因有三：起点离数据太远，编码器跑得太快，平均量算得不对。“死码字不动”只在梯度下成立；在滑动平均下，它们会缩小或者飞走。
#
# </div>
# <div lang="en">
#
# **Keep:** three causes of death: a start far from the data, an encoder that runs too fast, an average done wrong. “Dead
# codes sit still” holds under gradients only; under moving averages they shrink or fly away.
#
# </div>

# %% [markdown]
# ## 3. 困惑度：先懂，再不信 · Perplexity: understood, then distrusted
#
# <div lang="zh">
#
# *7 分钟。* 困惑度是“用得一样多的词要有几个，才有同样的熵”。512 个词用得一样多，它就是 512；只用一个，就是 1。
#
# </div>
# <div lang="en">
#
# *7 minutes.* Perplexity asks: how many equally used words would have the same entropy? For 512 words used alike it is 512;
# for a single one, 1.
#
# </div>
#
# $$\text{perplexity} = \exp\Big(-\sum_k p_k \ln p_k\Big)$$

# %% jupyter={"source_hidden": true}
alike = torch.arange(512).repeat(4)
print("一样多 all alike:", round(perplexity(alike, 512).item()))
print("只用一个 only one:", round(perplexity(torch.zeros(2048, dtype=torch.int64), 512).item()))
half = torch.cat([torch.zeros(1024, dtype=torch.int64), torch.arange(512).repeat(2)])
print("一半是同一个 half of them the same:", round(perplexity(half, 512).item()), "·",
      f"使用率 usage {100 * usage(half, 512).item():.0f} %")

# %% jupyter={"source_hidden": true}
small_sample = Predict(
    ("8192 个词，真的用得一样多。只量一张图的 256 个词，困惑度读出来是多少？",
     "8192 words, truly used alike. Measured on one picture's 256 words, what does perplexity read?"), [
        ("8192：它属于模型", "8192: it belongs to the model"), ("约 4000", "about 4000"),
        ("不到 256", "less than 256")])
small_sample

# %%
generator = torch.Generator().manual_seed(0)
readings = {}
for count in (256, 2048, 16_384, 131_072):
    readings[count] = perplexity(torch.randint(8192, (count,), generator=generator), 8192).item()
    print(f"N = {count:6}: 困惑度 perplexity ≈ {readings[count]:.0f}")

# %% jupyter={"source_hidden": true}
small_sample.reveal(2, because=(
    "256 个词最多数出 256 种。困惑度属于模型，也属于你数了多少个词：不写 N，就不能比较。",
    "256 words cannot be of more than 256 kinds. Perplexity belongs to the model and to how many words you counted: "
    "without N it cannot be compared."))
assert readings[256] < 256 and readings[131_072] > 7500

# %% [markdown]
# <div lang="zh">
#
# “使用率”也一样，各家数法不同。下面是**同一个**模型的词：每个词的频率与它的名次成反比，像自然语言那样。
#
# </div>
# <div lang="en">
#
# Usage is no better: everyone counts differently. Here are the words of **one** model, each as frequent as one over its
# rank, as in natural language.
#
# </div>

# %% jupyter={"source_hidden": true}
K = 16_384
frequency = 1 / torch.arange(1, K + 1, dtype=torch.float64)
words = torch.multinomial(frequency, 500_000, replacement=True, generator=torch.Generator().manual_seed(0))
counts = torch.bincount(words, minlength=K)

print(f"整个验证集里出现过 seen in the whole validation set (FSQ): {100 * usage(words, K).item():.0f} %")
print(f"最后 65536 个词里出现过 seen in the last 65536 words (LlamaGen): {100 * usage(words[-65_536:], K).item():.0f} %")
print(f"超过平均的 8 % above 8 % of the uniform share (VAR): {100 * (counts > 0.08 * len(words) / K).double().mean():.0f} %")
print(f"一个训练批 one training batch (2048): {100 * usage(words[:2048], K).item():.0f} %")

# %% [markdown]
# <div lang="zh">
#
# **记住：** 困惑度和使用率要连同 N 和数法一起说，才有意义。训练曲线上画的只是一批的，偏低；下面的成绩都在同样的 64 个小块（16 384 个词）上量，最后一节用 1024 个，大小和它训练时的一样。
#
# </div>
# <div lang="en">
#
# **Keep:** perplexity and usage mean something only together with N and the way of counting. Curves drawn while training
# are of one batch and read low; the results below are all measured on the same 64 crops (16 384 words), in the last section on
# 1024, as large as those it was trained on.
#
# </div>

# %% [markdown]
# ## 4. 一次一样补救 · One remedy at a time
#
# <div lang="zh">
#
# *7 分钟。* 同样的种子，同样的步数，每次只加一样：
#
# - **k-means 起点**：第一批向量的聚类中心做码字。
# - **滑动平均**：码字 = 选它的向量的平均，两个平均量都从 0 起。
# - **复活死码字**：太少有人选的，挪到这一批的某个向量上。
# - **余弦搜索**：只比方向，不比长短。
# - **旋转技巧**：第 3 课的梯度。
# - **熵损失**：奖励每个向量选得坚决、全体选得均匀。
#
# </div>
# <div lang="en">
#
# *7 minutes.* Same seed, same number of steps, one thing added each time:
#
# - **k-means start**: the first batch's cluster centres become the codes.
# - **EMA**: a code is the average of the vectors that chose it, both averages starting at 0.
# - **Restart**: a code that too few choose moves onto some vector of the batch.
# - **Cosine search**: compares directions, not lengths.
# - **Rotation trick**: the gradient of lesson 3.
# - **Entropy term**: rewards vectors that are sure of their code, and a crowd that spreads evenly.
#
# </div>

# %% jupyter={"source_hidden": true}
names = [*lesson.REMEDIES.values()]
best_alone = Predict(("只许用一样，哪一样让最多的码字有人用？", "With only one of them, which brings the most codes into use?"),
                     [*names])
best_alone

# %% tags=["nbval-ignore-output"]
runs = {("没有补救", "no remedy"): lesson.SmallRun(lambda: lesson.remedied([])).finish()}
for name, label in lesson.REMEDIES.items():
    runs[label] = lesson.SmallRun(lambda name=name: lesson.remedied([name])).finish()
runs["默认三样", "default three"] = lesson.SmallRun(lambda: EMAVectorQuantizer(256, 8)).finish()

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
import matplotlib.pyplot as plt

lesson.draw_runs({" ".join(label): run for label, run in runs.items()}, baseline="没有补救 no remedy")
classroom.show(plt.gcf(), "七幅小图，每幅一条使用率曲线，虚线是没有补救的。k-means 从 100 % 起落得很快；"
               "复活和默认三样越来越高；旋转技巧和熵损失只比虚线略高。",
               "Seven small panels, each a usage curve over the dashed one of no remedy. K-means starts at 100 % and falls fast; "
               "restart and the default three keep rising; rotation and entropy stay little above the dashed line.")
for label, run in runs.items():
    print(f"{' '.join(label)}: {run.score}")
alone = [runs[name].score.usage for name in names]
best_alone.reveal(max(range(6), key=alone.__getitem__), because=(
    "k-means 起点和复活死码字遥遥领先。k-means 只给好起点，编码器一动，码字又落在后面；复活每一步都再试一次。",
    "K-means start and restart are far ahead. K-means gives a good start only: once the encoder moves, codes are left "
    "behind. Restart tries again at every step."))
none, default = runs["没有补救", "no remedy"].score, runs["默认三样", "default three"].score
assert none.usage < 0.3 and default.usage > 2 * none.usage and default.psnr > none.psnr + 2

# %% [markdown]
# <div lang="zh">
#
# 每条曲线上都有故事。滑动平均救活的码字不多，分贝却高：活着的码字正好站在平均处。余弦用到的码字更多，分贝却低：方向对了，长短没有人管。旋转技巧单独用，救活的不多；论文里的模型大得多，训练也久得多。
#
# 默认的 `EMAVectorQuantizer` 是前三样合用。
#
# </div>
# <div lang="en">
#
# Every curve has its story. The moving average revives few codes but gains many decibels: living codes stand right at the
# means. Cosine uses more, yet its decibels are low: the direction fits, and nobody minds the length. The rotation trick by
# itself revives few; the models of its paper are far larger and train far longer.
#
# The default, `EMAVectorQuantizer`, is the first three together.
#
# </div>

# %% [markdown]
# ## 5. 自己组合 · Combine them yourself
#
# <div lang="zh">
#
# *6 分钟。* 勾选、运行、随时停止。每次都从同一个起点训练 80 步，成绩记在表里。试试：能不能不用滑动平均，就超过“默认三样”？六样全勾呢？
#
# 补救办法不是加法：有的互相帮忙，有的互相拆台。换一个种子、一个网络、一次更长的训练，名次也会变：这是小模型，不是定理。
#
# </div>
# <div lang="en">
#
# *6 minutes.* Tick, run, stop whenever you like. Every run trains 80 steps from the same start, and the table keeps the
# results. Try: can you beat the “default three” without EMA? And with all six ticked?
#
# Remedies do not simply add up: some help each other, some get in each other's way. With another seed, network or a longer
# training the ranking changes too: this is a small model, not a theorem.
#
# </div>

# %% tags=["nbval-ignore-output"]
lesson.RemedyBench(runs)

# %% [markdown]
# ## 6. 什么也没复活的“复活” · The restart that restarted nothing
#
# <div lang="zh">
#
# *4 分钟。* EnCodec 的代码也复活死码字：先把死码字换成这一批的随机向量，**然后**做滑动平均，$e = m / n$。64 个码字，数据离得远，一开始 63 个是死的。
#
# </div>
# <div lang="en">
#
# *4 minutes.* EnCodec's code restarts dead codes too: it replaces them by random vectors of the batch, and **then** does the
# moving average, $e = m / n$. Take 64 codes and data far away: at first 63 of them are dead.
#
# </div>

# %% jupyter={"source_hidden": true}
no_op = Predict(("每一步都这样“复活”。200 步之后，还剩几个死码字？",
                 "Restarted like this at every step: how many are dead after 200 steps?"), [
    ("0 个", "0"), ("十几个", "a dozen"), ("三十几个", "some thirty"), ("60 个以上", "60 or more")])
no_op

# %%
generator = torch.Generator().manual_seed(0)
vectors = [torch.randn(256, 8, generator=generator) + 3 for step in range(200)]

dead_codes = {}
for label, kind in (("只改码本 codebook only (EnCodec)", lesson.NoOpRestart), ("连同 m、n with m, n", EMACodebook)):
    torch.manual_seed(0)
    dead_codes[label] = lesson.dead_counts(kind(64, 8, restart_below=0.1), vectors)

# %% jupyter={"source_hidden": true}
for label, numbers in dead_codes.items():
    print(f"{label}: {'≥ 60' if numbers[-1] >= 60 else '≤ 10' if numbers[-1] <= 10 else '?'} / 64")
lesson.draw_dead(dead_codes)
classroom.show(plt.gcf(), "虚线：只改码本时，死码字一直在 60 个以上。实线：连同平均量一起改，十几步就几乎没有死码字了。",
               "Dashed: with only the codebook changed, more than 60 codes stay dead. Solid: with the averages changed too, hardly "
               "any is dead after a dozen steps.")
no_op.reveal(3, because=(
    "同一步里，e = m / n 用旧的 m 和 n 把新码字盖掉了：一次也没有用上。要连 m 和 n 一起改（练习三）。",
    "In the same step e = m / n, with the old m and n, overwrites the new code: it is never used even once. m and n must be "
    "changed with it (exercise 3)."))

# %% [markdown]
# <div lang="zh">
#
# 代码没有报错，损失也在下降。发现它的人数了死码字（encodec #61）。**记住：** 状态有几份，就要改几份；复活之后，下一步再去看它还在不在。
#
# </div>
# <div lang="en">
#
# No error was raised, and the loss went down. Whoever found it had counted dead codes (encodec #61). **Keep:** change every
# copy of the state, and look a step later whether the revived code is still there.
#
# </div>

# %% [markdown]
# ## 7. 用得多，不等于误差小 · High usage is not low error
#
# <div lang="zh">
#
# *5 分钟。* 熵损失直接奖励使用率：平均熵减去平均的熵。把它加到默认三样上，权重从 0 加到 1，训练 100 步。
#
# </div>
# <div lang="en">
#
# *5 minutes.* The entropy term rewards usage directly: the mean entropy minus the entropy of the mean. Add it to the default
# three, with a weight from 0 to 1, and train for 100 steps.
#
# </div>
#
# $$L_H = \frac1N \sum_n H(p_n) - H\Big(\frac1N \sum_n p_n\Big), \qquad p_n = \mathrm{softmax}_k\big(-\|z_n - e_k\|^2 / \tau\big)$$

# %% jupyter={"source_hidden": true}
more_is_better = Predict(("权重越大，用到的码字越多。分贝呢？", "The larger the weight, the more codes are in use. And the decibels?"), [
    ("一起升高", "they rise as well"), ("不变", "they stay"), ("下降", "they fall")])
more_is_better

# %% tags=["nbval-ignore-output"]
price = {}
for weight in (0.0, 0.1, 1.0):
    run = lesson.SmallRun(lambda w=weight: EMAVectorQuantizer(256, 8, entropy_weight=w), steps=100).finish()
    price[weight] = run.score

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
lesson.draw_entropy_price(price)
classroom.show(plt.gcf(), "权重 0.1 和 1 时，使用率和猫用到的码字比 0 时多，峰值信噪比却低。",
               "At weights 0.1 and 1, usage and the codes used on the cat are above those at 0, PSNR is below.")
for weight, found in price.items():
    print(f"{weight}: {found}")
more_is_better.reveal(2, because=(
    "编码器忙着把向量分匀，没有好好描述照片。使用率是手段，误差才是目的。",
    "The encoder is busy spreading its vectors evenly instead of describing the photograph. Usage is a means; the error is "
    "the end."))
assert price[1.0].cat_codes > price[0.0].cat_codes and price[1.0].psnr < price[0.0].psnr - 0.4

# %% [markdown]
# <div lang="zh">
#
# 这里没有调权重，也没有给它更长的训练；很大的码本会用到这一项（MAGVIT-v2 有 2¹⁸ 个词）。但“使用率 100 %”这句话本身，什么好处也没有证明。
#
# </div>
# <div lang="en">
#
# We did not tune the weight or train longer; very large codebooks use such a term (MAGVIT-v2 has 2¹⁸ words). But
# the sentence “usage is 100 %” by itself proves no good.
#
# </div>

# %% [markdown]
# ## 8. 没有码本的码本 · A codebook without a codebook
#
# <div lang="zh">
#
# *4 分钟。* FSQ 的办法最干脆：不学码字。把每个数压进区间，各自舍入到几级。[8, 6, 5] 就是 8 × 6 × 5 = 240 个格点，它们不会动，也就不会坍缩。没有码本损失，也没有承诺损失。
#
# </div>
# <div lang="en">
#
# *4 minutes.* FSQ has the most radical answer: learn no codes. Squash each number into an interval and round it to a few
# levels. [8, 6, 5] makes 8 × 6 × 5 = 240 grid points; they never move, so they cannot collapse. No codebook loss, no
# commitment loss.
#
# </div>

# %%
grid = lesson.SmallRun(lambda: FiniteScalarQuantizer([8, 6, 5])).finish()
print("要学的参数 parameters to learn:", sum(p.numel() for p in grid.model.quantize.parameters()))
print("4 级 4 levels:", FiniteScalarQuantizer([4]).codebook.flatten().tolist())

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure = lesson.draw_codes(lesson.codes_plane(grid.model)).figure
classroom.show(figure, "FSQ 的码字排成斜看的格子：有橙点的地方是绿方块，没有橙点的角上是灰叉。",
               "FSQ's codes form a grid seen aslant: green squares where there are orange dots, grey crosses in the corners that "
               "have none.")
print("没有补救 no remedy:", none)
print("FSQ:", grid.score)
assert grid.score.psnr > none.psnr + 1

# %% [markdown]
# <div lang="zh">
#
# 一样补救也没有，已远远好过没有补救的码本。但格点没人学，也可能没人用：编码器得自己散开去够它们。论文里训练得久、模型大，使用率接近 100 %。还有两件常被说错的事：FSQ 也舍入，所以**也要**直通；偶数级不对称，4 级是 −1、−½、0、½。
#
# </div>
# <div lang="en">
#
# Without a single remedy it is far better than the codebook without remedies. But grid points that nobody learns may be
# points nobody uses: the encoder has to spread out to reach them. In the paper, with long training and large models, usage
# is close to 100 %. Two things often said wrong: FSQ rounds, so it **does** need straight-through; even levels are not
# symmetric, 4 of them are −1, −½, 0, ½.
#
# </div>

# %% [markdown]
# ## 9. 完整的一分钟 · The whole minute
#
# <div lang="zh">
#
# *3 分钟。* 回到第 1 节的网络，512 个码字，换上默认的三样，训练 60 秒。随时可以停。
#
# </div>
# <div lang="en">
#
# *3 minutes.* Back to the network of section 1 with its 512 codes; put the default three in, and train for 60 seconds. Stop
# whenever you like.
#
# </div>

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
alive = SimpleVQVAE(512, 8, quantizer=EMAVectorQuantizer(512, 8)).to(pick_device())
batches = crops(photos(), 50, 32, generator=torch.Generator().manual_seed(0))  # 32 × 32 像素 pixels

panel = lesson.CollapsePanel("默认三样", "The default three", 60)
for record in panel.watch_codes(alive, fit(alive, batches, seconds=60)):
    pass

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
minute = lesson.score(alive, batches=16, size=32)
print("没有补救 no remedy (50 步 steps):", dead, sep="\n")
print(f"默认三样 default three ({record.step} 步 steps):", minute, sep="\n")

figure, axes = plt.subplots(1, 2, figsize=(6.4, 4.2), layout="constrained")
lesson.draw_codes(lesson.codes_plane(plain), axes[0]).set_title("没有补救 no remedy")
lesson.draw_codes(lesson.codes_plane(alive), axes[1]).set_title("默认三样 default three")
classroom.show(figure, "左：死码本，512 个码字全在一点附近，橙点散在各处。右：活码本，绿方块铺满橙点所在的地方。",
               "Left: the dead codebook, all 512 codes crowded in one spot amid the orange dots. Right: the living one, green "
               "squares wherever there are orange dots.")
if record.seconds > 30:  # 早停除外 unless stopped early
    assert minute.usage > 0.9 and minute.perplexity > 300 and minute.cat_codes > 180
    assert minute.usage > 4 * dead.usage

# %% [markdown]
# <div lang="zh">
#
# 几乎每个码字都有人用；右图的灰叉只是没出现在那 1024 个词里（第 3 节）。猫一张图用不到全部，也不该用到全部：她身上没有火箭和星空。
#
# 公平起见：左边只训练了 50 步。把 `steps=50` 改成更大的数，看它自己能不能活过来。
#
# </div>
# <div lang="en">
#
# Nearly every code is in use; the grey crosses on the right only did not occur among those 1024 words (section 3). The
# cat alone does not use them all, and should not: there are no rockets or galaxies on her.
#
# To be fair: the one on the left was trained for 50 steps only. Change `steps=50` to a larger number and see whether it
# recovers by itself.
#
# </div>

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 坍缩是赢家通吃：没人选的码字收不到梯度，于是更没有人选。
# - 起点、学习率、没有去偏的平均，都能杀死码本。
# - 困惑度和使用率取决于数了多少、怎么数；它们高，不等于误差小。
# - k-means 起点 + 滑动平均 + 复活是默认的药方；复活要连平均量一起改。
# - FSQ 没有码本，也就没有可死的码字。
#
# </div>
# <div lang="en">
#
# - Collapse is winner takes all: a code that nobody chooses gets no gradient, so nobody will choose it.
# - The start, the learning rate and an average that is not debiased can each kill a codebook.
# - Perplexity and usage depend on how many you count, and how; high ones do not mean a low error.
# - K-means start + EMA + restart is the default prescription; a restart must change the averages too.
# - FSQ has no codebook, and so no codes that could die.
#
# </div>

# %% [markdown]
# ## 小测验 · Quiz
#
# <div lang="zh">
#
# 每个选项点开后都会说明理由，选错也没关系。
#
# </div>
# <div lang="en">
#
# Every option explains itself once chosen; a wrong one does no harm.
#
# </div>

# %% jupyter={"source_hidden": true}
Quiz([
    Question(("只用梯度训练，一个码字整整一轮都没有人选。它会怎样？",
              "Trained by gradients alone, a code is chosen by nobody for a whole epoch. What happens to it?"), [
        Option(("慢慢漂向数据", "it drifts towards the data"), right=False,
               why=("码本损失只算被选中的码字，它的梯度恰好是零。",
                    "The codebook loss counts chosen codes only; its gradient is exactly zero.")),
        Option(("留在原地", "it stays where it is"), right=True,
               why=("对；所以只能等编码器碰巧走过来，或者有人把它搬走。",
                    "Right; the encoder must happen to come by, or somebody must move it.")),
        Option(("缩向原点", "it shrinks towards the origin"), right=False,
               why=("那是没有去偏的滑动平均（或权重衰减）才会发生的。",
                    "That takes a moving average that is not debiased, or weight decay."))]),
    Question(("论文甲报告困惑度 4000，论文乙报告 250，码本都是 8192。谁的码本用得更匀？",
              "Paper A reports perplexity 4000, paper B 250, both with 8192 codes. Whose codebook is used more evenly?"), [
        Option(("甲", "A's"), right=False,
               why=("乙若只数了 256 个词，250 已几乎是满分。", "If B counted only 256 words, 250 is nearly perfect.")),
        Option(("乙", "B's"), right=False,
               why=("也可能，但光看这两个数说不出来。", "Possibly, but these two numbers cannot tell.")),
        Option(("不知道各数了多少个词，就无法比较", "cannot be said without knowing how many words each counted"), right=True,
               why=("对：N 个词的困惑度不会超过 N。", "Right: N words never have a perplexity above N."))]),
    Question(("复活死码字时，只写 codebook.weight[dead] = z[chosen]。用滑动平均更新的码本会怎样？",
              "A restart only says codebook.weight[dead] = z[chosen]. What happens in a codebook updated by EMA?"), [
        Option(("正常复活", "the codes revive"), right=False,
               why=("下一次 e = m / n 用的还是旧的 m 和 n。", "The next e = m / n still uses the old m and n.")),
        Option(("马上被平均量盖掉", "the averages overwrite it at once"), right=True,
               why=("对：m 和 n 也要一起改。", "Right: m and n must change with it.")),
        Option(("程序报错", "an error is raised"), right=False,
               why=("什么错也不报，只有数一数死码字才看得出来。", "None; only counting dead codes reveals it."))]),
    Question(("加上熵损失后使用率从 91 % 升到 100 %。应当高兴吗？",
              "With an entropy term, usage rises from 91 % to 100 %. Should you be glad?"), [
        Option(("应当，词越多，图越清楚", "yes: more words, clearer pictures"), right=False,
               why=("我们量过：使用率升了，分贝降了。", "We measured: usage rose and the decibels fell.")),
        Option(("先看误差再说", "look at the error first"), right=True,
               why=("对：使用率是手段。", "Right: usage is a means.")),
        Option(("不应当，使用率越低越好", "no: the lower the usage, the better"), right=False,
               why=("坍缩的码本用得最少，分贝也最低。", "Collapsed codebooks use fewest, and have the lowest decibels."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●○○ · 5 分钟。** 写出困惑度：`indices` 是 (N,) 的编号，`K` 是码本大小。小心 0 · ln 0 = 0。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●○○ · 5 minutes.** Write the perplexity of `indices` (N,) with a codebook of size `K`. Mind that 0 · ln 0 = 0.
#
# </div>

# %%
def my_perplexity(indices, K):
    ...


lesson.exercises.perplexity.check(my_perplexity)


# %% jupyter={"source_hidden": true}
def solution(indices, K):
    p = torch.bincount(indices, minlength=K) / len(indices)
    return torch.exp(torch.special.entr(p).sum())


lesson.exercises.perplexity.check(solution)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 5 分钟。** 滑动平均走一步。`n` (K,) 和 `m` (K, D) 是旧的平均量，`counts` 和 `sums` 是这一批的个数与和，`decay` 是 λ。返回新的 `n`、`m` 和码字 `e`。
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 5 minutes.** One step of the moving average. `n` (K,) and `m` (K, D) are the old averages, `counts` and
# `sums` this batch's numbers and sums, `decay` is λ. Return the new `n`, `m` and the codes `e`.
#
# </div>

# %%
def my_ema_step(n, m, counts, sums, decay):
    ...  # return n, m, e


lesson.exercises.ema_step.check(my_ema_step)


# %% jupyter={"source_hidden": true}
def solution(n, m, counts, sums, decay):
    n = decay * n + (1 - decay) * counts
    m = decay * m + (1 - decay) * sums
    return n, m, m / n[:, None]


lesson.exercises.ema_step.check(solution)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●●○ · 6 分钟。** 写出真能活下来的复活：把 `dead` 里的码字搬到 `vectors` 上，就当每步有 `size` 个这样的向量选它。返回新的码字、`n` 和 `m`；不要改动传进来的。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●●○ · 6 minutes.** Write a restart that survives: move the codes in `dead` onto `vectors`, as if `size` such
# vectors chose each of them at every step. Return new codes, `n` and `m`; leave what you are given unchanged.
#
# </div>

# %%
def my_restart(codes, n, m, dead, vectors, size):
    ...  # return codes, n, m


lesson.exercises.restart.check(my_restart)


# %% jupyter={"source_hidden": true}
def solution(codes, n, m, dead, vectors, size):
    codes, n, m = codes.clone(), n.clone(), m.clone()
    codes[dead], n[dead], m[dead] = vectors, size, vectors * size
    return codes, n, m


lesson.exercises.restart.check(solution)

# %% [markdown]
# ## 来源 · Sources
#
# <div lang="zh">
#
# - 滑动平均：van den Oord 等（2017），arXiv 1711.00937，附录 A.1；没有去偏的：zalandoresearch/pytorch-vq-vae。
# - 复活：Dhariwal 等（2020），arXiv 2005.00341；空操作：facebookresearch/encodec #61，espnet #6284。
# - 余弦：Yu 等（2021），arXiv 2110.04627；旋转：Fifty 等（2024），arXiv 2410.06424。
# - 熵：Jansen 等（2019），arXiv 1911.05894；Yu 等（2023），arXiv 2310.05737。
# - FSQ：Mentzer 等（2023），arXiv 2309.15505。
# - 使用率的数法：FoundationVision 的 VAR 和 LlamaGen 的代码。
#
# **接下来：** 第 5 课把活的码本放进照片里，画率失真曲线。
#
# </div>
# <div lang="en">
#
# - EMA: van den Oord et al. (2017), arXiv 1711.00937, appendix A.1; not debiased: zalandoresearch/pytorch-vq-vae.
# - Restart: Dhariwal et al. (2020), arXiv 2005.00341; the no-op: facebookresearch/encodec #61, espnet #6284.
# - Cosine: Yu et al. (2021), arXiv 2110.04627; rotation: Fifty et al. (2024), arXiv 2410.06424.
# - Entropy: Jansen et al. (2019), arXiv 1911.05894; Yu et al. (2023), arXiv 2310.05737.
# - FSQ: Mentzer et al. (2023), arXiv 2309.15505.
# - Ways to count usage: FoundationVision's code of VAR and of LlamaGen.
#
# **Next:** lesson 5 puts the living codebook to work on photographs and draws the rate–distortion curve.
#
# </div>
