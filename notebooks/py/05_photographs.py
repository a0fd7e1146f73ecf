# %% [markdown]
# # 5. 照片的编解码器 · A codec for photographs
#
# <div lang="zh">
#
# **问题：** 几分钟学出来的 token（词元：码字的编号），能把照片存得比 JPEG 更小吗？要花多少比特，换来多少分贝？
#
# **大约 38 分钟，再加练习 22 分钟。你会：**
#
# 1. 拆开一个 VQ-VAE，看它的每一层，算出一个 token 看到多少像素；
# 2. 训练它，停下，再接着练；点一点 token，用 token 画画；
# 3. 把照片存成一个真正的文件，画率失真曲线，和 JPEG、WebP、AVIF 比；再看它说不出什么。
#
# **要先会什么：** 卷积。**一分钟回顾：** 量化器把每个 $z_e$ 换成最近的码字 $z_q$，编号就是 token（第 0 课）；梯度越过“最近”这一步，靠直通估计；承诺损失把 $z_e$ 拉住（第 3 课）；码字用滑动平均学习，死了就重启（第 4 课）。
#
# 这一课要得到的图：同一只没见过的猫，五种写法，比特对分贝。
#
# </div>
# <div lang="en">
#
# **Question:** can tokens (the numbers of codes) that were learnt in a few minutes store a photograph in fewer bytes than JPEG?
# How many bits buy how many decibels?
#
# **In about 38 minutes, plus 22 for the exercises, you will:**
#
# 1. take a VQ-VAE apart layer by layer, and find out how many pixels one token sees;
# 2. train it, stop, and go on; click on tokens and paint with them;
# 3. store a photograph as a real file, draw the rate–distortion curve beside JPEG, WebP and AVIF, and see what it cannot say.
#
# **What you need to know:** convolutions. **One-minute recap:** the quantizer replaces each $z_e$ by the nearest code $z_q$,
# whose number is the token (lesson 0); the gradient gets past “nearest” straight through, and the commitment loss holds $z_e$
# (lesson 3); codes learn by a moving average and are restarted when dead (lesson 4).
#
# The picture that this lesson works towards: one cat, never seen in training, written in five ways, bits against decibels.
#
# </div>

# %%
import torch
from torch.nn.functional import mse_loss

from vqlab import (EMAVectorQuantizer, SimpleVQVAE, TokenContext, TrainingState, bits, bundled_model, classroom, compress, crops,
                   decompress, fit, held_out_photo, perplexity, photos, pick_device, psnr, tokens_of, unpack)
from vqlab.lessons import photographs as lesson

classroom.start()

# %% [markdown]
# ## 1. 拆开看 · Anatomy
#
# <div lang="zh">
#
# *5 分钟。* 编解码器有两半：**编码器**和量化器把照片变成 token，**解码器**把 token 变回照片。装在 `vqlab` 里的这个模型不到 1 MB，在七张照片的小块上练了几分钟（`python -m vqlab.bundle` 可以再练一次）。猫 Chelsea 从不参加训练，她是考题。
#
# </div>
# <div lang="en">
#
# *5 minutes.* A codec has two halves: the **encoder** with the quantizer turns a photograph into tokens, the **decoder** turns tokens
# back into a photograph. The model that ships with `vqlab` is under 1 MB and was trained for a few minutes on crops of seven
# photographs (`python -m vqlab.bundle` trains it again). Chelsea the cat takes no part in any training: she is the exam.
#
# </div>

# %%
device = pick_device()
model = bundled_model().to(device)
cat = held_out_photo().to(device)  # (1, 3, 300, 448)

# %% jupyter={"source_hidden": true}
classroom.architecture(model, cat)
counts = [sum(parameter.numel() for parameter in part.parameters()) for part in (model.encoder, model.quantize, model.decoder)]
classroom.say("参数：编码器 {:,}，码本 {:,}，解码器 {:,}".format(*counts),
              "Parameters: encoder {:,}, codebook {:,}, decoder {:,}".format(*counts))


# %% [markdown]
# <div lang="zh">
#
# 训练时的一步，自己走一遍：编码、找最近的码字、直通、解码，再算两项损失。第三项，码本损失，这里没有：码字由滑动平均推动（第 4 课）。
#
# </div>
# <div lang="en">
#
# Walk through one step of training yourself: encode, find the nearest code, straight through, decode, and two losses. The third,
# the codebook loss, is missing here: a moving average moves the codes (lesson 4).
#
# </div>

# %%
def step(x):  # (B, 3, H, W)
    z_e = model.encoder(x)  # (B, D, H/4, W/4)
    rows = z_e.movedim(1, -1)  # (B, H/4, W/4, D) 一行一个向量 one vector a row
    codebook = model.quantize.embedding.weight  # (K, D)
    tokens = torch.cdist(rows.flatten(0, 2), codebook).argmin(dim=1)
    z_q = codebook[tokens].view(rows.shape).movedim(-1, 1)
    x_hat = model.decoder(z_e + (z_q - z_e).detach())  # 直通 straight through
    commitment = mse_loss(z_e, z_q.detach())
    return x_hat, mse_loss(x_hat, x), commitment, tokens


x_hat, reconstruction, commitment, tokens = step(cat)

# %% jupyter={"source_hidden": true}
theirs = model(cat)
agreed = (tokens == theirs.indices).float().mean().item()
assert agreed > 0.999 and psnr(x_hat, theirs.quantized).item() > 40  # 打平除外 but for ties
assert torch.allclose(model.quantize.commitment_weight * commitment, theirs.loss, rtol=1e-3)
classroom.say(f"与 vqlab 核对：{len(tokens)} 个 token、图和损失都相同", f"Checked against vqlab: {len(tokens)} tokens, picture and loss agree")

