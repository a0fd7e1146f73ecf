"""The terms of this field in both languages, each with one line that says what it is."""

from typing import NamedTuple

from vqlab.classroom.language import lines


class Term(NamedTuple):
    """One concept: its name and one sentence about it, in both languages."""

    zh: str
    en: str
    meaning_zh: str
    meaning_en: str


GLOSSARY = {term.en: term for term in (
    Term("向量量化", "vector quantization",
         "用码本里最近的码字代替每个向量。",
         "Replacing each vector by the nearest code in a codebook."),
    Term("码本", "codebook",
         "K 个 D 维码字组成的表。",
         "A table of K code vectors, each of D dimensions."),
    Term("码字", "code vector",
         "码本的一行；解码器看到的只有码字。",
         "One row of the codebook; codes are all that the decoder sees."),
    Term("量化", "quantization",
         "把连续的值变成有限个值之一，必然有损失。",
         "Turning a continuous value into one of finitely many; something is lost."),
    Term("索引", "index",
         "码字在码本里的行号，存储和传输的只是它。",
         "The row number of a code; it is all that is stored or sent."),
    Term("词元", "token",
         "模型读写的一个离散符号，这里就是一个码字的索引。",
         "A discrete symbol that a model reads and writes; here, the index of a code."),
    Term("编码器", "encoder",
         "把图像变成特征向量 z_e 的网络。",
         "The network that turns an image into feature vectors z_e."),
    Term("解码器", "decoder",
         "把码字 z_q 变回图像的网络。",
         "The network that turns code vectors z_q back into an image."),
    Term("重建", "reconstruction",
         "编码、量化、解码之后得到的图像。",
         "The image after encoding, quantizing and decoding."),
    Term("直通估计", "straight-through estimator",
         "前向用 z_q，反向把梯度原样交给 z_e。",
         "Forward uses z_q; backward hands its gradient to z_e unchanged."),
    Term("旋转技巧", "rotation trick",
         "用旋转加缩放把 z_e 变成 z_q，梯度随之转动。",
         "Turns z_e into z_q by a rotation and a scaling, so that the gradient turns with it."),
    Term("承诺损失", "commitment loss",
         "把编码器的输出拉向它选中的码字。",
         "Pulls the encoder's output towards the code it chose."),
    Term("码本损失", "codebook loss",
         "把选中的码字拉向编码器的输出。",
         "Pulls the chosen code towards the encoder's output."),
    Term("停止梯度", "stop gradient",
         "前向照常，反向当作常数。",
         "The value passes forward; backward it counts as a constant."),
    Term("码本坍缩", "codebook collapse",
         "只有少数码字被选中，其余都闲置。",
         "Only a few codes are ever chosen; the rest lie idle."),
    Term("死码字", "dead code",
         "长期没有任何向量选中的码字。",
         "A code that no vector has chosen for a long time."),
    Term("困惑度", "perplexity",
         "e 的熵次方（熵用自然对数）：相当于有多少个码字被均匀使用。",
         "e to the entropy in nats: as if that many codes were used equally often."),
    Term("使用率", "usage",
         "至少被选中一次的码字所占的比例。",
         "The share of codes that are chosen at least once."),
    Term("滑动平均", "exponential moving average (EMA)",
         "新值占一小份，旧平均占其余，越久远影响越小。",
         "A small part new value, the rest old average: the past fades."),
    Term("k 均值", "k-means",
         "轮流分配最近的中心、再把中心移到均值。",
         "Assign each point to its nearest centre, move centres to means, repeat."),
    Term("维诺图", "Voronoi diagram",
         "平面上的每一点归最近的码字，由此划分区域。",
         "The plane divided by which code is nearest."),
    Term("残差", "residual",
         "还没有被表示出来的部分：原值减去目前的近似。",
         "What is not yet represented: the value minus its approximation so far."),
    Term("多尺度", "multi-scale",
         "从粗到细，每个尺度各有一张索引图。",
         "From coarse to fine, with one map of indices a scale."),
    Term("下一尺度预测", "next-scale prediction",
         "已知较粗的尺度，一次预测下一个尺度的全部词元。",
         "Given the coarser scales, predict all tokens of the next one at once."),
    Term("先验", "prior",
         "索引的概率模型，从中采样就能生成新图像。",
         "A probability model of the indices; sampling from it makes new images."),
    Term("掩码", "mask",
         "注意力里谁可以看谁的表。",
         "The table of who may look at whom in attention."),
    Term("无分类器引导", "classifier-free guidance",
         "把有类别和没有类别的 logits 拉得更开，让结果更像所要的类别。",
         "Pushing the logits with a class away from those without one, so that the result is more like that class."),
    Term("键值缓存", "key-value cache",
         "留下已写部分的键和值，每一步只算新的 token。",
         "Keys and values of what is written are kept, so each step computes new tokens only."),
    Term("似然", "likelihood",
         "模型给一串已知 token 的概率，也就是它写出这一串的可能。",
         "The probability that a model gives to known tokens: how likely it would be to write them."),
    Term("有限标量量化", "finite scalar quantization (FSQ)",
         "每一维各自取整到少数几级，不需要学习码本。",
         "Each dimension is rounded to a few levels; no codebook is learnt."),
    Term("码率", "rate",
         "平均每像素的比特数。",
         "The number of bits a pixel, on average."),
    Term("失真", "distortion",
         "重建与原图的差别，通常是平方距离的平均（均方误差）。",
         "How far the reconstruction is from the original, usually as mean squared error."),
    Term("峰值信噪比", "peak signal-to-noise ratio (PSNR)",
         "以分贝表示的重建质量，误差越小越高。",
         "Reconstruction quality in decibels: the smaller the error, the higher."),
)}


class GlossaryTable:
    """What `glossary_table` returns: shows itself as an HTML table in both languages, and always prints the same."""

    def _repr_html_(self) -> str:
        return "<table>" + "".join(
            f'<tr><td style="text-align:left"><strong>{lines(term.zh, term.en)}</strong></td>'
            f'<td style="text-align:left">{lines(term.meaning_zh, term.meaning_en)}</td></tr>'
            for term in GLOSSARY.values()) + "</table>"

    def __repr__(self) -> str:
        return f"术语表 glossary: {len(GLOSSARY)}"


def glossary_table() -> GlossaryTable:
    """Return all terms of `GLOSSARY` with their meanings, as a table to display."""
    return GlossaryTable()
