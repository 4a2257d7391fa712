"""test_feedback.py - what follows from what a person does with suggestions, what is said after an answer, and
where results go: outcomes read from the text and from reports, silence after an undo or a paste, crucible/inlineUpdate,
partial results, and an editor that stops reading."""
import pathlib
import time

import pytest

from client import SLOWNESS, applied, initialize_params, items_of, span
from test_actions import IN_SUM, TEXT, URI, command, editor, params_with  # noqa: F401

BLOCK = ("int list_contains(const struct list *list, const char *name)\n{\n"
         "    for (const struct node *node = list->head; node; node = node->next) {",
         "\n        if (strcmp(node->name, name) == 0) {\n            return 1;\n        }")


def stats(server):
    return server.result("crucible/stats")["engine"]


def last_why(server):
    return server.result("crucible/stats")["trace"][0]["why"]


def put(server, uri, version, line, character, text):
    server.change(uri, version, (line, character, line, character, text))


def accept(server, item):
    server.call("workspace/executeCommand", {"command": item["command"]["command"],
                                             "arguments": item["command"]["arguments"]})


# -- outcomes --
def test_acceptance_that_nobody_reports_is_seen_in_the_text(served, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    item = server.inline(uri, line, character)[0]
    put(server, uri, 2, line, character, item["insertText"])
    told = stats(server)
    assert (told["taken"], told["accepted"], told["acceptedBytes"]) == (1, 1, len("node->weight;"))
    accept(server, item)  # and one that does is no second one
    told = stats(server)
    assert (told["taken"], told["accepted"], told["acceptedBytes"]) == (1, 1, len("node->weight;"))


@pytest.mark.parametrize("reports", [False, True])
def test_a_word_of_it_is_partly_taken(served, document, reports):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    item = server.inline(uri, line, character)[0]
    server.notify("textDocument/didShowCompletion", {"item": item})
    put(server, uri, 2, line, character, "node")
    if reports:
        server.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 4})
    told = stats(server)
    assert (told["seen"], told["partlyTaken"], told["acceptedBytes"]) == (1, 1, 4)


def test_report_alone_is_enough(served, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    item = server.inline(uri, line, character)[0]
    server.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 4})
    server.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 6})
    accept(server, item)
    accept(server, item)
    told = stats(server)
    assert (told["partlyTaken"], told["taken"], told["acceptedBytes"]) == (2, 1, len("node->weight;"))


