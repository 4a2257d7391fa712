"""test_sync.py - the server's text equals the editor's, seen through what reaches the model."""
import os
import random

import pytest

from client import initialize_params, line_starts, position_of, span, units

ALPHABET = ["a", "b", "(", ")", ";", " ", "\t", "é", "ß", "漢", "字", "😀", "👩‍💻", "\u2028", "\u0085", "\x0b", "\x0c", "x = 1"]
EOLS = {"lf": ["\n"], "crlf": ["\r\n"], "mixed": ["\n", "\r\n", "\r"]}


def same_lines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def seen_by_model(server, sim, uri, text, encoding, version):
    """Appends a place to complete at, asks there, and gives what the model was sent: (prefix, suffix)."""
    tail = "\n    total = "
    line, character = position_of(text, len(text), encoding)
    server.change(uri, version, (line, character, line, character, tail))
    text += tail
    line, character = position_of(text, len(text), encoding)
    n = len(sim.generations)
    server.reply(server.ask_inline(uri, line, character, trigger=1), 10)
    assert len(sim.generations) == n + 1, "the model was not asked"
    body = sim.generations[n]["body"]
    return text, body["input_prefix"] + body.get("prompt", ""), body["input_suffix"]


class Editor:
    """Makes random changes and knows the text they lead to."""

    def __init__(self, seed, encoding, eols):
        self.random, self.encoding, self.eols = random.Random(seed), encoding, eols
        self.text = self.words(120)

    def words(self, n):
        pick = self.random.choice
        return "".join(pick(self.eols) if self.random.random() < 0.2 else pick(ALPHABET) for _ in range(n))

    def place(self):
        """An offset that a position can name: not inside a "\\r\\n", not past a line's end."""
        while True:
            offset = self.random.randint(0, len(self.text))
            if self.text[offset - 1:offset + 1] != "\r\n" or offset == 0:
                return offset

    def change(self):
        start, end = sorted((self.place(), self.place()))
        end = min(end, start + self.random.randint(0, 12))
        if 0 < end < len(self.text) and self.text[end - 1:end + 1] == "\r\n":
            end += 1
        new = self.words(self.random.randint(0, 6))
        first, last = position_of(self.text, start, self.encoding), position_of(self.text, end, self.encoding)
        self.text = self.text[:start] + new + self.text[end:]
        return (*first, *last, new)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("eols", EOLS)
def test_many_changes_in_one_notification(served, sim, encoding, eols):
    seed = int(os.environ.get("SEED", "7"))
    print(f"SEED={seed}")
    sim.script(text="zz;")
    server = served(params=initialize_params((encoding,)))
    assert server.capabilities.get("positionEncoding", "utf-16") == encoding
    editor, uri, version = Editor(seed, encoding, EOLS[eols]), "file:///w/a.c", 1
    server.open(uri, editor.text, version=version)
    for _ in range(4):
        version += 1
        server.change(uri, version, *[editor.change() for _ in range(46)])
        version += 1
        editor.text, prefix, _ = seen_by_model(server, sim, uri, editor.text, encoding, version)
        assert same_lines(prefix) == same_lines(editor.text)


def opened(served, sim, text, **more):
    sim.script(text="zz;")
    server = served(params=initialize_params(("utf-16",)), **more)
    server.open("file:///w/a.c", text, version=1)
    return server


def check(server, sim, expected, version=100):
    text, prefix, _ = seen_by_model(server, sim, "file:///w/a.c", expected, "utf-16", version)
    assert same_lines(prefix) == same_lines(text)


