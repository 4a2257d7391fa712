"""test_hover.py - explanations: shown where the editor can show them, known again on hover, and unable to act."""
import pathlib
import re
import stat

import pytest

from client import SLOWNESS, span
from test_actions import IN_SUM, TEXT, URI, command, editor, params_with, shown  # noqa: F401  editor is a fixture

SAID = "Adds up **n** numbers.\n\n- returns `0` for none\n"
IN_CALL = (13, 12)  # "sum" in main


def hover(server, line, character, uri=URI):
    return server.result("textDocument/hover", {"textDocument": {"uri": uri},
                                                "position": {"line": line, "character": character}})


def explain(server, sim, where=IN_SUM, said=SAID):
    sim.script(text=said)
    command(server, "explain", where)


def answers(server):
    return [m["params"] for m in server.received("crucible/answer")]


def done(server, timeout=10):
    return server.wait(lambda: [a for a in answers(server) if a["done"]], timeout * SLOWNESS, "an answer")[0]


# -- where it is shown --


def test_plugins_get_the_text_as_it_grows(editor, sim):
    server = editor(answers=True)
    sim.script(text=SAID * 4, token_ms=10)
    command(server, "explain", span(2, 5, 2, 5))
    last = done(server, 20)
    texts = [a["text"] for a in answers(server)]
    assert len(texts) > 3 and all(b.startswith(a.rstrip()[:12]) for a, b in zip(texts, texts[1:]))
    assert last["text"] == SAID * 4 and last["title"] == "Explain sum" and last["uri"] == URI and "error" not in last
    assert {a["id"] for a in answers(server)} == {server.received("$/progress")[0]["params"]["token"]}
    assert not server.received("window/showDocument")


def test_plugins_hear_of_failures_in_the_same_place(editor, sim):
    server = editor(answers=True)
    sim.script(status=500, body={"error": {"message": "out of memory"}})
    command(server, "explain", IN_SUM)
    assert "out of memory" in done(server)["error"]
    assert not server.received("window/showMessage")


def test_other_editors_open_a_private_file(editor, sim, home):
    server = editor()
    explain(server, sim)
    params = server.wait_for("window/showDocument", 10 * SLOWNESS)["params"]
    path = pathlib.Path(params["uri"].removeprefix("file://"))
    assert path.parent == home / "run" / "crucible" and path.suffix == ".md"
    assert path.read_text().startswith("# Explain totl\n") and SAID in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.stop()
    assert not path.exists()


def test_editors_without_documents_get_a_message(editor, sim):
    server = editor(document=False)
    explain(server, sim)
    assert "Adds up **n** numbers." in shown(server, "Explain")["params"]["message"]


def test_answer_that_broke_off_is_shown_and_says_so(editor, sim):
    server = editor(answers=True)
    sim.script(text="It adds.", no_end=True)
    command(server, "explain", IN_SUM)
    text = done(server)["text"]
    assert text.startswith("It adds.") and "broke off" in text


def test_thinking_isnt_shown(editor, sim):
    server = editor(answers=True)
    sim.script(text="<think>What does it do? Sum, I guess.</think>\n\nIt adds.", token_ms=5)
    command(server, "explain", IN_SUM)
    assert done(server)["text"].strip() == "It adds."
    assert not any("guess" in a["text"] for a in answers(server))


# -- hovers --


def test_hover_is_null_until_it_was_explained_and_asks_no_model(editor, sim):
    server = editor(answers=True)
    assert hover(server, 2, 5) is None
    assert not sim.generations
    explain(server, sim, span(2, 5, 2, 5))
    done(server)
    found = hover(server, 2, 5)
    assert found["contents"]["value"] == SAID.strip()
    assert found["range"] == span(2, 4, 2, 7)
    assert hover(server, *IN_CALL)["contents"]["value"] == SAID.strip(), "where it is used, too"
    assert len(sim.generations) == 1


def test_moving_code_keeps_the_explanation_and_changing_it_doesnt(editor, sim):
    server = editor(answers=True)
    explain(server, sim, span(2, 5, 2, 5))
    done(server)
    server.change(URI, 2, (2, 0, 2, 0, "\n\n// moved down\n\n"))
    assert hover(server, 6, 5) is not None
    server.change(URI, 3, (8, 0, 8, 0, "  "))
    assert hover(server, 6, 5) is not None, "indentation isn't meaning"
    server.change(URI, 4, (8, 0, 8, 0, "static "))
    assert hover(server, 6, 5) is None


