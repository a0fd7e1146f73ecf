# %% [markdown]
# # 0. 一张照片变成 8400 个 token · A photograph becomes 8400 tokens
#
# <div lang="zh">
#
# **问题：** 每 4 × 4 个像素只许写一个 token（**词元**：一个离散的符号，这里就是一个编号），而编号一共只有 512 种。照片还认得出来吗？
#
# **大约 12 分钟，你会：**
#
# 1. 看一个小模型在你面前用一分钟从零学会这 512 个 token；
# 2. 把一张它从没见过的照片写成 token，再从 token 变回照片；
# 3. 用比特和分贝说清楚：得到了什么，丢掉了什么。
#
# **要先会什么：** Python、张量、梯度是什么。别的这里都会讲。
#
# </div>
# <div lang="en">
#
# **Question:** every 4 × 4 pixels must be written as a single **token** (a discrete symbol, here a number), and only 512 different
# tokens exist. Can you still recognise the photograph?
#
# **In about 12 minutes you will:**
#
# 1. watch a small model learn these 512 tokens from nothing, in front of you, in one minute;
# 2. write a photograph that it has never seen as tokens, and turn them back into a picture;
# 3. say in bits and decibels what was gained and what was lost.
#
# **What you need to know:** Python, tensors, what a gradient is. Everything else is explained here.
#
# </div>

# %% [markdown]
# ## 为什么要离散 · Why discrete at all
#
# <div lang="zh">
#
# 句子是一串离散的符号，语言模型一个接一个地预测它们。照片不是。如果能把照片也写成一串 token，那么会写句子的模型就会画画：
#
# - **VQ-VAE**（2017）：**编码器**（把图像变成特征向量的网络）给出的向量，换成**码本**（K 个向量组成的表）里最近的一个，token 就是它的编号；
# - **VQGAN**（2020）：训练时再加感知损失和对抗损失，一张图 256 个 token 也画得清楚；
# - **DALL·E**（2021）：把文字和 1024 个图像 token 接成一串，用一个 Transformer 预测；
# - **VAR**（2024）：不再一个一个地写，而是一个尺度一个尺度地写，由粗到细（第 6 课）。
#
# 它们都有这一课的三步：编码、换成**码字**（码本的一行）、解码（只有 DALL·E 不按距离选码字）。
#
# </div>
# <div lang="en">
#
# A sentence is a string of discrete symbols, and language models predict them one after another. A photograph is not. But if
# it can be written as tokens, a model that writes sentences can paint:
#
# - **VQ-VAE** (2017): an **encoder**, a network, turns the image into vectors; each is replaced by the nearest in a **codebook**,
#   a table of K vectors, and its number is the token;
# - **VQGAN** (2020): trained with a perceptual and an adversarial loss as well, 256 tokens make a sharp picture;
# - **DALL·E** (2021): text and 1024 image tokens in one sequence, predicted by one transformer;
# - **VAR** (2024): no longer token by token but scale by scale, from coarse to fine (lesson 6).
#
# All of them have the three steps of this lesson: encode, replace by codes (**code vectors**, the rows of the codebook), decode (DALL·E alone does not choose its codes by
# distance).
#
# </div>

# %%
import matplotlib.pyplot as plt
import torch

from vqlab import (
    DummyDataset, EMAVectorQuantizer, SimpleVQVAE, VectorQuantizer2, bits_per_pixel, classroom, crops, fit,
    held_out_photo, perplexity, photos, pick_device, psnr,
)
from vqlab.lessons import start as lesson

classroom.start()

# %% [markdown]
# ## 1. 考题 · The exam
#
# <div lang="zh">
#
# *1 分钟。* 这是小猫 Chelsea（scikit-image 自带的照片，CC0）。整套课程里，没有一个模型用她训练过：她永远是考题。
#
# </div>
# <div lang="en">
#
# *1 minute.* This is Chelsea the cat (a photograph that ships with scikit-image, CC0). No model in this course is ever
# trained on her: she is always the exam.
#
# </div>

# %%
torch.manual_seed(0)
device = pick_device()
cat = held_out_photo().to(device)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(3.4, 2.4))
classroom.draw_images([cat[0]], ["考题 the exam"], [axes])
classroom.show(figure, "一只姜黄色小猫的脸，正看着镜头。", "The face of a ginger cat who looks into the camera.")