# %% jupyter={"source_hidden": true}
guess_sight = classroom.Predict(
    question=("一个 token 代表 4 × 4 个像素。编码器选它的时候，看了多宽的一块？", "A token stands for 4 × 4 pixels. How wide is "
              "the square that the encoder looked at to choose it?"), minimum=4, maximum=100, unit=("个像素", "pixels"))
guess_sight

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_sight.hold()
eye = cat[:, :, 80:144, 144:208]  # 16 × 16 个 token tokens
sees, draws = lesson.seen(model, eye, 8, 8), lesson.reached(model, eye, 8, 8)
figure = lesson.draw_reach(eye[0], 8, 8, sees, draws)[0].figure
classroom.show(figure, "左：猫眼上有三个方框，最小的是一个 token 的 4 × 4 个像素，外面是它看到的一块和它画到的一块。中：看到的像素，越近中心越亮。"
               "右：换掉这个 token，画面变动的像素，也集中在中心。",
               "Left: three frames on the cat's eye, the smallest the 4 × 4 pixels of a token, around it what it sees and what it "
               "draws. Middle: the pixels it sees, brighter towards the centre. Right: the pixels that change when this token is "
               "replaced, in the centre most.")
share = (sees[32:36, 32:36].square().sum() / sees.square().sum()).item()
guess_sight.reveal(lesson.box(sees).width, because=(
    f"每层 3 × 3 卷积让它多看一圈 token。不过看得多不等于看得重：斜率的平方有 {share:.0%} 落在它自己的 4 × 4 里。"
    f"解码器那边，一个 token 画到 {lesson.box(draws).width} × {lesson.box(draws).width} 个像素。",
    f"Each 3 × 3 convolution adds one ring of tokens. But seeing far is not seeing much: {share:.0%} of the squared slope lies in its "
    f"own 4 × 4. On the decoder's side a token reaches {lesson.box(draws).width} × {lesson.box(draws).width} pixels."))

# %% [markdown]
# <div lang="zh">
#
# 这是量出来的：对 $z_e$ 的每个数求梯度，梯度不为零的像素，就是它的**感受野**（练习一用算术再得一次）。
#
# **要点：** token 不是一块 4 × 4 的小图。它在邻居中间才有意思：编码器看着周围选它，解码器看着周围画它。
#
# </div>
# <div lang="en">
#
# This was measured: take the gradient of each number of $z_e$; the pixels where it is not zero are its **receptive field**
# (exercise 1 finds it once more, by arithmetic).
#
# **Takeaway:** a token is no picture of 4 × 4 pixels. It means something among its neighbours: the encoder looks around to choose
# it, and the decoder looks around to draw it.
#
# </div>
#
# ## 2. 训练，停下，再继续 · Train, stop, go on
#
# <div lang="zh">
#
# *5 分钟。* 从头训练一个同样的模型，35 秒。右边是没见过的猫。按**停止并保留**，再按**继续**：优化器的动量、随机数的位置都记在 `state` 里，接着练和没停过一样。
#
# </div>
# <div lang="en">
#
# *5 minutes.* Train such a model from nothing, for 35 seconds. On the right is the cat it has never seen. Press **Stop and keep**, then
# **Continue**: the optimizer's moments and the place in the random numbers are kept in `state`, so it goes on as if never stopped.
#
# </div>

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
state = TrainingState(seed=0)
learner = SimpleVQVAE(512, 8, quantizer=EMAVectorQuantizer(512, 8), context=TokenContext(512)).to(device)
before = psnr(learner.eval()(cat)[0], cat).item()
batches = crops(photos(), generator=state.generator)

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
eyes = cat[:, :, 88:136, 140:300]
panel = classroom.TrainingPanel("训练", "Training", 35, {
    "psnr": ("峰值信噪比（dB）", "PSNR (dB)")}, caption=("没见过的猫", "the unseen cat"))


def look():
    """What the exam's face looks like now. 考题现在的样子。"""
    return learner.idxBl_to_img(learner.img_to_idxBl(eyes), size=eyes.shape[2:])[0]


def training():
    """From the start, or from where it was stopped. 从头，或从停下的地方接着来。"""
    return fit(learner, batches, seconds=35, state=state)


# %% tags=["nbval-ignore-output"]
for record in panel.watch(training(), preview=look, resume=training):
    pass

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
with torch.no_grad():
    after, ready = (psnr(each(cat)[0], cat).item() for each in (learner, model))
classroom.say(f"猫：{before:.1f} dB → {after:.1f} dB（{record.step} 步）；装好的模型：{ready:.1f} dB",
              f"The cat: {before:.1f} dB → {after:.1f} dB ({record.step} steps); the bundled model: {ready:.1f} dB")
assert after > before + 5 or record.seconds < 12  # 早停除外 unless stopped early
assert ready > 29

# %% [markdown]
# <div lang="zh">
#
# 损失里没有一项叫“清楚”：只有均方误差。毛发有千百种画法，均方误差最小的是它们的平均，也就是一片柔和。VQGAN 换上感知损失和对抗损失，画得清楚，但不再是同一根毛。
#
# 下面一律用装好的模型：你也许停得很早。
#
# </div>
# <div lang="en">
#
# No term of the loss says “sharp”: there is mean squared error alone. Fur can be drawn in a thousand ways, and the smallest mean
# squared error has their average, which is soft. VQGAN adds a perceptual and an adversarial loss: sharp, but not the same hairs.
#
# From here on the bundled model is used: you may have stopped early.
#
# </div>
#
# ## 3. 点一个 token，用 token 画画 · Click a token, paint with tokens
#
# <div lang="zh">
#
# *6 分钟。* 点猫身上任何一处：这个 token 的编号、它在别处还用在哪里、码本里离它最近的码字。
#
# </div>
# <div lang="en">
#
# *6 minutes.* Click anywhere on the cat: the number of that token, everywhere else it is used, and its nearest neighbours in the
# codebook.
#
# </div>

