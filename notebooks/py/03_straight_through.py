# %% [markdown]
# # 3. 直通 · Straight through
#
# <div lang="zh">
#
# **问题：** “选最近的码字”是一级台阶，没有斜率。那么梯度怎样走过去？
#
# **大约 39 分钟，再加练习 24 分钟；另有两节选读。你会：**
#
# 1. 看清直通估计到底做了什么，`detach` 放错一边又会怎样；
# 2. 让自动求导填一张表：哪个损失推动谁，β 管什么；
# 3. 认识旋转技巧，最后用二十来行自己写一个真能训练的 VQ-VAE，再用它的 token 写出新的数字。
#
# **要先会什么：** `backward()` 和 `detach()`。**一分钟回顾：** 编码器输出 $z_e$，换成最近的码字 $z_q$，解码器只看到 $z_q$（第 0 课）；argmin 的斜率几乎处处是零（第 2 课）。
#
# 每个箭头、每个数字，都是 PyTorch 当场求导算出来的。下面先是整个模型，这一课放大其中的量化器；再是第 7 节会得到的图：选了同一个码字的点，在两种梯度下各走一步。
#
# </div>
# <div lang="en">
#
# **Question:** “choose the nearest code” is a step without a slope. How does a gradient pass it?
#
# **In about 39 minutes, plus 24 for the exercises (and two optional sections), you will:**
#
# 1. see what straight-through really does, and what `detach` on the wrong side does;
# 2. let autograd fill in which loss moves what, and see what β is for;
# 3. meet the rotation trick, and at the end write a VQ-VAE of your own in some twenty lines, whose tokens write new digits.
#
# **What you need to know:** `backward()` and `detach()`. **One-minute recap:** the encoder outputs $z_e$, the nearest code $z_q$
# replaces it, and the decoder sees only $z_q$ (lesson 0); the slope of argmin is zero almost everywhere (lesson 2).
#
# Every arrow and number is differentiated by PyTorch on the spot. Two pictures below: the whole model, of which this lesson
# looks at the quantizer in the middle; and the one that section 7 arrives at, one code's points, each taking one step, under
# two gradients.
#
# </div>

# %%
import torch
from torch import nn
from torch.nn.functional import mse_loss, normalize

from vqlab import SimpleVQVAE, VectorQuantizer2, classroom, digits, nearest_code, psnr, rotation_trick, straight_through
from vqlab.lessons import straight_through as lesson

classroom.start()

# %% jupyter={"source_hidden": true}
import matplotlib.pyplot as plt

from vqlab.classroom import Option, Predict, Question, Quiz

torch.manual_seed(0)
whole = SimpleVQVAE(16, 8, in_channels=1, hidden=16, blocks=1)  # of section 4
classroom.architecture(whole, digits()[0][:1], "quantizer")
code = torch.tensor([1.0, 0.8])
points = code + 0.25 * torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
figure, axes = plt.subplots(1, 2, figsize=(3.8, 2), sharey=True)
for ax, way in zip(axes, (straight_through, rotation_trick), strict=True):
    lesson.draw_step(way, points, code, 0.3 * code, ax)
classroom.show(figure, "两幅图：直通的 30 个箭头完全一样；旋转技巧的箭头都指向原点。",
               "Two panels: 30 identical arrows with straight-through; with the rotation trick all point to the origin.")

# %% [markdown]
# ## 1. 一级没有斜率的台阶 · A step with no slope
#
# <div lang="zh">
#
# *5 分钟。* 编码器输出一个向量 `z_e`，我们把它换成最近的码字 `z_q`；解码器（这里就是恒等映射）的损失要 `z_q` 靠近目标。对这个损失调用 `backward()`。
#
# </div>
# <div lang="en">
#
# *5 minutes.* The encoder outputs a vector `z_e`; we swap it for the nearest code `z_q`; the decoder (here simply the
# identity) has a loss that wants `z_q` near a target. Call `backward()` on that loss.
#
# </div>

# %% jupyter={"source_hidden": true}
first = Predict(("z_e 会收到什么梯度？", "Which gradient does z_e receive?"), [
    ("和 z_q 的一样", "the same as z_q"), ("完全没有：None", "none at all: None"),
    ("很小，但不是零", "small, but not zero"), ("backward() 会报错", "backward() raises an error")])
first

# %%
first.hold()
z_e = torch.tensor([[0.45, 0.75]], requires_grad=True)
codebook = torch.tensor([[0.9, 0.35], [0.1, 1.0], [-0.9, 0.5]], requires_grad=True)
target = torch.tensor([[1.2, 0.1]])

z_q = codebook[nearest_code(z_e, codebook)]
loss = (z_q - target).square().sum() / 2
loss.backward()
print("z_e.grad =", z_e.grad, "\ncodebook.grad =", codebook.grad)

# %% jupyter={"source_hidden": true}
first.hold()
first.reveal(1, because=(
    "索引是整数，路到这里就断了：z_e 一点梯度也没有。梯度全给了被选中的码字。",
    "The index is an integer, and there the path ends: z_e gets nothing. All of it goes to the chosen code."))
assert z_e.grad is None and codebook.grad[1].abs().sum() > 0

for nudge in (0.001, 0.01, 0.1):
    moved = z_e.detach() + torch.tensor([[nudge, 0.0]])
    new_loss = (codebook[nearest_code(moved, codebook)] - target).square().sum() / 2
    slope = (new_loss - loss).item() / nudge
    classroom.say(f"推 {nudge}：斜率 {slope:.1f}", f"nudge {nudge}: slope {slope:.1f}")

# %% [markdown]
# <div lang="zh">
#
# 这不是 PyTorch 的疏忽。轻轻推一下 `z_e`，最近的还是同一个码字，损失一点不变：上一格量的斜率全是 0（第 2 课）。
#
# </div>
# <div lang="en">
#
# PyTorch is not being lazy. Nudge `z_e` a little: the nearest code is still the same one, and the loss does not change at
# all: the slopes measured above are 0 (lesson 2).
#
# </div>
#
# ## 2. 直通那一行 · The straight-through line
#
# <div lang="zh">
#
# *7 分钟。* 办法是**假装**这一步是恒等映射：前向用 $z_q$，反向把梯度原样交给 $z_e$，这叫**直通估计**。一行就够；sg 是**停止梯度**，也就是 `detach`。前向时两个 $z_e$ 抵消，反向时方括号里的当作常数。
#
# </div>
# <div lang="en">
#
# *7 minutes.* The way out is to **pretend** that the step is the identity: $z_q$ goes forward, and backward its gradient is
# handed to $z_e$ unchanged: the **straight-through estimator**. One line does it; sg is **stop gradient**, `detach`. Forward, the two $z_e$ cancel; backward, the bracket is a
# constant.
#
# </div>
#
# $$\hat z = {\color{#E69F00} z_e} + \mathrm{sg}\big[{\color{#009E73} z_q} - {\color{#E69F00} z_e}\big]$$

