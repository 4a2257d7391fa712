"""test_inline.py - ghost text, from keystroke to model and back."""
import random
import time

import pytest

from client import REQUEST_CANCELLED, SLOWNESS, applied, initialize_params, items_of, position_of
from fixtures import TRUTH, settings_for

ENCODINGS = ["utf-8", "utf-16", "utf-32"]


def type_text(server, uri, version, line, character, text):
    server.change(uri, version, (line, character, line, character, text))


# -- the text is the truth --
@pytest.mark.parametrize("trigger", [1, 2])
@pytest.mark.parametrize("before,hole", [("    return ", "count;"), ("        count += ", "node->weight;"),
                                         ("    size_t count = ", "0;"), ("struct node *", "head;")])
def test_suggestion_is_what_comes_next(served, document, before, hole, trigger):
    server = served()
    uri, text, line, character = document(before, hole)
    server.open(uri, text)
    items = server.inline(uri, line, character, trigger)
    assert items and applied(text, items[0]) == TRUTH


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_range_is_in_the_encoding_agreed_on(served, sim, encoding):
    text = "x = '😀é漢'; y = "
    sim.script(text="f(x);")
    server = served(params=initialize_params((encoding,)))
    assert server.capabilities.get("positionEncoding", "utf-16") == encoding
    server.open("file:///w/a.py", text, "python")
    items = server.inline("file:///w/a.py", *position_of(text, len(text), encoding))
    assert items and applied(text, items[0], encoding) == text + "f(x);"


def test_range_is_always_there_and_on_one_line(served, document):
    server = served()
    uri, text, line, character = document("        if (strcmp(node->name, name)", " == 0) {")
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items
    for item in items:
        start, end = item["range"]["start"], item["range"]["end"]
        assert start["line"] == end["line"] == line
        assert start["character"] <= character <= end["character"]


def test_block_comes_whole_where_the_place_calls_for_one(served, document):
    server = served()
    uri, text, line, character = document(
        "int list_contains(const struct list *list, const char *name)\n{\n"
        "    for (const struct node *node = list->head; node; node = node->next) {",
        "\n        if (strcmp(node->name, name) == 0) {\n            return 1;\n        }")
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH


def test_carriage_returns_of_the_document_are_kept(served, sim):
    text = TRUTH.replace("\n", "\r\n")
    where = text.index("    size_t count = 0;")
    cut = text.index("    return count;")
    document = text[:where] + text[cut:]
    server = served()
    server.open("file:///w/a.c", document)
    line, character = position_of(document, where, "utf-8")
    items = server.inline("file:///w/a.c", line, character)
    result = applied(document, items[0]) if items else document
    assert "\n" not in result.replace("\r\n", "")


def test_text_arrives_while_the_model_still_writes(served, sim, document):
    uri, text, line, character = document("    return ", "count;")
    sim.script(pieces=["count;", "\n}\n\n"] + ["int more;\n"] * 100, token_ms=100)
    server = served()
    server.open(uri, text)
    started = time.monotonic()
    items = server.inline(uri, line, character)
    assert time.monotonic() - started < 3 * SLOWNESS
    assert items and items[0]["insertText"].startswith("count;")


def test_unknown_document_gets_an_empty_answer(served, sim):
    server = served()
    message = server.reply(server.ask_inline("file:///nowhere.c", 0, 0))
    assert "result" in message and items_of(message["result"]) == [] or message["error"]["code"] == -32602
    assert not sim.generations


# -- riding --
@pytest.mark.parametrize("trigger", [1, 2])
def test_typing_through_the_suggestion_asks_nobody_again(served, sim, document, trigger):
    hole = "node->weight;"
    server = served()
    uri, text, line, character = document("        count += ", hole)
    server.open(uri, text)
    assert applied(text, server.inline(uri, line, character, trigger)[0]) == TRUTH
    asked = len(sim.generations)
    for i, letter in enumerate(hole[:-1]):
        type_text(server, uri, 2 + i, line, character + i, letter)
        where = text.index("        count += ") + len("        count += ") + i
        text = text[:where] + letter + text[where:]
        items = server.inline(uri, line, character + i + 1)
        assert items and applied(text, items[0]) == TRUTH, f"after typing {hole[:i + 1]!r}"
    assert len(sim.generations) == asked


