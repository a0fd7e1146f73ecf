# %% [markdown]
# # 0. 一张照片变成 512 个词 · A photograph becomes 512 words
#
# <div lang="zh">
#
# **问题：** 如果每 4 × 4 个像素只许用一个词来说，而词典里一共只有 512 个词，照片还认得出来吗？
#
# **大约十分钟，你会：**
#
# 1. 看一个小模型在你面前用一分钟从零学会这本词典；
# 2. 把一张它从没见过的照片写成词，再从词变回照片；
# 3. 用比特和分贝说清楚：得到了什么，丢掉了什么。
#
# </div>
# <div lang="en">
#
# **Question:** if every 4 × 4 pixels must be said in one word, and the dictionary holds only 512 words, can you
# still recognise the photograph?
#
# **In about ten minutes you will:**
#
# 1. watch a small model learn that dictionary from nothing, in front of you, in one minute;
# 2. write a photograph that it has never seen in words, and read it back;
# 3. say in bits and decibels what was gained and what was lost.
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
# ## 1. 主角 · The heroine
#
# <div lang="zh">
#
# 这是小猫 Chelsea（scikit-image 自带的照片，CC0）。整套课程里，没有一个模型用她训练过：她永远是考题。
#
# </div>
# <div lang="en">
#
# This is Chelsea the cat (a photograph that ships with scikit-image, CC0). No model in this course is ever trained
# on her: she is always the exam.
#
# </div>

# %%
torch.manual_seed(0)
device = pick_device()
cat = held_out_photo().to(device)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(3.8, 2.7))
classroom.draw_images([cat[0]], ["考题 the exam"], [axes])
classroom.show(figure, "一只姜黄色小猫的脸，正看着镜头。", "The face of a ginger cat who looks into the camera.")

# %% [markdown]
# <div lang="zh">
#
# 先数一数。彩色像素要 3 × 8 = 24 比特。换成词：每 4 × 4 个像素一个词，512 = 2⁹ 个词，所以每个词 9 比特。
#
# </div>
# <div lang="en">
#
# Count first. A colour pixel costs 3 × 8 = 24 bits. In words: one word for each 4 × 4 pixels, and with 512 = 2⁹ words
# each costs 9 bits.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_bits = classroom.Predict(
    question=("每个像素平均剩下几比特？", "How many bits are left for each pixel?"),
    options=[("9", "9"), ("约 4.5", "about 4.5"), ("约 0.6", "about 0.6"), ("约 0.06", "about 0.06")])
guess_bits

# %%
height, width = cat.shape[2:]
rows, columns = height // 4, width // 4
bits = bits_per_pixel(rows * columns, 512, height, width)

print(f"{height} × {width} 像素 pixels  →  {rows} × {columns} = {rows * columns} 个词 words")
print(f"24 比特/像素 bits per pixel  →  {bits} 比特/像素 bits per pixel：1/{24 / bits:.1f}")
guess_bits.reveal(2, because=("16 个像素分一个词的 9 比特。", "Sixteen pixels share the 9 bits of one word."))

# %% [markdown]
# ## 2. 一分钟学会一本词典 · A dictionary in one minute
#
# <div lang="zh">
#
# 一张图按这个顺序走：**编码器**把每 4 × 4 个像素变成一个向量 → **量化器**把向量换成码本里最近的码字，它的编号就是“词”→ **解码器**把词变回像素。三部分从随机开始，一起学，教材是另外七张照片的随机小块。
#
# 按下面的 **停止** 可以随时结束，学到的都会留下。
#
# </div>
# <div lang="en">
#
# A picture walks through in this order: the **encoder** turns each 4 × 4 pixels into a vector → the **quantizer** swaps
# it for the nearest code vector of the codebook, whose number is the “word” → the **decoder** turns words back into
# pixels. All three start at random and learn together, from random crops of seven other photographs.
#
# Press **Stop** below whenever you like: what was learnt is kept.
#
# </div>

# %% tags=["nbval-ignore-output"]
model = SimpleVQVAE(512, 8, quantizer=EMAVectorQuantizer(512, 8)).to(device)
before = psnr(model.eval()(cat)[0], cat).item()
batches = crops(photos(), generator=torch.Generator().manual_seed(0))

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
face = cat[:, :, 40:200, 100:324]
panel = classroom.TrainingPanel("训练", "Training", 60, {
    "psnr": ("峰值信噪比（dB）", "PSNR (dB)"), "perplexity": ("困惑度", "perplexity")})


