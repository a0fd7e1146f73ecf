# %% [markdown]
# # 6. 尺度 · Scales
#
# <div lang="zh">
#
# **问题：** 只许写一个 token，你会怎样描述一张照片？再许写 4 个、16 个、64 个、256 个呢？一张图由粗到细的拼写是什么样？
#
# **大约 39 分钟，再加练习 21 分钟；另有两节选读。你会：**
#
# 1. 拖着滑块看一张照片一个尺度一个尺度地写出来：每个尺度添了什么，还剩什么；
# 2. 弄清误差为什么可能先升后降，小卷积 φ 修补了什么；
# 3. 看懂 VAR 用什么输入预测下一个尺度，再交换两张图的粗尺度。
#
# **要先会什么：** 放大、缩小和卷积。**一分钟回顾：** 编码器输出特征图，每个位置换成最近的码字，编号就是 token（第 0 课）；码本用 EMA 学习，死码字重启（第 4 课）。
#
# </div>
# <div lang="en">
#
# **Question:** how would you describe a photograph in one token? And with 4, 16, 64, 256 more? What is a picture's spelling
# from coarse to fine?
#
# **In about 39 minutes, plus 21 for the exercises (and two optional sections), you will:**
#
# 1. drag a slider and watch a photograph being written scale by scale: what each adds, what remains;
# 2. find out why the error may rise before it falls, and what the small convolution φ repairs;
# 3. see which inputs VAR predicts the next scale from, and swap the coarse tokens of two pictures.
#
# **What you need to know:** enlarging, shrinking and convolving. **One-minute recap:** the encoder outputs a map of features,
# the nearest code replaces each of them, and its number is the token (lesson 0); the codebook learns by EMA, and dead codes are
# restarted (lesson 4).
#
# </div>

# %%
import torch
from torch.nn.functional import interpolate, mse_loss

from vqlab import (EMACodebook, MultiScaleQuantizer, SimpleVQVAE, bits_per_pixel, classroom, crops, fit, held_out_photo,
                   nearest_code, photos, pick_device, psnr, small_photo, tiles, usage)
from vqlab.lessons import scales as lesson

classroom.start()

# %% jupyter={"source_hidden": true}
classroom.architecture(SimpleVQVAE(512, 8, patch_nums=(1, 2, 4, 8, 16)), torch.zeros(1, 3, 64, 64), "quantizer")

# %% [markdown]
# ## 1. 五个尺度，一个码本 · Five scales, one codebook
#
# <div lang="zh">
#
# *6 分钟。* 编码器把 64 × 64 像素变成 16 × 16 个向量 $f$。现在分五次写，每次写一张 token 方格：1 × 1、2 × 2、4 × 4、8 × 8、16 × 16，每次只写**还没写出来的**，也就是**残差**（原值减去目前的近似）。从粗到细，每个尺度一张 token 图，这叫**多尺度**残差量化：
#
# 1. 把剩下的缩小到这个尺度（取平均），每格找最近的码字；
# 2. 把码字放大到 16 × 16，过一遍 φ（一个小卷积，第 4 节；五个尺度共用四个 φ），得到 $h$；
# 3. 加进 $\hat f$，从剩下的里减掉。
#
# </div>
# <div lang="en">
#
# *6 minutes.* The encoder turns 64 × 64 pixels into 16 × 16 vectors $f$. Now we write five grids of tokens: 1 × 1, 2 × 2,
# 4 × 4, 8 × 8, 16 × 16, each writing only **what has not been written yet**, the **residual** (the value minus its approximation so
# far). From coarse to fine, one map of tokens for each scale: **multi-scale** residual quantization.
#
# 1. shrink what remains to this scale (means); find each cell's nearest code;
# 2. enlarge the codes to 16 × 16, pass them through φ (a small convolution, section 4; the five scales share four φ): that is
#    $h$;
# 3. add $h$ to $\hat f$, subtract it from what remains.
#
# </div>
#
# $$h_k = \varphi\big(\mathrm{up}(\mathrm{code}(\mathrm{down}(f - \hat f_{k-1})))\big), \qquad {\color{#009E73} \hat f_k} = {\color{#009E73} \hat f_{k-1}} + {\color{#E69F00} h_k}$$

# %% tags=["nbval-ignore-output"]
scales = (1, 2, 4, 8, 16)
torch.manual_seed(0)
codebook = EMACodebook(512, 8, kmeans_start=True, restart_below=0.03)
model = SimpleVQVAE(512, 8, quantizer=MultiScaleQuantizer(512, 8, scales, codebook=codebook)).to(pick_device())
cat = small_photo(held_out_photo()[0, :, :, 60:360], 64)

panel = classroom.TrainingPanel("训练五个尺度", "Training five scales", 60, {"psnr": ("峰值信噪比（dB）", "PSNR (dB)")},
                                caption=("没见过的猫", "the unseen cat"))
batches = crops(photos(), generator=torch.Generator().manual_seed(0))


def look():
    return torch.cat(lesson.spell(model, cat).pictures[1:], dim=2)  # 五张并排 all five side by side


for record in panel.watch(fit(model, batches, seconds=60), preview=look):
    pass

# %% [markdown]
# <div lang="zh">
#
# 训练要一分钟，按**停止并保留**可以提前结束。右边的小图是考题：一只没见过的猫，写到第 1、2、3、4、5 个尺度。
#
# 一共多少个 token？1 + 4 + 16 + 64 + 256。它们查的是**同一个**码本。
#
# </div>
# <div lang="en">
#
# Training takes a minute; **Stop and keep** ends it early. The little pictures on the right are the exam:
# a cat it has never seen, written up to scale 1, 2, 3, 4, 5.
#
# How many tokens in all? 1 + 4 + 16 + 64 + 256. All are looked up in the **same** codebook.
#
# </div>

