"""test_actions.py - code actions from the titles to the edit: what is offered when, what is applied, and what
is refused in words. The model is scripted; every edit is applied as an editor would."""
import time

import pytest

from client import NO_ANSWER, REQUEST_CANCELLED, SLOWNESS, initialize_params, offset_of, span

URI = "file:///w/sum.c"
TEXT = """#include <stdio.h>

int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        totl += numbers[i];
    }
    return total;
}

int main(void)
{
    return sum(0, 0);
}
"""
BLOCK = TEXT[TEXT.index("int sum"):TEXT.index("\n\nint main")]
FIXED = BLOCK.replace("totl +=", "total +=")
REPORT = [{"range": span(6, 8, 6, 12), "severity": 1, "message": "use of undeclared identifier 'totl'"}]
REQUEST_FAILED = -32803


def params_with(resolve=("edit", "command"), data=True, answers=False, instructions=False, tags=False, literal=True,
                name="pytest", progress=True, document=True, changes=True):
    params = initialize_params()
    action = {"dataSupport": data, "isPreferredSupport": True}
    if literal:
        action["codeActionLiteralSupport"] = {"codeActionKind": {"valueSet": ["", "quickfix", "refactor"]}}
    if resolve:
        action["resolveSupport"] = {"properties": list(resolve)}
    if tags:
        action["tagSupport"] = {"valueSet": [1]}
    capabilities = params["capabilities"]
    capabilities["textDocument"]["codeAction"] = action
    capabilities["textDocument"]["hover"] = {"contentFormat": ["markdown", "plaintext"]}
    capabilities["window"]["workDoneProgress"] = progress
    capabilities["window"]["showDocument"] = {"support": document}
    capabilities["workspace"]["workspaceEdit"] = {"documentChanges": changes}
    if answers or instructions:
        capabilities["experimental"] = {"crucible": {"answers": answers, "instructions": instructions}}
    params["clientInfo"]["name"] = name
    return params


def fenced(code, language="c"):
    return f"```{language}\n{code}\n```"


@pytest.fixture
def editor(served, sim):
    def run(text=TEXT, uri=URI, language="c", settings=None, **how):
        server = served({"models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"]}, **(settings or {})},
                        params=params_with(**how))
        server.open(uri, text, language)
        return server
    return run


def offered(server, range_, diagnostics=(), trigger=None, only=None, uri=URI):
    context = {"diagnostics": list(diagnostics)}
    if trigger:
        context["triggerKind"] = trigger
    if only is not None:
        context["only"] = only
    return server.result("textDocument/codeAction", {"textDocument": {"uri": uri}, "range": range_, "context": context})


def titled(actions, word):
    found = [a for a in actions if a["title"].startswith(word)]
    assert len(found) == 1, [a["title"] for a in actions]
    return found[0]


def changed(text, edit, encoding="utf-8", uri=URI):
    """`text` after a WorkspaceEdit that may touch this document only."""
    if "documentChanges" in edit:
        assert len(edit["documentChanges"]) == 1 and edit["documentChanges"][0]["textDocument"]["uri"] == uri
        edits = edit["documentChanges"][0]["edits"]
    else:
        assert list(edit["changes"]) == [uri]
        edits = edit["changes"][uri]
    assert len(edits) == 1
    start = offset_of(text, edits[0]["range"]["start"], encoding)
    end = offset_of(text, edits[0]["range"]["end"], encoding)
    return text[:start] + edits[0]["newText"] + text[end:]


def command(server, name, range_, uri=URI, **more):
    return server.result("workspace/executeCommand",
                         {"command": f"crucible.{name}", "arguments": [{"uri": uri, "range": range_, **more}]})


def shown(server, word, timeout=10):
    return server.wait_for("window/showMessage", timeout * SLOWNESS, lambda p: word in p["message"])


def applied_edit(server, timeout=10):
    return server.wait_for("workspace/applyEdit", timeout * SLOWNESS)["params"]["edit"]


IN_SUM = span(6, 10, 6, 10)