def test_typing_while_the_model_thinks_rides_the_same_flight(served, sim, document):
    hole = "node->weight;"
    server = served()
    uri, text, line, character = document("        count += ", hole)
    server.open(uri, text)
    sim.script(first_ms=400)
    first = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations)
    type_text(server, uri, 2, line, character, "no")
    second = server.ask_inline(uri, line, character + 2)
    assert server.reply(first)["error"]["code"] == REQUEST_CANCELLED
    items = items_of(server.reply(second)["result"])
    assert items and items[0]["insertText"].endswith("weight;")
    assert len(sim.generations) == 1


def test_typing_something_else_asks_again(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character)
    asked = len(sim.generations)
    sim.script(text="zzz;")
    type_text(server, uri, 2, line, character, "list->")
    items = server.inline(uri, line, character + 6)
    assert len(sim.generations) == asked + 1
    assert items and items[0]["insertText"] == "zzz;"


def test_closing_bracket_of_the_editor_is_not_doubled(served, sim, document):
    server = served()
    uri, text, line, character = document("        if (strcmp", "(node->name, name) == 0) {")
    server.open(uri, text)
    server.inline(uri, line, character)
    where = text.index("        if (strcmp") + len("        if (strcmp")
    text = text[:where] + "()" + text[where:]
    type_text(server, uri, 2, line, character, "()")
    items = server.inline(uri, line, character + 1)
    assert items and applied(text, items[0]) == TRUTH


def test_accepting_a_word_goes_on_from_there(served, sim, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    server.inline(uri, line, character)
    asked = len(sim.generations)
    type_text(server, uri, 2, line, character, "node->")
    items = server.inline(uri, line, character + 6)
    assert items and items[0]["insertText"] == "weight;"
    assert len(sim.generations) == asked


def test_popup_selection_is_continued(served, sim, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    where = text.index("        count += ") + len("        count += ")
    text = text[:where] + "no" + text[where:]
    server.open(uri, text)
    selected = {"range": {"start": {"line": line, "character": character},
                          "end": {"line": line, "character": character + 2}}, "text": "node"}
    items = server.inline(uri, line, character + 2, selectedCompletionInfo=selected)
    assert items
    assert items[0]["range"] == selected["range"]
    assert items[0]["insertText"] == "node->weight;"


def test_same_text_reopened_asks_nobody(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character)
    asked = len(sim.generations)
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH
    assert len(sim.generations) == asked


def test_cleared_cache_asks_again(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character)
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    server.call("workspace/executeCommand", {"command": "crucible.clearCache", "arguments": []})
    server.open(uri, text)
    asked = len(sim.generations)
    server.inline(uri, line, character)
    assert len(sim.generations) == asked + 1


def test_deleting_asks_once_it_is_over(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    typed = len("return ")
    ids = []
    with server.burst():
        for i in range(typed):
            server.change(uri, 2 + i, (line, character - i - 1, line, character - i, ""))
            ids.append(server.ask_inline(uri, line, character - i - 1))
    assert "result" in server.reply(ids[-1])
    assert all(server.reply(id)["error"]["code"] == REQUEST_CANCELLED for id in ids[:-1])
    assert len(sim.generations) < typed
    assert server.result("crucible/stats")["engine"]["heldOff"] > 0


def test_text_is_continued_before_its_end_is_reached(served, sim, document):
    hole = "first_line_of_it(a);\n    second_line_of_it(b);\n    third_line_of_it(c);\n    fourth_line_of_it(d);"
    server = served()
    uri, text, line, character = document("    return ", "count;")
    sim.script(text=hole)
    server.open(uri, text)
    assert server.inline(uri, line, character)[0]["insertText"] == "first_line_of_it(a);"
    asked = len(sim.generations)
    type_text(server, uri, 2, line, character, "first_line_of_it(a);")
    items = server.inline(uri, line, character + 20)
    assert items and items[0]["insertText"].startswith("\n    second_line_of_it")
    assert len(sim.generations) == asked
    assert sim.wait(lambda: len(sim.generations) == asked + 1)  # the person looks at it
    assert "second_line_of_it(b);" in str(sim.generations[-1]["body"])


# -- cancelling and superseding --
def test_cancel_is_answered_at_once_and_reaches_the_model(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=30_000)
    id = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations)
    cancelled = time.monotonic()
    server.notify("$/cancelRequest", {"id": id})
    assert server.reply(id)["error"]["code"] == REQUEST_CANCELLED
    assert server.reply_time(id) - cancelled < 0.25 * SLOWNESS
    assert sim.wait(lambda: sim.generations[0]["outcome"] == "aborted", 3)
    assert sim.generations[0]["n_tokens"] == 0


def test_cancel_twice_is_answered_once(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=30_000)
    id = server.ask_inline(uri, line, character)
    for _ in range(3):
        server.notify("$/cancelRequest", {"id": id})
    server.reply(id)
    server.barrier()
    assert len(server.replies(id)) == 1


def test_number_and_string_of_an_id_are_two(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=1000)
    id = server.ask_inline(uri, line, character)
    server.notify("$/cancelRequest", {"id": str(id)})
    assert "result" in server.reply(id)


def test_second_request_with_an_open_id_is_refused(served, sim, document):
    server = served()
    server.is_lawless = True
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=500)
    id = server.ask_inline(uri, line, character)
    server.request("crucible/nothing", id=id)
    server.wait(lambda: len(server.replies(id)) == 2, 8, "two replies")
    first, second = server.replies(id)
    assert first["error"]["code"] == -32600
    assert items_of(second["result"])


def test_newer_request_supersedes_the_older(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=400)
    old = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations)
    new = server.ask_inline(uri, line, character)
    assert server.reply(old)["error"]["code"] == REQUEST_CANCELLED
    assert items_of(server.reply(new)["result"])
    assert len(sim.generations) == 1


