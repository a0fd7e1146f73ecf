# %% [markdown]
# # 7. 会写数字的 VAR · VAR, which writes digits
#
# <div lang="zh">
#
# **问题：** 会拼写，还不会写作。给一个类别，比如 8，模型能自己写出一个没人写过的 8 吗？
#
# **大约 40 分钟，再加练习 20 分钟。你会：**
#
# 1. 数清“下一个 token”和“下一尺度”各要多少次计算，看懂只有三行的掩码；
# 2. 当场训练一个会写数字的模型，看数字一个尺度一个尺度地长出来，拨动引导、温度、top-k、top-p；
# 3. 让它补全、辨认，再查一查：它是在背书，还是在写新的？
#
# **要先会什么：** 注意力、交叉熵、softmax。**一分钟回顾：** 一张图由粗到细写成几个尺度的 token，共用一个码本；预测下一个尺度，输入是较粗的尺度之和，缩到它的大小（第 6 课）。
#
# </div>
# <div lang="en">
#
# **Question:** spelling is not yet writing. Given a class, say 8, can a model write an 8 that nobody has written before?
#
# **In about 40 minutes, plus 20 for the exercises, you will:**
#
# 1. count what “next token” and “next scale” cost, and read a mask of three lines;
# 2. train a model that writes digits, watch them grow scale by scale, and turn guidance, temperature, top-k, top-p;
# 3. let it complete and recognise digits, and find out: does it recite, or does it write something new?
#
# **What you need to know:** attention, cross-entropy, softmax. **One-minute recap:** a picture is written in tokens of several
# scales, from coarse to fine, with one codebook; the next scale is predicted from the sum of the coarser ones, shrunk to its size
# (lesson 6).
#
# </div>

# %%
import torch
from torch.nn.functional import cross_entropy

from vqlab import VAR, block_causal_mask, classroom, digits, fit, fit_prior, pick_device
from vqlab.lessons import var as lesson

classroom.start()

# %% [markdown]
# ## 1. 一次一个，还是一次一层 · One at a time, or a scale at a time
#
# <div lang="zh">
#
# *5 分钟。* 写 token 的是**先验**：token 的概率模型，从中采样就得到新图像。语言模型一次写一个，写完一个再写下一个。VAR 一次写**一整个尺度**：先 1 个，再 4 个，再 16 个……
#
# 16 × 16 的图，一次一个要写 256 个 token；按 1、2、4、8、16 五个尺度写，一共 341 个，反而更多。
#
# </div>
# <div lang="en">
#
# *5 minutes.* Tokens are written by a **prior**, a probability model of them: sampling from it makes new images. A language model writes
# one, then the next. VAR writes **a whole scale** at once: 1, then
# 4, then 16 …
#
# For a map of 16 × 16, one at a time means 256 tokens; in the five scales 1, 2, 4, 8, 16 there are 341, even more.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_cost = classroom.Predict(
    question=("写一张 16 × 16 的图，“一次一个尺度”比“一次一个 token”省在哪里？两边都有缓存，算过的不再算。",
              "For a map of 16 × 16, what does “a scale at a time” save over “a token at a time”? Both keep a cache and compute "
              "nothing twice."),
    options=[("token 的个数", "the number of tokens"),
             ("注意力要算的“谁看谁”的对数", "the pairs “who looks at whom” that attention computes"),
             ("一个接一个、不能同时算的次数", "the passes that must wait for each other")])
guess_cost

# %% jupyter={"source_hidden": true}
guess_cost.hold()
for zh, en, plan in (("一次一个 token", "token by token", "token"), ("一次一个尺度", "scale by scale", "scale")):
    chunks = lesson.plans(16)[plan]
    pairs, without = lesson.pairs(chunks), lesson.pairs(chunks, cache=False)
    classroom.say(f"{zh}：{sum(chunks)} 个 token，{len(chunks)} 次，{pairs} 对（没有缓存 {without}）",
                  f"{en}: {sum(chunks)} tokens, {len(chunks)} passes, {pairs} pairs (without a cache {without})")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_cost.hold()
seconds = {side: {plan: lesson.measure(chunks) for plan, chunks in lesson.plans(side).items()} for side in (4, 8, 16, 32)}
figure = lesson.draw_cost(seconds).figure
classroom.show(figure, "两条折线，纵轴是对数：一次一个 token 的时间随图变大涨得快，一次一个尺度的一直在它下面，图越大差得越远。",
               "Two lines on a logarithmic axis: token by token takes ever longer as the map grows; scale by scale stays below it, "
               "by more the larger the map.")
guess_cost.reveal(2, because=(
    f"256 次变成 5 次。对数其实更多，token 也更多，但一个尺度里的可以同时算：32 × 32 时这台机器上快了 "
    f"{seconds[32]['token'] / seconds[32]['scale']:.0f} 倍。",
    f"256 passes become 5. There are more pairs, and more tokens, but those of a scale are computed together: at 32 × 32 it is "
    f"{seconds[32]['token'] / seconds[32]['scale']:.0f} times as fast on this machine."))
assert seconds[32]["scale"] < seconds[32]["token"]

# %% [markdown]
# <div lang="zh">
#
# **要点：** 下一尺度预测省的是**先后**：$n^2$ 次变成 $\log_2 n + 1$ 次。VAR 论文的附录说从 $O(n^6)$ 降到 $O(n^4)$，那是没有缓存的算法；摘要说推理快约 20 倍，是另一台机器、另一种大小。
#
# </div>
# <div lang="en">
#
# **Takeaway:** what next-scale prediction saves is **waiting**: $n^2$ passes become $\log_2 n + 1$. VAR's appendix says $O(n^6)$ falls
# to $O(n^4)$, which counts without a cache; the abstract's speed-up of about 20 is another machine, another size.
#
# </div>