# %%
for count in (model.quantize.num_tokens, 16 * 16):
    bits = bits_per_pixel(count, 512, 64, 64)
    classroom.say(f"{count} 个 token：每像素 {bits:.2f} 比特", f"{count} tokens: {bits:.2f} bits per pixel")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
exam = tiles(held_out_photo().to(pick_device()))  # 24 块 squares of 64 × 64
pictures = model.idxBl_to_img(model.img_to_idxBl(exam), cumulative=True)
decibels = [psnr(picture, exam).mean().item() for picture in pictures]
rows = [(f"{n:2} × {n:2}", f"{db:.1f} dB") for n, db in zip(scales, decibels, strict=True)]
classroom.say("\n".join(["没见过的猫，24 块的平均：", *(f"  写到 {size}：{db}" for size, db in rows)]),
              "\n".join(["the unseen cat, mean of 24 squares:", *(f"  up to {size}: {db}" for size, db in rows)]))
assert torch.tensor(decibels).diff().min() > 0 or record.seconds < 20  # 早停除外 unless stopped early

# %% [markdown]
# ## 2. 每个尺度添了什么 · What each scale adds
#
# <div lang="zh">
#
# *8 分钟。* 先猜，再拖。
#
# </div>
# <div lang="en">
#
# *8 minutes.* Guess first, then drag.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_alone = classroom.Predict(
    question=("把 8 × 8 那个尺度的 64 个 token 单独画出来，会看到什么？",
              "Draw the 64 tokens of scale 8 × 8 alone. What will you see?"),
    options=[("一张缩小到 8 × 8 的照片", "the photograph, shrunk to 8 × 8"),
             ("灰底上的零碎：前三个尺度漏掉的", "scraps on grey: what the first three scales missed"),
             ("纯噪声", "pure noise")])
guess_alone

# %% tags=["nbval-ignore-output"]
guess_alone.hold()
flower = small_photo(photos()["flower"][:, :, 100:527], 64)
cat_spelling, flower_spelling = lesson.spell(model, cat), lesson.spell(model, flower)
lesson.ScaleSpeller({("没见过的猫", "the unseen cat"): cat_spelling,
                        ("训练用过的花", "a flower from the training photos"): flower_spelling})

# %% [markdown]
# <div lang="zh">
#
# 上排是像素，下排是特征（三个主要方向当作红、绿、蓝）；中列和右列里，灰色就是“没有”。从 0 拖到 5：
#
# - 右列越来越灰，中列就是右列失去的那一份；
# - 两个读数不同步：分贝看像素，百分数看特征。
#
# </div>
# <div lang="en">
#
# The upper row is pixels, the lower one features (their three main directions as red, green and blue); in the middle and right
# columns grey means “nothing”. Drag from 0 to 5:
#
# - the right column turns grey, and the middle one is what the right one lost;
# - the two readings do not move in step: decibels look at pixels, the percentage at features.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_alone.hold()
import matplotlib.pyplot as plt

with torch.no_grad():
    alone = [model.decoder((after - before)[None].to(pick_device()))[0].cpu()
             for before, after in zip(cat_spelling.maps, cat_spelling.maps[1:], strict=False)]
shrunk = [interpolate(cat[None], (n, n), mode="area")[0] for n in scales]
figure, axes = plt.subplots(2, 5, figsize=(4.4, 2.6))
classroom.draw_images(alone, [f"单独 alone\n{n} × {n}" for n in scales], axes[0])
classroom.draw_images(shrunk, [f"缩小 shrunk\n{n} × {n}" for n in scales], axes[1])
for ax in axes.flat:
    ax.title.set_fontsize(10)
classroom.show(figure, "上排：每个尺度单独画出，1 × 1 是一片颜色，其余是灰底上的零碎。下排：照片真的缩小，8 × 8 就已是完整的小猫脸。",
               "Above: each scale drawn alone; 1 × 1 is one colour, the others are scraps on grey. Below: the photograph "
               "really shrunk; 8 × 8 is already a whole little cat.")
guess_alone.reveal(1, because=(
    "每个尺度只写残差。真正缩小的照片在下排：它把粗的又写了一遍，token 就浪费了。",
    "A scale writes only the residual. A photograph really shrunk, in the lower row, writes the coarse part once more and "
    "wastes its tokens."))

# %% [markdown]
# <div lang="zh">
#
# **要点：** VAR 的尺度不是缩小的照片，而是**残差**：${\color{#009E73} \hat f} = {\color{#E69F00} h_1} + \dots + {\color{#E69F00} h_5}$。所以粗尺度的错误，细尺度还能补；细尺度的 token 单独拿出来，画不成一张图。
#
# </div>
# <div lang="en">
#
# **Takeaway:** VAR's scales are not shrunken photographs but **residuals**:
# ${\color{#009E73} \hat f} = {\color{#E69F00} h_1} + \dots + {\color{#E69F00} h_5}$. So finer tokens can still mend what
# coarser ones got wrong, and on their own they make no picture.
#
# </div>
#
# ## 3. 先变坏，再变好 · Worse before better
#
# <div lang="zh">
#
# *6 分钟。* 误差会不会一个尺度一个尺度地**升高**，后来才降？拿一个什么也没学过的量化器试试：512 个随机码字，φ 关掉，输入是随机的 $f$。
#
# </div>
# <div lang="en">
#
# *6 minutes.* Can the error **rise** from scale to scale before it falls? Take a quantizer that has learnt nothing: 512 random
# codes, φ off, and a random $f$.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_rise = classroom.Predict(
    question=("每个尺度都减去“最近的”码字。误差怎么可能升高？", "Every scale subtracts the nearest code. How can the error rise?"),
    options=[("不可能：最近的码字总能减小误差", "it cannot: the nearest code always lowers it"),
             ("最近的码字也可能比“什么都不减”更远", "even the nearest code may be farther off than subtracting nothing"),
             ("是舍入误差", "rounding errors")])
