"""test_faults_json.py - events that are no JSON, or JSON that nobody expects, in each dialect: what isn't any is never
taken for text, and none of it is the last that is heard of a server."""
import json
import sys

import pytest

from faulty import TEXT, Patient, faults_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fault server is built on epoll")
MODELS = {"llamacpp": "tinycode", "ollama": "tinycode:latest", "openai": "qwen2.5-coder"}
WRONG = "WRONG"  # the text of every event here


def texted(kind, text, is_end=False):
    if kind == "llamacpp":
        return {"content": text, "stop": is_end}
    if kind == "ollama":
        return {"response": text, "done": is_end, **({"done_reason": "stop"} if is_end else {})}
    return {"choices": [{"text": text, "index": 0, "finish_reason": "stop" if is_end else None}]}


def framed(kind, value):
    value = value if isinstance(value, bytes) else json.dumps(value).encode()
    return value + b"\n" if kind == "ollama" else b"data: " + value + b"\n\n"


def stream(kind, *values):
    body = b"".join(framed(kind, v) for v in values) + (b"data: [DONE]\n\n" if kind == "openai" else b"")
    return {"body": body, "type": "application/x-ndjson" if kind == "ollama" else "text/event-stream"}


NUMBERS = ["01", "-01", "+1", ".5", "1.", "1e", "1e+", "-", "--1", "0x1", "1_0", "NaN", "Infinity", "-Infinity", "1.2.3"]
STRINGS = [r'"\x"', r'"\u12"', r'"\u12G4"', '"\\', '"\t"', '"\x01"', "'a'", '"a', r'"\U00000041"', r'"\0"', '"\x00"']
VALUES = ["[1,,2]", "[,1]", "[1,]", "[1 2]", "[1", "[", "]", "{", "{,}", '{"a"}', '{"a":}', '{"a":1,}', '{"a"::1}',
          '{"a" 1}', '{a:1}', "{1:1}", '{"a":1 "b":2}', '{"a":1]', "[1}", "nul", "True", "FALSE", "undefined", "/**/1",
          "1//", "#", "<html>", "\ufeff1", "{]", "[[]", "[{]}"]
AROUND = ["{}}}", "{},", "{}{}", "{} {}", "{}]", "{} x", "[{}", ",{}", "({})", "{}//", "'{}'", "\x0c{}", "\u00a0{}"]


def not_json(kind):
    """(what it is, bytes of no JSON that has a text in it)"""
    whole = json.dumps(texted(kind, WRONG))
    for member in NUMBERS + STRINGS + VALUES:
        for place in (whole[:-1] + ', "x": ' + member + "}", '{"x": ' + member + ", " + whole[1:]):
            yield f"member {member}", place.encode()
    for around in AROUND:
        yield f"around {around}", around.replace("{}", "\0", 1).replace("{}", whole).replace("\0", whole).encode()
    yield "comma", (whole[:-1] + ",}").encode()
    yield "no quotes", whole.replace('"', "").encode()
    yield "single quotes", whole.replace('"', "'").encode()
    yield "deep", whole[:-1].encode() + b', "x": ' + b"[" * 100_000 + b"}"
    for n in range(1, len(whole)):
        yield f"first {n} bytes", whole[:n].encode()


def unexpected(kind):
    """JSON that is right, and no event."""
    whole = json.dumps(texted(kind, "x"))
    keys = {"llamacpp": "content", "ollama": "response", "openai": "choices"}
    values = ["null", "true", "7", "-0", "1e999", "-1e-999", '""', '"a"', "[]", "{}", "[[]]", "[null]", "[{}]", '[{"text": 7}]',
              '[{"index": -1}]', '[{"index": 1e99, "text": "a"}]', "9" * 400, "0." + "1" * 400, r'"\u0000"', r'"\ud800"',
              r'"\udc00\ud800"', r'"\ud83d\ude00"', "[" * 60 + "]" * 60]
    for value in values:
        yield value
        yield '{"' + keys[kind] + '": ' + value + "}"
        yield whole[:-1] + ', "error": ' + value + "}"
        yield whole[:-1] + ', "' + keys[kind] + '": ' + value + "}"  # a key twice
    yield '{"":0,"\\u0000":1}'
    yield " \t" + whole + " \t"


@pytest.fixture
def patient(home, config, start):
    servers = []

    def run(kind):
        server = faults_for(kind, text=TEXT)
        server.__enter__()
        servers.append(server)
        return Patient(home, config, start, server, kind=kind, model=MODELS[kind], upstream={"breakerFailures": 1000})
    yield run
    for server in servers:
        server.__exit__()


def check_well(p):
    p.faults.plan()
    p.until(lambda: p.ask_typed()[0] == TEXT, 20, "the truth, I4")
    assert not p.messages(), "I7: nobody who types is told"
    p.check_replies()
    p.check_usage()
    p.check_secrets()


def is_json(data):
    try:
        json.loads(data.decode(), parse_constant=lambda word: 1 / 0)
        return True
    except (ValueError, ZeroDivisionError, RecursionError):
        return False


def counts(p):
    """(questions that reached the server, those that failed)"""
    return p.faults.figures()["generations"], p.stats()["upstream"]["failed"]


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_no_json_is_never_text(patient, kind):
    """One such event is left out; an answer of which three are such is none."""
    p, end, values = patient(kind), texted(kind, "", is_end=True), list(not_json(kind))
    p.faults.plan(**stream(kind, texted(kind, WRONG), end))
    assert p.ask_typed()[0] == WRONG, "as JSON it is text: else nothing below says anything"
    asked, failed = counts(p)
    for what, value in values:
        assert not is_json(value), what
        p.faults.plan(**stream(kind, value, end))
        text = p.ask_typed()[0]
        assert text is None, (what, text)
    assert counts(p) == (asked + len(values), failed)
    for i, (what, value) in enumerate(values):
        p.faults.plan(**stream(kind, value, value, value, end))
        text = p.ask_typed()[0]
        assert text is None, (what, text)
        assert counts(p)[1] == failed + i + 1, ("I8", what)
    check_well(p)


@pytest.mark.parametrize("kind", MODELS)
def test_json_that_nobody_expects_is_survived(patient, kind):
    p, end, values = patient(kind), texted(kind, "", is_end=True), list(unexpected(kind))
    asked, _ = counts(p)
    for value in values:
        p.faults.plan(**stream(kind, texted(kind, "cou"), value.encode(), texted(kind, "nt;"), end))
        text = p.ask_typed()[0]
        assert text is None or text.isprintable(), (value, text)
    assert counts(p)[0] == asked + len(values)
    check_well(p)