# (text before, range, inserted, text after)
RANGES = {
    "character past the line's end": ("ab\ncd\n", (0, 99, 0, 99), "X", "abX\ncd\n"),
    "line past the end": ("ab\ncd", (9, 0, 9, 5), "X", "ab\ncdX"),
    "largest numbers": ("ab\ncd", (2147483647, 2147483647, 2147483647, 2147483647), "X", "ab\ncdX"),
    "middle of a surrogate pair": ("a😀b", (0, 2, 0, 2), "X", "aX😀b"),
    "end past the line's end": ("ab\ncd", (0, 1, 0, 99), "X", "aX\ncd"),
    "end past the end": ("ab\ncd", (0, 1, 99, 0), "X", "aX"),
    "between carriage return and line feed": ("ab\r\ncd", (0, 3, 0, 3), "X", "abX\r\ncd"),
    "whole text": ("ab\r\ncd", (0, 0, 1, 2), "", ""),
    "only a line feed": ("ab\ncd", (0, 2, 1, 0), "", "abcd"),
    "empty range, empty text": ("ab", (0, 1, 0, 1), "", "ab"),
    "combining characters": ("e\u0301x", (0, 1, 0, 2), "", "ex"),
    "zero width joiners": ("👩\u200d💻x", (0, 0, 0, 5), "", "x"),
}


@pytest.mark.parametrize("name", RANGES)
def test_range_is_taken_as_the_protocol_says(served, sim, name):
    before, place, new, after = RANGES[name]
    server = opened(served, sim, before)
    server.change("file:///w/a.c", 2, (*place, new))
    check(server, sim, after)


def test_carriage_return_and_line_feed_may_come_apart(served, sim):
    server = opened(served, sim, "ab")
    server.change("file:///w/a.c", 2, (0, 1, 0, 1, "\r"), (1, 0, 1, 0, "\n"), (1, 0, 1, 0, "X"))
    check(server, sim, "a\r\nXb")


def test_change_without_range_replaces_everything(served, sim):
    server = opened(served, sim, "old")
    server.change("file:///w/a.c", 2, (0, 0, 0, 0, "x"), "new\ntext", (1, 4, 1, 4, "!"))
    check(server, sim, "new\ntext!")


def test_wrong_range_length_is_ignored(served, sim):
    server = opened(served, sim, "abc")
    server.notify("textDocument/didChange", {"textDocument": {"uri": "file:///w/a.c", "version": 2}, "contentChanges": [
        {"range": span(0, 1, 0, 2), "rangeLength": 77, "text": "X"}]})
    check(server, sim, "aXc")


def test_versions_may_skip(served, sim):
    server = opened(served, sim, "abc")
    server.change("file:///w/a.c", 50, (0, 3, 0, 3, "d"))
    check(server, sim, "abcd")


def test_null_bytes_and_marks_are_text(served, sim):
    server = opened(served, sim, "\ufeffa\0b\ufffe")
    server.change("file:///w/a.c", 2, (0, 3, 0, 3, "X"))
    _, prefix, _ = seen_by_model(server, sim, "file:///w/a.c", "\ufeffa\0Xb\ufffe", "utf-16", 3)
    assert "Xb" in prefix


def test_lone_surrogate_counts_one_unit(served, sim):
    server = opened(served, sim, "")
    body = (b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///w/a.c","version":2},'
            b'"contentChanges":[{"text":"a\\ud800b"}]}}')
    server.send_raw(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    server.change("file:///w/a.c", 3, (0, 2, 0, 2, "X"))
    check(server, sim, "a\ufffdXb")


@pytest.mark.parametrize("version", [1, 0, -5])
def test_version_that_doesnt_grow_silences_until_healed(served, sim, version):
    server = opened(served, sim, "abc\n    total = ")
    server.change("file:///w/a.c", version, (0, 0, 0, 0, "x"))
    assert server.inline("file:///w/a.c", 1, 12, trigger=1) == []
    assert not sim.generations
    server.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/a.c"}})
    server.open("file:///w/a.c", "abc", version=1)
    check(server, sim, "abc")


def test_reopened_document_has_its_new_text(served, sim):
    server = opened(served, sim, "abc")
    server.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/a.c"}})
    server.change("file:///w/a.c", 2, (0, 0, 0, 0, "x"))
    server.open("file:///w/a.c", "new", version=1)
    check(server, sim, "new")


@pytest.mark.parametrize("first,second", [
    ("file:///w/a%20b.c", "file:///w/a b.c"), ("file:///c%3A/x.c", "file:///c:/x.c"), ("FILE:///w/a.c", "file:///w/a.c"),
    ("file:///w/./x/../a.c", "file:///w/a.c"), ("file:///w/%61.c", "file:///w/a.c"), ("file:///w/%e6%bc%a2.c", "file:///w/漢.c")])
def test_spellings_of_one_uri_are_one_document(served, sim, first, second):
    sim.script(text="zz;")
    server = served(params=initialize_params(("utf-16",)))
    server.open(first, "abc")
    server.change(second, 2, (0, 3, 0, 3, "d"))
    _, prefix, _ = seen_by_model(server, sim, first, "abcd", "utf-16", 3)
    assert prefix.startswith("abcd")


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "vscode-notebook-cell:/w/n.ipynb#W0", "git:/w/a.c?%7B%7D", "inmemory://1/x",
                                 "file:///" + "x" * 60_000])