guess_rise

# %%
guess_rise.hold()
f = torch.randn(4, 8, 16, 16, generator=torch.Generator().manual_seed(0))
errors = {}
for name, zero_code in (("随机 random", False), ("再加零码字 with a zero code", True)):
    quantizer = lesson.random_quantizer(512, 8, scales, zero_code=zero_code,
                                           generator=torch.Generator().manual_seed(1))
    errors[name] = lesson.errors_by_scale(quantizer, f)
    said = ", ".join(f"{error:.2f}" for error in errors[name])
    zh, en = name.split(" ", 1)
    classroom.say(f"{zh}：{said}", f"{en}: {said}")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_rise.hold()
with torch.no_grad():
    exam_features = model.encoder(exam)
errors["训练过，没见过的猫\ntrained, the unseen cat"] = lesson.errors_by_scale(model.quantize, exam_features)
figure = lesson.draw_errors(errors, scales).figure
classroom.show(figure, "三条折线。随机码本：从 1 先升到 1 以上，最后两个尺度才降下来；多一个零码字：不再升；训练过的：每个尺度都降。",
               "Three lines. Random codes: from 1 up above 1, and down only at the last scales; with one zero code added, no "
               "rise; trained: down at every scale.")
random, with_zero, trained = errors.values()
guess_rise.reveal(1, because=(
    "大格子的平均接近 0，而 512 个码字里没有一个接近 0：减去最近的，反而离得更远。加一个零码字，就可以“什么都不写”。",
    "The mean over a large cell is near 0, and none of the 512 codes is: subtracting the nearest one leads away. With a zero "
    "code a scale may “write nothing”."))
assert max(random[1:4]) > 1.1 and random[5] < 0.5
assert torch.tensor(with_zero).diff().max() < 0.01
assert torch.tensor(trained).diff().max() < 0 or record.seconds < 20

# %% [markdown]
# <div lang="zh">
#
# **要点：** “最近”是在码字之间比，零不在其中。训练之后，码本里有长短不一的码字，短的留给细的尺度，误差才一路下降。所以先升后降不是代码的错，而是还没训练。
#
# </div>
# <div lang="en">
#
# **Takeaway:** “nearest” compares codes with each other, and zero is not among them. Training gives the codebook codes of many
# lengths, short ones for the fine scales, and the error falls all the way. So rising first is not a bug: it is a quantizer
# that has not been trained.
#
# </div>
#
# ## 4. φ 修补什么 · What φ repairs
#
# <div lang="zh">
#
# *6 分钟。* 放大会抹平细节。VAR 在放大之后加了一个小卷积，与原样各占一半：
#
# </div>
# <div lang="en">
#
# *6 minutes.* Enlarging smooths details away. VAR follows it with a small convolution, mixed half and half with the map itself:
#
# </div>
#
# $$\varphi(x) = \tfrac12\, x + \tfrac12\, \mathrm{conv}_{3 \times 3}(x)$$

# %% jupyter={"source_hidden": true}
guess_phi = classroom.Predict(
    question=("和没有 φ 相比，有 φ 时写完五个尺度，剩下的误差怎样？",
              "With φ, compared to without: what error is left once all five scales are written?"),
    options=[("一样大：最后一个尺度不用放大", "the same: the last scale needs no enlarging"), ("小一些", "somewhat less"),
             ("大一些：φ 改动了码字", "more: φ changes the codes")])
guess_phi

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_phi.hold()
with torch.no_grad():
    features = torch.cat([model.encoder(next(batches).to(pick_device())) for _ in range(32)])
fitted = {name: lesson.fit_quantizer(features, scales, phi_ratio=ratio)
          for name, ratio in ((("没有 φ", "without φ"), 0), (("有 φ", "with φ"), 0.5))}
phi = {name: lesson.errors_by_scale(quantizer, exam_features) for name, quantizer in fitted.items()}
for name, values in phi.items():
    said = ", ".join(f"{value:.3f}" for value in values[1:])
    classroom.say(f"{name[0]}：{said}", f"{name[1]}: {said}")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_phi.hold()
without, with_phi = phi.values()
gain = [1 - b / a for a, b in zip(without[1:], with_phi[1:], strict=True)]
figure = lesson.draw_gain(gain, scales).figure
classroom.show(figure, "柱状图：有了 φ，每个尺度之后的误差少多少；最后一个尺度之后也少。",
               "Bars: how much less error there is with φ after each scale, the last included.")
guess_phi.reveal(1, because=(
    f"少了 {100 * gain[4]:.0f} %。放大时抹平的，后面的尺度也能补（第 2 节）：φ 帮了忙，但不是少了它就不行。",
    f"{100 * gain[4]:.0f} % less. What enlarging smooths away, later scales can mend too (section 2): φ helps, but things work "
    "without it."))
assert gain[4] > 0 or record.seconds < 20