# %% tags=["nbval-ignore-output"]
lesson.TokenInspector(model, cat)

# %% [markdown]
# <div lang="zh">
#
# 现在画画。选一个 token（或者从图上吸一块当画笔），涂在 token 图上，解码器立刻重画它够得到的像素。试试：给猫画一只眼睛；把一种 token 涂满一大片，看它单独的样子；再看边界上的过渡是谁画的。下面的数字说文件因此增减了几个字节：涂匀一大片，文件变长还是变短？
#
# </div>
# <div lang="en">
#
# Now paint. Choose a token (or pick up a patch of the picture as a brush) and paint on the token map; the decoder at once redraws
# the pixels within its reach. Try: give the cat another eye; fill a large area with one token and see what it looks like alone;
# then see who draws the transition at its border. The number below says by how many bytes its file changes: does a large even area
# make it longer or shorter?
#
# </div>

# %% tags=["nbval-ignore-output"]
lesson.TokenPainter(model, cat)

# %% [markdown]
# <div lang="zh">
#
# **要点：** token 是画笔：整块搬动，画面跟着走，接缝由解码器抹平。所以会写 token 的模型就会画画（第 7 课）。
#
# </div>
# <div lang="en">
#
# **Takeaway:** tokens are a brush: move a patch of them and the picture follows, and the decoder smooths the seams. That is why a
# model that writes tokens can paint (lesson 7).
#
# </div>
#
# ## 4. 从 token 到文件 · From tokens to a file
#
# <div lang="zh">
#
# *5 分钟。* 512 = 2⁹ 种 token，每个写 9 比特。可以更短吗？
#
# - **常见的写短些**：出现的概率是 $p$ 的 token，最短能写成 $-\log_2 p$ 比特；平均就是熵。
# - **看着邻居写**：毛旁边多半还是毛。一个小网络看着左边和上边写过的 token，给出每种 token 的概率 $p(\text{token} \mid \text{邻居})$。解码的一方有同一个网络，也写到了同一处，得到同样的概率。
# - **熵编码器**把这些概率变成字节，几乎一个比特也不浪费。
#
# </div>
# <div lang="en">
#
# *5 minutes.* With 512 = 2⁹ different tokens each takes 9 bits. Can it be less?
#
# - **Write frequent ones shorter**: a token of probability $p$ can be written in $-\log_2 p$ bits and no fewer; their mean is the
#   entropy.
# - **Look at the neighbours**: beside fur there is mostly fur. A small network looks at the tokens already written to the left and
#   above and gives each token's probability, $p(\text{token} \mid \text{neighbours})$. The decoding side has the same network, has
#   come to the same place, and finds the same probabilities.
# - An **entropy coder** turns these probabilities into bytes and wastes hardly a bit.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_bits = classroom.Predict(
    question=("在猫的文件里，一个 token 平均占几比特？", "In the cat's file, how many bits does a token take on average?"),
    minimum=0, maximum=9, step=0.1, unit=("比特", "bits"))
guess_bits

# %% tags=["nbval-ignore-output"]
guess_bits.hold()
data = compress(model, cat)
again = decompress(model, data)
tokens, size = unpack(model, data)  # (75, 112)，和图的大小 and the picture's size
assert torch.equal(tokens, tokens_of(model, cat))  # 一个 token 也没错 not one token is wrong
classroom.say(f"{len(data)} 字节，{psnr(again, cat).item():.2f} dB", f"{len(data)} bytes, {psnr(again, cat).item():.2f} dB")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_bits.hold()
entropy = torch.log2(perplexity(tokens, 512)).item()
plain, ideal = tokens.numel() * 9 / 8, bits(model, tokens)
own_data = compress(learner, cat)
own_psnr = psnr(decompress(learner, own_data), cat).item()
rows = (("一律 9 比特", "all 9 bits", plain), ("按频率写（表不计）", "by frequency (table not counted)", tokens.numel() * entropy / 8),
        ("看着邻居写：文件", "by neighbours: the file", len(data)))
part = sum(p.numel() for each in (model.decoder, model.quantize, model.context) for p in each.parameters()) * 4 // 1000
classroom.say("\n".join(f"{zh}：{size:.0f} 字节，{8 * size / tokens.numel():.2f} 比特/token，{size / 16800:.3f} 比特/像素"
                        for zh, _, size in rows) + f"\n概率说要 {ideal.sum() / 8:.0f} 字节，多出的 {len(data) - ideal.sum() / 8:.0f} 字节是文件头"
              f"\n没数的：解码器、码本和小网络，{part} kB"
              f"\n你刚才练的模型写她：{len(own_data)} 字节，{own_psnr:.1f} dB",
              "\n".join(f"{en}: {size:.0f} bytes, {8 * size / tokens.numel():.2f} bits a token, {size / 16800:.3f} bits a pixel"
                        for _, en, size in rows) + f"\nThe probabilities ask for {ideal.sum() / 8:.0f} bytes; the other {len(data) - ideal.sum() / 8:.0f} are the file's header"
              f"\nnot counted: decoder, codebook and small network, {part} kB"
              f"\nThe model that you have just trained writes her in {len(own_data)} bytes, {own_psnr:.1f} dB")
classroom.show(lesson.draw_bits(ideal).figure, "猫的每个 token 花的比特，越亮越多；眼睛的轮廓、毛的纹理亮，身后模糊的一片暗。",
               "The bits that each token of the cat costs, brighter for more: the outlines of her eyes and the texture of the fur are "
               "bright, the blurred background is dark.")