# -- what is offered --


def test_titles_come_at_once_and_without_a_model(editor, sim):
    server = editor()
    asked = len(sim.generations)
    actions = offered(server, IN_SUM, REPORT)
    titles = [a["title"] for a in actions]
    assert titles == ["Explain (Crucible)", "Fix: use of undeclared identifier 'totl' (Crucible)", "Document (Crucible)",
                      "Write tests (Crucible)"]
    assert [a["kind"] for a in actions] == ["crucible.explain", "quickfix", "refactor.rewrite.document",
                                            "refactor.rewrite.tests"]
    assert not any(a.get("isPreferred") or a["kind"].startswith("source") or "edit" in a for a in actions)
    assert actions[1]["diagnostics"] == REPORT
    assert len(sim.generations) == asked


def test_automatic_asking_offers_only_fixes_for_what_is_reported(editor):
    server = editor()
    assert offered(server, IN_SUM, trigger=2) == []
    assert [a["kind"] for a in offered(server, IN_SUM, REPORT, trigger=2)] == ["quickfix"]


def test_only_what_is_asked_for_is_offered(editor):
    server = editor()
    for only, kinds in ((["quickfix"], ["quickfix"]), (["refactor"], ["refactor.rewrite.document", "refactor.rewrite.tests"]),
                        (["refactor.rewrite.tests"], ["refactor.rewrite.tests"]), (["source.organizeImports"], []),
                        (["refactor.rewrite.doc"], []), ([], [])):
        assert [a["kind"] for a in offered(server, IN_SUM, REPORT, only=only)] == kinds


def test_nothing_is_offered_where_nothing_stands_or_nothing_may_be_seen(editor, config):
    server = editor()
    assert offered(server, span(1, 0, 1, 0)) == []
    server.open("file:///w/.env", "KEY=secret-of-mine\n", "shell")
    assert offered(server, span(0, 0, 0, 3), uri="file:///w/.env") == []
    assert offered(server, span(0, 0, 0, 3), uri="file:///w/unknown.c") == []
    server.notify("workspace/executeCommand", {"command": "crucible.toggle"})
    assert offered(server, IN_SUM, REPORT) == []


def test_refactoring_takes_its_instruction_from_the_selections_comment(editor):
    text = "// use a while loop\n" + TEXT
    server = editor(text)
    action = titled(offered(server, span(0, 0, 4, 0)), "Refactor")
    assert action["title"] == "Refactor: use a while loop (Crucible)"
    assert "Refactor" not in str([a["title"] for a in offered(server, span(3, 0, 4, 0))])


def test_plugins_that_ask_get_a_command_without_instruction(editor):
    server = editor(instructions=True)
    action = titled(offered(server, span(2, 0, 9, 1)), "Refactor")
    assert action["title"] == "Refactor… (Crucible)"
    assert action["command"]["command"] == "crucible.refactor"
    assert "instruction" not in action["command"]["arguments"][0]


def test_generated_tag_is_for_those_who_know_it(editor):
    server = editor(tags=True)
    assert all(a["tags"] == [1] for a in offered(server, IN_SUM, REPORT))


def test_clients_without_literals_get_commands(editor):
    server = editor(literal=False, resolve=None, data=False)
    actions = offered(server, IN_SUM, REPORT)
    assert [a["command"] for a in actions] == ["crucible.explain", "crucible.fix", "crucible.document", "crucible.tests"]
    assert all(set(a) == {"title", "command", "arguments"} for a in actions)