# %% [markdown]
# ## 2. 谁看得见谁 · Who may see whom
#
# <div lang="zh">
#
# *6 分钟。* 我们的数字是 16 × 16 像素，特征图 4 × 4，尺度 1、2、3、4，共 30 个 token。训练时 30 个一起算，所以要规定：谁可以看谁？这样一张表叫**掩码**。
#
# </div>
# <div lang="en">
#
# *6 minutes.* Our digits have 16 × 16 pixels, a feature map of 4 × 4, scales 1, 2, 3, 4: 30 tokens in all. In training all 30 are
# computed together, so it must be settled: who may look at whom? That table is the **mask**.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_mask = classroom.Predict(
    question=("3 × 3 的左上角那个 token，看得见同一尺度右下角那个吗？", "The token at the top left of 3 × 3: may it see the one at "
              "the bottom right of the same scale?"),
    options=[("看不见：它排在后面，还没写出来", "no: it comes later and is not written yet"),
             ("看得见，也看得见那里写成了什么", "yes, and also what is written there"),
             ("看得见它的输入，看不见答案", "it sees that place's input, not its answer")])
guess_mask

# %%
scales = (1, 2, 3, 4)
lengths = torch.tensor([n * n for n in scales])
scale_of = torch.arange(len(scales)).repeat_interleave(lengths)  # (30,) 每个 token 属于哪个尺度 whose scale
mask = scale_of[:, None] >= scale_of[None, :]  # (30, 30) 行看列 the row looks at the column
assert torch.equal(mask, block_causal_mask(lengths.tolist()))  # 与库里的相同 the same as the library's

# %%
lesson.MaskMap(scales)

# %% [markdown]
# <div lang="zh">
#
# 先答“看得见、看不见”，再点别的格子问；换一条规则，比一比语言模型的掩码。最后勾上“显示整个掩码”。
#
# </div>
# <div lang="en">
#
# Answer “it may, it may not” first, then ask about other cells; choose another rule and compare the language model's mask. Last,
# show the whole of it.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_mask.hold()
guess_mask.reveal(2, because=(
    "掩码允许看，但看到的是输入：更粗尺度的累积图。它自己的 token 是答案，不在任何人的输入里，直到下一尺度。所以整个尺度可以同时写。",
    "The mask lets it look, but what it sees are inputs: the sum of the coarser scales. The tokens of 3 × 3 are answers, and in "
    "nobody's input until the next scale. That is why a whole scale can be written at once."))

# %% [markdown]
# <div lang="zh">
#
# **要点：** $\text{scale}(\text{query}) \ge \text{scale}(\text{key})$：尺度内双向，尺度间因果。代价是：同一尺度的 token 各抽各的签，互相不商量，只有下一尺度才看得见抽到了什么。
#
# </div>
# <div lang="en">
#
# **Takeaway:** $\text{scale}(\text{query}) \ge \text{scale}(\text{key})$: both ways within a scale, causal across scales. The price:
# tokens of one scale are drawn independently, and only the next scale sees what came up.
#
# </div>

# %% [markdown]
# ## 3. 一分钟训练 · A minute of training
#
# <div lang="zh">
#
# *8 分钟。* 第一步：分词器，第 6 课的多尺度 VQ-VAE，64 个码字。只用前 1500 个手写数字，后 297 个留作考试。
#
# </div>
# <div lang="en">
#
# *8 minutes.* First the tokenizer, lesson 6's multi-scale VQ-VAE with 64 codes. Only the first 1500 handwritten digits are
# used; the last 297 are kept for the exam.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
device = pick_device()
images, labels = digits()
held_out, truth = images[1500:], labels[1500:]
source = lesson.recipe()  # 与命令行 python -m vqlab.train digits 相同 the command line's
torch.manual_seed(0)
tokenizer = source.tokenizer().to(device)
panel = classroom.TrainingPanel("训练分词器", "Training the tokenizer", 12, {"psnr": ("峰值信噪比（dB）", "PSNR (dB)")},
                                caption=("留出的数字和重建", "held-out digits, rebuilt"))


def rebuilt():
    ten = held_out[:10].to(device)
    return lesson.sheet([ten, tokenizer.idxBl_to_img(tokenizer.img_to_idxBl(ten))])


for tokenizer_record in panel.watch(fit(tokenizer, (pictures for pictures, _ in source.batches), seconds=12), preview=rebuilt):
    pass


# %% [markdown]
# <div lang="zh">
#
# 第二步：先验。输入是累积图（第 6 课），目标是 token，损失是每个 token 的交叉熵，30 个一样重：
#
# </div>
# <div lang="en">
#
# Then the prior. Inputs are the sums so far (lesson 6), targets are tokens, the loss is cross-entropy, all 30 weighing the same:
#
# </div>
#
# $$\mathcal L = -\frac1L \sum_{k} \sum_{i \in \text{scale } k} \log p(\text{token}_{k,i} \mid \text{class}, \text{scales} < k)$$

# %%
def loss_of(var, pictures, labels):
    idx_Bl = tokenizer.img_to_idxBl(pictures)  # 目标 targets: (B, 1), (B, 4), (B, 9), (B, 16)
    var_input = tokenizer.idxBl_to_var_input(idx_Bl)  # (B, 29, D) 累积图 sums so far
    logits = var(labels, var_input)  # (B, 30, K)
    return cross_entropy(logits.flatten(0, 1), torch.cat(idx_Bl, dim=1).flatten())