def test_something_else_is_typed_over(served, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    assert server.inline(uri, line, character)
    put(server, uri, 2, line, character, "z")
    assert stats(server)["typedOver"] == 1
    assert stats(server)["taken"] == 0


def test_focus_on_another_document_ignores_it(served, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    assert server.inline(uri, line, character)
    server.notify("textDocument/didFocus", {"textDocument": {"uri": uri}})
    assert stats(server)["ignored"] == 0
    server.notify("textDocument/didFocus", {})
    assert stats(server)["ignored"] == 1


@pytest.mark.parametrize("method,params", [
    ("textDocument/didShowCompletion", {}), ("textDocument/didShowCompletion", {"item": {"command": {"arguments": [-1]}}}),
    ("textDocument/didShowCompletion", {"item": {"command": {"arguments": ["x"]}}}),
    ("textDocument/didPartiallyAcceptCompletion", {"item": {"command": {"arguments": [1]}}, "acceptedLength": 1e300}),
    ("textDocument/didPartiallyAcceptCompletion", {"item": 1, "acceptedLength": -1}),
    ("textDocument/didFocus", None), ("textDocument/didFocus", {"textDocument": {"uri": 7}}),
    ("textDocument/didFocus", {"textDocument": {"uri": "file:///nowhere.c"}})])
def test_nonsense_as_a_report_is_survived(quiet, method, params):
    server = quiet()
    server.is_lawless = True
    server.notify(method, params)
    server.barrier()
    assert stats(server)["accepted"] == 0


# -- after an undo, after a paste --
def test_after_an_undo_there_is_silence_until_a_key(served, sim, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    hole = server.inline(uri, line, character)[0]["insertText"]
    put(server, uri, 2, line, character, hole)
    server.change(uri, 3, (line, character, line, character + len(hole), ""))
    assert server.inline(uri, line, character) == []
    assert last_why(server) == "suppressed: after an undo"
    assert stats(server)["afterUndo"] == 1
    assert server.inline(uri, line, character, trigger=1)  # who asks is answered
    put(server, uri, 4, line, character, "n")
    assert server.inline(uri, line, character + 1)[0]["insertText"] == hole[1:]


def test_after_a_paste_there_is_silence_until_a_key(served, sim, document):
    server = served()
    uri, text, line, _ = document("        count += ", "node->weight;")
    server.open(uri, text)
    asked = len(sim.generations)
    put(server, uri, 2, line, 0, "    first(a);\n    second(b);\n    ")
    assert server.inline(uri, line + 2, 4) == []
    assert last_why(server) == "suppressed: after a paste"
    assert len(sim.generations) == asked
    put(server, uri, 3, line + 2, 4, "t")
    server.reply(server.ask_inline(uri, line + 2, 5))
    assert len(sim.generations) == asked + 1


def test_whole_texts_are_as_good_as_keys(served, sim, document):
    """Some editors send the whole text for each key; that is neither a paste nor the end of a flight."""
    hole = "node->weight;"
    server = served()
    uri, text, line, character = document("        count += ", hole)
    server.open(uri, text)
    assert server.inline(uri, line, character)[0]["insertText"] == hole
    asked = len(sim.generations)
    where = text.index("        count += ") + len("        count += ")
    for n in range(1, 6):
        server.change(uri, 1 + n, text[:where] + hole[:n] + text[where:])
        assert server.inline(uri, line, character + n)[0]["insertText"] == hole[n:]
    assert len(sim.generations) == asked


# -- crucible/inlineUpdate --
def with_updates():
    params = initialize_params()
    params["capabilities"]["experimental"] = {"crucible": {"inlineUpdates": True}}
    return params


def test_block_follows_its_first_line(served, sim, document):
    server = served(params=with_updates())
    uri, text, line, character = document(*BLOCK)
    sim.script(pieces=["\n        if (strcmp(node->name, name) == 0) {\n", "            return 1;\n", "        }", "\n    }\n"],
               token_ms=400)
    server.open(uri, text, version=3)
    items = server.inline(uri, line, character)
    assert items[0]["insertText"] == "\n        if (strcmp(node->name, name) == 0) {"
    server.wait(lambda: len(server.received("crucible/inlineUpdate")) >= 2, 10 * SLOWNESS)
    told = [m["params"] for m in server.received("crucible/inlineUpdate")]
    for update in told:
        assert (update["uri"], update["version"]) == (uri, 3)
        assert update["position"] == {"line": line, "character": character}
        assert update["items"][0]["range"] == items[0]["range"]
        assert update["items"][0]["command"] == items[0]["command"]
        assert update["items"][0]["insertText"].startswith(items[0]["insertText"])
    texts = [update["items"][0]["insertText"] for update in told]
    assert texts == sorted(set(texts), key=len)
    assert applied(text, told[-1]["items"][0]) == text[:0] + applied(text, {**items[0], "insertText": BLOCK[1]})
    assert len(sim.generations) == 1


def test_text_after_the_limit_comes_all_the_same(served, sim, document):
    server = served(params=with_updates())
    uri, text, line, character = document("    return ", "count;")
    sim.script(first_ms=6000)
    server.open(uri, text)
    assert server.inline(uri, line, character, timeout=8 * SLOWNESS) == []
    update = server.wait_for("crucible/inlineUpdate", 5 * SLOWNESS)["params"]
    assert update["items"][0]["insertText"] == "count;"
    assert len(sim.generations) == 1


def test_popup_over_its_budget_is_followed_by_ghost_text(served, sim, document):
    server = served({"completion": {"enabled": True}}, params=with_updates())
    uri, text, line, character = document("        count += ", "node->weight;")
    text = text.replace("count += \n", "count += no\n")
    sim.script(first_ms=700)
    server.open(uri, text)
    result = server.result("textDocument/completion", {"textDocument": {"uri": uri},
                                                       "position": {"line": line, "character": character + 2}})
    assert items_of(result) == []
    item = server.wait_for("crucible/inlineUpdate", 5 * SLOWNESS)["params"]["items"][0]
    assert item["insertText"] == "de->weight;"
    assert item["range"] == span(line, character + 2, line, character + 2)


@pytest.mark.parametrize("what", ["edit", "request", "cancel", "close"])
def test_nothing_is_told_once_things_have_moved_on(served, sim, document, what):
    server = served(params=with_updates())
    uri, text, line, character = document(*BLOCK)
    sim.script(pieces=["\n        if (strcmp(node->name, name) == 0) {\n", "            return 1;\n", "        }\n    }\n"],
               token_ms=700)
    server.open(uri, text)
    id = server.ask_inline(uri, line, character)
    assert items_of(server.reply(id)["result"])
    if what == "edit":
        put(server, uri, 2, 0, 0, "/")
    elif what == "request":
        server.reply(server.ask_inline(uri, 0, 0))
    elif what == "close":
        server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    else:  # the reply has come: nothing is left to cancel
        server.notify("$/cancelRequest", {"id": id})
        server.wait_for("crucible/inlineUpdate", 5 * SLOWNESS)
        return
    server.barrier()
    time.sleep(2)
    assert server.received("crucible/inlineUpdate") == []


def test_other_editors_hear_of_no_updates(served, sim, document):
    server = served()
    uri, text, line, character = document(*BLOCK)
    sim.script(pieces=["\n        if (strcmp(node->name, name) == 0) {\n", "            return 1;\n", "        }\n    }\n"],
               token_ms=400)
    server.open(uri, text)
    assert server.inline(uri, line, character)
    time.sleep(1.5)
    assert server.received("crucible/inlineUpdate") == []


def test_updates_keep_their_distance(served, sim, document):
    server = served(params=with_updates())
    uri, text, line, character = document(*BLOCK)
    sim.script(pieces=["\n        a0();\n"] + [f"        a{n}();\n" for n in range(1, 20)] + ["    }\n"], token_ms=30)
    server.open(uri, text)
    assert server.inline(uri, line, character)
    server.wait(lambda: any("a19" in m["params"]["items"][0]["insertText"] for m in server.received("crucible/inlineUpdate")),
                10 * SLOWNESS)
    assert 1 <= len(server.received("crucible/inlineUpdate")) <= 10  # twenty lines in 600 ms


# -- partial results --
@pytest.mark.parametrize("token", ["t", 7, "\"\\u00e9"])
def test_items_go_to_the_token_and_the_reply_is_empty(served, document, token):
    server = served({"completion": {"enabled": True}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
    result = server.result("textDocument/inlineCompletion",
                           {**place, "context": {"triggerKind": 2}, "partialResultToken": token})
    assert result == {"items": []}
    part, = [m["params"] for m in server.received("$/progress")]
    assert part["token"] == token
    assert applied(text, part["value"][0]).count("return count;") == 1
    result = server.result("textDocument/completion", {**place, "partialResultToken": token})
    assert result == {"isIncomplete": True, "items": []}
    part = [m["params"] for m in server.received("$/progress")][1]
    assert part["token"] == token and part["value"][0]["textEdit"]["newText"] == "count;"
    order = [m.get("method", "reply") for _, m in server.messages if m.get("method") == "$/progress" or "result" in m]
    assert order[-2:] == ["$/progress", "reply"]


def test_offers_go_to_the_token(editor):  # noqa: F811
    server = editor()
    params = {"textDocument": {"uri": URI}, "range": IN_SUM, "context": {"diagnostics": []}}
    whole = server.result("textDocument/codeAction", params)
    assert whole and server.result("textDocument/codeAction", {**params, "partialResultToken": "a"}) == []
    part, = [m["params"] for m in server.received("$/progress")]
    assert part == {"token": "a", "value": whole}


def test_nothing_to_say_is_no_partial_result(quiet):
    server = quiet()
    server.open("file:///w/a.c", "int x;\n")
    for method, empty in (("textDocument/inlineCompletion", {"items": []}),
                          ("textDocument/completion", {"isIncomplete": False, "items": []})):
        result = server.result(method, {"textDocument": {"uri": "file:///w/b.c"}, "position": {"line": 0, "character": 0},
                                        "context": {"triggerKind": 1}, "partialResultToken": "t"})
        assert result == empty
    assert server.received("$/progress") == []


@pytest.mark.parametrize("token", [None, True, 1.5, {}, [], "x" * 2000])
def test_what_is_no_token_is_as_if_it_werent_there(served, document, token):
    server = served()
    server.is_lawless = True
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    result = server.result("textDocument/inlineCompletion", {
        "textDocument": {"uri": uri}, "position": {"line": line, "character": character},
        "context": {"triggerKind": 2}, "partialResultToken": token})
    assert len(result["items"]) == 1
    assert server.received("$/progress") == []


# -- streams --
MARKS = str.maketrans("", "", "\\`")


def resident(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_editor_that_stops_reading_gets_the_newest_when_it_reads_again(editor, sim):  # noqa: F811
    server = editor(answers=True)
    sim.script(pieces=[f"{n:03} " for n in range(1000)], token_ms=5)
    for line in (0, 6, 13):
        command(server, "explain", span(line, 4, line, 20))
    server.wait(lambda: len({m["params"]["id"] for m in server.received("crucible/answer")}) == 3, 10 * SLOWNESS)
    before = resident(server)
    server.may_read.clear()
    assert sim.wait(lambda: all(g.get("outcome") == "done" for g in sim.generations), 60 * SLOWNESS)
    time.sleep(0.5)
    grown = resident(server) - before
    n_before = len(server.received("crucible/answer"))
    server.may_read.set()
    server.wait(lambda: len([m for m in server.received("crucible/answer") if m["params"]["done"]]) == 3, 20 * SLOWNESS)
    for message in server.received("crucible/answer"):
        if message["params"]["done"]:
            assert message["params"]["text"].split() == [f"{n:03}" for n in range(1000)]
    assert server.result("crucible/stats")["rpc"]["dropped"] > 0
    backlog = sum(len(m["params"]["text"]) for m in server.received("crucible/answer")[n_before:])
    assert backlog < 600 * 1024  # a pipe's, what was kept for it, and the last ones
    if SLOWNESS == 1:
        assert grown < 4 * 1024 * 1024


@pytest.mark.parametrize("size", [1, 3])
def test_letters_and_escapes_are_never_split(editor, sim, size):  # noqa: F811
    server = editor(answers=True)
    text = "Grün 数 😀 says \\n and \"quotes\", `code` \\u00e9. " * (1 if size == 1 else 2)
    sim.script(text=text, slice=size, token_ms=5)
    command(server, "explain", IN_SUM)
    last = server.wait_for("crucible/answer", 20 * SLOWNESS, lambda p: p["done"])["params"]["text"]
    told = [m["params"]["text"] for m in server.received("crucible/answer")]
    assert len(told) > 1
    said = last.translate(MARKS).strip()
    assert said == text.translate(MARKS).strip()
    for part in told:  # what Markdown would act on is marked as long as it isn't closed
        assert said.startswith(part.translate(MARKS).strip()), (part, last)