# %% [markdown]
# <div lang="zh">
#
# 先数一数。彩色像素要 3 × 8 = 24 比特。换成 token：每 4 × 4 个像素一个，一共 512 = 2⁹ 种，所以每个 9 比特。
#
# </div>
# <div lang="en">
#
# Count first. A colour pixel costs 3 × 8 = 24 bits. As tokens: one for each 4 × 4 pixels, and with 512 = 2⁹ different
# ones each costs 9 bits.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_bits = classroom.Predict(
    question=("每个像素平均剩下几比特？", "How many bits are left for each pixel?"),
    options=[("9", "9"), ("约 4.5", "about 4.5"), ("约 0.6", "about 0.6"), ("约 0.06", "about 0.06")])
guess_bits

# %%
guess_bits.hold()
height, width = cat.shape[2:]
rows, columns = height // 4, width // 4
bits = bits_per_pixel(rows * columns, 512, height, width)

counted = f"{rows} × {columns} = {rows * columns} tokens"
classroom.say(f"{height} × {width} 像素 → {counted}\n每像素 24 比特 → {bits} 比特：1/{24 / bits:.1f}",
              f"{height} × {width} pixels → {counted}\n24 bits per pixel → {bits} bits per pixel: 1/{24 / bits:.1f}")

# %% jupyter={"source_hidden": true}
guess_bits.hold()
guess_bits.reveal(2, because=("16 个像素分一个 token 的 9 比特。", "Sixteen pixels share the 9 bits of one token."))

# %% [markdown]
# ## 2. 一分钟学会一个码本 · A codebook in one minute
#
# <div lang="zh">
#
# *3 分钟。* 一张图这样走：**编码器**把每 4 × 4 个像素变成一个 8 维向量 $z_e$ → **量化器**把它换成**码本**里最近的**码字** $z_q$，码字的编号就是 token（把连续的值换成有限个值之一，叫**量化**；把整个向量一起换掉，叫**向量量化**）→ **解码器**把码字变回像素。下面画的就是它，写着每一步的形状（通道数 × 高 × 宽）。三部分都从零开始，一起学，教材是从另外七张照片里随机裁出的小块。
#
# 按下面的**停止并保留**，随时可以结束，学到的都会留下。曲线有两条：
#
# - **峰值信噪比**（PSNR）用分贝衡量误差：均方误差每减少一半，就高出约 3 dB。
# - **困惑度**是“实际用上了多少种 token”，也就是相当于把多少种用得一样多：512 种用得一样多时是 512，只用一种时是 1。
#
# </div>
# <div lang="en">
#
# *3 minutes.* A picture takes this path: the **encoder** turns each 4 × 4 pixels into a vector $z_e$ of 8
# numbers → the **quantizer** swaps it for the nearest **code** $z_q$ in the **codebook**, and the code's number is the token
# (replacing a continuous value by one of finitely many is **quantization**; replacing whole vectors, **vector quantization**)
# → the **decoder** turns codes back into pixels. It is drawn below, with the shape after each step (channels × height ×
# width). All three start from scratch and learn together, on random crops of seven other photographs.
#
# Press **Stop and keep** below whenever you like: what was learnt stays. There are two curves:
#
# - **PSNR** measures the error in decibels: each halving of the mean squared error adds about 3 dB.
# - **Perplexity** is “how many different tokens are really in use”, as if so many were used equally: 512 when all 512 are used equally, 1
#   when only one is.
#
# </div>

# %% tags=["nbval-ignore-output"]
model = SimpleVQVAE(512, 8, quantizer=EMAVectorQuantizer(512, 8)).to(device)
before = psnr(model.eval()(cat)[0], cat).item()
batches = crops(photos(), generator=torch.Generator().manual_seed(0))

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
face = cat[:, :, 40:200, 100:324]
classroom.architecture(model, cat)  # 每个形状都是量出来的 every shape is measured
panel = classroom.TrainingPanel("训练", "Training", 60, {
    "psnr": ("峰值信噪比（dB）", "PSNR (dB)"), "perplexity": ("困惑度", "perplexity")})


def look():
    """What the exam's face looks like now. 考题现在的样子。"""
    with torch.no_grad():
        tokens = model.img_to_idxBl(face)
        return model.idxBl_to_img(tokens, size=face.shape[2:])[0]


# %% tags=["nbval-ignore-output"]
for record in panel.watch(fit(model, batches, seconds=60), preview=look):
    pass