def training_step(var, optimizer, pictures, labels):
    loss = loss_of(var, pictures, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


torch.manual_seed(0)
var = VAR(tokenizer, num_classes=10).to(device).eval()

# %% jupyter={"source_hidden": true}
guess_loss = classroom.Predict(
    question=("什么也没学过的模型，每个 token 的损失大约是多少 nat？", "A model that has learnt nothing: about how many nats a token is its loss?"),
    options=[("0", "0"), ("1", "1"), ("ln 64 ≈ 4.16", "ln 64 ≈ 4.16"), ("30 × ln 64 ≈ 125", "30 × ln 64 ≈ 125")])
guess_loss

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_loss.hold()
exam = held_out.to(device), truth.to(device)
before = loss_of(var, *exam).item()
first = []  # 我们的第一步，和库里的第一步 our first step, and the library's
for step in (lambda twin, batch: training_step(twin.train(), torch.optim.Adam(twin.parameters()), *batch),
             lambda twin, batch: next(iter(fit_prior(twin, [batch], steps=1))).loss):
    torch.manual_seed(1)
    first.append(step(VAR(tokenizer, num_classes=10).to(device), [each.to(device) for each in next(lesson.recipe().batches)]))
classroom.say(f"第一步的损失：我们 {first[0]:.3f}，fit_prior {first[1]:.3f}",
              f"loss of the first step: ours {first[0]:.3f}, fit_prior {first[1]:.3f}")
guess_loss.reveal(2, because=(
    f"64 个码字一样可能：ln 64 ≈ 4.16。在留出的数字上量得 {before:.2f}，略高：随机的权重有随机的偏好。是每个 token 的平均，所以不乘 30。",
    f"64 codes alike: ln 64 ≈ 4.16. On the held-out digits it is {before:.2f}, a little more: random weights have random "
    "preferences. A mean over tokens, hence not times 30."))
assert abs(before - 4.16) < 0.5 and abs(first[0] - first[1]) < 1e-3

# %% tags=["nbval-ignore-output"]
panel = classroom.TrainingPanel("训练先验", "Training the prior", 40, {"loss": ("损失（nat）", "loss (nats)")},
                                caption=("0 到 9，由粗到细", "0 to 9, coarse to fine"))


def look():
    ten = torch.arange(10, device=device)
    return lesson.sheet(var.generate(ten, generator=torch.Generator().manual_seed(0), cumulative=True))


for record in panel.watch(fit_prior(var, source.batches, seconds=40), preview=look):
    pass

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
idx_Bl = tokenizer.img_to_idxBl(exam[0])
after, library = loss_of(var, *exam).item(), -var.log_likelihood(idx_Bl, exam[1]).mean().item() / 30
classroom.say(f"留出的数字，每个 token：{before:.2f} → {after:.2f} nat；var.log_likelihood 说 {library:.2f}",
              f"held-out digits: {before:.2f} → {after:.2f} nats a token; var.log_likelihood says {library:.2f}")
assert after < before and abs(after - library) < 1e-3


# %% [markdown]
# <div lang="zh">
#
# 按**停止并保留**可以提前结束。训练时每 10 个标签有 1 个被换成“没有类别”：同一个网络于是也学会了不看类别，下一节的引导用得着。
#
# </div>
# <div lang="en">
#
# **Stop and keep** ends it early. In training 1 label in 10 is replaced by “no class”, so the same network also learns to do
# without one; guidance, in the next section, needs that.
#
# </div>

# %% [markdown]
# ## 4. 写 · Writing
#
# <div lang="zh">
#
# *8 分钟。* 写就是训练的那一遍，重复 4 次，每次多写一个尺度。还没写的地方先填 0：掩码保证它们没人看。$t$ 是**无分类器引导**的强度，尺度越细越强，它把有类别和没有类别的 logits 拉得更开：
#
# </div>
# <div lang="en">
#
# *8 minutes.* Writing is the pass of training, 4 times over, one more scale each time. What is not yet written is filled with 0:
# thanks to the mask nobody looks there. $t$ is the strength of **classifier-free guidance**, which pushes the logits with a class away from those without one; it
# grows with the scale:
#
# </div>
#
# $$\text{logits} = (1+t)\,\text{logits}_{\text{class}} - t\,\text{logits}_{\text{no class}}, \qquad t = \text{guidance} \cdot \frac{k}{S-1}$$

# %%
@torch.no_grad()
def my_sample(labels, guidance, generator):
    tokens = [torch.zeros(len(labels), n * n, dtype=torch.int64, device=device) for n in scales]  # 还没写 not written yet
    both = torch.cat([labels, torch.full_like(labels, 10)])  # 10：没有类别 no class
    for k in range(len(scales)):
        var_input = tokenizer.idxBl_to_var_input(tokens).repeat(2, 1, 1)
        with_class, without = var(both, var_input)[:, scale_of == k].chunk(2)  # (B, n², K)
        t = guidance * k / (len(scales) - 1)
        p = ((1 + t) * with_class - t * without).softmax(dim=-1)
        tokens[k] = torch.multinomial(p.flatten(0, 1).cpu(), 1, generator=generator).view(len(labels), -1).to(device)
    return tokens


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
ten = torch.arange(10, device=device)
mine = my_sample(ten, 1.5, torch.Generator().manual_seed(0))
library = var.sample(ten, guidance=1.5, generator=torch.Generator().manual_seed(0))
same = (torch.cat(mine, dim=1) == torch.cat(library, dim=1)).float().mean().item()
classroom.say(f"与 var.sample 相同的 token：{same:.0%}", f"tokens the same as var.sample's: {same:.0%}")
assert same > 0.95
states = tokenizer.idxBl_to_img(mine, cumulative=True)
figure = lesson.draw_rows({f"{n} × {n}": state for n, state in zip(scales, states, strict=True)}, {"1 × 1": "0123456789"})
classroom.show(figure, "十列数字，四行尺度：第一行十团差不多的灰影，往下笔画渐渐分明，最后一行看得出 0 到 9。",
               "Ten columns of digits, four rows of scales: in the first ten grey blurs much alike, then strokes come out, and the "
               "last row shows 0 to 9.")

# %% [markdown]
# <div lang="zh">
#
# 上面没有缓存，每次都从头算；库里有**键值缓存**：留下已写部分的键和值，每个尺度只算新的 token。写出来的一模一样。
#
# </div>
# <div lang="en">
#
# The loop above keeps no cache and computes all of it each time; the library has a **key-value cache**: keys and values of what is
# written are kept, and only new tokens are computed. What they write is the same.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_guidance = classroom.Predict(
    question=("把引导从 0 拧到 4，写出来的数字会怎样？", "Turn guidance from 0 up to 4. What happens to the digits?"),
    options=[("更像所要的数字，也更多样", "more like the digit asked for, and more varied"),
             ("更像所要的数字，但彼此更像", "more like the digit asked for, but more like each other"),
             ("更乱", "more of a mess")])