# %% jupyter={"source_hidden": true}
wrong_side = Predict(
    ("有人写成 z_e.detach() + (z_q - z_e)。前向的值没错。z_e 会收到什么？",
     "Someone writes z_e.detach() + (z_q - z_e). The forward value is right. What does z_e receive?"), [
        ("正确的梯度", "the right gradient"), ("没有梯度", "no gradient"),
        ("反过来的梯度", "the gradient reversed"), ("两倍的梯度", "twice the gradient")])
wrong_side

# %%
wrong_side.hold()
ways = {
    "z_q": lambda z_e, z_q: z_q,
    "z_e + (z_q - z_e).detach()": lambda z_e, z_q: z_e + (z_q - z_e).detach(),
    "z_e.detach() + (z_q - z_e)": lambda z_e, z_q: z_e.detach() + (z_q - z_e),
    "z_q + (z_e - z_q).detach()": lambda z_e, z_q: z_q + (z_e - z_q).detach(),
}
lesson.GradientPlane(ways)

# %% [markdown]
# <div lang="zh">
#
# 拖动橙色的 $z_e$ 和紫色的 $t$（或用 Tab 选中，再按方向键），再一行一行地选过去。注意三件事：
#
# - 在同一个码字的地盘里拖 $z_e$，直通的箭头**纹丝不动**：它不看 $z_e$ 在哪儿。
# - 越过边界，$z_q$ 跳了，箭头才跟着跳。
# - 有三行的值都是 $z_q$，光看前向，分不出对错。
#
# </div>
# <div lang="en">
#
# Drag the orange $z_e$ and the purple $t$ (or Tab to one and use the arrow keys), and choose row after row. Notice three
# things:
#
# - Drag $z_e$ inside the territory of one code: the straight-through arrow **does not stir**. It does not look at where
#   $z_e$ is.
# - Only when a border is crossed and $z_q$ jumps does the arrow jump too.
# - Three rows have the value $z_q$: forward alone cannot tell right from wrong.
#
# </div>

# %% jupyter={"source_hidden": true}
wrong_side.hold()
wrong_side.reveal(2, because=(
    "z_e 只以 −z_e 的样子留在 detach 之外，所以梯度反号：编码器每一步都往错的方向走。",
    "Outside the detach z_e is left only as −z_e, so its gradient is reversed: every step takes the encoder the wrong way."))
classroom.architecture(whole, digits()[0][:1], "quantizer", gradient=True)

# %% [markdown]
# <div lang="zh">
#
# **要点：** 直通只改反向，不改前向；只有 $z_e$ 收到梯度，码字收不到（图中的虚线从量化器旁边绕过）。表的最后一行把两者换了位置：解码器看到的是没有量化的 $z_e$，训练时看上去一切顺利，等到真的从 token 解码，图就坏了。
#
# </div>
# <div lang="en">
#
# **Takeaway:** straight-through changes the backward pass, never the forward one; only $z_e$ receives the gradient, the code
# does not (the dashed line goes round the quantizer). The table's last row swaps the two: the decoder sees the *unquantized* $z_e$; training looks fine, and the pictures break
# as soon as they are decoded from tokens.
#
# </div>
#
# ## 3. 值真的等于 z_q 吗 · Is the value really z_q
#
# <div lang="zh">
#
# *选读，4 分钟。* 在纸上，$z_e + (z_q - z_e) = z_q$。在电脑里，每次加减都要舍入。下面取一百多万对随机数来数。
#
# </div>
# <div lang="en">
#
# *Optional, 4 minutes.* On paper, $z_e + (z_q - z_e) = z_q$. In a computer every sum is rounded. Let us count over more than a million
# pairs of random numbers.
#
# </div>

# %% jupyter={"source_hidden": true}
share = Predict(("在 float32 里，百分之几的数与 z_q 不完全相等？",
                 "In float32, what percentage of the numbers is not exactly z_q?"),
                minimum=0, maximum=100, step=1, unit=("%", "%"))
share

# %% jupyter={"source_hidden": true}
share.hold()
z, q = torch.randn(2, 20_000, 64, generator=torch.Generator().manual_seed(0))
percent = {}
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    z_e, z_q = z.to(dtype), q.to(dtype)
    difference = (straight_through(z_e, z_q) - z_q).abs().float()
    percent[dtype] = round(100 * (difference > 0).float().mean().item())
    kind, exact = str(dtype).removeprefix("torch."), torch.equal(z_q + (z_e - z_e.detach()), z_q)
    classroom.say(f"{kind:8}  {percent[dtype]} % 不相等，最多差 {difference.max().item():.0e}；"
                  f"换个顺序：{'全部相等' if exact else '也不相等'}",
                  f"{kind:8}  {percent[dtype]} % differ, by at most {difference.max().item():.0e}; "
                  f"in the other order {'all are equal' if exact else 'they differ, too'}")

share.reveal(percent[torch.float32], because=(
    "三分之一以上。误差在 float32 里极小，在 bfloat16 里却能到 0.03：解码器看到的已不是码字本身。",
    "More than a third. The error is tiny in float32, but in bfloat16 it reaches 0.03: what the decoder sees is no longer "
    "the code itself."))