# %% [markdown]
# <div lang="zh">
#
# 训练完的模型，你自己用**六行**就能走一遍，里面没有藏别的东西。训练时还要两个损失，并让梯度越过“最近”这一步：见第 3 课。困惑度为什么常常掉到 1：见第 4 课。
#
# </div>
# <div lang="en">
#
# You can walk through the trained model yourself, in **six lines**: nothing else is hidden in it. Training also takes two
# losses and a way for the gradient past “nearest”: lesson 3. Why perplexity so often falls to 1 is the story of lesson 4.
#
# </div>

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    z_e = model.encoder(face)  # (1, 3, 160, 224) -> (1, 8, 40, 56)
    vectors = z_e.permute(0, 2, 3, 1).reshape(-1, 8)  # (2240, 8)
    codebook = model.quantize.embedding.weight  # (512, 8)
    indices = torch.cdist(vectors, codebook).argmin(dim=1)  # (2240,) 这就是 token these are the tokens
    z_q = codebook[indices].view(1, 40, 56, 8).permute(0, 3, 1, 2)  # (1, 8, 40, 56)
    picture = model.decoder(z_q)  # (1, 3, 160, 224)
assert (indices == model.img_to_idxBl(face)[0][0]).float().mean() > 0.999  # 打平除外 but for ties
assert (picture - look().to(device)).abs().mean() < 0.01  # 同一幅画 the same picture

# %% [markdown]
# ## 3. 猫、token、又见猫 · Cat, tokens, cat again
#
# <div lang="zh">
#
# *2 分钟。* 现在考试。左边是原图；中间每个小方块是一个 token，涂成它自己的平均颜色；右边只用中间的 token 画出来。`img_to_idxBl` 是 VAR 用的名字：图（img）变成编号（idx），每个尺度一项，形状是批大小 B × token 数 l。
#
# </div>
# <div lang="en">
#
# *2 minutes.* Now the exam. Left, the original; in the middle, each little square is one token, painted in that token's own
# mean colour; right, what the decoder draws from those tokens alone. `img_to_idxBl` is VAR's name for
# going from an image to the numbers of its tokens, one entry a scale, of shape batch B × number of tokens l.
#
# </div>

# %% tags=["nbval-ignore-output"]
idx_Bl = model.img_to_idxBl(cat)  # 一个尺度，所以列表里只有一项 one scale, so a list of one: (1, 8400)
again = model.idxBl_to_img(idx_Bl, size=(height, width))
after = psnr(again, cat).item()

classroom.say(f"训练前 {before:.1f} dB，训练后 {after:.1f} dB", f"before training {before:.1f} dB, after {after:.1f} dB")
assert torch.equal(idx_Bl[0], model.img_to_idxBl(cat)[0])  # 同一张图，总是同样的 token the same picture, the same tokens
assert after > before + 5 or record.seconds < 30  # 早停除外 unless stopped early

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
tokens = idx_Bl[0].view(rows, columns).cpu()
order = torch.bincount(tokens.flatten(), minlength=512).argsort(descending=True)  # the most frequent token first
alike = torch.arange(512, device=device)[:, None].expand(-1, 25)  # each token among its like, 5 × 5 times:
dictionary = model.idxBl_to_img([alike])[:, :, 8:12, 8:12].cpu()  # the 4 × 4 pixels in the middle

figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.05))
classroom.draw_images([cat[0]], ["原图 original"], axes[:1])
lesson.draw_tokens(tokens, dictionary, axes[1]).set_title(f"{rows} × {columns} tokens")
classroom.draw_images([again[0]], ["只用 token 画回 from tokens"], axes[2:])
classroom.show(figure, "左：原图；中：粗糙的 token 图，仍看得出猫脸；右：从 token 画回的猫，细毛变软，其余几乎一样。",
               "Left: the original. Middle: the coarse token map, the cat's face still visible. Right: the cat drawn "
               "from tokens, fine fur softened, the rest nearly the same.")