guess_guidance

# %% tags=["nbval-ignore-output"]
lesson.DigitStudio(var)

# %% [markdown]
# <div lang="zh">
#
# 拨一拨，再点下排的格子，看那个 token 还可能是什么：
#
# - 换种子：同一类别，不同的手；
# - 温度调低，或 top-p 调到 0.05：每次都写最稳的那一个；
# - 温度调到 2：每一步都不离谱，合起来就散了；
# - 边角的 token 犹豫不决，可几个码字画出来差不多。
#
# </div>
# <div lang="en">
#
# Turn the controls, and click a cell of the lower row to see what else that token might have been:
#
# - another seed: one class, another hand;
# - a low temperature, or top-p at 0.05: the safest digit every time;
# - temperature 2: no step is absurd, the whole falls apart;
# - tokens at the edge waver, but between codes that draw much the same.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_guidance.hold()
judging = lesson.Judge(images[:1500], labels[:1500])
asked = torch.arange(10).repeat(50)


def written(model, **settings):
    """500 digits, 50 of each class, judged. 每类 50 个，请评委看。"""
    pictures = model.generate(asked.to(device), generator=torch.Generator().manual_seed(0), **settings).cpu()
    return pictures, lesson.judge(pictures, asked, judging, held_out)


by_guidance = {strength: written(var, guidance=strength)[1] for strength in (0, 1, 2, 3, 4)}
figure = lesson.draw_verdicts(by_guidance, "引导 guidance").figure
classroom.show(figure, "三条折线：引导变强，评委认成所要数字的比例升到接近 1，同类之间的差别下降；离训练图的距离变化不大。",
               "Three lines: as guidance grows, the share named as asked rises towards 1, the differences within a class "
               "fall, and the distance to the training pictures changes little.")
guess_guidance.reveal(1, because=(
    f"评委（只见过真数字的 SVM）认成所要的：{by_guidance[0].named:.0%} → {by_guidance[4].named:.0%}；多样性："
    f"{by_guidance[0].variety:.2f} → {by_guidance[4].variety:.2f}。引导用多样换把握。",
    f"A judge (an SVM that has seen real digits only) names as asked: {by_guidance[0].named:.0%} → {by_guidance[4].named:.0%}; "
    f"variety: {by_guidance[0].variety:.2f} → {by_guidance[4].variety:.2f}. Guidance trades variety for certainty."))
assert by_guidance[4].variety < by_guidance[0].variety or record.step < 600  # 早停除外 unless stopped early
assert max(each.named for each in by_guidance.values()) >= by_guidance[0].named

# %% [markdown]
# ## 5. 给定，或换掉 · Given, or swapped
#
# <div lang="zh">
#
# *4 分钟。* 粗尺度也可以不由模型写，而是**给定**：取一个真数字的前几个尺度，其余让它补。再捣个乱：粗尺度来自一个 3，要它写的却是 6。
#
# </div>
# <div lang="en">
#
# *4 minutes.* The coarse scales need not be the model's: **give** it the first few scales of a real digit, and let it write the rest.
# Then a twist: the coarse scales are a 3's, but a 6 is asked for.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_given = classroom.Predict(
    question=("粗尺度来自另一个数字。给定到第几个尺度，写出来的才更像给定的，而不是所要的？",
              "The coarse scales are another digit's. How many must be given before the result is taken for the digit given more "
              "often than for the class asked for?"),
    options=[("1 个（1 个 token）", "1 (1 token)"), ("2 个（5 个）", "2 (5 tokens)"), ("3 个（14 个）", "3 (14 tokens)"),
             ("4 个（全部 30 个）", "4 (all 30)")])