def test_own_actions_are_offered_for_their_languages(editor, sim):
    own = [{"title": "Translate to Rust", "prompt": "Translate this to Rust.", "languages": ["c"], "output": "show"},
           {"title": "Python only", "prompt": "x", "languages": ["python"]},
           {"title": "Upper", "prompt": "Write {code} in upper case.", "output": "replace"},
           {"name": "document", "title": "Doxygen", "prompt": "Write doxygen for {code}"}]
    server = editor(settings={"actions": own})
    actions = offered(server, IN_SUM)
    assert [a["title"] for a in actions] == [f"{t} (Crucible)" for t in ("Explain", "Doxygen", "Write tests",
                                                                        "Translate to Rust", "Upper")]
    sim.script(text=fenced(BLOCK.upper()))
    resolved = server.result("codeAction/resolve", titled(actions, "Upper"))
    assert changed(TEXT, resolved["edit"]) == TEXT.replace(BLOCK, BLOCK.upper())
    prompt = sim.generations[-1]["body"]["messages"][-1]["content"]
    assert prompt.startswith("Write ```c\nint sum") and "in upper case." in prompt


# -- the ways to an edit --


def test_resolved_fix_is_a_versioned_edit_in_its_range(editor, sim):
    server = editor()
    sim.script(text=f"Here is the corrected code:\n\n{fenced(FIXED)}\n\nI renamed it.")
    action = titled(offered(server, IN_SUM, REPORT), "Fix")
    resolved = server.result("codeAction/resolve", action)
    assert changed(TEXT, resolved["edit"]) == TEXT.replace(BLOCK, FIXED)
    change = resolved["edit"]["documentChanges"][0]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    assert change["edits"][0]["range"] == span(6, 0, 6, 27), "only the line that changes"
    assert {k: v for k, v in resolved.items() if k != "edit"} == action
    prompt = sim.generations[-1]["body"]["messages"][-1]["content"]
    assert "undeclared identifier" in prompt and BLOCK in prompt and "#include <stdio.h>" in prompt


@pytest.mark.parametrize("range_", [REPORT[0]["range"], span(6, 8, 6, 8), span(6, 9, 6, 20)],
                         ids=["what is reported", "where it begins", "a piece of the line"])
def test_fix_within_a_line_is_about_what_stands_around(editor, sim, range_):
    server = editor()
    sim.script(text=fenced(FIXED))
    resolved = server.result("codeAction/resolve", titled(offered(server, range_, REPORT), "Fix"))
    assert changed(TEXT, resolved["edit"]) == TEXT.replace(BLOCK, FIXED)
    assert BLOCK in sim.generations[-1]["body"]["messages"][-1]["content"]


def test_server_that_loads_anew_is_waited_for(editor, sim):
    """It was known as ready, and has been started again meanwhile."""
    server = editor()
    sim.script(text=fenced(FIXED), loading=4)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    assert changed(TEXT, applied_edit(server)) == TEXT.replace(BLOCK, FIXED)
    assert [e["status"] for e in sim.generations] == [503, 200], "asked once more, when it is ready"


def test_command_answers_at_once_and_applies_one_edit(editor, sim):
    server = editor(resolve=None, data=False)
    sim.script(text=fenced(FIXED), first_ms=300)
    action = titled(offered(server, IN_SUM, REPORT), "Fix")
    started = time.monotonic()
    assert server.result("workspace/executeCommand", {k: action["command"][k] for k in ("command", "arguments")}) is None
    assert time.monotonic() - started < 0.25 * SLOWNESS
    assert changed(TEXT, applied_edit(server)) == TEXT.replace(BLOCK, FIXED)
    server.barrier()
    assert len(server.received("workspace/applyEdit")) == 1


def test_command_comes_as_a_notification_too(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED))
    server.notify("workspace/executeCommand", {"command": "crucible.fix", "arguments": [
        {"uri": URI, "range": IN_SUM, "diagnostics": REPORT}]})
    assert changed(TEXT, applied_edit(server)) == TEXT.replace(BLOCK, FIXED)


def test_slow_resolve_goes_on_as_a_command(editor, sim):
    """No editor stands still for longer than some seconds."""
    server = editor()
    sim.script(text=fenced(FIXED), first_ms=4500)
    action = titled(offered(server, IN_SUM, REPORT), "Fix")
    started = time.monotonic()
    resolved = server.result("codeAction/resolve", action, timeout=20)
    assert time.monotonic() - started < 4.2 * SLOWNESS
    assert "edit" not in resolved
    server.result("workspace/executeCommand", {k: resolved["command"][k] for k in ("command", "arguments")})
    assert changed(TEXT, applied_edit(server)) == TEXT.replace(BLOCK, FIXED)
    assert len(sim.generations) == 1, "the same answer, asked for once"