# %% [markdown]
# <div lang="zh">
#
# 这是公平的比较吗？编码器的特征不动，两个量化器从同样的种子开始，看同样的数据，各学 100 步，只差 φ。差别是真的，大小却要看模型练了多久：练得越久，φ 添得越少；哪个尺度之后少得最多，也会变。早点按**停止并保留**，再比一比。论文的消融在 256 × 256 的 ImageNet 上，尺度更多，放大更猛，不能直接拿来比。
#
# </div>
# <div lang="en">
#
# Is the comparison fair? The encoder's features stay fixed; both quantizers start from one seed, see the same data and learn
# for 100 steps; only φ differs. The difference is real, but its size depends on how long the model has trained: the
# longer, the less φ adds, and after which scale it is largest changes, too. Press **Stop and keep** early once, and compare. The paper
# works on ImageNet at 256 × 256, with more scales and stronger enlargement: not the same experiment.
#
# </div>
#
# ## 5. 下一尺度的输入 · The input of the next scale
#
# <div lang="zh">
#
# *8 分钟。* VAR（第 7 课）已知较粗的尺度，一次预测下一个尺度的全部 token，这叫**下一尺度预测**。预测 8 × 8 的 64 个 token，要有 64 格输入。输入是什么？不是 8 × 8 自己的 token（那是答案），而是**到此为止的累积图** $\hat f$，缩到 8 × 8。设各尺度的边长是 $\mathrm{pn}_0, \mathrm{pn}_1, \dots$（patch number），$L$ 是 token 的总数。
#
# </div>
# <div lang="en">
#
# *8 minutes.* VAR (lesson 7) is given the coarser scales and predicts all tokens of the next one at once: **next-scale prediction**. To predict the 64 tokens of 8 × 8 it needs 64 inputs.
# Which? Not the tokens of 8 × 8 themselves (they are the answer), but **the sum so far**, $\hat f$, shrunk to 8 × 8. Let
# $\mathrm{pn}_0, \mathrm{pn}_1, \dots$ (patch number) be the sides of the scales, and $L$ the number of all tokens.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_inputs = classroom.Predict(
    question=("换成尺度 (2, 4, 8, 16)，共 340 个目标。var_input 给出几个向量？",
              "With scales (2, 4, 8, 16) there are 340 targets. How many vectors does var_input give?"),
    options=[("340", "340"), ("339，像语言模型那样错开一位", "339, shifted by one as in a language model"),
             ("336", "336"), ("84", "84")])
guess_inputs

# %%
guess_inputs.hold()
for patch_nums in (scales, scales[1:]):
    quantizer = MultiScaleQuantizer(512, 8, patch_nums)
    idx_Bl = quantizer.encode(f)
    targets, inputs = sum(tokens.shape[1] for tokens in idx_Bl), quantizer.var_input(idx_Bl).shape[1]
    counted = f"{inputs} = {targets} − {patch_nums[0]}²"
    classroom.say(f"{patch_nums}：目标 {targets} 个，输入 {counted} 个", f"{patch_nums}: {targets} targets, inputs: {counted}")

# %% jupyter={"source_hidden": true}
guess_inputs.hold()
guess_inputs.reveal(2, because=(
    "第一个尺度之前什么也没有，它的 2 × 2 格由类别开头，不在 var_input 里：L − pn₀² = 340 − 4。从 1 × 1 开始时恰好也是少 1，"
    "但道理不是“错开一位”。",
    "Nothing comes before the first scale: its 2 × 2 places start from the class and are not in var_input: L − pn₀² = 340 − 4. "
    "With 1 × 1 first it happens to be one fewer, but not because of a shift."))
assert (targets, inputs) == (340, 336)

# %% tags=["nbval-ignore-output"]
lesson.VarInputMap(cat_spelling)

# %% [markdown]
# <div lang="zh">
#
# 上排是输入，下排是目标（用码字的颜色画）。点一个目标，或拖滑块：
#
# - 它的输入在正上方同一格：累积图，所以上排越来越像整张图，下排只有零碎；
# - 同一尺度的格子互相看得到，更细的看不到：尺度内双向，尺度间因果。
#
# 真是这样吗？改动 4 × 4 的一个 token，看哪些输入变了：
#
# </div>
# <div lang="en">
#
# Above are the inputs, below the targets (in the colours of their codes). Click a target or drag a slider:
#
# - its input is straight above, in the same place: the sum so far, so the whole picture takes shape above, and scraps below;
# - the places of one scale see each other, finer ones are hidden: both ways within a scale, causal across scales.
#
# Is it really so? Change one token of 4 × 4 and see which inputs differ:
#
# </div>

# %%
tokens = model.img_to_idxBl(cat[None].to(pick_device()))
changed = [scale.clone() for scale in tokens]
changed[2][0, 5] = (changed[2][0, 5] + 1) % 512  # 第三个尺度的第 6 个 the sixth token of the third scale
before, after = (model.idxBl_to_var_input(each).split([4, 16, 64, 256], dim=1) for each in (tokens, changed))
for n, a, b in zip(scales[1:], before, after, strict=True):
    zh, en = ("没变", "the same") if torch.equal(a, b) else ("变了", "changed")
    classroom.say(f"{n:2} × {n:2}：{zh}", f"{n:2} × {n:2}: {en}")

# %% jupyter={"source_hidden": true}
f_hat, steps = None, []
for scale, indices in enumerate(tokens):  # 一个尺度一个尺度地生成 as if generated scale by scale
    f_hat, following = model.quantize.next_input(scale, f_hat, indices)
    steps.append(following)