# %% [markdown]
# <div lang="zh">
#
# 走近看左边那只眼睛的一角：图真的只是一张编号表。旁边是 512 种 token 的一半，最常用的排在前面；画的是每种 token 四周全是它自己时，解码出来的 4 × 4 个像素。
#
# </div>
# <div lang="en">
#
# Step closer to a corner of the eye on the left: the picture really is a table of numbers. Beside it is one half of the 512 different
# tokens, the most frequent first, each drawn as the 4 × 4 pixels that it makes when all around it are the same.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.7), width_ratios=[1, 2.1])
lesson.draw_tokens(tokens[24:32, 36:46], dictionary, left, numbers=True).set_title("一角的 tokens in one corner")
lesson.draw_dictionary(dictionary, order[:256], right, columns=32).set_title("最常用的 256 种 the 256 most frequent")
classroom.show(figure, "左：80 个 token 的编号表；右：256 个小色块，几乎都是一片平色，有明有暗，也有橙色和红色。",
               "Left: a table of 80 token numbers. Right: 256 little patches, nearly all of one flat colour, "
               "light or dark, orange and red among them.")

# %% [markdown]
# ## 4. 少几种 token 行不行 · Would fewer different tokens do
#
# <div lang="zh">
#
# *2 分钟。* 先猜，再拖动滑块。每动一下，量化器和解码器都真的重新跑一遍。
#
# </div>
# <div lang="en">
#
# *2 minutes.* Guess first, then drag the slider. Each move really runs the quantizer and the decoder again.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_tokens = classroom.Predict(
    question=("只留最常用的 16 种 token，还认得出是猫吗？",
              "With only the 16 most frequent tokens left, will you still see a cat?"),
    options=[("认得出", "yes"), ("认不出", "no")])
guess_tokens

# %% tags=["nbval-ignore-output"]
z_e = model.encoder(face).detach()
codebook = model.quantize.embedding.weight.detach()


def with_fewer_tokens(power):
    """Only the 2^power most frequent tokens. 只用最常用的 2^power 种 token。"""
    few = VectorQuantizer2(2**power, 8)
    few.embedding.weight.data = codebook[order[:2**power].to(device)]
    with torch.no_grad():
        picture = model.decoder(few.eval()(z_e).quantized)
    return [face[0], picture[0]], {
        ("token 种数", "different tokens"): 2**power,
        ("比特/像素", "bits per pixel"): power / 16,
        ("峰值信噪比（dB）", "PSNR (dB)"): f"{psnr(picture, face).item():.1f}"}


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
classroom.PictureExplorer(
    with_fewer_tokens,
    sliders=[classroom.Slider("power", "种数 = 2 的几次方", "tokens = 2 to the power", 0, 9, 1, 9)],
    pictures=[("原图", "original"), ("只用 token 画回", "from tokens alone")],
    alt_zh="左边是猫脸，右边是用较少种 token 画回的猫脸；种数越少，颜色和边缘越粗糙。",
    alt_en="Left the cat's face, right the face drawn from fewer tokens; the fewer, the coarser its colours and edges.")

# %% jupyter={"source_hidden": true}
guess_tokens.hold()
guess_tokens.reveal(0, because=("常用的 token 是大片的颜色，脸形就在里面；少见的管边缘和毛。拖到 4 看看。",
                                "Frequent tokens are large areas of colour, and the shape of the face is in them; rare "
                                "ones carry edges and fur. Drag to 4 and look."))

# %% [markdown]
# ## 5. 同样的比特，JPEG 怎么样 · JPEG at the same bits
#
# <div lang="zh">
#
# *2 分钟。* 用同样多的字节存一张 JPEG，比一比哪一张的峰值信噪比高。
#
# 这样比并不完全公平：JPEG 的字节里有它的文件头（几百字节）；我们的只数 token，不数解码器和码本。解码器一次装好，可以画所有的照片，但它也要占地方。
#
# </div>
# <div lang="en">
#
# *2 minutes.* Store a JPEG in the same number of bytes, and see which has the higher PSNR.
#
# The comparison is not entirely fair: JPEG's bytes include its file header (a few hundred bytes); ours count the tokens only,
# not the decoder and the codebook. The decoder is installed once and draws every photograph, but it takes room, too.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_jpeg = classroom.Predict(
    question=("同样的字节，哪一张的峰值信噪比更高？", "At the same number of bytes, which has the higher PSNR?"),
    options=[("JPEG", "JPEG"), ("我们的 token", "our tokens")])
guess_jpeg

# %% tags=["nbval-ignore-output"]
guess_jpeg.hold()
budget = rows * columns * 9 // 8  # bytes
jpeg, spent = lesson.jpeg_within(cat[0].cpu(), budget)
jpeg_db = psnr(jpeg, cat[0].cpu()).item()
parameters = sum(p.numel() for part in (model.decoder, model.quantize.embedding) for p in part.parameters())