# %% [markdown]
# <div lang="zh">
#
# 想要逐位相等，换个顺序：`z_q.detach() + (z_e - z_e.detach())`。括号里前向正好是 0，反向斜率是 1。
#
# </div>
# <div lang="en">
#
# For a value exact to the last bit, change the order: `z_q.detach() + (z_e - z_e.detach())`. Forward, the bracket is exactly
# 0; backward, its slope is 1.
#
# </div>
#
# ## 4. 哪个损失推动谁 · Which loss moves what
#
# <div lang="zh">
#
# *7 分钟。* VQ-VAE 有三个损失，三个部分。**码本损失**把选中的码字拉向编码器的输出，**承诺损失**把编码器的输出拉向选中的码字。每个损失推动哪个部分？不用背，问自动求导。
#
# </div>
# <div lang="en">
#
# *7 minutes.* A VQ-VAE has three losses and three parts. The **codebook loss** pulls the chosen code towards the encoder's output,
# the **commitment loss** the output towards the code. Which loss moves which part? No need to learn it by heart: ask
# autograd.
#
# </div>
#
# $$L = \underbrace{\|x - \hat x\|^2}_{\text{重建 reconstruction}} + \underbrace{\|\mathrm{sg}[{\color{#E69F00} z_e}] - {\color{#009E73} z_q}\|^2}_{\text{码本 codebook}} + \beta \underbrace{\|{\color{#E69F00} z_e} - \mathrm{sg}[{\color{#009E73} z_q}]\|^2}_{\text{承诺 commitment}}$$

# %% jupyter={"source_hidden": true}
decoder_teaches = Predict(("重建损失的梯度会推动码本吗？", "Does the gradient of the reconstruction loss move the codebook?"), [
    ("会，码字跟着解码器学", "yes, the codes learn from the decoder"),
    ("不会", "no"), ("只推动被选中的码字", "only the codes that were chosen")])
decoder_teaches

# %%
torch.manual_seed(0)
images = digits()[0][:16]
model = SimpleVQVAE(16, 8, in_channels=1, hidden=16, blocks=1)

z_e = model.encoder(images)
z_q = model.quantize.decode(model.quantize.encode(z_e))  # 查表 looked up
losses = {
    "reconstruction": mse_loss(model.decoder(straight_through(z_e, z_q)), images),
    "codebook": mse_loss(z_q, z_e.detach()),
    "commitment": mse_loss(z_e, z_q.detach()),
}
parts = {"encoder": model.encoder, "codebook": model.quantize.embedding, "decoder": model.decoder}

# %% jupyter={"source_hidden": true}
decoder_teaches.hold()
table = lesson.gradient_norms(losses, parts)
classroom.show(lesson.draw_loss_table(table).figure, "三行三列的表。重建损失推动编码器和解码器，码本损失只推动码本，承诺损失只推动编码器。",
               "A table of three rows and columns. Reconstruction moves encoder and decoder, the codebook loss only the "
               "codebook, the commitment loss only the encoder.")
moves = {loss: [part for part, norm in row.items() if norm] for loss, row in table.items()}
assert moves == {"reconstruction": ["encoder", "decoder"], "codebook": ["codebook"], "commitment": ["encoder"]}
decoder_teaches.reveal(1, because=(
    "直通那一行 detach 了 z_q，解码器的梯度绕过码本，直接去了编码器。推动码字的只有码本损失（或第 4 课的另一种学法）。",
    "The straight-through line detaches z_q: the decoder's gradient goes round the codebook, straight to the encoder. "
    "Only the codebook loss moves the codes (or another way to learn, in lesson 4)."))

# %% [markdown]
# <div lang="zh">
#
# 格子里的数是梯度的长度。**要点：** 推动码本的只有码本损失。少了它，码字一动不动，而训练不会报错。
#
# 下面就是一个这样不声不响的错：码本损失写在了直通那一行**之后**，用的是它的结果。
#
# </div>
# <div lang="en">
#
# The number in a cell is the length of the gradient. **Takeaway:** only the codebook loss moves the codebook. Without it the
# codes never move, and no error is raised.
#
# Here is one such silent mistake: the codebook loss is written **after** the straight-through line and uses its result.
#
# </div>

# %%
late = mse_loss(straight_through(z_e, z_q), z_e.detach())  # 想写的是 z_q · z_q was meant
pulls = [part for part, norm in lesson.gradient_norms({"": late}, parts)[""].items() if norm]
to_encoder, = torch.autograd.grad(late, z_e, retain_graph=True)
committed, = torch.autograd.grad(losses["commitment"], z_e, retain_graph=True)
assert torch.allclose(late, losses["codebook"]) and torch.allclose(to_encoder, -committed)
classroom.say(f"损失值 {late.item():.4f}，没有变；推动的是 {pulls}", f"loss {late.item():.4f}, unchanged; it moves {pulls}")

# %% [markdown]
# <div lang="zh">
#
# 损失值一模一样，码本却没有路；更糟的是，这个梯度正好是承诺损失的**反号**：它把编码器从码字旁边推开。β = 1 时两者抵消，什么也不剩。
#
# </div>
# <div lang="en">
#
# The loss values are the same, but no path leads to the codebook. Worse: this gradient is exactly **minus** the commitment
# loss's, so it pushes the encoder away from its code. With β = 1 the two cancel and nothing is left.
#
# </div>
#
# ## 5. 码字追，编码器守 · Codes chase, encoders commit
#
# <div lang="zh">
#
# *7 分钟。* 现在让三个损失一起走。24 个编码器输出可以自由移动，4 个码字，解码器是恒等映射（真模型里，编码器的输出由权重牵着，不会这么自由）。直通的梯度只看 $z_q$ 离目标多远，不看 $z_e$ 走到了哪里。
#
# </div>
# <div lang="en">
#
# *7 minutes.* Now let all three losses act at once. 24 encoder outputs move freely, there are 4 codes, and the decoder is the
# identity (in a real model the weights hold the outputs together; they are not as free). The straight-through gradient looks
# at how far $z_q$ is from the target, not at where $z_e$ has got to.
#
# </div>

# %% jupyter={"source_hidden": true}
runaway = Predict(("β = 0，没有承诺损失。z_e 会怎样？", "β = 0: no commitment loss. What will the z_e do?"), [
    ("停在自己的码字上", "settle on their codes"), ("停在目标上", "settle on their targets"),
    ("越跑越远，不停地换码字", "run ever further and keep changing codes"), ("一动不动", "not move at all")])
runaway

# %%
runaway.hold()
start = lesson.chase_start(torch.Generator().manual_seed(0))
lesson.ChasePlayer(start)

# %% [markdown]
# <div lang="zh">
#
# 按播放（P），再慢慢加大 β。S 走一步，R 从头开始。试 β = 0、0.25、4，每次都从头：橙圆守住码字了吗？码字到得了目标吗？
#
# </div>
# <div lang="en">
#
# Press Play (P), then raise β slowly. S takes one step, R starts again. Try β = 0, 0.25 and 4, each from the start: do the
# orange circles keep to their codes? Do the codes reach the targets?
#
# </div>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
runaway.hold()
betas = (0, 0.1, 0.25, 0.5, 1, 2, 4)
films = {beta: start.run(beta, 600) for beta in betas}
figure = lesson.draw_betas(films)[0].figure
classroom.show(figure, "左：β 越大，换码字越少。右：误差先低后高，β = 4 时最大。",
               "Left: the larger β, the fewer changes of code. Right: the error is low for moderate β and largest for β = 4.")
