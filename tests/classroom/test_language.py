"""The language switch: what its rules may touch, and that it always prints the same."""

import re

from vqlab.classroom import bilingual, language, say, start

HTML = language.LanguageSwitch()._repr_html_()
RULES = re.findall(r"^(.*?) \{ display: none !important; \}", HTML, re.MULTILINE)


def test_no_rule_hides_a_language_of_the_page_itself():
    # the page is <html lang="en">: every rule must start at the notebook that holds the checked button,
    # and spare the switch's own labels
    assert RULES == [
        '.jp-Notebook:has(.vq-lang-zh:checked) [lang="en"]:not(.vq-lang *)',
        '.jp-Notebook:has(.vq-lang-en:checked) [lang="zh"]:not(.vq-lang *)',
    ]


def test_three_labelled_radio_buttons_of_which_both_is_checked():
    labels = re.findall(r"<label[^>]*><input ([^>]*)> ([^<]*)</label>", HTML)
    assert [text for _, text in labels] == ["中文", "English", "双语 · both"]
    assert [attributes.endswith("checked") for attributes, _ in labels] == [False, False, True]
    assert {re.search('name="(.*?)"', attributes)[1] for attributes, _ in labels} == {"vq-lang"}
    assert "<fieldset>" in HTML and "<legend>" in HTML


def test_keys_stay_in_the_switch_and_enter_sends_no_form():
    form = re.search("<form[^>]*>", HTML)[0]
    assert 'onkeydown="event.stopPropagation()"' in form and 'method="dialog"' in form


def test_without_its_style_the_switch_is_hidden_and_says_what_to_do():
    # JupyterLab drops <style> from outputs it does not trust: dead buttons would puzzle
    before_style = HTML.partition("<style>")[0]
    assert 'style="display:none"' in before_style and "Run this cell" in before_style
    assert ".vq-lang-off { display: none; }" in HTML


def test_what_is_the_same_in_both_languages_is_shown_once():
    assert bilingual("64 MiB", "64 MiB") == "64 MiB"
    assert bilingual("<K>", "<K>") == "&lt;K&gt;"


def test_bilingual_escapes():
    assert bilingual("a < b", "a & b") == '<span lang="zh">a &lt; b</span> <span lang="en">a &amp; b</span>'


def test_start_prints_one_fixed_line(capsys):
    start()
    assert capsys.readouterr().out == "语言 language: 中文 · English · 双语 both\n"


def test_what_a_cell_says_obeys_the_switch_keeps_its_lines_and_is_escaped(monkeypatch):
    shown = []
    monkeypatch.setattr(language, "display", lambda data, raw: shown.append(data))
    say("a < b\n第二行", "a > b\n  second")
    html = shown[0]["text/html"]
    assert ".vq-said { white-space: pre-wrap;" in HTML
    assert re.findall(r'<div lang="(..)" class="vq-said">([^<]*)</div>', html) == [
        ("zh", "a &lt; b\n第二行"), ("en", "a &gt; b\n  second")]
    assert shown[0]["text/plain"] == "a < b\n第二行\na > b\n  second"