guess_given


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
def complete(digit, given, asked_for, seed):
    """One held-out digit; its first scales, completed four times. 给定前几个尺度，补全四次。"""
    prefix = [scale[digit].expand(4, -1) for scale in idx_Bl[:given]]
    pictures = var.generate(torch.full((4,), asked_for, device=device), prefix=prefix,
                            generator=torch.Generator().manual_seed(seed))
    coarse = [torch.full((1, 1, 16, 16), -1.0), *tokenizer.idxBl_to_img([scale[digit][None] for scale in idx_Bl], cumulative=True)]
    seen = judging.names(pictures)
    return [held_out[digit], lesson.sheet([coarse[given]]), *(lesson.sheet([each[None]]) for each in pictures)], {
        ("这个数字是", "this digit is"): int(truth[digit]), ("评委看到", "the judge sees"): " ".join(map(str, seen.tolist()))}


Slider = classroom.Slider
classroom.PictureExplorer(
    complete, width=110,
    sliders=[Slider("digit", "留出的哪个数字", "which held-out digit", 0, 296, 1, 1),
             Slider("given", "给定几个尺度", "scales given", 0, 4, 1, 2),
             Slider("asked_for", "要它写", "class asked for", 0, 9, 1, int(truth[1])), Slider("seed", "种子", "seed", 0, 20, 1, 0)],
    pictures=[("真的", "real"), ("给定", "given"), *((f"补 {n}", f"new {n}") for n in range(1, 5))],
    alt_zh="一个真数字，它的粗尺度画成的模糊影子，和由影子补全的四个数字：位置和粗细相同，细节各异。",
    alt_en="A real digit, the blur that its coarse scales draw, and four digits completed from it: one position and "
           "thickness, different details.")

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_given.hold()
other = (truth + 3) % 10  # 3 → 6
shares = {("所要的", "the class asked for"): [], ("给定的", "the digit given"): []}
for given in range(5):
    pictures = var.generate(other.to(device), prefix=idx_Bl[:given], generator=torch.Generator().manual_seed(0)).cpu()
    for values, names in zip(shares.values(), (other, truth), strict=True):
        values.append((judging.names(pictures) == names).float().mean().item())
figure = lesson.draw_completions(shares, scales).figure
classroom.show(figure, "两条交叉的折线：给定的尺度越多，认成所要类别的越少，认成给定数字的越多，给满四个尺度时几乎全是后者。",
               "Two crossing lines: the more scales are given, the fewer are taken for the class asked for and the more for the digit "
               "given; with all four it is nearly always the latter.")
asked_share, given_share = shares.values()
turn = next((k for k in range(1, 4) if given_share[k] > asked_share[k]), 4)
guess_given.reveal(turn - 1, because=(
    f"给定 1、2、3 个尺度，认成所要的有 {asked_share[1]:.0%}、{asked_share[2]:.0%}、{asked_share[3]:.0%}，认成给定的有 "
    f"{given_share[1]:.0%}、{given_share[2]:.0%}、{given_share[3]:.0%}，其余两不像。最粗的两个尺度大致只定位置和轻重，类别扳得过来；"
    "笔画大半由后两个尺度的 25 个 token 写成。",
    f"With 1, 2, 3 scales given, {asked_share[1]:.0%}, {asked_share[2]:.0%}, {asked_share[3]:.0%} are taken for the class asked "
    f"for and {given_share[1]:.0%}, {given_share[2]:.0%}, {given_share[3]:.0%} for the digit given, the rest for neither. The two "
    "coarsest scales settle little but position and weight, and the class can still bend that; most of the stroke is written by the "
    "25 tokens of the last two."))
assert (given_share[4] > 0.6 and asked_share[4] < 0.2) or record.step < 600  # 早停除外 unless stopped early

# %% [markdown]
# ## 6. 这是几？ · Which digit is this?
#
# <div lang="zh">
#
# *4 分钟。* 从没教过它**认**数字。但它知道每个类别会怎么写：一个真数字，挨个类别问“如果是 0、1、…、9，你写出它的可能有多大？”，取最大的。模型给这一串 token 的概率，叫**似然**。
#
# </div>
# <div lang="en">
#
# *4 minutes.* It was never taught to **recognise** digits. But it knows how each class is written: show it a real digit, ask for each
# class in turn “were it a 0, 1, …, 9, how likely would you be to write this?”, and take the likeliest. The probability that a model
# gives to tokens is their **likelihood**.
#
# </div>

# %% jupyter={"source_hidden": true}
guess_name = classroom.Predict(
    question=("留出的 297 个数字，它能认对百分之几？（瞎猜是 10 %）", "Of the 297 held-out digits, what per cent does it name right? "
              "(Guessing gives 10 %.)"), minimum=0, maximum=100, unit=("%", "%"))
guess_name

# %% tags=["nbval-ignore-output"]
each_class = [var.log_likelihood(idx_Bl, torch.full_like(exam[1], c)) for c in range(10)]
scores = torch.stack(each_class, dim=1).cpu()  # (297, 10) log p(token | 类别 class)
right = scores.argmax(dim=1) == truth

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_name.hold()
percent, neighbour, machine = (100 * (names == truth).float().mean().item() for names in (
    scores.argmax(dim=1), judging.neighbour_names(held_out), judging.names(held_out)))
classroom.say(f"认对：似然 {percent:.1f} %，最近邻 {neighbour:.1f} %，支持向量机（SVM）{machine:.1f} %",
              f"right: likelihood {percent:.1f} %, nearest neighbour {neighbour:.1f} %, support vector machine (SVM) {machine:.1f} %")
