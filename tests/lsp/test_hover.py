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
    server = editor(answers=True, settings={"dedup": {"similarityThreshold": 1}})
    explain(server, sim, span(2, 5, 2, 5))
    done(server)
    server.change(URI, 2, (2, 0, 2, 0, "\n\n// moved down\n\n"))
    assert hover(server, 6, 5) is not None
    server.change(URI, 3, (8, 0, 8, 0, "  "))
    assert hover(server, 6, 5) is not None, "indentation isn't meaning"
    server.change(URI, 4, (8, 0, 8, 0, "static "))
    assert hover(server, 6, 5) is None


# -- similar code --

LONGER = """#include <stdio.h>

int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        if (numbers[i] < 0) {
            fprintf(stderr, "number %d is negative\\n", i);
            continue;
        }
        total += numbers[i];
    }
    printf("%d numbers, %d in sum\\n", n, total);
    return total;
}
"""
OTHER_BODY = """{
    struct tree *tree = tree_plant(n);
    while (!tree_is_grown(tree)) {
        tree_water(tree, numbers);
    }
    return tree_harvest(tree);
}
"""
IN_HEAD = (2, 5)


def replace_text(server, version, text):
    server.change(URI, version, (0, 0, 100, 0, text))


def dedup(server):
    return server.result("crucible/stats")["dedup"]


def renamed(text):
    return re.sub(r"\btotal\b", "running_sum", text)


def commented(text):
    return text.replace("        total +=", "        /* what is negative doesn't count */\n        total +=")


def grown(text):
    return text.replace("    return total;", "    total *= 2;\n    return total;")


@pytest.fixture
def explained(editor, sim):
    """A server that has explained `sum`."""
    def run(**how):
        server = editor(text=LONGER, answers=True, **how)
        explain(server, sim, span(*IN_HEAD, *IN_HEAD))
        done(server)
        return server
    return run


@pytest.mark.parametrize("edit", [renamed, commented, grown, lambda text: commented(renamed(text))],
                         ids=["renamed", "commented", "grown", "both"])
def test_explanation_survives_what_hardly_changes_the_code_and_says_so(explained, sim, edit):
    server = explained()
    replace_text(server, 2, edit(LONGER))
    said = hover(server, *IN_HEAD)["contents"]["value"]
    assert said.startswith(SAID.strip()), said
    note = said[len(SAID.strip()):].strip()
    assert note.startswith("*(Said of this code before") and ("alike" in note) == (edit is grown), note
    figures = dedup(server)
    assert figures["similarity"] and figures["similarHits"] == 1 and figures["entries"] == 1
    why = server.result("crucible/stats")["trace"][0]["why"]
    assert re.fullmatch(r"similar: flight \d+, (0\.\d\d|1\.00)", why), why
    replace_text(server, 3, LONGER)
    assert hover(server, *IN_HEAD)["contents"]["value"] == SAID.strip(), "its own code needs no note"
    assert len(sim.generations) == 1


def test_explanation_doesnt_survive_another_body_language_or_symbol(explained, sim):
    server = explained()
    replace_text(server, 2, LONGER[:LONGER.index("{")] + OTHER_BODY)
    assert hover(server, *IN_HEAD) is None
    replace_text(server, 3, commented(LONGER).replace("int sum(", "int add("))
    assert hover(server, *IN_HEAD) is None
    other = "file:///w/sum.cpp"
    server.open(other, commented(LONGER), "cpp")
    assert hover(server, *IN_HEAD, uri=other) is None
    assert dedup(server)["similarHits"] == 0


def test_explain_again_at_once_asks_anew_and_raises_the_threshold(explained, sim):
    server = explained()
    before = dedup(server)["threshold"]
    assert before == 0.85
    replace_text(server, 2, grown(LONGER))
    command(server, "explain", span(*IN_HEAD, *IN_HEAD))
    server.wait(lambda: len([a for a in answers(server) if a["done"]]) == 2, 10 * SLOWNESS, "the similar answer")
    assert "Said of this code before" in answers(server)[-1]["text"] and len(sim.generations) == 1
    explain(server, sim, span(*IN_HEAD, *IN_HEAD), said="Adds up, twice.\n")
    server.wait(lambda: len([a for a in answers(server) if a["done"]]) == 3, 10 * SLOWNESS, "the new answer")
    assert answers(server)[-1]["text"].strip() == "Adds up, twice." and len(sim.generations) == 2
    figures = dedup(server)
    assert figures["refused"] == 1 and figures["threshold"] > before
    assert hover(server, *IN_HEAD)["contents"]["value"] == "Adds up, twice."


def test_changed_code_is_explained_anew(explained, sim):
    server = explained()
    replace_text(server, 2, LONGER[:LONGER.index("{")] + OTHER_BODY)
    explain(server, sim, span(*IN_HEAD, *IN_HEAD), said="Grows a tree.\n")
    server.wait(lambda: len([a for a in answers(server) if a["done"]]) == 2, 10 * SLOWNESS, "the new answer")
    assert answers(server)[-1]["text"].strip() == "Grows a tree."


@pytest.mark.parametrize("settings", [{"dedup": {"similarityThreshold": 1}}, {"cache": {"entries": 0}}])
def test_similarity_can_be_switched_off(explained, settings):
    server = explained(settings=settings)
    replace_text(server, 2, commented(LONGER))
    assert hover(server, *IN_HEAD) is None
    assert dedup(server)["similarHits"] == 0


def test_edits_and_own_questions_are_never_answered_from_similar_code(editor, sim):
    own = {"title": "Review", "prompt": "What is wrong with this? {code}", "output": "show"}
    server = editor(text=LONGER, answers=True, settings={"actions": [own]})
    for version, text in ((2, LONGER), (3, commented(LONGER))):
        replace_text(server, version, text)
        sim.script(text="Nothing is wrong.\n")
        command(server, "explain", span(*IN_HEAD, *IN_HEAD), action="Review")
        server.wait(lambda n=version - 1: len([a for a in answers(server) if a["done"]]) == n, 10 * SLOWNESS, "an answer")
    assert len(sim.generations) == 2
    assert dedup(server)["entries"] == 0 and dedup(server)["similarHits"] == 0


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