runaway.reveal(2, because=(
    "只要码字还没到目标，直通的梯度就一直同样大，z_e 走得再远也不减小。β 给它拴上了绳子。",
    "As long as its code is off the target, the straight-through gradient stays just as large, however far z_e has run. β is "
    "the leash."))
assert lesson.code_changes(films[0]) > 5 * lesson.code_changes(films[1])  # 太松 too loose
assert films[4][-1].error() > 2 * films[1][-1].error()  # 太紧 too tight
for beta in (1, 2, 4):
    rest = films[beta][-1]
    leash = rest.gap() * beta / rest.error()
    classroom.say(f"β = {beta}：距离 × β / 误差 = {leash:.2f}", f"β = {beta}: distance × β / error = {leash:.2f}")
    assert abs(leash - 1) < 0.005

# %% [markdown]
# <div lang="zh">
#
# 绳子有多长？静止时两份梯度抵消：$(z_q - t) + \beta (z_e - z_q) = 0$，所以 $z_e$ 到码字的距离是误差除以 β。上面三行数验证了它。
#
# **要点：** β 太小，$z_e$ 不断换码字，码字追不上；β 太大，$z_e$ 和码字都停得太早。论文用 0.25，并说 0.1 到 2.0 差别不大；但 β 的意思取决于损失是取平均还是求和，不能跨论文照搬。
#
# </div>
# <div lang="en">
#
# How long is the leash? At rest the two gradients cancel: $(z_q - t) + \beta (z_e - z_q) = 0$, so the distance from $z_e$ to
# its code is the error divided by β. The three lines above confirm it.
#
# **Takeaway:** with too small a β the $z_e$ keep changing codes and the codes cannot catch up; with too large a β both stop too
# early. The paper uses 0.25 and reports little difference from 0.1 to 2.0; but what β means depends on whether losses are
# means or sums, so it cannot be copied from one paper to another.
#
# </div>
#
# ## 6. 找 bug · A bug hunt
#
# <div lang="zh">
#
# *选读，6 分钟。* 这里有两个量化器 A 和 B，码本相同，都说自己的 β = 0.25。其中一个照着一份很有名的代码写成，β 乘错了地方。先看输出和损失：
#
# </div>
# <div lang="en">
#
# *Optional, 6 minutes.* Here are two quantizers, A and B, with the same codebook; both say that their β is 0.25. One of them follows a
# very famous piece of code and has β in the wrong place. First look at outputs and losses:
#
# </div>

# %% jupyter={"source_hidden": true}
boxes = dict(zip("AB", lesson.black_boxes(generator=torch.Generator().manual_seed(0)), strict=True))
z = torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(1))
results = {name: box(z) for name, box in boxes.items()}
assert torch.equal(results["A"].quantized, results["B"].quantized)
values = ", ".join(f"{name} {result.loss.item():.4f}" for name, result in results.items())
classroom.say(f"输出相同；损失：{values}", f"the same output; loss: {values}")

# %% jupyter={"source_hidden": true}
culprit = Predict(("看下一格的梯度之后再提交：β 放错的是哪一个？（对的那个，β 缩小 z_e 收到的梯度。）",
                   "Commit after looking at the gradients in the next cell: whose β is misplaced? (In the right one, β "
                   "shrinks the gradient at z_e.)"),
                  [("A", "A"), ("B", "B"), ("都对", "neither"), ("都错", "both")])
culprit

# %% jupyter={"source_hidden": true}
gradients = {}
for name, box in boxes.items():
    z_e = z.clone().requires_grad_()
    loss = box(z_e).loss
    gradients[name] = torch.autograd.grad(loss, [z_e, box.embedding.weight])
    to_z_e, to_codes = (g.norm().item() for g in gradients[name])
    classroom.say(f"{name} 的梯度　z_e：{to_z_e:.4f}　码本：{to_codes:.4f}",
                  f"gradients of {name}   z_e: {to_z_e:.4f}   codebook: {to_codes:.4f}")
z_q = boxes["A"].decode(boxes["A"].encode(z))
by_hand = (0.25 * 2 * (z - z_q) / z.numel()).norm().item()
classroom.say(f"手算 ‖0.25 · 2 (z_e − z_q) / (N·D)‖：{by_hand:.4f}",
              f"by hand, ‖0.25 · 2 (z_e − z_q) / (N·D)‖: {by_hand:.4f}")

# %% jupyter={"source_hidden": true}
culprit.hold()
ratios = [(a.norm() / b.norm()).item() for a, b in zip(*gradients.values(), strict=True)]
classroom.say("A / B：z_e × {:.2f}，码本 × {:.2f}".format(*ratios), "A / B: z_e × {:.2f}, codebook × {:.2f}".format(*ratios))
culprit.reveal(0, because=(
    "A 的 z_e 收到 4 倍的梯度，码本只有 0.25 倍：β 乘在了码本损失上。两个损失的数值相等，所以曲线上看不出来。",
    "A sends 4 times the gradient to z_e and 0.25 times to the codebook: its β multiplies the codebook loss. Both losses "
    "have the same value, so no curve ever showed it."))
four = lesson.black_boxes(commitment_weight=4.0, generator=torch.Generator().manual_seed(0))[1]
z_e = z.clone().requires_grad_()
same = torch.autograd.grad(0.25 * four(z_e).loss, [z_e, four.embedding.weight])
assert all(torch.allclose(a, b) for a, b in zip(same, gradients["A"], strict=True))
classroom.say("A 的梯度 = 0.25 × β = 4 放对时的梯度", "the gradients of A = 0.25 × those of β = 4 in the right place")