assert torch.equal(torch.cat(steps, dim=1), model.idxBl_to_var_input(tokens))
classroom.say("一个尺度一个尺度地解码，得到的输入与训练时的逐位相同",
              "decoding scale by scale gives the inputs of training, bit by bit")
assert all(torch.equal(a, b) == (n <= 4) for n, a, b in zip(scales[1:], before, after, strict=True))

# %% [markdown]
# <div lang="zh">
#
# **要点：** 预测尺度 $k$ 的输入 = 更粗的所有尺度之和，缩到尺度 $k$ 的大小。目标 $L$ 个，输入 $L - \mathrm{pn}_0^2$ 个。一个尺度自己的 token 从不出现在自己的输入里。
#
# </div>
# <div lang="en">
#
# **Takeaway:** the input for scale $k$ = the sum of all coarser scales, shrunk to the size of scale $k$. There are $L$ targets and
# $L - \mathrm{pn}_0^2$ inputs. A scale's own tokens are never in its own input.
#
# </div>

# %% [markdown]
# ## 6. 交换粗尺度 · Swap the coarse tokens
#
# <div lang="zh">
#
# *5 分钟。* 粗尺度的 token 带着什么？把猫和花的前几个尺度对换，其余不动。
#
# </div>
# <div lang="en">
#
# *5 minutes.* What do coarse tokens carry? Swap the first few scales of the cat and the flower, and leave the rest.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_swap = classroom.Predict(
    question=("猫的 341 个 token 里，把最粗的 21 个（1 + 4 + 16）换成花的。结果与哪一张的峰值信噪比更高？",
              "Of the cat's 341 tokens, the 21 coarsest (1 + 4 + 16) are replaced by the flower's. To which picture does the "
              "result have the higher PSNR?"),
    options=[("猫：94 % 的 token 还是她的", "the cat: 94 % of the tokens are still hers"), ("花", "the flower")])
guess_swap

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
of_cat, of_flower = (model.img_to_idxBl(each[None].to(pick_device())) for each in (cat, flower))


def swapped(number):
    """The first scales of one, the rest of the other. 前几个尺度对换。"""
    two = [model.idxBl_to_img(a[:number] + b[number:])[0].cpu() for a, b in ((of_flower, of_cat), (of_cat, of_flower))]
    return two, {(f"左图对{zh}", f"left vs {en}"): f"{psnr(two[0], original).item():.1f} dB"
                 for zh, en, original in (("猫", "cat", cat), ("花", "flower", flower))}


classroom.PictureExplorer(
    swapped, sliders=[classroom.Slider("number", "对换几个尺度", "scales swapped", 0, 5, 1, 1)],
    pictures=[("花粗猫细", "coarse flower, fine cat"), ("猫粗花细", "coarse cat, fine flower")],
    alt_zh="两张图：换一个尺度，颜色互换；换三四个，大的形状也换了，只剩对方的边缘。",
    alt_en="Two pictures: one scale swapped, and they trade colours; three or four, and the large shapes are traded too, "
           "with only the other's edges left.")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_swap.hold()
three = swapped(3)[0][0]
to_cat, to_flower = psnr(three, cat).item(), psnr(three, flower).item()
closer, part = int(to_flower > to_cat), 21 / model.quantize.num_tokens
classroom.say(f"对换三个尺度，换掉 {part:.0%} 的 token：与猫 {to_cat:.1f} dB，与花 {to_flower:.1f} dB",
              f"three scales swapped, {part:.0%} of the tokens: {to_cat:.1f} dB to the cat, {to_flower:.1f} dB to the flower")
guess_swap.reveal(closer, because=(
    "粗尺度管颜色和大的明暗，误差主要在那里；边缘还是猫的。token 的个数不等于分量。" if closer else
    "训练停得太早，粗尺度还没学会；练满一分钟再看。",
    "Coarse tokens carry colour and the large areas of light and dark, where most of the error is; the edges are still the "
    "cat's. The number of tokens is not their weight." if closer else
    "Training stopped too early for the coarse tokens to have learnt; look again after the full minute."))
assert closer == 1 or record.seconds < 20

# %% [markdown]
# ## 7. 哪个尺度用哪些码字 · Which scale uses which codes
#
# <div lang="zh">
#
# *选读，5 分钟。* 五个尺度共用 512 个码字。每个尺度用到几个？数 64 块训练照片，再数 1024 块。
#
# </div>
# <div lang="en">
#
# *Optional, 5 minutes.* Five scales share 512 codes. How many does each use? Count over 64 crops of the training photographs, then over
# 1024.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_use = classroom.Predict(
    question=("数 64 块照片。1 × 1 这个尺度的困惑度最高可能是多少？",
              "Over 64 crops, what is the highest perplexity that scale 1 × 1 could possibly have?"),
    options=[("512", "512"), ("64", "64"), ("1", "1")])
guess_use

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_use.hold()
counted = [model.img_to_idxBl(next(batches).to(pick_device())) for _ in range(128)]  # 8 块一批 8 crops each
for number in (64, 1024):
    tokens = [torch.cat(scale)[:number] for scale in zip(*counted, strict=True)]
    for n, use in zip(scales, lesson.use_by_scale(tokens, 512), strict=True):
        classroom.say(f"{n:2} × {n:2}：{use.tokens:6} 个 token，{use.codes:3} 个码字，困惑度 {use.perplexity:.0f}",
                      f"{n:2} × {n:2}: {use.tokens:6} tokens, {use.codes:3} codes, perplexity {use.perplexity:.0f}")
    everything = usage(torch.cat([scale.flatten() for scale in tokens]), 512).item()
    classroom.say(f"全部尺度合起来用到 {everything:.1%}\n", f"all scales together use {everything:.1%}\n")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_use.hold()