def test_resolve_without_commands_waits(editor, sim):
    server = editor(resolve=("edit",))
    sim.script(text=fenced(FIXED), first_ms=3500)
    resolved = server.result("codeAction/resolve", titled(offered(server, IN_SUM, REPORT), "Fix"), timeout=20)
    assert changed(TEXT, resolved["edit"]) == TEXT.replace(BLOCK, FIXED)


def test_documentation_goes_above_and_tests_below(editor, sim):
    server = editor()
    sim.script(text=fenced("/* Adds numbers. */"))
    resolved = server.result("codeAction/resolve", titled(offered(server, IN_SUM), "Document"))
    assert changed(TEXT, resolved["edit"]) == TEXT.replace(BLOCK, "/* Adds numbers. */\n" + BLOCK)
    sim.script(text=fenced("void test_sum(void)\n{\n}"))
    resolved = server.result("codeAction/resolve", titled(offered(server, IN_SUM), "Write tests"))
    assert changed(TEXT, resolved["edit"]) == TEXT.replace(BLOCK, BLOCK + "\n\nvoid test_sum(void)\n{\n}")


def test_python_documents_inside(editor, sim):
    text = "class Box:\n    def area(self):\n        return self.w * self.h\n"
    server = editor(text, "file:///w/box.py", "python")
    sim.script(text=fenced('"""The area."""', "python"))
    actions = offered(server, span(2, 10, 2, 10), uri="file:///w/box.py")
    resolved = server.result("codeAction/resolve", titled(actions, "Document"))
    assert changed(text, resolved["edit"], uri="file:///w/box.py") == \
        text.replace("(self):\n", '(self):\n        """The area."""\n')


def test_selection_of_part_of_a_line_is_replaced_alone(editor, sim):
    server = editor()
    text = TEXT.replace("int total = 0;", "int 𝒯total = 0; // ✓")
    server.change(URI, 2, text)
    sim.script(text=fenced("0 * 1"))
    line = text.split("\n")[4]
    start = len(line[:line.index("0;")].encode())
    server.result("workspace/executeCommand", {"command": "crucible.refactor", "arguments": [
        {"uri": URI, "range": span(4, start, 4, start + 1), "instruction": "multiply"}]})
    assert changed(text, applied_edit(server)) == text.replace("= 0;", "= 0 * 1;", 1)


def test_line_ends_are_the_documents(editor, sim):
    text = TEXT.replace("\n", "\r\n")
    server = editor(text)
    sim.script(text=fenced(FIXED.replace("return total;", "total++;\n    return total;")))
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    after = changed(text, applied_edit(server))
    assert after == text.replace("totl +=", "total +=").replace("    return total;", "    total++;\r\n    return total;")


def test_utf16_positions_are_right_behind_emoji(served, sim):
    text = TEXT.replace("totl += numbers[i];", "/* 🙂🙂 */ totl += numbers[i];")
    params = params_with()
    params["capabilities"]["general"] = {"positionEncodings": ["utf-16"]}
    server = served({"models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"]}}, params=params)
    server.open(URI, text)
    sim.script(text=fenced("total"))
    at = len("        /* 🙂🙂 */ ".encode("utf-16-le")) // 2
    command(server, "refactor", span(6, at, 6, at + 4), instruction="name it right")
    assert changed(text, applied_edit(server), "utf-16") == text.replace("totl", "total")


def test_changes_without_versions_for_those_who_know_none(editor, sim):
    server = editor(changes=False, resolve=None)
    sim.script(text=fenced(FIXED))
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    edit = applied_edit(server)
    assert "documentChanges" not in edit
    assert changed(TEXT, edit) == TEXT.replace(BLOCK, FIXED)