wrong = (~right).nonzero().flatten()[:4]
shown = torch.cat([right.nonzero().flatten()[:2], wrong])
figure = lesson.draw_guesses(held_out[shown], truth[shown], scores[shown])
classroom.show(figure, "六个留出的数字，下面是模型对 0 到 9 的相信程度，真类别是橙色，标着三角。前两个认对了，一根柱子独高；后几个认错了，字迹本身就含糊。",
               "Six held-out digits, and below each how much the model believes in 0 to 9, the true class orange with a triangle. "
               "Two are right, with one tall bar; the others are wrong, in ambiguous hands.")
guess_name.reveal(round(percent, 1), because=(
    f"一个只学写的模型认对 {percent:.0f} %，专门比图的最近邻 {neighbour:.0f} %。会写，就多少会认：贝叶斯公式把 p(图 | 类) 变成 p(类 | 图)。",
    f"A model that only learnt to write names {percent:.0f} % right; the nearest neighbour, which compares pictures, {neighbour:.0f} %. "
    "Who can write can read a little: Bayes' rule turns p(picture | class) into p(class | picture)."))
assert percent > 50 or record.step < 600

# %% [markdown]
# ## 7. 背书，还是写作 · Reciting, or writing
#
# <div lang="zh">
#
# *2 分钟。* 背下 1500 张训练图，也能“生成”。所以每个样本下面放上**最近的训练图**，标出距离；这距离要和留出的真数字的比：它们肯定不是背的。
#
# </div>
# <div lang="en">
#
# *2 minutes.* A model that had learnt its 1500 pictures by heart would “generate” too. So below each sample stands **the nearest
# training picture** with its distance; compare its distance with that of held-out real digits, which nobody has learnt by heart.
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
pictures, verdict = written(var)
rows, titles = {}, {}
for name, some in (("写的 written", pictures[1:7]), ("留出的真数字 real, held out", held_out[:6])):
    distances, nearest = judging.nearest(some)
    rows |= {name: some, f"{name}:\n最近的训练图 nearest": images[nearest]}
    titles[f"{name}:\n最近的训练图 nearest"] = [f"{distance:.1f}" for distance in distances.tolist()]
figure = lesson.draw_rows(rows, titles)
classroom.show(figure, "四行数字：写的，各自最近的训练图和距离；留出的真数字，各自最近的训练图和距离。两组距离差不多，没有一张是照抄。",
               "Four rows of digits: written ones, the training picture nearest to each and its distance; held-out real ones, and "
               "the same. The distances are alike; none is a copy.")
classroom.say(f"离最近的训练图的距离，是留出的真数字的 {verdict.novelty:.2f} 倍\n同类之间的差别，是训练数字的 {verdict.variety:.2f} 倍",
              f"distance to the nearest training picture: {verdict.novelty:.2f} times that of held-out real digits\n"
              f"differences within a class: {verdict.variety:.2f} times those of the training digits")
assert verdict.novelty > 0.6

# %% [markdown]
# ## 8. 拆掉一个零件 · Without a part
#
# <div lang="zh">
#
# *3 分钟。* 三个小模型（宽 64、深 2），同样的起点、同样的 700 步：完整的；**没有掩码**；**没有尺度嵌入**（不告诉它这是第几个尺度）。
#
# </div>
# <div lang="en">
#
# *3 minutes.* Three small models (width 64, depth 2), one start, the same 700 steps: a whole one; one **without the mask**; one
# **without level embeddings** (nothing says which scale this is).
#
# </div>

# %% jupyter={"source_hidden": true}
guess_parts = classroom.Predict(
    question=("谁的训练损失最低？", "Whose training loss is lowest?"),
    options=[("完整的", "the whole model's"), ("没有掩码的", "the one without a mask"), ("没有尺度嵌入的", "the one without level embeddings")])
guess_parts

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
guess_parts.hold()
models = lesson.compare(tokenizer, lambda: lesson.recipe().batches, steps=700, width=64, depth=2, heads=2)
names = {"nothing": "完整 whole", "mask": "没有掩码 no mask", "level": "没有尺度嵌入 no level"}
rows, found, writing = {}, {}, {}
for part, (model, loss) in models.items():
    pictures, found[part] = written(model)
    writing[part] = lesson.writing_loss(model, idx_Bl, exam[1])
    rows[f"{names[part]}\n损失 loss {loss:.2f}\n写的时候 writing {writing[part]:.2f}"] = pictures[1:6]
pictures, found["guidance"] = written(models["nothing"][0], guidance=0)
rows["没有引导\nno guidance"] = pictures[1:6]
figure = lesson.draw_rows(rows, {})
classroom.show(figure, "四行数字，各有两个损失。没有掩码的训练损失最低，写的时候损失最高；没有尺度嵌入的与完整的相仿；没有引导的更潦草。",
               "Four rows of digits with two losses each. Without the mask the loss of training is lowest, that of writing highest; "
               "without level embeddings it is much like the whole; without guidance they are sloppier.")
losses = {part: loss for part, (_, loss) in models.items()}
whole, no_mask, no_level, no_guidance = (f"{found[part].named:.0%}" for part in ("nothing", "mask", "level", "guidance"))
classroom.say(f"评委认成所要的：完整 {whole}，没有掩码 {no_mask}，没有尺度嵌入 {no_level}，没有引导 {no_guidance}",
              f"named as asked: whole {whole}, no mask {no_mask}, no level embeddings {no_level}, no guidance {no_guidance}")
