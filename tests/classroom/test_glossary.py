"""The glossary: both languages, nothing twice, the terms that lessons may not translate otherwise."""

import re
from html import unescape

import pytest

from vqlab.classroom import GLOSSARY, glossary_table


@pytest.mark.parametrize("term", GLOSSARY.values(), ids=lambda term: term.en)
def test_each_term_is_whole(term):
    assert re.search("[\u4e00-\u9fff]", term.zh) and not re.search("[\u4e00-\u9fff]", term.en + term.meaning_en)
    assert term.meaning_zh.endswith("。") and term.meaning_en.endswith(".")
    assert not re.search("[\u4e00-\u9fff][A-Za-z0-9,;:!?]|[A-Za-z0-9][\u4e00-\u9fff]", term.meaning_zh)


def test_no_chinese_word_has_two_meanings():
    assert len({term.zh for term in GLOSSARY.values()}) == len(GLOSSARY)


@pytest.mark.parametrize("zh, en", [
    ("码本", "codebook"), ("码字", "code vector"), ("量化", "quantization"),
    ("直通估计", "straight-through estimator"), ("承诺损失", "commitment loss"),
    ("码本坍缩", "codebook collapse"), ("困惑度", "perplexity"), ("残差", "residual"),
    ("下一尺度预测", "next-scale prediction"),
])
def test_terms_as_agreed(zh, en):
    assert GLOSSARY[en].zh == zh


def test_the_table_holds_every_term_in_both_languages():
    html = unescape(glossary_table()._repr_html_())
    assert html.count("<tr>") == len(GLOSSARY)
    for language, texts in (("zh", [each for term in GLOSSARY.values() for each in (term.zh, term.meaning_zh)]),
                            ("en", [each for term in GLOSSARY.values() for each in (term.en, term.meaning_en)])):
        assert re.findall(f'<div lang="{language}">(.*?)</div>', html) == texts