# -- progress and cancel --


def progress_of(server):
    return [m["params"]["value"] for m in server.received("$/progress")]


def test_progress_begins_grows_and_ends(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED), first_ms=100, token_ms=40)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    applied_edit(server, 20)
    server.wait(lambda: [v for v in progress_of(server) if v["kind"] == "end"], 10)
    values = progress_of(server)
    assert values[0]["kind"] == "begin" and values[0]["title"] == "Crucible: Fix sum.c" and values[0]["cancellable"]
    assert values[-1] == {"kind": "end", "message": "done"}
    messages = [v["message"] for v in values[1:-1]]
    assert any("int total = 0;" in m for m in messages), messages
    assert len({m["params"]["token"] for m in server.received("$/progress")}) == 1


def test_cancel_in_the_editor_stops_the_model_and_changes_nothing(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED), token_ms=50)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    token = server.wait_for("$/progress", 10)["params"]["token"]
    sim.wait(lambda: sim.generations and sim.generations[-1].get("n_tokens", 0) > 2)
    server.notify("window/workDoneProgress/cancel", {"token": token})
    server.wait(lambda: [v for v in progress_of(server) if v["kind"] == "end"], 10)
    assert progress_of(server)[-1]["message"] == "cancelled"
    assert sim.wait(lambda: sim.generations[-1]["outcome"] == "aborted"), sim.generations[-1]
    server.barrier()
    assert not server.received("workspace/applyEdit") and not server.received("window/showMessage")


def test_cancelled_resolve_is_answered(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED), first_ms=2000)
    id = server.request("codeAction/resolve", titled(offered(server, IN_SUM, REPORT), "Fix"))
    sim.wait(lambda: sim.generations)
    server.notify("$/cancelRequest", {"id": id})
    assert server.reply(id)["error"]["code"] == REQUEST_CANCELLED


# -- the document moves on --


def test_changed_document_is_asked_about_and_applied_where_it_went(editor, sim):
    server = editor()
    server.answers["window/showMessageRequest"] = lambda p: {"title": "Apply anyway"}
    sim.script(text=fenced(FIXED), first_ms=300)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    server.change(URI, 2, (0, 0, 0, 0, "// a new first line\n"))
    edit = applied_edit(server)
    moved = "// a new first line\n" + TEXT
    assert edit["documentChanges"][0]["textDocument"]["version"] == 2
    assert changed(moved, edit) == moved.replace(BLOCK, FIXED)
    assert "has changed" in server.received("window/showMessageRequest")[0]["params"]["message"]


def test_changed_document_stays_as_it_is_when_discarded(editor, sim):
    server = editor()
    server.answers["window/showMessageRequest"] = lambda p: {"title": "Discard"}
    sim.script(text=fenced(FIXED), first_ms=200)
    action = titled(offered(server, IN_SUM, REPORT), "Fix")
    id = server.request("codeAction/resolve", action)
    sim.wait(lambda: sim.generations)
    server.change(URI, 2, (0, 0, 0, 0, "x"))
    assert server.reply(id)["result"] == action, "resolved to nothing: the person decides"
    server.wait(lambda: [v for v in progress_of(server) if v["kind"] == "end"], 10)
    assert progress_of(server)[-1]["message"] == "discarded"
    assert not server.received("workspace/applyEdit")


def test_closed_document_is_told(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED), first_ms=400)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    sim.wait(lambda: sim.generations)
    server.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    shown(server, "closed")
    assert not server.received("workspace/applyEdit")


def test_offer_for_an_older_version_is_refused(editor, sim):
    server = editor()
    action = titled(offered(server, IN_SUM, REPORT), "Fix")
    server.change(URI, 2, (0, 0, 0, 0, "x"))
    error = server.call("codeAction/resolve", action)["error"]
    assert error["code"] == REQUEST_FAILED and "ask again" in error["message"]


