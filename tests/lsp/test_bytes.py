"""test_bytes.py - what can come through the pipe besides messages, and messages that are none.

Each case writes some bytes after the handshake and says what must come back; then an ordinary request
must be answered, which shows that the server has found back into the stream."""
import json
import time

import pytest

from client import (INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, SLOWNESS, frame)

PING = {"jsonrpc": "2.0", "id": "ping", "method": "crucible/nothing"}


def ping_with(header, body=None):
    data = body if body is not None else json.dumps(PING).encode()
    return header % len(data) + data


def expect_errors(server, code, n=1, timeout=5):
    """n errors without an id come, and no more."""
    def errors():
        return [m for _, m in server.messages if "error" in m and m.get("id") is None]
    server.wait(lambda: len(errors()) >= n, timeout, f"an error {code} without an id")
    server.barrier()
    assert [e["error"]["code"] for e in errors()] == [code] * n


@pytest.fixture
def lawless(quiet):
    server = quiet()
    server.is_lawless = True
    return server


# -- headers that must be understood --
GOOD_HEADERS = {
    "plain": b"Content-Length: %d\r\n\r\n",
    "lower-case name": b"content-length: %d\r\n\r\n",
    "upper-case name": b"CONTENT-LENGTH: %d\r\n\r\n",
    "no space": b"Content-Length:%d\r\n\r\n",
    "many spaces": b"Content-Length:    %d\r\n\r\n",
    "tab": b"Content-Length:\t%d\r\n\r\n",
    "space behind": b"Content-Length: %d  \r\n\r\n",
    "line feeds only": b"Content-Length: %d\n\n",
    "first line feed, then both": b"Content-Length: %d\n\r\n",
    "with a type": b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n",
    "type first": b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
    "utf8": b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n",
    "UTF-8": b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=UTF-8\r\n\r\n",
    "quoted charset": b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=\"utf-8\"\r\n\r\n",
    "type without charset": b"Content-Length: %d\r\nContent-Type: application/json\r\n\r\n",
    "unknown header": b"X-Trace: 17\r\nContent-Length: %d\r\n\r\n",
    "unknown header behind": b"Content-Length: %d\r\nX-Trace: a:b:c\r\n\r\n",
    "empty value of another": b"X-Trace:\r\nContent-Length: %d\r\n\r\n",
    "long value of another": b"X-Trace: " + b"x" * 4000 + b"\r\nContent-Length: %d\r\n\r\n",
}


@pytest.mark.parametrize("header", GOOD_HEADERS.values(), ids=GOOD_HEADERS)
def test_header_is_understood(lawless, header):
    lawless.send_raw(ping_with(header))
    assert lawless.reply("ping", 5)["error"]["code"] == METHOD_NOT_FOUND
    lawless.barrier()