# %% [markdown]
# <div lang="zh">
#
# 放错的那一个，写法来自 taming-transformers 的 `VectorQuantizer2`（和 `vqlab` 的同名，`vqlab` 的没有这个 bug）。那里 `legacy=True` 是默认值，为的是不改变旧模型的结果。许多项目由它而来。
#
# 换个说法：设码本损失为 $L_c$，承诺损失为 $L_m$，那么 $L_c + \beta L_m$ 写成了 $\beta L_c + L_m = \beta\,(L_c + \tfrac{1}{\beta} L_m)$。β = 0.25 放错了，就是 β = 4、整体再乘 0.25；上一格验证过了。
#
# </div>
# <div lang="en">
#
# The one with the misplaced β follows `VectorQuantizer2` of taming-transformers (`vqlab`'s class has the same name and not this
# bug). Its `legacy=True` is the default there, so that old models keep their results. Many projects descend from it.
#
# In other words: with the codebook loss $L_c$ and the commitment loss $L_m$, $L_c + \beta L_m$ became
# $\beta L_c + L_m = \beta\,(L_c + \tfrac{1}{\beta} L_m)$. A misplaced β = 0.25 is β = 4 in the right place, all times 0.25; the
# last cell checked it.
#
# </div>
#
# ## 7. 旋转技巧 · The rotation trick
#
# <div lang="zh">
#
# *5 分钟。* 直通的箭头不看 $z_e$ 在哪儿。2024 年的**旋转技巧**让它看：先求出把 $z_e$ 转到 $z_q$ 方向的旋转 $R$，再缩放到 $z_q$ 的长度；$R$ 和缩放都当作常数。前向仍是 $z_q$，反向时梯度被转回去（乘 $R$ 的转置，也就是它的逆）。$e$、$q$ 是两者方向上的单位向量，$r$ 是它们正中间的单位向量。
#
# </div>
# <div lang="en">
#
# *5 minutes.* The straight-through arrow ignores where $z_e$ is. The **rotation trick** of 2024 makes it look: find the rotation $R$
# that turns $z_e$ into the direction of $z_q$, then scale to the length of $z_q$; treat both as constants. Forward it is still
# $z_q$; backward the gradient is turned back (multiplied by the transpose of $R$, which is its inverse). $e$ and $q$ are unit
# vectors in the two directions, $r$ the one halfway between them.
#
# </div>
#
# $$\hat z = \mathrm{sg}\Big[\tfrac{\|z_q\|}{\|z_e\|} R\Big]\, {\color{#E69F00} z_e}, \qquad R\,x = x - 2\,r\,(r \cdot x) + 2\,q\,(e \cdot x)$$

# %% jupyter={"source_hidden": true}
true_gradient = Predict(("旋转技巧给出的是真正的梯度吗？", "Does the rotation trick give the true gradient?"), [
    ("是，它算的是精确的导数", "yes, it computes the exact derivative"),
    ("不是，真正的梯度是 0", "no, the true gradient is 0"),
    ("只有 z_e 和 z_q 同方向时才是", "only where z_e and z_q have the same direction")])
true_gradient


# %%
def rotate(z_e, z_q):  # (N, D), (N, D) -> (N, D)
    with torch.no_grad():
        e, q = normalize(z_e), normalize(z_q)
        r, scale = normalize(e + q), z_q.norm(dim=1, keepdim=True) / z_e.norm(dim=1, keepdim=True)
    return scale * (z_e - 2 * r * (r * z_e).sum(dim=1, keepdim=True) + 2 * q * (e * z_e).sum(dim=1, keepdim=True))


lesson.GradientPlane({"straight_through(z_e, z_q)": straight_through, "rotation_trick(z_e, z_q)": rotation_trick})

# %% [markdown]
# <div lang="zh">
#
# 拖 $z_e$ 绕原点转一转：梯度与 $z_e$ 的夹角，总等于解码器给的梯度与 $z_q$ 的夹角；长度乘了 $\|z_q\| / \|z_e\|$。拖到原点附近，看它变得多长。
#
# 差别在哪儿？取同一个码字的 30 个点，解码器给它们**同一个**梯度，与 $z_q$ 平行：上排顺着 $z_q$，下排逆着。每个箭头是走一步的路线。
#
# 再量一量：在 2、8、64 维里，走一步之后，1000 个点的散布（标准差）变成原来的几倍。
#
# </div>
# <div lang="en">
#
# Drag $z_e$ around the origin: the angle between gradient and $z_e$ always equals the angle between the decoder's gradient and
# $z_q$; its length is multiplied by $\|z_q\| / \|z_e\|$. Drag it towards the origin and watch how long it grows.
#
# What is the difference? Take 30 points of one code; the decoder sends them all the **same** gradient, parallel to $z_q$: along
# it above, against it below. Each arrow is one step.
#
# Then measure, in 2, 8 and 64 dimensions, by what factor one step changes the spread (standard deviation) of 1000 points.
#
# </div>

# %% jupyter={"source_hidden": true}
true_gradient.hold()
true_gradient.reveal(1, because=(
    "第 1 节看过：真正的斜率几乎处处是 0。旋转技巧和直通一样，是另一种估计，只是保留了角度。",
    "Section 1 showed it: the true slope is 0 almost everywhere. Like straight-through, the rotation trick is an "
    "estimator; it keeps the angle."))
z_e, z_q, g = torch.randn(3, 100, 8, generator=torch.Generator().manual_seed(0))
both = [torch.autograd.functional.vjp(lambda e, way=way: way(e, z_q), z_e, g) for way in (rotate, rotation_trick)]
assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*both, strict=True))
classroom.say("rotate 和 vqlab.rotation_trick：值和梯度都相同", "rotate and vqlab.rotation_trick: the same value, the same gradient")
code_vector = torch.tensor([1.0, 0.8])
points = code_vector + 0.25 * torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
figure, axes = plt.subplots(2, 2, figsize=(5, 5), sharex=True, sharey=True)
for row, strength in zip(axes, (0.3, -0.3), strict=True):
    for ax, way in zip(row, (straight_through, rotation_trick), strict=True):
        lesson.draw_step(way, points, code_vector, strength * code_vector, ax)
classroom.show(figure, "四幅图：直通时 30 个箭头完全一样；旋转时每个箭头沿着过原点的直线，上排朝原点，下排背着原点。",
               "Four panels. Straight-through: 30 identical arrows. Rotation: each arrow on its own line through the origin, "
               "towards it above, away from it below.")
rows = []
for size in (2, 8, 64):
    code_vector = torch.ones(size) / size**0.5
    points = code_vector + 0.3 * torch.randn(1000, size, generator=torch.Generator().manual_seed(0)) / size**0.5
    for way in (straight_through, rotation_trick):
        along, against = (lesson.spread_after(way, points, code_vector, strength * code_vector) for strength in (0.3, -0.3))
        rows.append((f"D = {size:2}  {way.__name__:16}  顺着 z_q：× {along:.2f}  逆着：× {against:.2f}",
                     f"D = {size:2}  {way.__name__:16}  along z_q: × {along:.2f}  against: × {against:.2f}"))