def test_document_that_is_no_file_is_a_document(served, sim, uri):
    sim.script(text="zz;")
    server = served(params=initialize_params(("utf-16",)))
    server.open(uri, "abc")
    server.change(uri, 2, (0, 3, 0, 3, "d"))
    server.barrier()
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    server.barrier()


# -- notifications that make no sense: ignored, and the next ones work --
A = {"uri": "file:///w/a.c", "version": 2}
NONSENSE = {
    "change of an unknown document": ("didChange", {"textDocument": {"uri": "file:///w/z.c", "version": 2}, "contentChanges": [{"text": "x"}]}),
    "close of an unknown document": ("didClose", {"textDocument": {"uri": "file:///w/z.c"}}),
    "save of an unknown document": ("didSave", {"textDocument": {"uri": "file:///w/z.c"}}),
    "change without params": ("didChange", None),
    "change with an array": ("didChange", []),
    "change without a document": ("didChange", {"contentChanges": [{"text": "x"}]}),
    "change with a null document": ("didChange", {"textDocument": None, "contentChanges": [{"text": "x"}]}),
    "change with a number as uri": ("didChange", {"textDocument": {"uri": 5, "version": 2}, "contentChanges": [{"text": "x"}]}),
    "open without text": ("didOpen", {"textDocument": {"uri": "file:///w/y.c", "languageId": "c", "version": 1}}),
    "open with a number as text": ("didOpen", {"textDocument": {"uri": "file:///w/y.c", "languageId": "c", "version": 1, "text": 5}}),
    "open without a uri": ("didOpen", {"textDocument": {"languageId": "c", "version": 1, "text": "x"}}),
    "open of a null byte": ("didOpen", {"textDocument": {"uri": "file:///w/%00.c", "languageId": "c", "version": 1, "text": "x"}}),
    "open of no uri": ("didOpen", {"textDocument": {"uri": "", "languageId": "c", "version": 1, "text": "x"}}),
    "open of a relative name": ("didOpen", {"textDocument": {"uri": "a.c", "languageId": "c", "version": 1, "text": "x"}}),
    "open of an endless uri": ("didOpen", {"textDocument": {"uri": "file:///" + "y" * 200_000, "languageId": "c", "version": 1, "text": "x"}}),
    "open without params": ("didOpen", None),
    "close without params": ("didClose", None),
    "watched files of garbage": ("didChangeWatchedFiles", {"changes": [1, None, {"uri": 7}]}),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_ignored(served, sim, name):
    server = opened(served, sim, "abc")
    server.is_lawless = True
    method, params = NONSENSE[name]
    server.notify(("workspace/" if "Watched" in method else "textDocument/") + method, params)
    server.barrier()
    check(server, sim, "abc")


# What is wrong inside a change leaves the document out of step, never the server out of order.
BROKEN_CHANGES = {
    "changes that are no array": {"text": "x"}, "null as changes": None, "a null": [None], "an empty object": [{}],
    "a number as text": [{"text": 1}], "a null range": [{"range": None, "text": "x"}],
    "a range without end": [{"range": {"start": {"line": 0, "character": 0}}, "text": "x"}],
    "a fraction as line": [{"range": {"start": {"line": 0.5, "character": 0}, "end": {"line": 1, "character": 0}}, "text": "x"}],
    "a negative line": [{"range": span(-1, 0, 0, 0), "text": "x"}],
    "a string as character": [{"range": span(0, "0", 0, 0), "text": "x"}],
    "start behind end": [{"range": span(1, 0, 0, 0), "text": "x"}],
    "a huge line": [{"range": span(2 ** 40, 0, 2 ** 40, 0), "text": "x"}],
}


@pytest.mark.parametrize("name", BROKEN_CHANGES)
@pytest.mark.parametrize("heal", ["full text", "reopening"])
def test_broken_change_is_healed_by_the_whole_text(served, sim, name, heal):
    server = opened(served, sim, "abc\ndef")
    server.is_lawless = True
    server.notify("textDocument/didChange", {"textDocument": A, "contentChanges": BROKEN_CHANGES[name]})
    server.barrier()
    if heal == "full text":
        server.change("file:///w/a.c", 3, "whole")
    else:
        server.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/a.c"}})
        server.open("file:///w/a.c", "whole", version=1)
    check(server, sim, "whole")


@pytest.mark.parametrize("version", ["missing", None, "3", 1.5, 2 ** 40])
def test_odd_version_is_survived(served, sim, version):
    server = opened(served, sim, "abc")
    server.is_lawless = True
    document = {"uri": "file:///w/a.c"} if version == "missing" else {"uri": "file:///w/a.c", "version": version}
    server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": "x"}]})
    server.barrier()
    server.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/a.c"}})
    server.open("file:///w/a.c", "healed", version=1)
    check(server, sim, "healed")


# -- requests about documents that make no sense --
BAD_PARAMS = {
    "none": None, "an array": [], "nothing inside": {}, "no position": {"textDocument": {"uri": "file:///w/a.c"}},
    "no document": {"position": {"line": 0, "character": 0}},
    "a null document": {"textDocument": None, "position": {"line": 0, "character": 0}},
    "strings as position": {"textDocument": {"uri": "file:///w/a.c"}, "position": {"line": "0", "character": "0"}},
    "a negative position": {"textDocument": {"uri": "file:///w/a.c"}, "position": {"line": -1, "character": -1}},
    "a fraction": {"textDocument": {"uri": "file:///w/a.c"}, "position": {"line": 0.5, "character": 0}},
    "an unknown document": {"textDocument": {"uri": "file:///w/z.c"}, "position": {"line": 0, "character": 0}},
    "no uri": {"textDocument": {"uri": 5}, "position": {"line": 0, "character": 0}},
    "a null context": {"textDocument": {"uri": "file:///w/a.c"}, "position": {"line": 0, "character": 0}, "context": None},
    "a context of garbage": {"textDocument": {"uri": "file:///w/a.c"}, "position": {"line": 0, "character": 0},
                             "context": {"triggerKind": "x", "selectedCompletionInfo": 5}},
    "a selection elsewhere": {"textDocument": {"uri": "file:///w/a.c"}, "position": {"line": 0, "character": 0}, "context":
                              {"triggerKind": 2, "selectedCompletionInfo": {"range": span(5, 9, 1, 1), "text": "x"}}},
}


@pytest.mark.parametrize("method", ["inlineCompletion", "completion", "hover"])
@pytest.mark.parametrize("name", BAD_PARAMS)
def test_request_with_bad_params_gets_one_answer(served, sim, method, name):
    server = opened(served, sim, "abc")
    server.is_lawless = True
    id = server.request("textDocument/" + method, BAD_PARAMS[name])
    message = server.reply(id, 8)
    if "error" in message:
        assert message["error"]["code"] in (-32602, -32601, -32803)
    else:
        result = message["result"]
        assert result in (None, []) or result.get("items") is not None or "contents" in result
    server.barrier()
    assert len(server.replies(id)) == 1


def test_units_and_lines_of_this_test_agree_with_the_protocol():
    assert [units("a😀é", e) for e in ("utf-8", "utf-16", "utf-32")] == [7, 4, 3]
    assert line_starts("a\r\nb\rc\nd") == [0, 3, 5, 7]
    assert position_of("a\r\n😀b", 4, "utf-16") == (1, 2)