def test_two_actions_at_once_are_both_right(editor, sim):
    server = editor()
    server.answers["window/showMessageRequest"] = lambda p: {"title": "Apply anyway"}
    texts, version = [TEXT], [1]

    def apply(params):
        assert params["edit"]["documentChanges"][0]["textDocument"]["version"] == version[0]
        change = params["edit"]["documentChanges"][0]["edits"][0]
        texts.append(changed(texts[-1], params["edit"]))
        version[0] += 1
        r = change["range"]
        server.change(URI, version[0], (r["start"]["line"], r["start"]["character"], r["end"]["line"],
                                        r["end"]["character"], change["newText"]))
        return {"applied": True}
    server.answers["workspace/applyEdit"] = apply
    main = TEXT[TEXT.index("int main"):].rstrip("\n")
    sim.script({"text": fenced(FIXED), "first_ms": 200}, {"text": fenced(main.replace("sum(0, 0)", "0")), "first_ms": 300})
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    sim.wait(lambda: len(sim.generations) == 1)
    command(server, "refactor", span(13, 4, 13, 4), instruction="return nothing")
    server.wait(lambda: len(texts) == 3, 15 * SLOWNESS, "both edits")
    assert texts[-1] == TEXT.replace(BLOCK, FIXED).replace("sum(0, 0)", "0")


# -- what is no edit --


@pytest.mark.parametrize("script, says", [
    ({"text": ""}, "nothing"),
    ({"text": "You should rename the variable to total."}, "prose"),
    ({"text": fenced("--- a/sum.c\n+++ b/sum.c\n@@ -1 +1 @@\n-x\n+y", "diff")}, "patch"),
    ({"text": fenced(TEXT + "int more;\nint and_more;\n" + TEXT)}, "more than was asked"),
    ({"text": fenced(BLOCK)}, "as it is"),
    ({"text": "```c\nint x = 1;\n", "endless": True}, "broke off"),
    ({"text": fenced(FIXED), "no_end": True}, "broke off"),
    ({"status": 500, "body": {"error": {"message": "out of memory"}}}, "out of memory"),
    ({"text": fenced(FIXED), "error_after": 3}, "runner has terminated"),
    ({"refuse": True}, "without an answer"),
])
def test_what_is_no_edit_is_told_and_changes_nothing(editor, sim, script, says):
    server = editor()
    sim.script(**script)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    message = shown(server, says, 30)["params"]
    assert message["type"] == 1 and message["message"].startswith("Crucible, Fix sum.c: ")
    server.barrier()
    assert not server.received("workspace/applyEdit")


def test_failing_resolve_is_an_error_in_words(editor, sim):
    server = editor()
    sim.script(text="I can't do that, sorry about it.")
    error = server.call("codeAction/resolve", titled(offered(server, IN_SUM, REPORT), "Fix"))["error"]
    assert error["code"] == REQUEST_FAILED and "prose" in error["message"]
    assert not server.received("window/showMessage"), "said once"


def test_editor_that_refuses_the_edit_is_believed(editor, sim):
    server = editor()
    server.answers["workspace/applyEdit"] = lambda p: {"applied": False, "failureReason": "read-only"}
    sim.script(text=fenced(FIXED))
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    shown(server, "read-only")


def test_editor_that_never_answers_doesnt_matter(editor, sim):
    server = editor()
    server.answers["workspace/applyEdit"] = lambda p: NO_ANSWER
    sim.script(text=fenced(FIXED))
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    applied_edit(server)
    assert server.result("crucible/stats")["documents"]["open"] == 1  # and the fixture ends it in good order