classroom.say(*map("\n".join, zip(*rows, strict=True)))

# %% [markdown]
# <div lang="zh">
#
# **要点：** 直通是平移，散布不变。旋转时，**与 $z_q$ 平行的梯度**让各点沿自己的射线走（别的方向的梯度不会）：维数一多，梯度顺着 $z_q$，点就靠拢；逆着，就散开，去找别的码字。平面上看不出来：横向收拢，径向却拉长，几乎抵消。
#
# 论文报告 K = 1024 时，量化误差从 5.9e-3 降到 5.1e-4（表 1）；那是训练好的大模型，这里只是一步。
#
# </div>
# <div lang="en">
#
# **Takeaway:** straight-through is a shift, and the spread stays. With rotation a gradient **parallel to $z_q$** moves each
# point on its own ray (a gradient in another direction does not): in many dimensions one along $z_q$ draws the points
# together, one against it spreads them, off to other codes. The plane hides this: sideways they close up, but along the rays
# they stretch, and the two nearly cancel.
#
# The paper reports a quantization error of 5.1e-4 instead of 5.9e-3 at K = 1024 (table 1); those are large trained models,
# this is one step.
#
# </div>
#
# ## 我们看到了什么 · What we saw
#
# <div lang="zh">
#
# - 选码字这一步的真正斜率是 0；直通**假装**它是 1，只改反向。
# - 重建损失推动编码器和解码器，码本损失推动码本，承诺损失推动编码器。detach 的位置决定一切，光看损失的数值，什么也看不出来。
# - β 是绳子：静止时，$z_e$ 到码字的距离等于误差除以 β。
# - 有名的代码也会放错 β，看梯度就能发现。
# - 旋转技巧是另一种估计：保留角度，长度乘以 $\|z_q\| / \|z_e\|$。
#
# </div>
# <div lang="en">
#
# - The true slope of choosing a code is 0; straight-through **pretends** it is 1, backward only.
# - Reconstruction moves encoder and decoder, the codebook loss the codebook, the commitment loss the encoder. Where detach
#   stands decides; a loss's value tells nothing.
# - β is a leash: at rest, the distance from $z_e$ to its code is the error divided by β.
# - Famous code misplaces β too; the gradients give it away.
# - The rotation trick, another estimator, keeps the angle and multiplies the length by $\|z_q\| / \|z_e\|$.
#
# </div>
#
# ## 小测验 · Quiz

# %% jupyter={"source_hidden": true}
Quiz([
    Question(("训练 VQ-VAE 时只留重建损失，码字会怎样？",
              "A VQ-VAE is trained with the reconstruction loss alone. What do the codes do?"), [
        Option(("跟着解码器的梯度学", "learn from the decoder's gradient"), right=False,
               why=("直通那一行 detach 了 z_q，解码器的梯度到不了码本。",
                    "The straight-through line detaches z_q: the decoder's gradient never arrives.")),
        Option(("一动不动", "never move"), right=True,
               why=("对：那一列只有码本损失。", "Right: the codebook loss is alone in that column.")),
        Option(("被选中的那些会动", "move where they were chosen"), right=False,
               why=("码本损失才是这样；它不在。", "That is what the codebook loss does, and it is absent."))]),
    Question(("损失曲线完全正常，但码字不动。最先查什么？",
              "The loss curve looks normal, but the codes do not move. What do you check first?"), [
        Option(("码本损失用的是不是直通之后的结果", "whether the codebook loss uses the result of straight-through"),
               right=True, why=("对：数值一样，梯度却没有路。", "Right: the value is the same, but no path leads back.")),
        Option(("学习率是不是太大", "whether the learning rate is too large"), right=False,
               why=("太大时码字会乱跳，不会不动。", "Then codes would jump about, not stand still.")),
        Option(("β 是不是太小", "whether β is too small"), right=False,
               why=("β 只管编码器那一项，不影响码字的梯度。",
                    "β belongs to the encoder's term and does not touch the codes' gradient."))]),
    Question(("β = 0.25 被乘到了码本损失上。编码器收到的 VQ 梯度是应有的几倍？",
              "β = 0.25 multiplies the codebook loss by mistake. How large is the encoder's VQ gradient, compared to "
              "what it should be?"), [
        Option(("0.25 倍", "0.25 times"), right=False,
               why=("那是码本收到的。", "That is the codebook's.")),
        Option(("一样", "the same"), right=False,
               why=("相等的是损失的数值，不是梯度。", "The loss value is the same, not the gradient.")),
        Option(("4 倍", "4 times"), right=True,
               why=("对：本该乘 0.25，却乘了 1。", "Right: it should be times 0.25 and is times 1."))]),
    Question(("straight_through(z_e, z_q) 的值与 z_q 逐位相等吗？",
              "Is the value of straight_through(z_e, z_q) equal to z_q, bit by bit?"), [
        Option(("是，z_e 抵消了", "yes, z_e cancels"), right=False,
               why=("在纸上会抵消；浮点数每次加减都要舍入。", "On paper it does; in floating point every sum is rounded.")),
        Option(("不一定", "not always"), right=True,
               why=("对：三分之一以上的数不相等，bfloat16 里误差最大。",
                    "Right: more than a third differ, and by the most in bfloat16.")),
        Option(("总是不等", "never"), right=False,
               why=("多数还是相等的，数过了。", "Most of them are equal; we counted."))]),
    Question(("甲和乙的论文都写 β = 0.25。两个模型里承诺一样强吗？",
              "Two papers both say β = 0.25. Is the commitment equally strong in their models?"), [
        Option(("一样，数是同一个", "yes, it is the same number"), right=False,
               why=("对 D 求和还是取平均，就差 D 倍。", "Summing or averaging over D alone makes a factor of D.")),
        Option(("不一定，要看怎样取平均", "not necessarily: it depends on the averages"), right=True,
               why=("对，还要看重建损失的尺度，以及 β 放在哪一项。",
                    "Right; and on the scale of the reconstruction loss, and on which term carries β.")),
        Option(("码本一样大就一样", "yes, if the codebooks are equally large"), right=False,
               why=("码本大小不出现在这一项里。", "The size of the codebook does not occur in this term."))]),
])