def look():
    """What the exam's face looks like now. 考题现在的样子。"""
    with torch.no_grad():
        words = model.img_to_idxBl(face)
        return model.idxBl_to_img(words, size=face.shape[2:])[0]


# %% tags=["nbval-ignore-output"]
for record in panel.watch(fit(model, batches, seconds=60), preview=look):
    pass

# %% [markdown]
# <div lang="zh">
#
# **峰值信噪比**用分贝数误差：每少一半的均方误差，约多 3 dB。**困惑度**是“实际用上了多少个词”：512 个词用得一样多时是 512，只用一个词时是 1。它为什么常常掉到 1，第 4 课来讲。
#
# </div>
# <div lang="en">
#
# **PSNR** counts errors in decibels: each halving of the mean squared error adds about 3 dB. **Perplexity** is “how many
# words are really in use”: 512 when all 512 are used equally, 1 when only one is. Why it so often falls to 1 is the
# story of lesson 4.
#
# </div>

# %% [markdown]
# ## 3. 猫、词、又见猫 · Cat, words, cat again
#
# <div lang="zh">
#
# 现在考试。左边是原图；中间每个小方块是一个词，涂成这个词自己的平均颜色；右边只用中间的词画出来。
#
# </div>
# <div lang="en">
#
# Now the exam. Left, the original; in the middle, each little square is one word, painted in that word's own mean
# colour; right, what the decoder draws from those words alone.
#
# </div>

# %% tags=["nbval-ignore-output"]
words = model.img_to_idxBl(cat)
again = model.idxBl_to_img(words, size=(height, width))
after = psnr(again, cat).item()

print(f"训练前 before training: {before:.1f} dB    训练后 after: {after:.1f} dB")
assert torch.equal(words[0], model.img_to_idxBl(cat)[0])  # 同一张图，总是同样的词 the same picture, the same words
assert after > before + 5 or record.seconds < 30  # 早停除外 unless stopped early

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
tokens = words[0].view(rows, columns).cpu()
order = torch.bincount(tokens.flatten(), minlength=512).argsort(descending=True)  # the most frequent word first
alike = torch.arange(512, device=device)[:, None].expand(-1, 25)  # each word among its like, 5 × 5 times:
dictionary = model.idxBl_to_img([alike])[:, :, 8:12, 8:12].cpu()  # the 4 × 4 pixels in the middle

figure, axes = plt.subplots(1, 3, figsize=(8, 2.2))
classroom.draw_images([cat[0]], ["原图 original"], axes[:1])
lesson.draw_tokens(tokens, dictionary, axes[1]).set_title(f"{rows} × {columns} 个词 words")
classroom.draw_images([again[0]], ["从词画回 from words alone"], axes[2:])
classroom.show(figure, "左：原图；中：粗糙的词图，仍看得出猫脸；右：从词画回的猫，细毛变软，其余几乎一样。",
               "Left: the original. Middle: the coarse token map, the cat's face still visible. Right: the cat drawn "
               "from words, fine fur softened, the rest nearly the same.")

# %% [markdown]
# <div lang="zh">
#
# 走近看左眼的一角：图真的只是一张编号表。旁边是词典的前一半，最常用的词排在前面，每个词画成四周都是它自己时的 4 × 4 个像素。
#
# </div>
# <div lang="en">
#
# Step closer to a corner of one eye: the picture really is a table of numbers. Beside it is the first half of the
# dictionary, the most frequent words first, each drawn as the 4 × 4 pixels that it makes
# among its like.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.7), width_ratios=[1, 2.1])
lesson.draw_tokens(tokens[24:32, 36:46], dictionary, left, numbers=True).set_title("一角的词 words in one corner")
lesson.draw_dictionary(dictionary, order[:256], right, columns=32).set_title("最常用的 256 个词 the 256 most frequent words")
classroom.show(figure, "左：80 个词的编号表；右：256 个小色块，有平色，也有各个方向的边缘。",
               "Left: a table of 80 word numbers. Right: 256 little patches, some flat colours, some edges in "
               "every direction.")

# %% [markdown]
# ## 4. 少几个词行不行 · Would fewer words do
#
# <div lang="zh">
#
# 先猜，再拖动滑块。每动一下，量化器和解码器都真的重新跑一遍。
#
# </div>
# <div lang="en">
#
# Guess first, then drag the slider. Each move really runs the quantizer and the decoder again.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_words = classroom.Predict(
    question=("只留最常用的 16 个词，还认得出是猫吗？", "With only the 16 most frequent words left, will you still see a cat?"),
    options=[("认得出", "yes"), ("认不出", "no")])
guess_words