guess_parts.reveal(list(losses).index(min(losses, key=losses.get)), because=(
    f"没有掩码，训练损失 {losses['mask']:.2f}，完整的 {losses['nothing']:.2f}：它偷看更细的输入，里面就有答案。写的时候没有可偷看的，"
    f"在留出的数字上损失成了 {writing['mask']:.2f}，完整的是 {writing['nothing']:.2f}。损失低不等于学得好。没有尺度嵌入几乎无妨："
    "位置嵌入给每个尺度的每一格都留了自己的向量，早已说明是第几个尺度。",
    f"Without the mask the training loss is {losses['mask']:.2f}, for the whole {losses['nothing']:.2f}: it peeks at finer inputs, which "
    f"hold the answers. When it writes there is nothing to peek at, and on held-out digits its loss is {writing['mask']:.2f}, the "
    f"whole's {writing['nothing']:.2f}. A low loss is not learning. Level embeddings are hardly missed: the position embedding has a "
    "vector for every place of every scale and so says already which scale it is."))
assert losses["mask"] < losses["nothing"] and writing["mask"] > writing["nothing"]

# %% [markdown]
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 下一尺度预测省的是先后：256 次变成 5 次，token 和对数反而更多。
# - 掩码一行：看得见自己的尺度和更粗的；去掉它，训练损失最低，写的时候损失却最高。
# - 训练一步是交叉熵，写是同一个网络跑 4 遍；缓存只省时间，不改结果。
# - 引导用多样换把握；最粗的尺度只定位置和轻重；会写也就会认一点。
# - 新不新要量：离训练图多远，和留出的真数字比。
#
# </div>
# <div lang="en">
#
# - Next-scale prediction saves waiting: 256 passes become 5, with more tokens and pairs rather than fewer.
# - The mask is one line: see your own scale and the coarser ones. Without it the loss of training is lowest, that of writing highest.
# - A training step is cross-entropy; writing is the same network 4 times over; a cache saves time and changes nothing.
# - Guidance trades variety for certainty; the coarsest scales settle position and weight alone; who can write can read a little.
# - Whether it is new must be measured: how far from the training pictures, compared with held-out real ones.
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
    Question(("为什么同一尺度的 token 可以一次写完？", "Why can all tokens of a scale be written at once?"), [
        Option(("因为它们互不相关", "because they are independent of each other"), False,
               ("它们并不独立；只是给定更粗的尺度之后，模型当作各抽各的。", "They are not; the model merely draws them independently, given "
                "the coarser scales.")),
        Option(("因为它们的输入只取决于更粗的尺度", "because their inputs depend on coarser scales alone"), True,
               ("对：输入是累积图，写之前就都有了。", "Right: the inputs are sums so far, all there before any is written.")),
        Option(("因为掩码让它们互相看不见", "because the mask hides them from each other"), False,
               ("恰好相反，同一尺度互相看得见（看的是输入）。", "On the contrary: within a scale they see each other (their inputs)."))]),
    Question(("引导强度为 0 时，写出来的是什么？", "What is written with guidance 0?"), [
        Option(("不看类别的样本", "samples that ignore the class"), False,
               ("t = 0 时只剩有类别的 logits。别的库里 0 可能是“没有类别”，先看公式。",
                "At t = 0 the logits with the class remain. In other libraries 0 may mean “no class”: look at the formula.")),
        Option(("有类别的模型本来的样本", "samples of the conditional model as it is"), True,
               ("对：(1 + 0) · 有类别 − 0 · 没有类别。", "Right: (1 + 0) · with the class − 0 · without.")),
        Option(("每次同一个数字", "the same digit every time"), False,
               ("那是温度接近 0；引导 0 时抽签照旧。", "That is a temperature near 0; with guidance 0 draws go on as ever."))]),
    Question(("去掉掩码，训练损失降了。该高兴吗？", "Without the mask the training loss falls. Good news?"), [
        Option(("是：模型更强了", "yes: the model is stronger"), False,
               ("它只是能看到更细的输入，答案就在里面。", "It merely sees finer inputs, which hold the answers.")),
        Option(("不：写的时候看不到训练时偷看的东西", "no: what it peeked at is not there when it writes"), True,
               ("对：训练和生成时的条件必须一样。", "Right: training and generation must be given the same.")),
        Option(("无所谓：掩码只为省时间", "it does not matter: a mask only saves time"), False,
               ("省时间的是缓存；掩码决定学的是什么。", "A cache saves time; the mask decides what is learnt."))]),
    Question(("样本离最近的训练图很近，比留出的真数字近得多。说明什么？",
              "Samples lie close to their nearest training pictures, far closer than held-out real digits do. What does that tell?"), [
        Option(("样本质量高", "the samples are good"), False,
               ("像是像，可好的新字应当和留出的真字一样远。", "They look right, but a good new digit should lie as far off as a held-out "
                "real one.")),
        Option(("可能在背训练图", "the training pictures may have been memorised"), True,
               ("对：和留出的真数字比，才知道多近算太近。", "Right: held-out real digits say how near is too near.")),
        Option(("训练得还不够", "it needs more training"), False,
               ("多半相反：小数据上练得越久，越容易背下来。", "Rather the opposite: on little data, long training memorises."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●○○ · 5 分钟。** 写一个带窗口的掩码：每个 token 看得见自己的尺度，和它前面 `window` 个较粗的尺度，再粗的看不见。`lengths` 是每个尺度的 token 数，如 `tensor([1, 4, 9])`；返回 (L, L) 的 bool，行看得见列处为 True。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●○○ · 5 minutes.** Write a mask with a window: a token sees its own scale and the `window` coarser ones before
# it, none beyond. `lengths` holds the number of tokens of each scale, such as `tensor([1, 4, 9])`; return (L, L) bool, True where
# the row may see the column.
#
# </div>

# %%
def my_mask(lengths, window):
    ...


lesson.exercises.mask.check(my_mask)


# %% jupyter={"source_hidden": true}
def solution(lengths, window):
    scale = torch.arange(len(lengths)).repeat_interleave(lengths)
    finer = scale[:, None] - scale[None, :]  # (L, L)
    return (finer >= 0) & (finer <= window)


lesson.exercises.mask.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 5 分钟。** 现在只有**概率**，没有 logits。`with_class`、`without` 是 (L, K)，每行加起来是 1；`with_class` 里可以有 0，`without` 里没有。`scale` 从 0 数起，`num_scales` 至少 2；返回引导之后的概率，每行加起来也是 1，斜坡和上面一样。先想一想：logits 的加减，换到概率上是什么？
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 5 minutes.** Now there are only **probabilities**, no logits. `with_class` and `without` are (L, K), each row
# adding up to 1; `with_class` may hold zeros, `without` does not. `scale` counts from 0, `num_scales` is at least 2; return the
# guided probabilities, each row again adding up to 1, with the ramp above. Think first: what do sums and differences of logits
# become among probabilities?
#
# </div>

# %%
def my_guide(with_class, without, guidance, scale, num_scales):
    ...


lesson.exercises.guidance.check(my_guide)


# %% jupyter={"source_hidden": true}
def solution(with_class, without, guidance, scale, num_scales):
    t = guidance * scale / (num_scales - 1)
    weights = with_class * (with_class / without) ** t  # 贝叶斯 Bayes: with_class / without ∝ p(类别 class | token)
    return weights / weights.sum(dim=-1, keepdim=True)


lesson.exercises.guidance.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●●● · 10 分钟。** 写 top-p。`logits` 是 (B, K)；每行只留概率最大的**最少**几个，使它们合起来至少有 `p`，其余变成 −∞。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●●● · 10 minutes.** Write top-p. `logits` is (B, K); of each row keep the **fewest** likeliest codes that hold at
# least `p` together, and make the rest −∞.
#
# </div>

# %%
def my_top_p(logits, p):
    ...


lesson.exercises.top_p.check(my_top_p)


# %% jupyter={"source_hidden": true}
def solution(logits, p):
    order = logits.argsort(dim=-1, descending=True)
    sorted_p = logits.softmax(dim=-1).gather(-1, order)
    before = sorted_p.cumsum(dim=-1) - sorted_p  # 更可能的那些有多少 what the likelier ones hold
    return logits.masked_fill(torch.zeros_like(before).scatter(-1, order, before) >= p, -torch.inf)


lesson.exercises.top_p.check(solution, quiet=True)

# %% [markdown]
# ## 接着做 · Going on
#
# <div lang="zh">
#
# 同一件事，一行命令；自己的图片放进文件夹，一类一个子文件夹：
#
# ```bash
# python -m vqlab.train digits --seconds 60 --out model
# python -m vqlab.train FOLDER --prior --seconds 300 --out mine
# ```
#
# 之后 `vqlab.load("mine/var.safetensors").generate(torch.tensor([0]))`。图越大，尺度和时间要得越多；类别号按子文件夹的名字排序（VAR 的用户常问，issue #82）。
#
# </div>
# <div lang="en">
#
# The same in one command; your own pictures go into a folder, a subfolder a class:
#
# ```bash
# python -m vqlab.train digits --seconds 60 --out model
# python -m vqlab.train FOLDER --prior --seconds 300 --out mine
# ```
#
# Then `vqlab.load("mine/var.safetensors").generate(torch.tensor([0]))`. Larger pictures want more scales and more time; class numbers
# follow the subfolders' names in order (VAR's users often ask, issue #82).
#
# </div>

# %% [markdown]
# ## 来源 · Sources
#
# <div lang="zh">
#
# - 下一尺度预测，它的代价，约 20 倍的加速：Tian 等（2024），VAR，arXiv 2404.02905，摘要、3 节和附录。
# - 掩码、标签丢弃、引导的斜坡：参考实现 FoundationVision/VAR，`models/var.py`。
# - 无分类器引导：Ho 和 Salimans（2022），arXiv 2207.12598；top-p：Holtzman 等（2019），arXiv 1904.09751。
# - 用户的问题：小规模训练（#137），自己的数据和类别号（#82），缓存与输入（#120）。
# - 不同之处：16 × 16 的灰度数字、4 个尺度、64 个码字，参数不到一百万，一分钟；论文是 256 × 256 的 ImageNet、10 个尺度、4096 个码字，最大二十亿参数。我们没有对抗损失，注意力里没有 q-k 归一化。
# - 数字：scikit-learn 的 `load_digits`，UCI，CC BY 4.0。
#
# </div>
# <div lang="en">
#
# - Next-scale prediction, its cost, the speed-up of about 20: Tian et al. (2024), VAR, arXiv 2404.02905, abstract, section 3 and
#   appendix.
# - Mask, label dropout, the guidance ramp: the reference, FoundationVision/VAR, `models/var.py`.
# - Classifier-free guidance: Ho and Salimans (2022), arXiv 2207.12598; top-p: Holtzman et al. (2019), arXiv 1904.09751.
# - Users' questions: small-scale training (#137), own data and the class number (#82), cache and inputs (#120).
# - How this differs: grey digits of 16 × 16, 4 scales, 64 codes, under a million parameters, one minute; the paper has ImageNet at
#   256 × 256, 10 scales, 4096 codes and up to 2 billion parameters. No adversarial loss here, no q-k normalisation in attention.
# - Digits: scikit-learn's `load_digits`, UCI, CC BY 4.0.
#
# </div>