@pytest.mark.parametrize("argument, says", [
    ({}, "isn't open"),
    ({"uri": URI}, "uri and a range"),
    ({"uri": URI, "range": "x"}, "uri and a range"),
    ({"uri": URI, "range": {"start": {"line": -1, "character": 0}, "end": {"line": 0, "character": 0}}}, "uri and a range"),
    ({"uri": "file:///w/other.c", "range": span(0, 0, 0, 0)}, "isn't open"),
    ({"uri": URI, "range": span(1, 0, 1, 0)}, "nothing here"),
    ({"uri": URI, "range": span(0, 0, 9, 0)}, "what shall be changed"),
    ({"uri": URI, "range": span(0, 0, 9, 0), "action": "Unheard of"}, "no such action"),
    ({"uri": URI, "range": span(0, 0, 9, 0), "version": 7, "instruction": "x"}, "ask again"),
    ({"uri": URI, "range": span(0, 0, 9, 0), "instruction": "x" * 9000}, "longer than"),
    ({"task": 12345}, "has ended"),
    (None, "isn't open"),
    ([1, 2], "isn't open"),
])
def test_nonsense_is_answered_in_words(editor, argument, says):
    server = editor()
    server.result("workspace/executeCommand", {"command": "crucible.refactor",
                                               "arguments": [argument] if argument is not None else None})
    shown(server, says)


def test_no_model_says_what_to_do(config, start):
    config({"endpoints": [{"name": "gone", "kind": "llamacpp", "url": "http://127.0.0.1:1"}]})
    server = start(params=params_with())
    server.open(URI, TEXT)
    command(server, "explain", IN_SUM)
    shown(server, "nothing listens")


def test_too_much_code_says_how_much_the_model_takes(editor, sim):
    text = "int f(void)\n{\n" + "    call_something(1, 2, 3);\n" * 3000 + "}\n"
    server = editor(text)
    command(server, "refactor", span(0, 0, 3000, 0), instruction="shorter")
    shown(server, "select less")


def test_secrets_arent_rewritten_elsewhere(config, start, sim):
    """What a remote model is sent lacks the secret; what it sends back would, too."""
    config({"endpoints": [{"name": "far", "kind": "openai", "url": "https://models.invalid/v1", "models": ["m"]}],
            "models": {"chat": ["far/m"]}})
    server = start(params=params_with())
    text = 'const char *key = "AKIAIOSFODNN7EXAMPLE";\nint f(void)\n{\n    return 1;\n}\n'
    server.open(URI, text)
    command(server, "refactor", span(0, 0, 4, 1), instruction="tidy up")
    assert server.wait_for("window/showMessage", 15 * SLOWNESS)


def test_undone_edit_is_asked_for_anew(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED))
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    applied_edit(server)
    server.wait(lambda: [v for v in progress_of(server) if v["kind"] == "end"], 10)
    other = BLOCK.replace("totl +=", "total = total +")
    sim.script(text=fenced(other))
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    server.wait(lambda: len(server.received("workspace/applyEdit")) == 2, 10 * SLOWNESS)
    assert changed(TEXT, server.received("workspace/applyEdit")[1]["params"]["edit"]) == TEXT.replace(BLOCK, other)
    assert sim.generations[-1]["body"]["temperature"] > sim.generations[0]["body"]["temperature"]


def test_system_prompt_and_options_are_the_models(editor, sim):
    server = editor(settings={"modelOptions": {"sim/*": {"system": "Answer like a pirate.", "temperature": 0.9,
                                                         "stop": ["ENOUGH"]}}})
    sim.script(text="Arr.")
    command(server, "explain", IN_SUM)
    assert sim.wait(lambda: sim.generations, 10 * SLOWNESS)
    body = sim.generations[-1]["body"]
    assert body["messages"][0] == {"role": "system", "content": "Answer like a pirate."}
    assert body["temperature"] == 0.9 and body["stop"] == ["ENOUGH"]


def test_typing_is_answered_while_an_action_streams(editor, sim):
    server = editor()
    sim.script(text=fenced(FIXED), token_ms=30)
    command(server, "fix", IN_SUM, diagnostics=REPORT)
    sim.wait(lambda: sim.generations)
    sim.script(text="total;")
    server.open("file:///w/b.c", "int f(void)\n{\n    return \n}\n")
    items = server.inline("file:///w/b.c", 2, 11)
    assert items and items[0]["insertText"] == "total;"
    assert not server.received("workspace/applyEdit")