classroom.say(f"token：{budget} 字节，{after:.1f} dB；JPEG：{spent} 字节，{jpeg_db:.1f} dB\n"
              f"另有解码器和码本：{parameters * 4 // 1000} kB",
              f"tokens: {budget} bytes, {after:.1f} dB; JPEG: {spent} bytes, {jpeg_db:.1f} dB\n"
              f"besides, decoder and codebook: {parameters * 4 // 1000} kB")
assert spent <= budget

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_jpeg.hold()
guess_jpeg.reveal(0 if jpeg_db > after else 1, because=(
    f"JPEG {jpeg_db:.1f} dB，token {after:.1f} dB。", f"JPEG {jpeg_db:.1f} dB, tokens {after:.1f} dB."))
figure, axes = plt.subplots(1, 3, figsize=(6.8, 1.95))
classroom.draw_images([picture[:, 40:200, 100:324] for picture in (cat[0], again[0], jpeg)],
                      ["原图 original", f"tokens: {after:.1f} dB", f"JPEG: {jpeg_db:.1f} dB"], axes)
classroom.show(figure, "三张几乎一样的猫脸：原图、从 token 画回的、JPEG。token 画的毛发软一些，JPEG 有细小的方块。",
               "Three faces of the cat that look nearly alike: the original, from tokens, JPEG. The tokens' fur is softer, JPEG "
               "has fine blocks.")
effective = torch.log2(perplexity(tokens, 512)).item()
classroom.say(f"常用的若写得短，平均每个 token 只要 {effective:.1f} 比特（第 5 课）",
              f"{effective:.1f} bits a token on average, if frequent ones were written shorter (lesson 5)")

# %% [markdown]
# <div lang="zh">
#
# 它们各有长处。JPEG 有三十多年的功夫，还把常见的符号写得短；我们的 token 一律 9 比特。那么为什么要 token？因为 token 可以当**语言**：会写句子的模型就能用它写出新的图（第 7 课的 VAR）。
#
# </div>
# <div lang="en">
#
# Each has its strength. JPEG has three decades of craft behind it and writes frequent symbols shorter; our tokens all cost 9
# bits. Then why tokens? Because they can serve as a **language**: a model that writes sentences can write new pictures with
# them (VAR, in lesson 7).
#
# </div>

# %% [markdown]
# ## 6. token 写不出的 · What tokens cannot say
#
# <div lang="zh">
#
# *2 分钟。* 反例：纯噪声。`DummyDataset` 的像素彼此无关，没有规律可学。要描述 4 × 4 × 3 个互不相关的数，512 种 token 怎么也不够。
#
# </div>
# <div lang="en">
#
# *2 minutes.* The counter-example: pure noise. The pixels of `DummyDataset` have nothing to do with each other, so there is
# nothing to learn. 512 different tokens can never describe 4 × 4 × 3 unrelated numbers.
#
# </div>

# %% tags=["nbval-ignore-output"]
noise = DummyDataset(length=1)[0][0][None].to(device)
with torch.no_grad():
    guess = model(noise)[0]
grey = psnr(torch.zeros_like(noise), noise).item()  # 一片灰，一个 token 也不用 plain grey, not one token needed

coded = psnr(guess, noise).item()
classroom.say(f"噪声 {coded:.1f} dB，一片灰 {grey:.1f} dB，猫 {after:.1f} dB",
              f"noise {coded:.1f} dB, plain grey {grey:.1f} dB, the cat {after:.1f} dB")
assert coded < grey + 2

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure = classroom.draw_images([noise[0], guess[0]], ["噪声 noise", "画回 from tokens"])[0].figure
figure.set_size_inches(2.6, 1.45)
classroom.show(figure, "左：彩色噪声；右：从 token 画回的模糊斑点，和左边不像。",
               "Left: coloured noise. Right: blurred spots drawn from tokens, unlike the left.")

# %% [markdown]
# ## 小测验 · Quiz
#
# <div lang="zh">
#
# 每个选项都会说明自己对在哪里、错在哪里。
#
# </div>
# <div lang="en">
#
# Every option explains why it is right or wrong.
#
# </div>