def test_change_answers_what_is_pending(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=30_000)
    id = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations)
    changed = time.monotonic()
    type_text(server, uri, 2, 0, 0, "// a comment\n")
    assert server.reply(id)["error"]["code"] == REQUEST_CANCELLED
    assert server.reply_time(id) - changed < 0.25 * SLOWNESS


def test_disagreeing_change_ends_the_exchange(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(pieces=["cou", "nt"] + [" x"] * 1000, token_ms=50)
    server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations and sim.generations[0]["n_tokens"] > 2)
    type_text(server, uri, 2, line, character, "zzz")
    assert sim.wait(lambda: sim.generations[0]["outcome"] == "aborted", 3)


def test_close_answers_what_is_pending(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=30_000)
    id = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations)
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    server.reply(id, 2 * SLOWNESS)
    assert sim.wait(lambda: sim.generations[0]["outcome"] == "aborted", 3)


def test_nothing_stale_is_ever_shown(served, sim):
    """A storm of keystrokes over a slow model: what is answered fits the text it was asked for."""
    seed = 11
    chooser = random.Random(seed)
    server = served()
    sim.script(first_ms=30, token_ms=5)
    where = TRUTH.index("int list_contains")
    text, end = TRUTH[:where], len(TRUTH)
    server.open("file:///w/a.c", text)
    asked = {}
    version = 1
    while where < end:
        step = chooser.randint(1, 3)
        piece = TRUTH[where:where + step]
        line, character = position_of(text, len(text), "utf-8")
        version += 1
        server.change("file:///w/a.c", version, (line, character, line, character, piece))
        text, where = text + piece, where + step
        line, character = position_of(text, len(text), "utf-8")
        asked[server.ask_inline("file:///w/a.c", line, character)] = text
        time.sleep(chooser.choice([0, 0.005, 0.03, 0.1]))
    n_shown = 0
    for id, before in asked.items():
        message = server.reply(id, 15)
        assert message.get("error", {}).get("code", REQUEST_CANCELLED) == REQUEST_CANCELLED
        for item in items_of(message.get("result")):
            n_shown += 1
            assert TRUTH.startswith(applied(before, item)), before[-30:]
    assert n_shown > 0
    assert len(sim.generations) < len(asked)