few = [torch.cat(scale)[:64] for scale in zip(*counted, strict=True)]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 2.6))
lesson.draw_use(lesson.use_by_scale(few, 512), 512, scales, left).set_title("64 块照片 64 crops")
lesson.draw_lengths(lesson.shares_by_length(tokens, model.quantize.embedding.weight), scales, right)
classroom.show(figure, "左：每个尺度用到的码字和困惑度，越细越多，1 × 1 的上限只有 64。右：1 × 1 多用长码字，细尺度多用短码字。",
               "Left: codes used and perplexity by scale, more for finer scales; 1 × 1 can have 64 at most. Right: 1 × 1 "
               "takes mostly long codes, the finer scales short ones.")
guess_use.reveal(1, because=("一张图在 1 × 1 只有 1 个 token，64 块就只有 64 个：困惑度不会超过 token 的个数。",
                             "A picture has 1 token at 1 × 1, so 64 crops have 64: perplexity never exceeds the number of "
                             "tokens."))
assert everything >= 0.95

# %% [markdown]
# <div lang="zh">
#
# 上限只是一半原因：数 1024 块，1 × 1 仍只用几十个。一张图有 341 个 token，最粗的尺度只占 1 个，码本主要由细尺度决定；七张照片的平均颜色也就那么几种。右图：粗尺度用长码字，细尺度用短的。
#
# **要点：** 困惑度属于这一批数据；分尺度看，才知道哪个尺度用了什么。合起来，512 个码字几乎都用到了。
#
# </div>
# <div lang="en">
#
# The bound is half the reason: over 1024 crops 1 × 1 still uses only a few dozen. Of a picture's 341 tokens the coarsest scale
# has 1, so the fine scales decide what the codebook learns; and seven photographs have only so many mean colours. Right: coarse
# scales take long codes, fine ones short codes.
#
# **Takeaway:** perplexity belongs to the batch; look scale by scale to see which uses what. Together, nearly all 512 codes are
# used.
#
# </div>
#
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 一张图 = 残差之和：1 个 token 给颜色，最后 256 个补边缘；每个尺度都让分贝更高。
# - 没有训练时误差会先升：码本里没有“零”。
# - φ 是小小的修补：最后的误差小一些。
# - 预测下一尺度，读的是累积图；输入比目标少第一个尺度的那几个。
# - 粗尺度的 token 少而重要。
#
# </div>
# <div lang="en">
#
# - A picture = a sum of residuals: 1 token gives the colour, the last 256 the edges, and every scale adds decibels.
# - Untrained, the error rises first: the codebook has no “zero”.
# - φ is a small repair: the final error is somewhat smaller.
# - The next scale is predicted from the sum so far; there are fewer inputs than targets, by as many as the first scale has
#   tokens.
# - Coarse tokens are few and weighty.
#
# </div>

# %% [markdown]
# ## 小测验 · Quiz
#
# <div lang="zh">
#
# 每个选项点开后都会说明理由。
#
# </div>
# <div lang="en">
#
# Every option explains itself once chosen.
#
# </div>