# %% jupyter={"source_hidden": true}
classroom.Quiz([
    classroom.Question(("一个 token 是什么？", "What is a token?"), [
        classroom.Option(("4 × 4 个像素的小图", "a patch of 4 × 4 pixels"), False,
                         ("解码器还看左邻右舍：同一个 token 在不同地方画得不同。",
                          "The decoder looks at the neighbours too: one token looks different in different places.")),
        classroom.Option(("码本里一个码字的编号", "the number of a code vector in the codebook"), True,
                         ("对：存下来的只有编号，码字要到码本里查。",
                          "Yes: only the number is stored; the vector is looked up in the codebook.")),
        classroom.Option(("编码器给出的向量", "the vector that the encoder gives"), False,
                         ("那是量化之前的 z_e，是 8 个浮点数，不是 9 比特。",
                          "That is z_e, before quantizing: 8 floating-point numbers, not 9 bits."))]),
    classroom.Question(("码本从 512 个码字变成 1024 个，图的大小不变，比特数怎么变？",
                        "The codebook grows from 512 codes to 1024, the picture stays: what happens to the number of bits?"), [
        classroom.Option(("加倍", "it doubles"), False,
                         ("token 的个数没有变，每个只从 9 比特变成 10 比特。",
                          "There are as many tokens as before; each costs 10 bits instead of 9.")),
        classroom.Option(("多 1/9", "one ninth more"), True,
                         ("对：log₂1024 = 10，log₂512 = 9。", "Yes: log₂1024 = 10, log₂512 = 9.")),
        classroom.Option(("不变", "it stays the same"), False,
                         ("要分清 1024 个码字，9 比特不够。", "Nine bits cannot tell 1024 codes apart."))]),
    classroom.Question(("为什么噪声画不回来？", "Why does noise not come back?"), [
        classroom.Option(("训练的时间太短", "training was too short"), False,
                         ("再久也一样：没有规律，9 比特说不清 48 个互不相关的数。",
                          "Longer would not help: without regularity, 9 bits cannot say 48 unrelated numbers.")),
        classroom.Option(("噪声的像素彼此无关", "its pixels have nothing to do with each other"), True,
                         ("对：压缩靠的是规律，照片里的邻居多半相像。",
                          "Yes: compression lives on regularity, and in photographs neighbours look alike.")),
        classroom.Option(("噪声太亮", "noise is too bright"), False,
                         ("亮度没有关系：一片亮色一种 token 就够。",
                          "Brightness does not matter: one kind of token is enough for a bright area."))]),
])

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - token 就是码字在码本里的编号；编码就是找最近的码字，解码就是查码本再画。
# - 每像素 24 比特变成了 9/16 比特，没见过的猫还认得出来；噪声就不行。
# - 质量用分贝说，代价用比特说，两样要一起说。
#
# **接下来：** 第 1 课问“近”是什么意思，第 2 课问谁是最近的，第 3 课问梯度怎么走过“选最近的码字”这一步。
#
# **来源：**
#
# - VQ-VAE：van den Oord 等（2017），arXiv 1711.00937。三步和三个损失的出处，第 3 节最值得读。
# - VQGAN：Esser 等（2020），arXiv 2012.09841。看同样的 token 怎样画得更清楚。
# - DALL·E：Ramesh 等（2021），arXiv 2102.12092。看图像 token 怎样和文字接在一起。
# - VAR：Tian 等（2024），arXiv 2404.02905。由粗到细的 token，第 6 课细讲。
# - 照片来自 scikit-image 和 scikit-learn。
#
# </div>
# <div lang="en">
#
# - A token is a code's number in the codebook; encoding is finding the nearest code, decoding is looking it up and
#   painting.
# - 24 bits per pixel became 9/16, and a cat never seen before is still a cat; noise is not so lucky.
# - Say quality in decibels and cost in bits, and always say both.
#
# **Next:** lesson 1 asks what “near” means, lesson 2 which code is nearest, lesson 3 how a gradient gets past “choose the
# nearest code”.
#
# **Sources:**
#
# - VQ-VAE: van den Oord et al. (2017), arXiv 1711.00937. Where the three steps and the three losses come from; read section 3.
# - VQGAN: Esser et al. (2020), arXiv 2012.09841. How the same tokens make sharper pictures.
# - DALL·E: Ramesh et al. (2021), arXiv 2102.12092. How image tokens are joined to text.
# - VAR: Tian et al. (2024), arXiv 2404.02905. Tokens from coarse to fine; lesson 6 goes into it.
# - Photographs from scikit-image and scikit-learn.
#
# </div>