# %% tags=["nbval-ignore-output"]
z_e = model.encoder(face).detach()
codebook = model.quantize.embedding.weight.detach()


def with_fewer_words(power):
    """Only the 2^power most frequent words. 只用最常用的 2^power 个词。"""
    few = VectorQuantizer2(2**power, 8)
    few.embedding.weight.data = codebook[order[:2**power].to(device)]
    with torch.no_grad():
        picture = model.decoder(few.eval()(z_e).quantized)
    return [face[0], picture[0]], {
        ("词数", "words"): 2**power,
        ("比特/像素", "bits per pixel"): power / 16,
        ("峰值信噪比（dB）", "PSNR (dB)"): f"{psnr(picture, face).item():.1f}"}


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
classroom.PictureExplorer(
    with_fewer_words,
    sliders=[classroom.Slider("power", "词数 = 2 的几次方", "words = 2 to the power", 0, 9, 1, 9)],
    pictures=[("原图", "original"), ("从词画回", "from words alone")],
    alt_zh="左边是猫脸，右边是用较少的词画回的猫脸；词越少，颜色和边缘越粗糙。",
    alt_en="Left the cat's face, right the face drawn from fewer words; the fewer, the coarser its colours and edges.")

# %% jupyter={"source_hidden": true}
guess_words.reveal(0, because=("常用的词是大片的颜色，脸形就在里面；少见的词管边缘和毛。拖到 4 看看。",
                               "Frequent words are large areas of colour, and the shape of the face is in them; rare "
                               "words carry edges and fur. Drag to 4 and look."))

# %% [markdown]
# ## 5. 同样的比特，JPEG 怎么样 · JPEG at the same bits
#
# <div lang="zh">
#
# 用同样多的字节存一张 JPEG，比一比谁的分贝高。
#
# </div>
# <div lang="en">
#
# Store a JPEG in the same number of bytes, and see who has more decibels.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_jpeg = classroom.Predict(
    question=("同样的字节，谁更清楚？", "At the same bytes, who is clearer?"),
    options=[("JPEG", "JPEG"), ("我们的词", "our words")])
guess_jpeg

# %% tags=["nbval-ignore-output"]
budget = rows * columns * 9 // 8  # bytes
jpeg, spent = lesson.jpeg_within(cat[0].cpu(), budget)
jpeg_db = psnr(jpeg, cat[0].cpu()).item()

print(f"词 words: {budget} 字节 bytes, {after:.1f} dB    JPEG: {spent} 字节 bytes, {jpeg_db:.1f} dB")
guess_jpeg.reveal(0 if jpeg_db > after else 1,
                  because=(f"JPEG {jpeg_db:.1f} dB，词 {after:.1f} dB。", f"JPEG {jpeg_db:.1f} dB, words {after:.1f} dB."))
assert spent <= budget

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(7.6, 2.1))
classroom.draw_images([picture[:, 40:200, 100:324] for picture in (cat[0], again[0], jpeg)],
                      ["原图 original", f"词 words: {after:.1f} dB", f"JPEG: {jpeg_db:.1f} dB"], axes)
classroom.show(figure, "三张几乎一样的猫脸：原图、从词画回的、JPEG。词画的毛发软一些，JPEG 有细小的方块。",
               "Three faces of the cat that look nearly alike: the original, from words, JPEG. The words' fur is softer, JPEG has "
               "fine blocks.")
effective = torch.log2(perplexity(tokens, 512)).item()
print(f"常用的词若写得短，平均每词只要 {effective:.1f} 比特 "
      f"bits a word on average, if frequent words were written shorter")

# %% [markdown]
# <div lang="zh">
#
# 多半是 JPEG 赢。它有三十多年的功夫，还把常见的符号写得短；我们的词一律 9 比特。那么为什么要词？因为词是**语言**：会写句子的模型（第 7 课的 VAR）就能用它写出新的图。
#
# </div>
# <div lang="en">
#
# JPEG usually wins. It has three decades of craft behind it and writes frequent symbols shorter; our words all cost 9
# bits. Then why words? Because words are a **language**: a model that writes sentences (VAR, in lesson 7) can write new
# pictures with them.
#
# </div>

# %% [markdown]
# ## 6. 词典不会的 · What the dictionary cannot say
#
# <div lang="zh">
#
# 反例：纯噪声。`DummyDataset` 的像素彼此无关，没有规律可学。512 个词要说 4 × 4 × 3 个互不相关的数，怎么也不够。
#
# </div>
# <div lang="en">
#
# The counter-example: pure noise. The pixels of `DummyDataset` have nothing to do with each other, so there is nothing to
# learn. 512 words for 4 × 4 × 3 unrelated numbers can never be enough.
#
# </div>