guess_bits.reveal(round(8 * len(data) / tokens.numel(), 1), because=(
    f"按频率写，平均 {entropy:.1f} 比特；看着邻居写，再省 {1 - len(data) / (tokens.numel() * entropy / 8):.0%}。",
    f"By frequency it is {entropy:.1f} bits on average; looking at the neighbours saves another "
    f"{1 - len(data) / (tokens.numel() * entropy / 8):.0%}."))
assert len(data) < 0.75 * plain

# %% [markdown]
# <div lang="zh">
#
# **数了什么：** 文件的每个字节，文件头也在内：是哪个模型、图有多大、校验和、颜色的一点校正。**没数什么：** 解码器、码本和小网络。它们装一次，画所有的照片，就像 JPEG 的解码器和它的标准表一样；但只为存这一张照片，就不划算。
#
# 概率全部用整数算：浮点数在另一台机器上最后一位可能不同，编码器和解码器的概率差一点点，后面的 token 就全乱了。
#
# </div>
# <div lang="en">
#
# **What was counted:** every byte of the file, its header too: which model, how large the picture is, a checksum, a slight
# correction of the colours. **What was not:** decoder, codebook and small network. They are installed once and draw every photograph,
# like the decoder and the standard tables of JPEG; for storing this one photograph alone they would not pay.
#
# All probabilities are computed in whole numbers: floating point may differ in its last digit on another machine, and if the two
# sides' probabilities differ by a hair, all tokens after that come out wrong.
#
# </div>
#
# ## 5. 率与失真 · Rate and distortion
#
# <div lang="zh">
#
# *7 分钟。* 想再省比特，有两个办法：
#
# 1. **码本小一点**：K 从 4096 到 16。下面编码器、解码器不动，只把码本换成训练照片上 k 均值的中心，码率按频率算（理想值，不是文件）。
# 2. **别总选最近的**：选又近又便宜的（Chou、Lookabaugh、Gray，1989）。λ 是一个比特值多少误差，λ = 0 就是最近的；$p_k$ 是小网络看着邻居给的概率。这是真正的文件。
#
# </div>
# <div lang="en">
#
# *7 minutes.* There are two ways to save more bits:
#
# 1. **A smaller codebook**: K from 4096 to 16. Below, encoder and decoder stay as they are and only the codes are replaced, by k-means
#    centres of the training photographs; its rate is by frequency (an ideal, not a file).
# 2. **Not always the nearest**: the one that is near and cheap (Chou, Lookabaugh and Gray, 1989). λ is how much error a bit is worth;
#    λ = 0 is the nearest; $p_k$ is what the small network says, by the neighbours. These are real files.
#
# </div>
#
# $$k = \arg\min_k \; \lVert {\color{#E69F00} z_e} - {\color{#009E73} e_k} \rVert^2 - \lambda \log_2 p_k$$

# %% jupyter={"source_hidden": true}
guess_jpeg = classroom.Predict(
    question=("同样大小的文件，我们的和 JPEG 比，猫的峰值信噪比怎样？",
              "Files of the same size: how does our PSNR of the cat compare with JPEG's?"),
    options=[("更低：JPEG 有三十年的功夫", "lower: JPEG has three decades of craft"), ("差不多，相差不到 0.5 dB", "about the same, within 0.5 dB"),
             ("高 0.5 dB 以上", "more than 0.5 dB higher")])
guess_jpeg

# %% tags=["nbval-ignore-output"]
guess_jpeg.hold()
rate_weights = (0, 0.001, 0.003, 0.006, 0.009, 0.012)
files = [compress(model, cat, rate_weight=rate_weight) for rate_weight in rate_weights]
drawn = [decompress(model, data) for data in files]
ours = [lesson.Point(weight, *lesson.judge(cat[0], picture[0], data))
        for weight, picture, data in zip(rate_weights, drawn, files, strict=True)]

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_jpeg.hold()
with torch.no_grad():
    vectors = torch.cat([model.encoder(next(batches).to(device)).movedim(1, -1).flatten(0, 2) for _ in range(16)])
sizes = [2**power for power in range(4, 13)]
curves = {"λ = 0.012 … 0: 文件 files": ours, "K: 按频率 by frequency": lesson.codebook_curve(model, cat, vectors, sizes)}
for kind, qualities in (("JPEG", range(4, 44, 5)), ("WEBP", range(1, 44, 6)), ("AVIF", range(20, 50, 5))):
    curves[kind] = lesson.file_curve(cat[0], kind, qualities)
curves["你练的 yours"] = [lesson.Point(0, 8 * len(own_data) / (300 * 448), own_psnr)]
figure = lesson.draw_rates(curves, named=list(curves)[1:2]).figure
classroom.show(figure, "五条上升的曲线和一颗星，比特对分贝。AVIF 在最上面；我们的文件和 WebP 在它下面，彼此靠近；JPEG 低得多，只缩小码本的那条和它差不多。星是刚才练的模型。",
               "Five rising curves and a star, bits against decibels. AVIF on top; our files and WebP below it, close together; JPEG much "
               "lower, and about as low the smaller codebooks. The star is the model just trained.")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_jpeg.hold()