# %% jupyter={"source_hidden": true}
Option, Question = classroom.Option, classroom.Question
classroom.Quiz([
    Question(("16 × 16 那个尺度的 256 个 token 单独解码，得到什么？", "The 256 tokens of scale 16 × 16 are decoded alone. What appears?"), [
        Option(("整张照片，最清楚的一版", "the whole photograph at its clearest"), False,
               ("颜色和大的明暗已由粗尺度写走，它只写了剩下的。",
                "Colour and large shapes were written by the coarser scales; it wrote only the rest.")),
        Option(("灰底上的边缘和细节", "edges and details on grey"), True,
               ("对：它是最后一份残差。", "Right: it is the last residual.")),
        Option(("和 8 × 8 的一样，只是更大", "the same as 8 × 8, only larger"), False,
               ("8 × 8 写过的已被减去，不会再写一遍。", "What 8 × 8 wrote has been subtracted and is not written twice."))]),
    Question(("没训练过的量化器，误差一个尺度比一个尺度大。先怎么想？",
              "An untrained quantizer's error grows from scale to scale. What do you think first?"), [
        Option(("残差减错了符号", "the residual has the wrong sign"), False,
               ("符号错了，最后一个尺度也不会降下来。", "With a wrong sign the last scale would not bring it down either.")),
        Option(("码字都太长，没有接近零的", "the codes are too long: none is near zero"), True,
               ("对：加一个零码字就不升了。", "Right: with one zero code added it does not rise.")),
        Option(("码本太小", "the codebook is too small"), False,
               ("再多随机的长码字也一样：缺的是短的。", "More long random codes would not help: short ones are missing."))]),
    Question(("VAR 预测 8 × 8 的 token 时，那 64 格输入是什么？", "VAR predicts the tokens of 8 × 8. What are its 64 inputs?"), [
        Option(("8 × 8 自己的 64 个码字", "the 64 codes of 8 × 8 themselves"), False,
               ("那是答案，只要照抄。", "They are the answer, to be copied.")),
        Option(("4 × 4 的码字放大到 8 × 8", "the codes of 4 × 4, enlarged to 8 × 8"), False,
               ("差一点：那只是一份残差，1 × 1 和 2 × 2 的丢了。", "Nearly: that is one residual, and 1 × 1 and 2 × 2 are lost.")),
        Option(("前三个尺度之和，缩到 8 × 8", "the sum of the first three scales, shrunk to 8 × 8"), True,
               ("对：累积图，下一个尺度的大小。", "Right: the sum so far, at the next scale's size."))]),
    Question(("1 × 1 这个尺度在一批 16 张图上困惑度是 12。说明什么？",
              "Over a batch of 16 pictures scale 1 × 1 has perplexity 12. What does that tell?"), [
        Option(("码本坍缩了", "the codebook has collapsed"), False,
               ("16 个 token，困惑度最多 16：12 已经很分散。", "With 16 tokens it is 16 at most; 12 is well spread.")),
        Option(("要和上限 16 比，不是和 512 比", "compare it with the bound 16, not with 512"), True,
               ("对：困惑度属于这一批数据。", "Right: perplexity belongs to the batch.")),
        Option(("512 个码字里有 500 个是死的", "500 of the 512 codes are dead"), False,
               ("别的尺度在用它们：码本是共用的。", "Other scales use them: the codebook is shared."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●●○ · 10 分钟。** 写编码循环（没有 φ），图不必是正方形：`f` 是 (B, D, H, W)，`codebook` 是 (K, D)，`scales` 是一对对（高，宽），如 ((1, 1), (2, 3), (4, 6))，最后一个就是 (H, W)。返回每个尺度的索引，形状 (B, h·w)。用 `interpolate(x, (h, w), mode="area")` 缩小，`mode="bicubic"` 放大，`nearest_code(rows, codebook)` 找 token（一样近的取最小的索引，它就是这样）。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●●○ · 10 minutes.** Write the encoding loop (no φ); maps need not be square: `f` is (B, D, H, W), `codebook`
# (K, D), `scales` are pairs (height, width) such as ((1, 1), (2, 3), (4, 6)), the last being (H, W). Return each scale's
# indices, shaped (B, h·w). Shrink with `interpolate(x, (h, w), mode="area")`, enlarge with `mode="bicubic"`, find tokens with
# `nearest_code(rows, codebook)` (of equally near codes the lowest index, which is what it returns).
#
# </div>

# %%
def my_encode(f, codebook, scales):
    ...  # return a list of (B, h·w), one for each scale


lesson.exercises.encode.check(my_encode)


# %% jupyter={"source_hidden": true}
def solution(f, codebook, scales):
    rest, tokens = f, []
    for h, w in scales:
        small = interpolate(rest, (h, w), mode="area")
        rows = small.permute(0, 2, 3, 1).reshape(-1, f.shape[1])
        tokens.append(nearest_code(rows, codebook).view(len(f), h * w))
        codes = codebook[tokens[-1]].transpose(1, 2).unflatten(2, (h, w))
        rest = rest - interpolate(codes, f.shape[2:], mode="bicubic")
    return tokens


lesson.exercises.encode.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 5 分钟。** 反过来，把 token 拼回特征图（没有 φ）：`tokens` 是每个尺度的索引，(B, h·w)，可能只写到一半（比 `scales` 短）。返回到此为止的和 $\hat f$，(B, D, H, W)，大小总是最后一个尺度的。
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 5 minutes.** The other way round: spell the map from its tokens (no φ). `tokens` holds the indices by
# scale, (B, h·w), and may break off early (be shorter than `scales`). Return the sum so far, $\hat f$, (B, D, H, W), always
# of the last scale's size.
#
# </div>

# %%
def my_decode(tokens, codebook, scales):
    ...


lesson.exercises.decode.check(my_decode)


# %% jupyter={"source_hidden": true}
def solution(tokens, codebook, scales):
    f_hat = 0
    for indices, size in zip(tokens, scales, strict=False):
        codes = codebook[indices].transpose(1, 2).unflatten(2, size)
        f_hat = f_hat + interpolate(codes, scales[-1], mode="bicubic")
    return f_hat


lesson.exercises.decode.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●●○ · 6 分钟。** `added` 是各个尺度添的 $h$（都已放大，过了 φ），形状 (S, B, D, H, W)，S 是尺度数，不少于 2；`scales` 是一对对（高，宽）。写出 `var_input`：从第二个尺度起，每个尺度的输入连成 (B, L − h₀·w₀, D)，h₀ × w₀ 是第一个尺度。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●●○ · 6 minutes.** `added` holds what each scale adds, $h$ (enlarged, φ done): (S, B, D, H, W) for S scales, 2
# or more; `scales` are pairs (height, width). Write `var_input`: the inputs of every scale from the second on, joined to (B,
# L − h₀·w₀, D), where h₀ × w₀ is the first scale.
#
# </div>

# %%
def my_var_input(added, scales):
    ...


lesson.exercises.var_input.check(my_var_input)


# %% jupyter={"source_hidden": true}
def solution(added, scales):
    f_hat, inputs = 0, []
    for h, size in zip(added, scales[1:], strict=False):
        f_hat = f_hat + h
        inputs.append(interpolate(f_hat, size, mode="area").flatten(2).transpose(1, 2))
    return torch.cat(inputs, dim=1)


lesson.exercises.var_input.check(solution, quiet=True)



# %% [markdown]
# ## 合起来 · All together
#
# <div lang="zh">
#
# 编码、VAR 的输入、损失、直通，一共九行（没有 φ）。每个尺度之后的 $\hat f$ 都要像 $f$：一项推动码字，一项（乘 β）推动编码器，再对尺度取平均。输出、损失和梯度都与 `vqlab` 核对：
#
# </div>
# <div lang="en">
#
# Encoding, VAR's inputs, the loss and straight-through, in nine lines (without φ). After every scale $\hat f$ should be like $f$:
# one term moves the codes, one (times β) the encoder, and the mean is taken over the scales. Output, loss and gradients
# are checked against `vqlab`:
#
# </div>

# %%
def multi_scale(f, codebook, scales, beta):  # (B, D, H, W), (K, D)
    f_hat, tokens, inputs, loss = torch.zeros_like(f), [], [], 0
    for n in scales:
        inputs.append(interpolate(f_hat, (n, n), mode="area").flatten(2).transpose(1, 2))  # (B, n·n, D)
        small = interpolate(f - f_hat.detach(), (n, n), mode="area").permute(0, 2, 3, 1)  # (B, n, n, D)
        tokens.append(nearest_code(small.flatten(0, 2), codebook).view(len(f), n, n))
        f_hat = f_hat + interpolate(codebook[tokens[-1]].permute(0, 3, 1, 2), f.shape[2:], mode="bicubic")
        loss = loss + mse_loss(f_hat, f.detach()) + beta * mse_loss(f_hat.detach(), f)
    return f + (f_hat - f).detach(), loss / len(scales), tokens, torch.cat(inputs[1:], dim=1)


# %% jupyter={"source_hidden": true}
torch.manual_seed(0)
theirs = MultiScaleQuantizer(64, 8, scales, commitment_weight=0.25, phi_ratio=0)
theirs.embedding.weight.data.normal_()
leaves = f.clone().requires_grad_(), theirs.embedding.weight
quantized, loss, idx_Bl = theirs(leaves[0])
ours = multi_scale(*leaves, scales, 0.25)
gradients = [torch.autograd.grad(f.numel() * error + output.square().sum(), leaves)  # 平均变成和 the mean becomes a sum
             for output, error in (ours[:2], (quantized, loss))]
for zh, en, a, b in (("输出", "output", ours[0], quantized), ("损失", "loss", ours[1], loss),
                     ("token", "tokens", torch.cat([each.flatten(1) for each in ours[2]], dim=1), torch.cat(idx_Bl, dim=1)),
                     ("VAR 的输入", "VAR's inputs", ours[3], theirs.var_input(idx_Bl)),
                     *zip(("对 f 的梯度", "对码字的梯度"), ("gradient at f", "gradient at the codes"), *gradients, strict=True)):
    assert torch.allclose(a.double(), b.double(), atol=1e-3), en
    classroom.say(f"{zh}：相同", f"{en}: the same")

# %% [markdown]
# ## 选读：放大再缩小 · Bonus: enlarge, then shrink
#
# <div lang="zh">
#
# 放大（bicubic）之后再缩小（area），回得来吗？一格写 1，别处写 0：
#
# </div>
# <div lang="en">
#
# Enlarge (bicubic), then shrink (area): do you get back what you had? One cell is 1, all others are 0:
#
# </div>

# %% jupyter={"source_hidden": true}
figure = lesson.draw_spread()[0].figure
classroom.show(figure, "三幅：一个亮格；放大成带负值光晕的圆斑；再缩小，亮格变暗，邻格不再是零。",
               "Three panels: one bright cell; enlarged to a blob with a negative halo; shrunk again, the cell is dimmer and its "
               "neighbours are no longer zero.")

# %% [markdown]
# <div lang="zh">
#
# 回不来：值超出了 0 到 1，邻格也沾上了。所以写完一个尺度，即使码字分毫不差，残差在这个尺度上也不为零，后面的尺度还要收拾。
#
# </div>
# <div lang="en">
#
# It does not: values leave 0 to 1, and neighbours are touched. So even if a scale's codes are perfect, its residual at that very
# scale is not zero, and the later scales must tidy up.
#
# </div>

# %% [markdown]
# ## 来源 · Sources
#
# <div lang="zh">
#
# - 多尺度残差量化、φ、下一尺度预测：Tian 等（2024），VAR，arXiv 2404.02905，3.2 节，算法 1、2。两段算法就是这一课。
# - 参考实现：FoundationVision/VAR，`models/quant.py`。对着第 5 节读；只有一个进程时 `forward` 会崩溃（编码和解码不会），只有一个尺度时选 φ 会除以零。
# - 残差量化：Lee 等（2022），RQ-VAE，arXiv 2203.01941。不缩放、只写残差的前身。
# - 不同之处：64 × 64 像素、五个尺度、码本用滑动平均和重启（参考实现用梯度），φ 从恒等开始，没有对抗损失和感知损失。
# - 照片来自 scikit-image 和 scikit-learn。
#
# **接下来：** 第 7 课用这样的 token 训练一个会写数字的 VAR。
#
# </div>
# <div lang="en">
#
# - Multi-scale residual quantization, φ, next-scale prediction: Tian et al. (2024), VAR, arXiv 2404.02905, section 3.2,
#   algorithms 1 and 2. The two algorithms are this lesson.
# - The reference: FoundationVision/VAR, `models/quant.py`. Read it beside section 5; in a single process its `forward` crashes
#   (encoding and decoding do not), and with one scale the choice of φ divides by zero.
# - Residual quantization: Lee et al. (2022), RQ-VAE, arXiv 2203.01941. The forerunner: residuals without scales.
# - How this differs: 64 × 64 pixels, five scales, a codebook with moving averages and restarts (the reference uses gradients),
#   φ that starts as the identity, no adversarial or perceptual loss.
# - Photographs from scikit-image and scikit-learn.
#
# **Next:** lesson 7 trains a VAR that writes digits with such tokens.
#
# </div>