def test_hover_on_asks_and_is_one_flight_with_explain(editor, sim):
    server = editor(answers=True, settings={"hover": {"model": "on"}})
    sim.script(text=SAID, first_ms=200)
    id = server.request("textDocument/hover", {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 5}})
    command(server, "explain", span(2, 5, 2, 5))
    assert server.reply(id)["result"]["contents"]["value"] == SAID.strip()
    done(server)
    assert len(sim.generations) == 1


def test_newer_hover_an_edit_and_a_cancel_end_the_older(editor, sim):
    server = editor(settings={"hover": {"model": "on"}})
    sim.script(text=SAID, first_ms=3000)
    place = {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 5}}
    ids = [server.request("textDocument/hover", place)]
    ids.append(server.request("textDocument/hover", {**place, "position": {"line": 11, "character": 5}}))
    assert server.reply(ids[0])["error"]["code"] == -32800
    server.change(URI, 2, (0, 0, 0, 0, "x"))
    assert server.reply(ids[1])["error"]["code"] == -32800
    ids.append(server.request("textDocument/hover", place))
    server.notify("$/cancelRequest", {"id": ids[2]})
    assert server.reply(ids[2])["error"]["code"] == -32800


def test_hover_off_says_nothing(editor, sim):
    server = editor(answers=True, settings={"hover": {"model": "off"}})
    explain(server, sim, span(2, 5, 2, 5))
    done(server)
    assert hover(server, 2, 5) is None


@pytest.mark.parametrize("line, character", [(1, 0), (3, 0), (400, 0), (4, 16)])
def test_hover_where_no_symbol_stands_is_null(editor, line, character):
    server = editor(settings={"hover": {"model": "on"}})
    assert hover(server, line, character) is None


def test_hover_of_a_failing_model_is_silent(editor, sim):
    server = editor(settings={"hover": {"model": "on"}})
    sim.script(status=500)
    assert hover(server, 2, 5) is None
    assert not server.received("window/showMessage")


# -- Markdown that can't act --

HOSTILE = [
    "![x](https://evil.invalid/a.png)", "[click](command:workbench.action.quit)", "<img src=https://evil.invalid/a>",
    "see https://evil.invalid/a?x=1 or www.evil.invalid", "[a]: https://evil.invalid\n\n[a]", "![a][b]\n\n[b]: //evil.invalid/x",
    "<https://evil.invalid>", "me@evil.invalid", "`code` ![a](b) `", "``` ![a](b)", "\\![a](b)", "\\\\[a](b)", "&lt;img&gt;",
    "```c\nint x; ![a](b)\n```\n![a](b)", "- item\n    ```\n    ![a](b)\n  ```\n![a](b)", "> ```\n![a](b)", "    ![a](b)",
    "~~~\n```\n~~~\n![a](b)", "````\n```\n![a](b)\n````\n[x](y)", "`` ` ``[a](b)", "`a\nb` [a](b)", "<!-- [a](b) -->",
    "[![a](b)](c)", "![](http://e.invalid\n\"t\")", "javascript:alert(1)", "[a](<b c>)", "\u202e![a](b)", "$\\href{x}{y}$",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_markdown_cant_act(editor, sim, said):
    """Judged by a real parser: no link, no image, no HTML comes out."""
    markdown_it = pytest.importorskip("markdown_it")
    server = editor(answers=True)
    explain(server, sim, span(2, 5, 2, 5), "Well: " + said + "\n\nend")
    text = done(server)["text"]
    parsers = [markdown_it.MarkdownIt("commonmark"), markdown_it.MarkdownIt("gfm-like")]
    for parser in parsers:
        flat = [t for token in parser.parse(text) for t in [token, *(token.children or [])]]
        acting = [t.type for t in flat if re.search("link|image|html", t.type)]
        assert not acting, (text, acting)
    assert hover(server, 2, 5)["contents"]["value"] == text.rstrip()