# %% [markdown]
# ## 练习 · Exercises
#
# <div lang="zh">
#
# **练习一 ●○○ · 4 分钟。** 写一个函数：值就是 `x`，可是梯度经过它时乘以 `s`。（s = 0 就是 detach，s = −1 就是梯度反转。）只用 `detach` 和加减乘。
#
# </div>
# <div lang="en">
#
# **Exercise 1 ●○○ · 4 minutes.** Write a function whose value is `x`, but which multiplies a gradient on its way back by `s`.
# (s = 0 is detach; s = −1 is gradient reversal.) Use `detach`, sums and products only.
#
# </div>

# %%
def my_scale_gradient(x, s):  # any shape, a number -> the same shape
    ...


lesson.exercises.scale_gradient.check(my_scale_gradient)


# %% jupyter={"source_hidden": true}
def solution(x, s):
    return s * x + ((1 - s) * x).detach()


lesson.exercises.scale_gradient.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习二 ●●○ · 6 分钟。** 最小的码本：每个数只有 −1 和 +1 两个码字。写出这个量化器：前向是 `x.sign()`；反向时，|x| < 1 的地方梯度原样通过，|x| > 1 的地方停下（已经出界的不必再推）。（检查里没有恰好是 −1、0、1 的数。）
#
# </div>
# <div lang="en">
#
# **Exercise 2 ●●○ · 6 minutes.** The smallest codebook: two codes for each number, −1 and +1. Write this quantizer: forward
# it is `x.sign()`; backward the gradient passes unchanged where |x| < 1 and stops where |x| > 1 (what is out of bounds need
# not be pushed further). (No number in the check is exactly −1, 0 or 1.)
#
# </div>

# %%
def my_binary(x):  # any shape -> the same shape, −1 or +1
    ...


lesson.exercises.binary.check(my_binary)


# %% jupyter={"source_hidden": true}
def solution(x):
    soft = x.clamp(-1, 1)
    return soft + (x.sign() - soft).detach()


lesson.exercises.binary.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **练习三 ●●○ · 6 分钟。** 一批长短不一的序列要补齐，补上的向量不该算进损失。`keep` 是 (N,) 的布尔张量。写出 VQ 损失：只对留下的向量的所有元素取平均，β 放在对的一项上。数值对还不够，检查的是梯度。
#
# </div>
# <div lang="en">
#
# **Exercise 3 ●●○ · 6 minutes.** Sequences of unequal length are padded, and the padding should not count. `keep` is a
# boolean tensor (N,). Write the VQ loss as means over all elements of the kept vectors, with β on the right term. The right
# value is not enough: the gradients are what is checked.
#
# </div>

# %%
def my_vq_loss(z_e, z_q, keep, beta):  # (N, D), (N, D), (N,) bool, a number -> a scalar
    ...


lesson.exercises.vq_loss.check(my_vq_loss)


# %% jupyter={"source_hidden": true}
def solution(z_e, z_q, keep, beta):
    z_e, z_q = z_e[keep], z_q[keep]
    return mse_loss(z_q, z_e.detach()) + beta * mse_loss(z_e, z_q.detach())


lesson.exercises.vq_loss.check(solution, quiet=True)


# %% [markdown]
# <div lang="zh">
#
# **选做 ●●● · 8 分钟。** 不用自动求导：`g` 是重建损失在 `z_q` 处的梯度，写出 `z_e` 总共收到的梯度（直通的一份，加承诺损失的一份；承诺损失对所有元素取平均）。
#
# </div>
# <div lang="en">
#
# **Optional ●●● · 8 minutes.** Without autograd: `g` is the reconstruction loss's gradient at `z_q`; write the whole gradient
# that reaches `z_e` (what comes straight through, plus the commitment loss's share; that loss is a mean over all elements).
#
# </div>

# %%
def my_encoder_gradient(g, z_e, z_q, beta):
    ...


lesson.exercises.encoder_gradient.check(my_encoder_gradient)


# %% jupyter={"source_hidden": true}
def solution(g, z_e, z_q, beta):
    return g + beta * 2 * (z_e - z_q) / z_e.numel()


lesson.exercises.encoder_gradient.check(solution, quiet=True)


# %% [markdown]
# ## 8. 自己写一个 VQ-VAE · A VQ-VAE of your own
#
# <div lang="zh">
#
# *8 分钟。* 这一课的三样合起来，就是一个完整的量化器：最近的码字，两个损失，直通。十行。
#
# </div>
# <div lang="en">
#
# *8 minutes.* The three things of this lesson, put together, are a whole quantizer: the nearest code, two losses, straight
# through. Ten lines.
#
# </div>

# %%
class VQ(nn.Module):
    def __init__(self, K, D):
        super().__init__()
        self.codes = nn.Parameter(torch.empty(K, D).uniform_(-1 / K, 1 / K))

    def forward(self, z_e, beta=0.25):  # (B, D, H, W)
        rows = z_e.permute(0, 2, 3, 1)  # (B, H, W, D)
        tokens = torch.cdist(rows.flatten(0, 2), self.codes).argmin(dim=1)  # (B·H·W,)
        z_q = self.codes[tokens].view_as(rows)
        loss = mse_loss(z_q, rows.detach()) + beta * mse_loss(rows, z_q.detach())
        return (rows + (z_q - rows).detach()).permute(0, 3, 1, 2), loss, tokens


# %% jupyter={"source_hidden": true}
mine, theirs = VQ(16, 8), VectorQuantizer2(16, 8, commitment_weight=0.25)
theirs.embedding.weight.data = mine.codes.data
z = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
answers = []
for quantizer, weight in ((mine, mine.codes), (theirs, theirs.embedding.weight)):
    quantized, loss, indices = quantizer(z)
    answers.append((quantized, loss, indices, *torch.autograd.grad(loss + quantized.square().sum(), [z, weight])))
assert all(torch.allclose(a.double(), b.double(), atol=1e-5) for a, b in zip(*answers, strict=True))
classroom.say("和 vqlab 的一样：输出、损失、token、对 z_e 和对码字的梯度",
              "the same as vqlab's: output, loss, tokens, the gradients at z_e and at the codes")