# %% tags=["nbval-ignore-output"]
noise = DummyDataset(length=1)[0][0][None].to(device)
with torch.no_grad():
    guess = model(noise)[0]
grey = psnr(torch.zeros_like(noise), noise).item()  # 一片灰，一个词也不用 plain grey, not a word needed

print(f"噪声 noise: {psnr(guess, noise).item():.1f} dB    一片灰 plain grey: {grey:.1f} dB    "
      f"猫 cat: {after:.1f} dB")
assert psnr(guess, noise).item() < grey + 2

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure = classroom.draw_images([noise[0], guess[0]], ["噪声 noise", "画回 from words"])[0].figure
figure.set_size_inches(3.4, 1.9)
classroom.show(figure, "左：彩色噪声；右：从词画回的模糊斑点，和左边不像。",
               "Left: coloured noise. Right: blurred spots drawn from words, unlike the left.")

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
    classroom.Question(("一个“词”是什么？", "What is a “word”?"), [
        classroom.Option(("4 × 4 个像素的小图", "a patch of 4 × 4 pixels"), False,
                         ("解码器还看左邻右舍：同一个词在不同地方画得不同。",
                          "The decoder looks at the neighbours too: one word paints differently in different places.")),
        classroom.Option(("码本里一个码字的编号", "the number of a code vector in the codebook"), True,
                         ("对：存下来的只有编号，码字要到码本里查。",
                          "Yes: only the number is stored; the vector is looked up in the codebook.")),
        classroom.Option(("编码器给出的向量", "the vector that the encoder gives"), False,
                         ("那是量化之前的 z_e，是 8 个浮点数，不是 9 比特。",
                          "That is z_e, before quantizing: 8 floating-point numbers, not 9 bits."))]),
    classroom.Question(("词典从 512 个词变成 1024 个，图的大小不变，花费怎么变？",
                        "The dictionary grows from 512 words to 1024, the picture stays the same: what happens to the price?"), [
        classroom.Option(("加倍", "it doubles"), False,
                         ("词的个数没有变，每个词只从 9 比特变成 10 比特。",
                          "The number of words stays; each costs 10 bits instead of 9.")),
        classroom.Option(("多 1/9", "one ninth more"), True,
                         ("对：log₂1024 = 10，log₂512 = 9。", "Yes: log₂1024 = 10, log₂512 = 9.")),
        classroom.Option(("不变", "nothing"), False,
                         ("要分清 1024 个词，9 比特不够。", "Nine bits cannot tell 1024 words apart."))]),
    classroom.Question(("为什么噪声画不回来？", "Why does noise not come back?"), [
        classroom.Option(("训练的时间太短", "training was too short"), False,
                         ("再久也一样：没有规律，9 比特说不清 48 个互不相关的数。",
                          "Longer would not help: without regularity, 9 bits cannot say 48 unrelated numbers.")),
        classroom.Option(("噪声的像素彼此无关", "its pixels have nothing to do with each other"), True,
                         ("对：压缩靠的是规律，照片里的邻居多半相像。",
                          "Yes: compression lives on regularity, and in photographs neighbours look alike.")),
        classroom.Option(("噪声太亮", "noise is too bright"), False,
                         ("亮度没有关系：一片亮色一个词就够。", "Brightness does not matter: one word is enough for a bright area."))]),
])

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 词就是码本里的编号；编码 = 找最近的码字，解码 = 查表再画。
# - 每像素 24 比特变成了 9/16 比特，没见过的猫还认得出来；噪声就不行。
# - 误差数分贝，花费数比特，两样要一起说。
#
# **接下来：** 第 1 课问“近”是什么意思，第 2 课问谁是最近的，第 3 课问梯度怎么走过“选一个词”这一步。
#
# **来源：** van den Oord 等（2017），arXiv 1711.00937（VQ-VAE）；照片来自 scikit-image 和 scikit-learn。
#
# </div>
# <div lang="en">
#
# - A word is a number in the codebook; encoding is finding the nearest code vector, decoding is looking it up and
#   painting.
# - 24 bits per pixel became 9/16, and a cat never seen before is still a cat; noise is not so lucky.
# - Count the error in decibels and the price in bits, and always say both.
#
# **Next:** lesson 1 asks what “near” means, lesson 2 which code is nearest, lesson 3 how a gradient gets past “choose one
# word”.
#
# **Sources:** van den Oord et al. (2017), arXiv 1711.00937 (VQ-VAE); photographs from scikit-image and scikit-learn.
#
# </div>