middle = [ours[len(ours) // 2].rate]
gaps = {kind: lesson.lead(ours, curves[kind], middle)[0] for kind in ("JPEG", "WEBP", "AVIF") if curves[kind]}
against = ", ".join(f"{kind} {gap:+.1f} dB" for kind, gap in gaps.items())
classroom.say(f"在 {middle[0]:.2f} 比特/像素处，我们与它们相差：{against}", f"At {middle[0]:.2f} bits a pixel ours differ from them by: {against}")
gap = gaps["JPEG"]
guess_jpeg.reveal(0 if gap < -0.5 else 1 if gap <= 0.5 else 2, because=(
    f"相差 {gap:+.1f} dB。学来的编解码器熟悉照片的样子：它的一个 token 写的是一小块照片，JPEG 的一个系数写的是一个余弦波。",
    f"The difference is {gap:+.1f} dB. A learnt codec knows what photographs look like: one of its tokens writes a small "
    "piece of photograph, one of JPEG's coefficients a cosine wave."))
assert gap > 0

# %% [markdown]
# <div lang="zh">
#
# 拖动 λ。编码器换掉了哪些 token？
#
# </div>
# <div lang="en">
#
# Drag λ. Which tokens does the encoder give up?
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_jpeg.hold()
jpeg = lesson.file_curve(cat[0], "JPEG", range(5, 70))


def at(number):
    """The cat's file at one of the λ. 某个 λ 时猫的文件。"""
    weight, rate, decibels = ours[number]
    rival = max((point for point in jpeg if point.rate <= rate), default=jpeg[0], key=lambda point: point.psnr)
    return [picture[0, :, 88:136, 140:300] for picture in (cat, drawn[number])], {
        ("λ", "λ"): weight, ("字节", "bytes"): len(files[number]), ("比特/像素", "bits per pixel"): round(rate, 3),
        ("峰值信噪比（dB）", "PSNR (dB)"): f"{decibels:.1f}", ("同样字节的 JPEG", "JPEG at these bytes"): f"{rival.psnr:.1f}"}


classroom.PictureExplorer(
    at, sliders=[classroom.Slider("number", "λ：第几个", "λ: which", 0, len(files) - 1, 1, 2)],
    pictures=[("原图", "original"), ("从文件画回", "from the file")],
    alt_zh="左边是猫的一只眼睛，右边是从文件画回的；λ 越大，文件越小，毛发越平。",
    alt_en="Left one of the cat's eyes, right the same drawn from the file; the larger λ, the smaller the file and the flatter the fur.")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_jpeg.hold()
swapped = unpack(model, files[2])[0] != tokens
dear, others = ideal[swapped].mean().item(), ideal[~swapped].mean().item()
classroom.say(f"λ = 0.003：换掉 {swapped.float().mean():.0%} 的 token；它们原来平均 {dear:.1f} 比特，其余的 {others:.1f} 比特",
              f"λ = 0.003: {swapped.float().mean():.0%} of the tokens are swapped; those cost {dear:.1f} bits on average, the others {others:.1f}")
assert dear > others

# %% [markdown]
# <div lang="zh">
#
# **要点：** 最近的码字不是最便宜的。λ 让编码器在差不多近的码字里选邻居料得到的那个；先换掉的是出人意料的 token，它们最贵。解码器一点没变，不知道有 λ 这回事。
#
# AVIF 还在前面，它有几十年视频编码的积累。我们的码率没有进训练的损失；端到端学习的编解码器（Ballé 等，2017）把码率和失真一起训练。
#
# </div>
# <div lang="en">
#
# **Takeaway:** the nearest code is not the cheapest. Among codes that are about as near, λ makes the encoder take the one that the
# neighbours lead one to expect; surprising tokens, the dearest, go first. The decoder is the same and knows nothing of λ.
#
# AVIF, with decades of video coding behind it, is still ahead. The rate is not in our training loss; learnt codecs proper (Ballé et
# al., 2017) train rate and distortion together.
#
# </div>
#
# ## 6. 混合两张照片 · Mix two photographs
#
# <div lang="zh">
#
# *3 分钟。* 一半猫，一半宇航员。在哪一步混？量化之前混 $z_e$，量化之后混 $z_q$，还是干脆取两个编号的平均：token 100 和 token 200 的中间是 token 150？
#
# </div>
# <div lang="en">
#
# *3 minutes.* Half the cat, half an astronaut. Mixed where? Before quantizing, $z_e$; after it, $z_q$; or simply the numbers: is token
# 150 half-way between tokens 100 and 200?
#
# </div>

# %% jupyter={"source_hidden": true}
guess_mix = classroom.Predict(
    question=("取两张图 token 编号的平均，会看到什么？", "Take the mean of the two pictures' token numbers. What will you see?"),
    options=[("两张图叠在一起", "one picture through the other"), ("偏向其中一张", "more of one than of the other"),
             ("哪一张也不像", "neither of them")])
guess_mix

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_mix.hold()
face = cat[:, :, 80:136, 100:260]
astronaut = photos()["astronaut"][None, :, 62:118, 144:304].to(device)


def mixed(percent):
    """Three ways to mix. 三种混法。"""
    pictures = lesson.mix(model, face, astronaut, percent / 100)
    target = torch.lerp(face, astronaut, percent / 100)
    return [picture[0] for picture in pictures.values()], {
        lesson.WAYS[way]: f"{psnr(picture, target).item():.1f} dB" for way, picture in pictures.items()}


classroom.PictureExplorer(
    mixed, sliders=[classroom.Slider("percent", "宇航员（%）", "astronaut (%)", 0, 100, 10, 50)],
    pictures=list(lesson.WAYS.values()), width=224,
    alt_zh="三张图：前两张是猫和宇航员叠在一起，第三张是杂乱的碎片。",
    alt_en="Three pictures: in the first two the cat and the astronaut through one another, in the third a jumble of fragments.")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_mix.hold()
half = torch.lerp(face, astronaut, 0.5)
before_, after_, numbers = (psnr(picture, half).item() for picture in lesson.mix(model, face, astronaut).values())
guess_mix.reveal(2, because=(
    f"编号只是名字，相邻的编号不是相邻的码字：{numbers:.1f} dB（与两张照片的平均比）。码字之间可以取平均，编号之间不可以。",
    f"A number is only a name, and neighbouring numbers are no neighbouring codes: {numbers:.1f} dB (against the mean of the two "
    "photographs). Codes can be averaged, numbers cannot."))
assert after_ > before_ > numbers + 8

# %% [markdown]
# <div lang="zh">
#
# 量化之后混，峰值信噪比略高，但混出来的向量不在码本里，没有 token 可写。要存成文件，就得先混再量化。
#
# **要点：** 特征空间里的加减有意思，token 的编号没有。所以第 7 课的模型把 token 当作类别来预测，不当作数。
#
# </div>
# <div lang="en">
#
# Mixed after quantizing, the picture has a slightly higher PSNR, but the mixed vectors are not in the codebook: no token says them.
# To store a mixture, mix first, then quantize.
#
# **Takeaway:** sums mean something in feature space, and nothing among the numbers of tokens. That is why the model of lesson 7
# predicts tokens as classes, not as quantities.
#
# </div>
#
# ## 7. 它说不出什么 · What it cannot say
#
# <div lang="zh">
#
# *4 分钟。* 另外五张图，与训练照片越来越不像：显微镜下的组织切片、视网膜、印刷的字、一个像素一格的棋盘、纯噪声。
#
# </div>
# <div lang="en">
#
# *4 minutes.* Five more pictures, less and less like the training photographs: tissue under the microscope, a retina, print, a
# chessboard of single pixels, pure noise.
#
# </div>

# %% jupyter={"source_hidden": true}
strangers = {name: picture.to(device) for name, picture in lesson.strangers().items()}
guess_worst = classroom.Predict(question=("哪一张的峰值信噪比最低？", "Which has the lowest PSNR?"), options=list(strangers))
guess_worst

# %% tags=["nbval-ignore-output"]
guess_worst.hold()
results = {}
for name, picture in {("猫", "cat"): cat, **strangers}.items():
    data = compress(model, picture)
    again = decompress(model, data)
    results[name] = again, *lesson.judge(picture[0], again[0], data)

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_worst.hold()
seen = {name: picture for name, picture in strangers.items() if name[1] != "noise"}  # 噪声见第 0 课 noise: lesson 0
figure = lesson.draw_strangers(seen, {name: result[0] for name, result in results.items()})[0].figure
classroom.show(figure, "上排原图的一角，下排从文件画回的：切片和视网膜几乎一样，印刷的字笔画发虚，棋盘变成一片灰。",
               "Above, parts of the originals; below, drawn from the files: tissue and retina nearly alike, print with blurred strokes, "
               "the chessboard a plain grey.")
lines = []
for name, (_, rate, decibels) in results.items():
    curve = lesson.file_curve({("猫", "cat"): cat, **strangers}[name][0], "JPEG", range(1, 96, 2))
    rivals = [point.psnr for point in curve if point.rate <= rate]
    lines.append((*name, rate, decibels, f"{max(rivals):.1f} dB" if rivals else "—"))
classroom.say("\n".join(f"{zh}：{rate:.3f} 比特/像素，{decibels:.1f} dB；同样字节的 JPEG：{rival}" for zh, _, rate, decibels, rival in lines),
              "\n".join(f"{en}: {rate:.3f} bits a pixel, {decibels:.1f} dB; JPEG at these bytes: {rival}"
                        for _, en, rate, decibels, rival in lines))
decibels = [results[name][2] for name in strangers]
worst = decibels.index(min(decibels))
guess_worst.reveal(worst, because=(
    "一个像素一格的黑白棋盘，每块 4 × 4 的平均都是灰。训练照片里没有这样的块，码本里也就没有这样的码字：只好画成灰。噪声至少还有一些斑点可用。",
    "In a chessboard of single pixels every 4 × 4 patch averages to grey. No training photograph has such patches, so no code stands "
    "for them: grey is what is left. For noise there are at least some specks to use."))
assert decibels[0] > min(decibels[3:]) + 8

# %% [markdown]
# <div lang="zh">
#
# 组织切片从来没见过，却比同样大小的 JPEG 好得多：它的小块和照片的小块相像。印刷的字就和 JPEG 一样差：笔画细而硬，训练照片里没有。噪声谁也压不了。
#
# **要点：** 学来的编解码器说得出什么，要看小块像不像教材，不看内容像不像。
#
# </div>
# <div lang="en">
#
# Tissue was never seen, and is still far ahead of JPEG at the same size: its patches look like patches of photographs. Print comes
# out as badly as with JPEG: its strokes are thin and hard, as nothing in the training photographs is. Noise nobody can compress.
#
# **Takeaway:** what a learnt codec can say depends on whether the patches resemble those it was taught, not on what the picture shows.
#
# </div>
#
# ## 8. 你自己的照片 · Your own photograph
#
# <div lang="zh">
#
# *3 分钟。* 拖一张进来：token、分贝、文件大小。照片只在你的内核里处理，不会上传到别处。
#
# </div>
# <div lang="en">
#
# *3 minutes.* Drop one in: its tokens, decibels and file size. It is handled by your kernel alone and sent nowhere else.
#
# </div>

# %% tags=["nbval-ignore-output"]
lesson.OwnPhotograph(model)

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - VQ-VAE = 编码器、最近的码字、解码器；训练的一步十来行就写完。
# - 一个 token 看到的远不止它的 4 × 4，画到的更远。
# - 文件 = token + 概率 + 熵编码；邻居让它更短，解码回来一个 token 也不差。
# - λ 用误差换比特；它不动解码器。
# - 编号是名字，不是数。
# - 说得出的，是和教材相像的小块；均方误差喜欢柔和。
#
# </div>
# <div lang="en">
#
# - A VQ-VAE = encoder, nearest code, decoder; a step of its training takes a dozen lines.
# - A token sees far more than its 4 × 4 pixels, and draws farther still.
# - A file = tokens + probabilities + an entropy coder; neighbours make it shorter, and not one token is lost.
# - λ trades error for bits; the decoder is left alone.
# - A token's number is a name, not a quantity.
# - It can say patches like those it was taught; mean squared error likes them soft.
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
    Question(("改了一个 token。图上哪里会变？", "One token is changed. Where does the picture change?"), [
        Option(("只有它的 4 × 4 个像素", "in its 4 × 4 pixels alone"), False,
               ("解码器有好几层 3 × 3 卷积，每层都把它传给邻居。",
                "The decoder has several 3 × 3 convolutions, and each hands it on to the neighbours.")),
        Option(("它周围的一块，越远越淡", "in an area around it, less and less outwards"), True,
               ("对：够得到多远，由层数决定；画笔也只重画这一块。", "Right: the layers decide how far; the brush redraws just that area.")),
        Option(("整张图", "in the whole picture"), False,
               ("卷积只看邻近的几格，传不到整张图。", "Convolutions look at a few neighbours; it does not get that far."))]),
    Question(("解码的一方怎样知道每个 token 的概率？", "How does the decoding side know each token's probability?"), [
        Option(("写在文件里", "they are in the file"), False,
               ("512 个概率，每个 token 一份，比 token 本身长得多。", "512 probabilities for each token would be far longer than the tokens.")),
        Option(("自己算：从已经解出的邻居", "by computing them from the neighbours already decoded"), True,
               ("对：两边用同一个网络、同样的邻居，又都用整数算。", "Right: the same network, the same neighbours, all in whole numbers.")),
        Option(("假定都一样大", "by taking them as equal"), False,
               ("那就是每个 9 比特。", "That would be 9 bits each."))]),
    Question(("把 λ 从 0 加大，文件变小，因为……", "λ grows from 0 and the file shrinks, because …"), [
        Option(("码本变小了", "the codebook gets smaller"), False, ("码本没动，只是选得不同了。", "The codebook stays; the choices differ.")),
        Option(("编码时多选便宜的码字", "encoding takes cheap codes more often"), True,
               ("对：误差多一点，比特少一点。", "Right: a little more error for a few bits less.")),
        Option(("解码器画得粗糙了", "the decoder draws more coarsely"), False,
               ("解码器一点没变。", "The decoder is exactly the same."))]),
    Question(("token 的文件比 JPEG 小。漏算了什么？", "The file of tokens is smaller than the JPEG. What was left out?"), [
        Option(("文件头", "its header"), False, ("文件头算在里面。", "The header is counted.")),
        Option(("解码器和码本", "decoder and codebook"), True,
               ("对：它们装一次，画很多张。", "Right: they are installed once and draw many pictures.")),
        Option(("什么也没漏", "nothing"), False, ("没有解码器，这些字节什么也画不出。", "Without the decoder these bytes draw nothing."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●○○ · 6 分钟。** 算感受野。一串卷积，从图往里数，核宽 `kernels` 和步幅 `strides` 都是一维整数张量，一层一个数。返回（一个输出看到的宽度，相邻两个输出相隔的像素），不计边缘。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●○○ · 6 minutes.** Work out a receptive field. A stack of convolutions, counted from the picture inwards, has kernel
# widths `kernels` and strides `strides`, both integer tensors with one number a layer. Return (the width that one output sees, the
# pixels between two neighbouring outputs), edges aside.
#
# </div>

# %%
def my_receptive_field(kernels, strides):
    ...  # return field, jump


lesson.exercises.receptive_field.check(my_receptive_field)


# %% jupyter={"source_hidden": true}
def solution(kernels, strides):
    field, jump = 1, 1
    for kernel, stride in zip(kernels.tolist(), strides.tolist(), strict=True):
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field, jump


lesson.exercises.receptive_field.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 6 分钟。** 写第 5 节的搜索：`z` 是 (N, D)，`codebook` 是 (K, D)，`p` 是 (K,) 的概率，全大于 0，`rate_weight` 是 λ。返回 (N,) 的编号。
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 6 minutes.** Write the search of section 5: `z` is (N, D), `codebook` (K, D), `p` the (K,) probabilities, all above
# 0, and `rate_weight` is λ. Return the (N,) numbers of the codes.
#
# </div>

# %%
def my_search(z, codebook, p, rate_weight):
    ...


lesson.exercises.cheap_search.check(my_search)


# %% jupyter={"source_hidden": true}
def solution(z, codebook, p, rate_weight):
    return (torch.cdist(z, codebook).square() - rate_weight * p.log2()).argmin(dim=1)


lesson.exercises.cheap_search.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●●● · 10 分钟。** 没有学过的网络，也能看着邻居写：边写边数。一行一行地走，每个 token 按它左邻居那一行计数付 $-\log_2 p$ 比特，付过再把这一格加 1；所有计数从 1 起，每行第一个 token 没有左邻居，用自己的一行。`tokens` 是 (H, W)，共 `K` 种，一个 token 管 4 × 4 个像素；返回每像素的比特数。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●●● · 10 minutes.** Without a trained network one can look at neighbours too: count while writing. Walk row by row; each
# token pays $-\log_2 p$ bits by the counts in its left neighbour's row, and after paying, that count goes up by 1. All counts start at
# 1; the first token of a row has no left neighbour and uses a row of its own. `tokens` is (H, W), of `K` kinds, one for 4 × 4 pixels;
# return the bits per pixel.
#
# </div>

# %%
def my_context_bits(tokens, K):
    ...


lesson.exercises.context_bits.check(my_context_bits)


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
def solution(tokens, K):
    counts, bits = torch.ones(K + 1, K), 0.0
    for row in tokens.tolist():
        left = K
        for token in row:
            bits -= (counts[left, token] / counts[left].sum()).log2().item()
            counts[left, token] += 1
            left = token
    return bits / (16 * tokens.numel())


lesson.exercises.context_bits.check(solution, quiet=True)
counted = solution(tokens, 512)
classroom.say(f"猫，边数边写：{counted:.3f} 比特/像素；按频率：{entropy / 16:.3f}",
              f"The cat, counting while writing: {counted:.3f} bits a pixel; by frequency: {entropy / 16:.3f}")

# %% [markdown]
# <div lang="zh">
#
# 在猫身上，边数边写比按频率写还费：八千多个 token 填不满 512 × 512 的表，大多数格子还是 1。第 4 节的小网络事先学过，相像的邻居共用经验。
#
# </div>
# <div lang="en">
#
# On the cat, counting costs more than writing by frequency: some eight thousand tokens do not fill a table of 512 × 512, and most
# counts are still 1. The small network of section 4 learnt beforehand, and similar neighbours share what it knows.
#
# </div>
#
# ## 速查 · Cheat sheet
#
# <div lang="zh">
#
# | | |
# | :-- | :-- |
# | 一步训练 | $\lVert x - \hat x \rVert^2 + \beta \lVert z_e - \mathrm{sg}[z_q] \rVert^2$，码字用 EMA |
# | 定长码 | $\log_2 K$ 比特 / token，除以每个 token 的像素数 |
# | 按频率 | $-\sum_k p_k \log_2 p_k$ 比特 / token |
# | 看着邻居 | $-\log_2 p(\text{token} \mid \text{邻居})$ 比特 |
# | 又近又便宜 | $\arg\min_k \lVert z_e - e_k \rVert^2 - \lambda \log_2 p_k$ |
# | 感受野 | 逐层 $r \leftarrow r + (k - 1)\,j$，$j \leftarrow j \cdot s$ |
# | 文件 | `compress(model, picture, rate_weight=λ)`，`decompress(model, data)` |
#
# </div>
# <div lang="en">
#
# | | |
# | :-- | :-- |
# | a step of training | $\lVert x - \hat x \rVert^2 + \beta \lVert z_e - \mathrm{sg}[z_q] \rVert^2$, codes by EMA |
# | fixed length | $\log_2 K$ bits a token, over the pixels of a token |
# | by frequency | $-\sum_k p_k \log_2 p_k$ bits a token |
# | by neighbours | $-\log_2 p(\text{token} \mid \text{neighbours})$ bits |
# | near and cheap | $\arg\min_k \lVert z_e - e_k \rVert^2 - \lambda \log_2 p_k$ |
# | receptive field | layer by layer $r \leftarrow r + (k - 1)\,j$, $j \leftarrow j \cdot s$ |
# | a file | `compress(model, picture, rate_weight=λ)`, `decompress(model, data)` |
#
# </div>

# %% [markdown]
# ## 来源 · Sources
#
# <div lang="zh">
#
# - VQ-VAE：van den Oord 等（2017），arXiv 1711.00937。短，第 3 节就是这一课的模型；那里给 token 建的模型用来生成，我们的小网络用来压缩。
# - 熵约束的搜索：Chou、Lookabaugh、Gray（1989），Entropy-constrained vector quantization，IEEE Trans. ASSP 37(1)。λ 从这里来。
# - 学来的编解码器：Ballé 等（2017），arXiv 1611.01704，码率进了训练的损失；Minnen 等（2018），arXiv 1809.02736，看着邻居猜概率；Mentzer 等（2018），arXiv 1801.04260，离散的码字和这样的小网络。
# - 把概率变成字节：Bamler（2022），arXiv 2201.01741，`constriction` 的作者讲熵编码。
# - 为什么画得柔和：Esser 等（2021），VQGAN，arXiv 2012.09841，感知损失和对抗损失。
# - 感受野：Araujo 等（2019），doi 10.23915/distill.00021，练习一的公式；Luo 等（2016），arXiv 1701.04128，看得多不等于看得重。
# - 不同之处：步幅 4，七张训练照片，几分钟；码率没有进损失。照片来自 scikit-image 和 scikit-learn。
#
# **接下来：** 第 6 课把一张图由粗到细写成几个尺度的 token。
#
# </div>
# <div lang="en">
#
# - VQ-VAE: van den Oord et al. (2017), arXiv 1711.00937. Short; section 3 is this lesson's model. Its model of the tokens is for
#   generating, our small network for compressing.
# - Entropy-constrained search: Chou, Lookabaugh and Gray (1989), Entropy-constrained vector quantization, IEEE Trans. ASSP 37(1).
#   Where λ comes from.
# - Learnt codecs: Ballé et al. (2017), arXiv 1611.01704, with the rate in the training loss; Minnen et al. (2018), arXiv 1809.02736,
#   probabilities from neighbours; Mentzer et al. (2018), arXiv 1801.04260, discrete codes and such a small network.
# - From probabilities to bytes: Bamler (2022), arXiv 2201.01741, entropy coding by the author of `constriction`.
# - Why it is soft: Esser et al. (2021), VQGAN, arXiv 2012.09841, perceptual and adversarial losses.
# - Receptive fields: Araujo et al. (2019), doi 10.23915/distill.00021, the formula of exercise 1; Luo et al. (2016), arXiv 1701.04128,
#   seeing far is not seeing much.
# - How this differs: stride 4, seven training photographs, a few minutes, no rate in the loss. Photographs from scikit-image and
#   scikit-learn.
#
# **Next:** lesson 6 writes a picture as tokens of several scales, coarse to fine.
#
# </div>