# %% [markdown]
# <div lang="zh">
#
# 再用它训练一个 VQ-VAE：编码器是两层卷积，16 × 16 像素的手写数字变成 4 × 4 个 token，一共 32 种。加上量化器二十来行，几秒钟。
#
# </div>
# <div lang="en">
#
# Now train a VQ-VAE with it: an encoder of two convolutions turns handwritten digits of 16 × 16 pixels into 4 × 4 tokens, of
# which there are 32. With the quantizer it is some twenty lines, and a few seconds.
#
# </div>

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
train, unseen = digits()[0].split([1500, 297])
encoder, vq = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 8, 4, 2, 1)), VQ(32, 8)
decoder = nn.Sequential(nn.ConvTranspose2d(8, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1))
optimizer = torch.optim.Adam([*encoder.parameters(), *vq.parameters(), *decoder.parameters()], lr=2e-3)
for x in train[torch.randint(1500, (600, 128))]:  # 600 步 steps
    z_q, vq_loss, tokens = vq(encoder(x))
    loss = mse_loss(decoder(z_q), x) + vq_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% [markdown]
# <div lang="zh">
#
# 学会了吗？下面在没见过的数字上，和最笨的办法比一比：每次都画所有数字的平均。
#
# 然后是 token 的好处：它们是一种语言，可以接着**写**。要写某个位置，就找出左边那个 token 相同的训练数字，随便挑一个，照抄它在这个位置上的 token：这就是二元模型（bigram）。再要求上面那个 token 也相同，写出来的就更像数字。
#
# </div>
# <div lang="en">
#
# Did it learn? Below it is compared, on digits it has not seen, with the laziest method: always draw the mean of all digits.
#
# Then the reward of tokens: they are a language, in which one can go on **writing**. For each place, find the training digits
# with the same token to its left, and copy what one of them has in this place: a bigram model. Ask for the same token above
# as well, and what is written looks more like digits.
#
# </div>

# %% tags=["nbval-ignore-output"]
known = vq(encoder(train))[2].view(-1, 16)  # (1500, 16) tokens


def write(back):  # 往回看哪几个 which to look back at: 1 左 left, 4 上 above
    new = known[torch.randint(1500, (8,)), :1]  # (8, 1)
    for place in range(1, 16):
        same = [known[:, place - b] == new[:, [place - b]] for b in back if b <= place]  # each (8, 1500)
        chosen = torch.multinomial((torch.stack(same) + 1e-4).prod(dim=0), 1)[:, 0]  # (8,)
        new = torch.cat([new, known[chosen, place][:, None]], dim=1)
    return new  # (8, 16)


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
with torch.no_grad():
    again = decoder(vq(encoder(unseen))[0])
lazy = psnr(train.mean(dim=0, keepdim=True).expand_as(unseen), unseen).mean().item()
learnt, in_use = psnr(again, unseen).mean().item(), len(known.unique())
written = {back: write(back) for back in ((1,), (1, 4))}
copied = sum((new[:, None] == known).all(dim=2).any(dim=1).sum().item() for new in written.values())
with torch.no_grad():
    pictures = [decoder(vq.codes[new].view(8, 4, 4, 8).permute(0, 3, 1, 2)) for new in written.values()]
classroom.say(f"平均图 {lazy:.1f} dB，你的 VQ-VAE {learnt:.1f} dB；用到 {in_use} / 32 种 token",
              f"the mean picture {lazy:.1f} dB, your VQ-VAE {learnt:.1f} dB; {in_use} of 32 different tokens in use")
classroom.say(f"写出的 16 幅里，与某个训练数字完全相同的：{copied}", f"of the 16 pictures written, the same as a training digit: {copied}")
assert learnt > lazy + 5 and in_use > 12 and copied < 8
figure, axes = plt.subplots(4, 8, figsize=(5.6, 3.7))
figure.get_layout_engine().set(h_pad=0.18)
names = "没见过的 unseen", "重建 rebuilt", "写出：看左边 written, looking left", "写出：看左边和上面 written, looking left and up"
for row, name, shown in zip(axes, names, (unseen, again, *pictures), strict=True):
    classroom.draw_images(list(shown[:8]), [""] * 8, row)
    row[0].text(0, 1.1, name, fontsize=9, transform=row[0].transAxes, in_layout=False)
classroom.show(figure, "四行八列的小图：没见过的手写数字；从 token 重建的，笔画都在；只看左边写出的，笔画零乱；也看上面写出的，有几个像数字。",
               "Four rows of eight: unseen handwritten digits; rebuilt from tokens, every stroke there; written looking left only, "
               "strokes in disorder; looking up as well, some of them like digits.")

# %% [markdown]
# <div lang="zh">
#
# 这些图原来都没有：先写出 token，再由解码器照着画出来。看得越多，写得越像；第 7 课的 VAR 用 Transformer 看前面的**全部** token，还能指定写几。
#
# </div>
# <div lang="en">
#
# None of these pictures existed before: the tokens were written first, and the decoder drew what they say. The more a model
# looks at, the better it writes; VAR in lesson 7 looks at **all** earlier tokens with a transformer, and can be told which
# digit to write.
#
# </div>
#
# ## 来源 · Sources
#
# <div lang="zh">
#
# - 直通估计：Bengio 等（2013），arXiv 1308.3432。为什么“假装”也能学。
# - VQ-VAE 与 β：van den Oord 等（2017），arXiv 1711.00937，3.2 节。三个损失的原文，一页就能读完。
# - β 放错：CompVis/taming-transformers，`taming/modules/vqvae/quantize.py`，`VectorQuantizer2` 的 `legacy` 参数。对着第 6 节读。
# - 旋转技巧：Fifty 等（2024），arXiv 2410.06424，4.2 节与表 1。推导和大模型上的结果。
# - 数字图片：scikit-learn 的 `load_digits`。
#
# **接下来：** 第 4 课问，码字为什么会死，谁能救活它们。
#
# </div>
# <div lang="en">
#
# - Straight-through: Bengio et al. (2013), arXiv 1308.3432. Why pretending is enough to learn.
# - VQ-VAE and β: van den Oord et al. (2017), arXiv 1711.00937, section 3.2. The three losses in the original, one page.
# - The misplaced β: CompVis/taming-transformers, `taming/modules/vqvae/quantize.py`, the `legacy` argument of
#   `VectorQuantizer2`. Read it beside section 6.
# - The rotation trick: Fifty et al. (2024), arXiv 2410.06424, section 4.2 and table 1. The derivation, and results on large
#   models.
# - The digits: `load_digits` of scikit-learn.
#
# **Next:** lesson 4 asks why codes die, and who revives them.
#
# </div>
