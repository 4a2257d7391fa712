"""test_faults.py - every row of the fault matrix's network side that bytes on a connection can play, twice: while
somebody types, and while an action runs. What must hold each time stands in faulty.py."""
import gzip
import json
import re
import sys
import time

import pytest

from client import SLOWNESS
from faulty import CANARY, FENCED, LINE, TEXT, Patient, faults_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fault server is built on epoll")
SILENT, WHOLE, EITHER = "silent", "whole", "either"
LOADING = json.dumps({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


def events(*values):
    """The body of a stream whose events are these, as they are."""
    out = b""
    for value in values:
        out += b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"
    return out


def content(text):
    return {"index": 0, "content": text, "tokens": [7], "stop": False}


def stream(*values, **more):
    return {"body": events(*values), "type": "text/event-stream", **more}


class Row:
    """inline, action: what is given, or what the error says. most: requests for each of the two, more than asked
    for by typing, and by the action. hangs: only a deadline or a person ends it. heals: a plan is enough for it.
    causes: it looks like so many different failures, by chance."""

    def __init__(self, inline, action, plan, most=0, most_action=4, hangs=False, heals=True, asks=6, opens=False,
                 kib=4096, causes=1):
        self.inline, self.action, self.plan, self.heals, self.asks = inline, action, plan, heals, asks
        self.most, self.most_action, self.hangs, self.opens, self.kib = most, most_action, hangs, opens, kib
        self.causes = causes


def failing(status, says, most_action=4, opens=True, headers="", **more):
    """A status; typing hears nothing of it, an action what it was."""
    plan = {"status": status, "headers": headers.encode()}
    return Row(SILENT, says, plan, most_action=most_action, opens=opens, **more)


def broken(*values, **more):
    return Row(EITHER, r"", stream(*values), **more)


JSONS = {
    "isn't any": b"{nope", "stops": b'{"content":"co', "has a key twice": b'{"content":"a","content":"b"}',
    "has 1e999": b'{"content":"a","x":1e999}', "has a NUL": b'{"content":"a\x00b"}',
    "is deep": b"[" * 100_000, "has a comma too many": b'{"content":"a",}', "is a number": b"7",
    "is an array": b'[1,,2]',
}
TEXTS = {
    "bytes that are no UTF-8": b'{"content":"a\xff\xfe","stop":false}',
    "overlong": b'{"content":"\xc0\xaf","stop":false}',
    "a lone surrogate": b'{"content":"\\ud800","stop":false}', "a BOM": b'\xef\xbb\xbf{"content":"a","stop":false}',
    "U+FFFE": b'{"content":"\\ufffe","stop":false}',
}
ROWS = {
    "slow-loris headers": Row(SILENT, None, {"slice": 1, "gap_us": 1_000_000}, hangs=True, asks=1),
    "slow body drip": Row(SILENT, None, {"token_ms": 6000}, hangs=True, asks=1),
    "stalled before the first byte": Row(SILENT, None, {"cut": 0, "how": "stall"}, hangs=True, asks=1),
    "stalled in the headers": Row(SILENT, None, {"cut": 40, "how": "stall"}, hangs=True, asks=1),
    "stalled mid-token": Row(SILENT, None, {"cut": 30, "cut_body": 1, "how": "stall"}, hangs=True, asks=1),
    # where a connection that was kept had died it is asked once more on another; then the endpoint is down
    "RST before the first byte": Row(SILENT, r"closed|reset|connection", {"cut": 0, "how": "rst"}, most=4),
    "FIN before the first byte": Row(SILENT, r"closed|connection", {"cut": 0, "how": "fin"}, most=4),
    "RST in the headers": Row(SILENT, r"closed|connection", {"cut": 50, "how": "rst"}),
    "FIN in the headers": Row(SILENT, r"closed|connection|HTTP", {"cut": 50, "how": "fin"}),
    "RST mid-stream": Row(SILENT, r"closed", {"cut": 80, "cut_body": 1, "how": "rst"}, opens=True),
    "FIN mid-stream": Row(SILENT, r"closed", {"cut": 80, "cut_body": 1, "how": "fin"}, opens=True),
    "no last event": Row(EITHER, r"broke off|end", {"no_end": 1}),
    "no chunk terminator": Row(EITHER, None, {"raw": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                              b"Transfer-Encoding: chunked\r\n\r\n30\r\ndata: {\"content\":\"co\"", "close": 1}),
    "408": failing(408, "408|as told"), "425": failing(425, "425|as told"),
    # who waits for the second to be over may find that its own time is, too
    "429 with seconds": failing(429, "429|as told|alone", headers="Retry-After: 1\r\n", opens=False, causes=2),
    "429 with a date": failing(429, "429|as told|alone", opens=False, causes=2, headers="Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Retry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n"),
    "429 with a date that has passed": failing(429, "429|as told|alone", headers="Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                               "Retry-After: Sun, 06 Nov 1994 08:49:01 GMT\r\n"),
    "429 negative": failing(429, "429|as told", headers="Retry-After: -5\r\n"),
    "429 garbage": failing(429, "429|as told", headers="Retry-After: soon\r\n"),
    "429 with 0": failing(429, "429|as told", headers="Retry-After: 0\r\n"),
    "429 for ever": failing(429, "429|as told|alone", most_action=1, headers="Retry-After: 1000000000\r\n", opens=False,
                            heals=False),
    "500": failing(500, "500|as told"), "502": failing(502, "502|as told"), "504": failing(504, "504|as told"),
    "503": failing(503, "503|as told"), "529": failing(529, "529|as told"),
    "400": failing(400, "400|as told", most_action=1, opens=False),
    "401": failing(401, "key|401|as told", most_action=1, opens=False, heals=False),
    "403": failing(403, "key|403|as told", most_action=1, opens=False, heals=False),
    "404 of the model": failing(404, "404|model|as told", most_action=2, opens=False),
    "413": failing(413, "413|as told|large|long", most_action=2, opens=False),
    "422": failing(422, "422|as told", most_action=1, opens=False),
    "x-should-retry: false": failing(500, "500|as told", most_action=1, headers="x-should-retry: false\r\n"),
    "the key in an error": Row(SILENT, r".", {"status": 500, "body": json.dumps({"error": {
        "message": f"bad key {CANARY}", "type": "x", "code": 500}}).encode()}, opens=True),
    "loading": Row(SILENT, r"loading", {"status": 503, "body": LOADING.encode()}, asks=2, most=4),
    "cold": Row(WHOLE, WHOLE, {"delay_ms": 1000}, asks=1),
    "runner has died": Row(SILENT, r"terminated", {"status": 500, "body": json.dumps({"error": {
        "message": "llama runner process has terminated: exit status 2", "code": 500, "type": "server_error"}}).encode()},
        opens=True),
    "error in a stream": Row(SILENT, r"out of memory", stream(content("co"), {"error": {
        "message": "CUDA error: out of memory", "code": 500, "type": "server_error"}}), opens=True),
    "a page for browsers": Row(SILENT, r"not a model server.*text/html",
                               {"body": b"<html><body>Log in</body></html>", "type": "text/html"}, opens=True, most_action=1),
    "an image": Row(SILENT, r"not a model server.*image/png", {"body": b"\x89PNG", "type": "image/png"}, opens=True,
                    most_action=1),
    "a page that says it is a stream": Row(SILENT, r".", {"body": b"<html>\n<body>Log in</body>\n</html>\n",
                                                          "type": "text/event-stream"}, opens=True),
    **{f"JSON {name}": broken(content("co"), value) for name, value in JSONS.items()},
    **{f"text with {name}": broken(value) for name, value in TEXTS.items()},
    "endless stream": Row(EITHER, r".", {"flood": "events"}, asks=2, kib=16384),
    "100 MB in one line": Row(SILENT, r".", {"flood": "line", "flood_bytes": 100_000_000}, asks=2, kib=16384),
    "100 MB of headers": Row(SILENT, r"headers", {"flood": "headers", "flood_bytes": 100_000_000}, asks=2, kib=16384),
    "1 M tiny events": Row(EITHER, r".", {"flood": "events", "flood_bytes": 130_000_000}, asks=2, kib=16384),
    "1xx flood": Row(SILENT, r".", {"flood": "continues", "flood_bytes": 10_000_000}, asks=2, kib=16384),
    "a few 1xx": Row(WHOLE, WHOLE, {"flood": "continues", "flood_bytes": 100}, asks=2),
    "gzip though not asked for": Row(SILENT, r".", {"body": gzip.compress(b"\0" * 10_000_000), "type": "text/event-stream",
                                                    "headers": b"Content-Encoding: gzip\r\n"}, opens=True),
    "HTTP/1.0": Row(WHOLE, WHOLE, {"http10": 1}),
    "keep-alive lies": Row(WHOLE, WHOLE, {"close": 1}, most=6),
    "trailing data": Row(WHOLE, WHOLE, {"tail": b"garbage that nobody asked for"}, most=6),
    "an extra response": Row(WHOLE, WHOLE, {"tail": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                            b"Content-Length: 27\r\n\r\ndata: {\"content\":\"WRONG\"}\n\n"}, most=6),
    "garbled": Row(EITHER, r".", {"garble": 30}, causes=3),
    "byte by byte": Row(WHOLE, WHOLE, {"slice": 1}),
}


@pytest.fixture
def patient(home, config, start):
    servers = []

    def run(text, **more):
        server = faults_for(more.get("kind", "llamacpp"), text=TEXT)
        server.__enter__()
        servers.append(server)
        made = Patient(home, config, start, server, **more)
        server.base["text"] = text
        server.plan()
        return made
    yield run
    for server in servers:
        server.__exit__()


def check_inline(text, row):
    if row.inline == SILENT:
        assert text is None, text
    elif row.inline == WHOLE:
        assert text == TEXT
    else:
        assert text is None or "WRONG" not in text


# What a network or any web server does, whatever the dialect: rows that say nothing in one's words.
COMMON = [name for name, row in ROWS.items() if not row.plan.keys() & {"body", "raw", "tail"} and not row.hangs]
DIALECTS = {"llamacpp": "tinycode", "ollama": "tinycode:latest", "openai": "qwen2.5-coder"}
EACH = [pytest.param(kind, name, id=name if kind == "llamacpp" else f"{kind} {name}")
        for kind in DIALECTS for name in (ROWS if kind == "llamacpp" else COMMON)]


@pytest.mark.parametrize("kind, name", EACH)
def test_typing(patient, kind, name):
    row, p = ROWS[name], patient(TEXT, kind=kind, model=DIALECTS[kind])
    server, before = p.faults, p.stats()["upstream"]
    asked = server.figures()["generations"]
    server.plan(**row.plan)
    for _ in range(row.asks):
        request = p.begin()
        p.others_answer()
        check_inline(p.end(request), row)
    assert not p.messages(), "I7: nobody who types is told"
    n_asked = server.figures()["generations"] - asked
    assert n_asked <= row.asks + row.most, "I9"
    after = p.stats()["upstream"]
    if row.inline == SILENT and not row.hangs:
        assert after["failed"] > before["failed"], "I8"
    if row.opens:
        assert after["breakerOpened"] > before["breakerOpened"] and n_asked < row.asks, "I8"
    for _ in range(0 if row.hangs else 3):
        check_inline(p.ask_typed(trigger=1)[0], row)
    assert len(p.messages()) <= row.causes, "I7: one notice for each cause"
    if row.heals:
        server.plan()
        p.until(lambda: p.ask_typed()[0] == TEXT, 20, "the truth, I4")
    p.check_replies()
    p.check_usage(row.kib)
    p.check_secrets()


@pytest.mark.parametrize("kind, name", EACH)
def test_action(patient, kind, name):
    row, p = ROWS[name], patient(FENCED, kind=kind, model=DIALECTS[kind])
    server = p.faults
    asked = server.figures()["generations"]
    server.plan(**row.plan)
    request = p.begin_action()
    p.others_answer()
    if row.hangs:
        assert server.wait(lambda: server.figures()["generations"] > asked, 5 * SLOWNESS)
        p.cancel(request)
        assert server.wait(lambda: server.figures()["open"] <= 1, 2 * SLOWNESS), "its connection was left open"
    else:
        what, said = p.end_action(request)
        if row.action == WHOLE:
            assert what == "text" and said.strip() == LINE.strip(), said
        elif row.inline == EITHER:
            assert what == "error" or said.strip() == LINE.strip(), said
        else:
            assert what == "error", said
            assert re.search(row.action or "", said) and len(said) > 20, said
    assert server.figures()["generations"] - asked <= row.most_action, "I9"
    if row.heals:
        server.plan()

        def is_right():
            what, said = p.end_action(p.begin_action())
            assert what == "error" or said.strip() == LINE.strip(), "I4"
            time.sleep(0 if what == "text" else 0.2)
            return what == "text"
        p.until(is_right, 20, "the truth, I4")
    p.check_replies()
    p.check_usage(row.kib)
    p.check_secrets()


@pytest.mark.parametrize("plan", [{"flood": "events"}, {"flood": "line", "flood_bytes": 100_000_000}], ids=["events", "line"])
@pytest.mark.parametrize("kind", DIALECTS)
def test_flood_leaves_the_loop_to_others(patient, kind, plan):
    """I1: what is asked meanwhile is answered. The bound is generous, and so holds on a busy machine."""
    p = patient(FENCED, kind=kind, model=DIALECTS[kind], upstream={"breakerFailures": 1000, "retries": 0})
    p.faults.plan(**plan)
    lags, asked = [], p.faults.figures()["generations"]
    for _ in range(25):
        flooded = p.begin_action()
        for _ in range(4):
            started = time.monotonic()
            p.server.barrier()
            lags.append(time.monotonic() - started)
        p.end_action(flooded)
    assert p.faults.figures()["generations"] == asked + 25, "each was flooded"
    lags.sort()
    print(f"lag p50 {lags[50] * 1000:.1f} ms, p99 {lags[98] * 1000:.1f} ms")
    assert lags[98] < 0.5 * SLOWNESS
    p.check_replies()
    p.check_usage(16384)