def test_ten_thousand_requests_get_ten_thousand_answers(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=2000)
    n = 10_000 // SLOWNESS
    ids = [server.ask_inline(uri, line, character) for _ in range(n)]
    for id in ids:
        server.notify("$/cancelRequest", {"id": id})
    for id in ids:
        server.reply(id, 30)
    server.barrier()
    assert all(len(server.replies(id)) == 1 for id in ids)


# -- what a model may say, and what of it is shown --
HOSTILE = {
    "escape sequences": ["a\x1b[31mb\x1b[0m;"], "bell and backspace": ["a\a\bb;"], "null byte": ["a\0b;"],
    "bidi override": ["a\u202eb\u202c;"], "bidi isolate": ["a\u2066b\u2069;"], "zero width": ["a\u200bb\u200d;"],
    "tag characters": ["a\U000e0041b;"], "byte order mark": ["a\ufeffb;"], "next line": ["a\u0085b;"],
    "delete": ["a\x7fb;"], "c1 control": ["a\x9bb;"], "split escape": ["a\x1b", "[31", "mb;"],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_dangerous_characters_never_reach_the_buffer(served, sim, document, name):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(pieces=HOSTILE[name])
    items = server.inline(uri, line, character)
    assert items and items[0]["insertText"][0] == "a"
    for item in items:
        for c in item["insertText"]:
            assert c.isprintable() or c in "\n\t", f"{ord(c):#x} in {item['insertText']!r}"
            assert not (0x200b <= ord(c) <= 0x200f or 0x202a <= ord(c) <= 0x202e or 0x2060 <= ord(c) <= 0x2069)


@pytest.mark.parametrize("token", ["<|fim_middle|>", "<|endoftext|>", "<|im_end|>", "<fim_suffix>", "<EOT>", "</s>"])
def test_control_token_ends_the_text(served, sim, document, token):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(pieces=["cou", "nt;", token[:3], token[3:], "rubbish"])
    items = server.inline(uri, line, character)
    assert items and items[0]["insertText"] == "count;"


@pytest.mark.parametrize("said", ["count;\n}\n\nint list_contains", "count;\n}"])
def test_repeated_suffix_is_cut(served, sim, document, said):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(text=said)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH


def test_repeated_rest_of_the_line_is_cut(served, sim):
    server = served()
    text = "x = f();\n"
    server.open("file:///w/a.c", text)
    sim.script(text="a, b);")
    items = server.inline("file:///w/a.c", 0, 6)
    assert items and applied(text, items[0]) == "x = f(a, b);\n"


def test_endless_text_ends(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(pieces=["count "], endless=True)
    started = time.monotonic()
    items = server.inline(uri, line, character, timeout=15)
    assert time.monotonic() - started < 8 * SLOWNESS
    assert all(len(i["insertText"]) <= 64 * 1024 for i in items)
    assert sim.wait(lambda: sim.generations[0]["outcome"] == "aborted", 10)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_slices_of_the_stream_change_nothing(served, sim, size):
    server = served()
    text = "x = "
    server.open("file:///w/a.c", text)
    sim.script(text="'é漢😀' + name;", slice=size)
    items = server.inline("file:///w/a.c", 0, 4)
    assert items and applied(text, items[0]) == "x = 'é漢😀' + name;"


# -- a model server that fails --
FAULTS = {
    "500": {"status": 500}, "502 of html": {"status": 502, "body": "<html>bad gateway</html>", "content_type": "text/html"},
    "503": {"status": 503}, "429": {"status": 429, "headers": {"Retry-After": "1"}}, "400": {"status": 400}, "404": {"status": 404},
    "401": {"status": 401}, "413": {"status": 413}, "redirect": {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}, "body": ""},
    "redirect of the post": {"status": 307, "headers": {"Location": "/infill"}, "body": ""},
    "html with 200": {"body": "<html><body>Sign in</body></html>", "content_type": "text/html"},
    "garbage with 200": {"body": "\x00\x01garbage" * 100}, "empty with 200": {"body": ""},
    "json that is no event": {"body": {"hello": "world"}}, "refused": {"refuse": True},
    "cut before the body": {"cut_at": 0}, "cut in an event": {"cut_at": 30}, "reset in an event": {"cut_at": 30, "reset": True},
    "error in the stream": {"error_after": 0}, "garbage in the stream": {"garbage_after": 0},
    "no last event": {"no_end": True, "pieces": []},
}


@pytest.mark.parametrize("name", FAULTS)
def test_failing_model_is_silence_and_recovers(served, sim, document, name):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(FAULTS[name])
    message = server.reply(server.ask_inline(uri, line, character), 10 * SLOWNESS)
    assert "result" in message, message
    for item in items_of(message["result"]):
        assert "html" not in item["insertText"] and "garbage" not in item["insertText"]
    server.barrier()
    sim.script({})

    def shows():
        items = items_of(server.reply(server.ask_inline(uri, line, character, trigger=1), 10).get("result"))
        return bool(items) and applied(text, items[0]) == TRUTH
    assert name == "401" or sim.wait(lambda: shows() or time.sleep(0.3), 20), "no recovery"


@pytest.mark.parametrize("text", ["", "   \n\n", "\u200b", "<|endoftext|>"], ids=repr)
def test_model_that_says_nothing_is_silence(served, sim, document, text):
    server = served()
    uri, buffer, line, character = document("    return ", "count;")
    server.open(uri, buffer)
    sim.script(text=text)
    assert server.inline(uri, line, character) == []
    assert server.inline(uri, line, character, trigger=1) == []


def test_stall_is_answered_in_time(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(stall_at=0)
    started = time.monotonic()
    message = server.reply(server.ask_inline(uri, line, character), 10 * SLOWNESS)
    assert "result" in message and items_of(message["result"]) == []
    assert time.monotonic() - started < 6 * SLOWNESS


def test_cut_text_is_not_cached(served, sim, document):
    server = served()
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    sim.script(pieces=["node", "->"], no_end=True)
    server.reply(server.ask_inline(uri, line, character))
    sim.script({})
    asked = len(sim.generations)
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert len(sim.generations) == asked + 1
    assert items and applied(text, items[0]) == TRUTH


@pytest.mark.parametrize("trigger", [1, 2])
def test_first_look_at_the_model_server_is_waited_for(config, start, sim, document, trigger):
    """Stock editors ask once per edit: an empty answer in the first second would stay one."""
    config(settings_for(sim))
    sim.script(header_ms=1, probes=True)
    server = start()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    items = server.inline(uri, line, character, trigger)
    assert items and applied(text, items[0]) == TRUTH


def test_loading_model_is_waited_for(config, start, sim, document):
    sim.script(loading=6)
    config(settings_for(sim))
    server = start()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)

    def shows():
        return items_of(server.reply(server.ask_inline(uri, line, character), 10).get("result"))
    assert sim.wait(lambda: shows() or time.sleep(0.2), 20)


def test_server_that_comes_later_is_found(config, start, document):
    import socket
    from simulator import Simulator
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config({"endpoints": [{"name": "sim", "kind": "llamacpp", "url": f"http://127.0.0.1:{port}"}],
            "models": {"inline": ["sim/tinycode"]}})
    server = start()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character) == []
    with Simulator([TRUTH], port) as sim:
        assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.2), 20)


@pytest.mark.parametrize("writer", ["bytes", "stalls"])
def test_way_of_writing_changes_no_suggestion(served, document, writer):
    server = served(writer=writer)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH


def test_asked_by_a_command_without_any_model_says_what_to_do_once(quiet, document):
    server = quiet()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    for _ in range(3):
        assert server.inline(uri, line, character) == [], "who types hears nothing"
    assert not server.received("window/showMessage")
    for _ in range(3):
        assert server.inline(uri, line, character, trigger=1) == []
    server.barrier()
    messages = [m["params"]["message"] for m in server.received("window/showMessage")]
    assert len(messages) == 1 and "none" in messages[0], messages
