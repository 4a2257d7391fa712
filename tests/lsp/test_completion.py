"""test_completion.py - the popup's entry, for editors without ghost text."""
import time

import pytest

from client import REQUEST_CANCELLED, SLOWNESS, initialize_params, items_of, offset_of
from fixtures import TRUTH

NO_GHOST = {"params": initialize_params(("utf-8",), inline=False)}


def ask(server, uri, line, character, kind=1):
    return server.request("textDocument/completion", {
        "textDocument": {"uri": uri}, "position": {"line": line, "character": character}, "context": {"triggerKind": kind}})


def accepted(text, item):
    """The text after the editor has put the entry in."""
    edit = item["textEdit"]
    place = edit.get("range") or edit["replace"]
    start, end = offset_of(text, place["start"], "utf-8"), offset_of(text, place["end"], "utf-8")
    return text[:start] + edit["newText"] + text[end:]


def asked_until_shown(server, sim, uri, line, character):
    """The popup has a hard budget; what comes later is there at the next request."""
    result = None

    def shown():
        nonlocal result
        result = server.reply(ask(server, uri, line, character))["result"]
        return items_of(result)
    assert sim.wait(lambda: shown() or time.sleep(0.1), 8)
    return result


def test_entry_is_what_comes_next(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    result = asked_until_shown(server, sim, uri, line, character)
    assert result["isIncomplete"] is True
    assert len(result["items"]) == 1
    assert accepted(text, result["items"][0]) == TRUTH


def test_entry_never_pushes_itself_forward(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    item = asked_until_shown(server, sim, uri, line, character)["items"][0]
    assert not item.get("preselect")
    assert item["sortText"] > "zzzz"
    assert not item.get("command", {}).get("command", "crucible.").strip("crucible.").startswith("/")


def test_entry_continues_the_word_that_is_typed(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("        count += ", "node->weight;")
    where = text.index("        count += ") + len("        count += ")
    text = text[:where] + "no" + text[where:]
    server.open(uri, text)
    item = asked_until_shown(server, sim, uri, line, character + 2)["items"][0]
    assert accepted(text, item) == TRUTH
    place = item["textEdit"].get("range") or item["textEdit"]["insert"]
    assert place["start"]["line"] == place["end"]["line"] == line
    covered = text[offset_of(text, place["start"], "utf-8"):offset_of(text, place["end"], "utf-8")]
    assert item.get("filterText", item["label"]).startswith(covered)


def test_whole_text_stands_in_the_documentation(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("        if (strcmp", "(node->name, name) == 0) {")
    server.open(uri, text)
    item = asked_until_shown(server, sim, uri, line, character)["items"][0]
    if "documentation" not in item:
        item = server.result("completionItem/resolve", item)
    documentation = item["documentation"]
    shown = documentation["value"] if isinstance(documentation, dict) else documentation
    assert "(node->name, name) == 0) {" in shown


def test_resolve_changes_nothing_that_was_chosen_by(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    item = asked_until_shown(server, sim, uri, line, character)["items"][0]
    resolved = server.result("completionItem/resolve", item)
    for key in ("label", "sortText", "filterText", "insertText", "textEdit"):
        assert resolved.get(key) == item.get(key)


@pytest.mark.parametrize("item", [{"label": "x"}, {"label": "x", "data": {"garbage": [1]}}, {"label": "x", "data": "y"}, {}])
def test_resolve_of_anothers_item_gets_one_answer(quiet, item):
    server = quiet()
    server.is_lawless = True
    message = server.call("completionItem/resolve", item)
    assert "result" in message or message["error"]["code"] == -32602


@pytest.mark.parametrize("script", [{"first_ms": 30_000}, {"stall_at": 0}, {"stall_at": 40}, {"loading": 50}, {"header_ms": 50}],
                         ids=lambda s: next(iter(s)))
def test_budget_is_hard(served, sim, document, script):
    server = served(**NO_GHOST)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(script)
    started = time.monotonic()
    server.reply(ask(server, uri, line, character))
    assert time.monotonic() - started < 0.6 * SLOWNESS


def test_popup_is_off_where_ghost_text_is_asked_for(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character)
    assert items_of(server.reply(ask(server, uri, line, character))["result"]) == []


def test_popup_is_on_where_it_is_wanted(served, sim, document):
    server = served({"completion": {"enabled": True}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character)
    assert asked_until_shown(server, sim, uri, line, character)["items"]


def test_late_text_is_there_at_the_next_key(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("        count += ", "node->weight;")
    server.open(uri, text)
    sim.script(first_ms=500)
    assert items_of(server.reply(ask(server, uri, line, character))["result"]) == []
    time.sleep(0.8 * SLOWNESS)
    server.change(uri, 2, (line, character, line, character, "n"))
    where = text.index("        count += ") + len("        count += ")
    text = text[:where] + "n" + text[where:]
    started = time.monotonic()
    items = items_of(server.reply(ask(server, uri, line, character + 1, kind=3))["result"])
    assert items and accepted(text, items[0]) == TRUTH
    assert time.monotonic() - started < 0.2 * SLOWNESS
    assert len(sim.generations) == 1


def test_newer_request_supersedes_the_older(served, sim, document):
    server = served(**NO_GHOST)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(first_ms=30_000)
    ids = [ask(server, uri, line, character) for _ in range(5)]
    messages = [server.reply(id) for id in ids]
    for message in messages:
        assert message.get("error", {}).get("code", REQUEST_CANCELLED) == REQUEST_CANCELLED
    assert len(sim.generations) <= 1


def test_documentation_is_resolved_when_the_client_can(served, sim, document):
    """Popups are asked for with each key: what only one who looks at the item needs comes when it is looked at."""
    uri, text, line, character = document("    return ", "count;")
    params = initialize_params(inline=False)
    item = params["capabilities"]["textDocument"]["completion"]["completionItem"]
    item["documentationFormat"] = ["markdown", "plaintext"]
    item["resolveSupport"] = {"properties": ["documentation", "detail", "additionalTextEdits"]}
    server = served(params=params)
    server.open(uri, text)
    place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
    items = server.result("textDocument/completion", place)["items"]
    assert len(items) == 1 and "documentation" not in items[0] and items[0]["data"] == {"language": "c"}
    resolved = server.result("completionItem/resolve", items[0])
    assert resolved["documentation"] == {"kind": "markdown", "value": "```c\ncount;\n```"}
    assert {k: v for k, v in resolved.items() if k != "documentation"} == items[0]
    foreign = {"label": "x", "data": {"other": 1}}
    assert server.result("completionItem/resolve", foreign) == foreign