def test_equal_lengths_twice_are_one(lawless):
    body = json.dumps(PING).encode()
    lawless.send_raw(b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s" % (len(body), len(body), body))
    assert lawless.reply("ping", 5)["error"]["code"] == METHOD_NOT_FOUND


# -- headers that must be survived: the next message is understood --
BAD_STREAMS = {
    "negative length": b"Content-Length: -1\r\n\r\n",
    "signed length": b"Content-Length: +5\r\n\r\n",
    "hexadecimal length": b"Content-Length: 0x10\r\n\r\n",
    "letters behind": b"Content-Length: 5abc\r\n\r\n",
    "twenty digits": b"Content-Length: 99999999999999999999\r\n\r\n",
    "sixteen nines": b"Content-Length: 9999999999999999\r\n\r\n",
    "past all reason": b"Content-Length: 18446744073709551615\r\n\r\n",
    "just past 64 bits": b"Content-Length: 18446744073709551616\r\n\r\n",
    "two to the 63": b"Content-Length: 9223372036854775808\r\n\r\n",
    "empty length": b"Content-Length: \r\n\r\n",
    "exponent": b"Content-Length: 1e3\r\n\r\n",
    "fraction": b"Content-Length: 1.0\r\n\r\n",
    "two numbers": b"Content-Length: 5 5\r\n\r\n",
    "list of numbers": b"Content-Length: 5, 5\r\n\r\n",
    "wide digits": "Content-Length: ５\r\n\r\n".encode(),
    "two lengths that differ": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
    "two lengths, one of them bad": b"Content-Length: 2\r\nContent-Length: x\r\n\r\n",
    "no length": b"Content-Type: application/json\r\n\r\n",
    "no length, twice": b"X-A: b\r\n\r\n" * 2,
    "a line of a shell": b"bash: warning: setlocale: LC_ALL: cannot change locale\n",
    "a line without a colon": b"hello\r\n",
    "a block without a colon": b"hello\r\n\r\n",
    "a body without a header": json.dumps(PING | {"id": "lost"}).encode() + b"\r\n",
    "null bytes": b"\0" * 100,
    "null byte in a header": b"X-A: \0\r\n",
    "byte order mark": b"\xef\xbb\xbf\r\n",
    "random bytes": bytes((i * 167 + 13) % 251 for i in range(2000)) + b"\n",
    "header of 9000 bytes": b"X-A: " + b"y" * 9000 + b"\r\n\r\n",
    "a line of 100 000 bytes": b"z" * 100_000 + b"\r\n\r\n",
    "ten thousand headers": b"X-A: b\r\n" * 10_000 + b"\r\n",
    "carriage returns": b"\r" * 50 + b"\n",
    "blank lines": b"\r\n" * 3,
    "a name that begins like it": b"Content-Lengthy: 5\r\n",
    "the name cut off": b"Content-Len\r\n",
    "a request line": b"GET / HTTP/1.1\r\nHost: localhost\r\n",
}


@pytest.mark.parametrize("data", BAD_STREAMS.values(), ids=BAD_STREAMS)
def test_stream_is_found_again_after(lawless, data):
    lawless.send_raw(data + frame(PING))
    assert lawless.reply("ping", 10)["error"]["code"] == METHOD_NOT_FOUND
    lawless.barrier()
    assert len(lawless.replies("ping")) == 1


def test_blocks_without_length_for_ever_end_the_server(lawless):
    lawless.expected_code = 1
    lawless.send_raw(b"X-A: b\r\n\r\n" * 20)
    assert lawless.wait_exit() == 1


def test_other_charset_drains_its_body(lawless):
    body = json.dumps(PING | {"id": "foreign"}).encode("utf-16")
    lawless.send_raw(b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-16\r\n\r\n%s" %
                     (len(body), body))
    lawless.barrier()
    assert not lawless.replies("foreign")


def test_body_past_the_maximum_is_drained_and_answered(lawless):
    n = (256 << 20) + 1
    lawless.send_raw(b"Content-Length: %d\r\n\r\n" % n)
    block = b" " * (1 << 20)
    for _ in range(256):
        lawless.send_raw(block)
    lawless.send_raw(b" " + frame(PING))
    assert lawless.reply("ping", 30 * SLOWNESS)["error"]["code"] == METHOD_NOT_FOUND
    assert [m for _, m in lawless.messages if "error" in m and m.get("id") is None]


def test_empty_body_is_survived(lawless):
    lawless.send_raw(b"Content-Length: 0\r\n\r\n" + frame(PING))
    assert lawless.reply("ping", 5)["error"]["code"] == METHOD_NOT_FOUND


# -- cuts --
def test_every_cut_of_a_message_means_the_same(lawless):
    for i in range(len(frame(PING)) + 1):
        data = frame(PING | {"id": f"cut {i:03}"})
        lawless.send_raw(data[:i])
        time.sleep(0.001)
        lawless.send_raw(data[i:])
    for i in range(len(frame(PING)) + 1):
        assert lawless.reply(f"cut {i:03}", 5)["error"]["code"] == METHOD_NOT_FOUND


def test_two_thousand_messages_in_one_write(lawless):
    lawless.send_raw(b"".join(frame(PING | {"id": i}) for i in range(1000, 3000)))
    for i in range(1000, 3000):
        assert len([lawless.reply(i, 20)]) == 1
    order = [m["id"] for _, m in lawless.messages if isinstance(m.get("id"), int) and m["id"] >= 1000]
    assert order == list(range(1000, 3000))


@pytest.mark.parametrize("writer", ["bytes", "stalls"])
def test_way_of_writing_changes_nothing(quiet, writer):
    server = quiet(writer=writer)
    server.open("file:///a.c", "int é = '😀';\n")
    for version in range(2, 12):
        server.change("file:///a.c", version, (0, 0, 0, 0, "x\r\n"), (0, 0, 1, 0, ""))
    assert server.call("nothing/atAll")["error"]["code"] == METHOD_NOT_FOUND
    server.barrier()


# -- texts that are no JSON --
NO_JSON = {
    "open object": b"{", "open array": b"[1", "half a word": b"nul", "single quotes": b"{'a':1}",
    "comma at the end": b'{"jsonrpc":"2.0",}', "text behind": b"{}x", "two values": b"{} {}", "bare word": b"hello",
    "bare minus": b"-", "leading zero": b"[01]", "dot at the end": b"[1.]", "leading dot": b"[.5]", "plus": b"[+1]",
    "not a number": b"[NaN]", "infinity": b"[Infinity]", "bad escape": b'["\\x"]', "short escape": b'["\\u12"]',
    "raw line feed in a string": b'["a\nb"]', "raw null byte in a string": b'["a\0b"]', "open string": b'["abc',
    "comment": b"/* a */ {}", "colon twice": b'{"a"::1}', "comma twice": b"[1,,2]", "no comma": b"[1 true]",
    "key that is no string": b"{1:2}", "invalid byte": b'["\xff"]', "overlong form": b'["\xc0\xaf"]',
    "encoded surrogate": b'["\xed\xa0\x80"]', "cut code point": b'["\xe2\x82"]', "past the last code point":
    b'["\xf4\x90\x80\x80"]', "other encoding": '{"jsonrpc":"2.0"}'.encode("utf-16"), "closing bracket": b"]",
    "wrong bracket": b"[1}", "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand objects": b'{"a":' * 100_000, "exponent without digits": b"[1e]", "capital word": b"[True]",
    "form feed": b"[1,\x0c2]",
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_malformed_json_is_a_parse_error(lawless, body):
    lawless.send_raw(frame(body))
    expect_errors(lawless, PARSE_ERROR)


def test_blank_body_is_a_parse_error(lawless):
    lawless.send_raw(frame(b"   "))
    expect_errors(lawless, PARSE_ERROR)


# -- JSON that is no message --
NO_MESSAGE = {
    "number": b"1", "null": b"null", "true": b"true", "string": b'"x"', "empty array": b"[]",
    "batch": json.dumps([PING | {"id": "in a batch"}]).encode(), "empty object": b"{}",
    "no method": b'{"jsonrpc":"2.0","params":{}}',
    "fractional id": b'{"jsonrpc":"2.0","id":1.5,"method":"x"}',
    "object as id": b'{"jsonrpc":"2.0","id":{},"method":"x"}',
    "array as id": b'{"jsonrpc":"2.0","id":[1],"method":"x"}',
    "boolean as id": b'{"jsonrpc":"2.0","id":true,"method":"x"}',
    "huge id": b'{"jsonrpc":"2.0","id":1e400,"method":"x"}',
}


@pytest.mark.parametrize("body", NO_MESSAGE.values(), ids=NO_MESSAGE)
def test_what_is_no_message_is_an_invalid_request(lawless, body):
    lawless.send_raw(frame(body))
    expect_errors(lawless, INVALID_REQUEST)
    assert not lawless.replies("in a batch")


BAD_REQUESTS = {
    "no version": b'{"id":77,"method":"shutdown"}',
    "version 1.0": b'{"jsonrpc":"1.0","id":77,"method":"shutdown"}',
    "version as a number": b'{"jsonrpc":2.0,"id":77,"method":"shutdown"}',
    "number as method": b'{"jsonrpc":"2.0","id":77,"method":5}',
    "null as method": b'{"jsonrpc":"2.0","id":77,"method":null}',
    "object as method": b'{"jsonrpc":"2.0","id":77,"method":{}}',
    "no method": b'{"jsonrpc":"2.0","id":77}',
    "string as params": b'{"jsonrpc":"2.0","id":77,"method":"shutdown","params":"x"}',
    "number as params": b'{"jsonrpc":"2.0","id":77,"method":"shutdown","params":1}',
    "boolean as params": b'{"jsonrpc":"2.0","id":77,"method":"shutdown","params":true}',
}


@pytest.mark.parametrize("body", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_request_that_is_none_is_refused(lawless, body):
    lawless.send_raw(frame(body))

    def errors():
        return [m for _, m in lawless.messages if "error" in m and m.get("id") in (77, None)]
    lawless.wait(errors, 5, "an error")
    lawless.barrier()
    assert [e["error"]["code"] for e in errors()] == [INVALID_REQUEST]


# Responses to nothing, and notifications that are none: never answered.
UNANSWERED = {
    "response to nothing": b'{"jsonrpc":"2.0","id":4711,"result":null}',
    "error to nothing": b'{"jsonrpc":"2.0","id":4711,"error":{"code":1,"message":"x"}}',
    "response with a string id": b'{"jsonrpc":"2.0","id":"x","result":{}}',
    "response with a null id": b'{"jsonrpc":"2.0","id":null,"result":{}}',
    "error that is none": b'{"jsonrpc":"2.0","id":4711,"error":5}',
    "unknown notification": b'{"jsonrpc":"2.0","method":"x/y"}',
    "unknown notification with $": b'{"jsonrpc":"2.0","method":"$/x"}',
    "duplicate keys": b'{"jsonrpc":"2.0","jsonrpc":"2.0","method":"x/y","method":"z"}',
    "extra members": b'{"jsonrpc":"2.0","method":"x/y","extra":[1,{"a":null}]}',
    "trace without value": b'{"jsonrpc":"2.0","method":"$/setTrace","params":{}}',
    "trace of a wrong type": b'{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":7}}',
    "progress of nobody": b'{"jsonrpc":"2.0","method":"$/progress","params":{"token":"x","value":1}}',
    "progress cancel of nobody": b'{"jsonrpc":"2.0","method":"window/workDoneProgress/cancel","params":{"token":9}}',
}


@pytest.mark.parametrize("body", UNANSWERED.values(), ids=UNANSWERED)
def test_is_never_answered(lawless, body):
    before = len(lawless.messages)
    lawless.send_raw(frame(body))
    lawless.barrier()
    assert [m for _, m in lawless.messages[before:] if "method" not in m and "error" in m and
            m["error"]["code"] != METHOD_NOT_FOUND] == []
    assert len([m for _, m in lawless.messages[before:] if "method" not in m]) == 1


# -- ids and methods --
IDS = [0, 1000, -1, 2147483647, -2147483648, 9007199254740991, "", "a", "1", "é😀", "x" * 10_000, "\u0000", "\"\\\n"]


@pytest.mark.parametrize("id", IDS, ids=lambda i: f"{type(i).__name__} {str(i)[:12]!r}")
def test_id_comes_back_as_it_was(lawless, id):
    assert lawless.reply(lawless.request("crucible/nothing", id=id), 5)["error"]["code"] == METHOD_NOT_FOUND


@pytest.mark.parametrize("method", ["foo", "", "$/foo", "textDocument/unheardOf", "x" * 10_000, "\u0000", "é/😀", "initialized"])
def test_unknown_request_is_not_found(lawless, method):
    id = lawless.request(method, {})
    assert lawless.reply(id, 5)["error"]["code"] in (METHOD_NOT_FOUND, INVALID_REQUEST)
    lawless.barrier()


def test_null_params_are_as_good_as_none(lawless):
    lawless.send_raw(frame(b'{"jsonrpc":"2.0","id":"n","method":"crucible/nothing","params":null}'))
    assert lawless.reply("n", 5)["error"]["code"] in (METHOD_NOT_FOUND, INVALID_REQUEST)


# -- the end of the stream --
@pytest.mark.parametrize("data", [b"Content-Le", b"Content-Length: 10\r\n", b"Content-Length: 10\r\n\r\n", b"Content-Length: 10\r\n\r\n{\"a\"",
                                  b""], ids=["in a header", "behind a header", "before a body", "in a body", "between messages"])
def test_end_of_input_without_exit_ends_with_1(lawless, data):
    lawless.expected_code = 1
    lawless.send_raw(data)
    lawless.close_stdin()
    started = time.monotonic()
    assert lawless.wait_exit() == 1
    assert time.monotonic() - started < 0.2 * SLOWNESS + 0.5


def test_end_of_input_after_shutdown_ends_with_0(lawless):
    lawless.result("shutdown")
    lawless.close_stdin()
    assert lawless.wait_exit() == 0


# -- cancelling what isn't there --
CANCELS = {"unknown number": {"id": 99}, "unknown string": {"id": "99"}, "answered": {"id": 1}, "no id": {},
           "null": {"id": None}, "object": {"id": {}}, "fraction": {"id": 1.5}, "array of params": [1], "no params": None}


@pytest.mark.parametrize("params", CANCELS.values(), ids=CANCELS)
def test_cancel_of_nothing_is_ignored(lawless, params):
    before = len(lawless.messages)
    lawless.notify("$/cancelRequest", params)
    lawless.barrier()
    assert len([m for _, m in lawless.messages[before:] if "method" not in m]) == 1


def test_cancel_before_its_request_cancels_nothing(lawless):
    lawless.notify("$/cancelRequest", {"id": "later"})
    assert lawless.reply(lawless.request("crucible/nothing", id="later"))["error"]["code"] == METHOD_NOT_FOUND
