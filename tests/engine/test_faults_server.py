"""test_faults_server.py - the fault server itself: it breaks where it is told, and fast."""
import http.client
import json
import socket
import sys
import time

import pytest

from faults import Faults

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fault server is built on epoll")
ASK = json.dumps({"prompt": "int x = ", "input_prefix": "int x = ", "input_suffix": "", "stream": True}).encode()


def raw(server, path="/infill", body=ASK):
    """Everything that comes for one request, and how it ended: "open", "fin", "rst"."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as s:
        s.sendall(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
        data = b""
        s.settimeout(0.3)
        while True:
            try:
                block = s.recv(65536)
            except TimeoutError:
                return data, "open"
            except ConnectionResetError:
                return data, "rst"
            if not block:
                return data, "fin"
            data += block


def test_each_dialect_says_its_text():
    paths = {"llamacpp": ["/infill", "/completion", "/v1/chat/completions"], "ollama": ["/api/generate", "/api/chat"],
             "openai": ["/v1/completions", "/v1/chat/completions"]}
    for kind, some in paths.items():
        with Faults(kind, text="a \"b\"\n") as server:
            for path in some:
                connection = http.client.HTTPConnection("127.0.0.1", server.port)
                connection.request("POST", path, ASK)
                lines = connection.getresponse().read().decode().splitlines()
                events = [json.loads(line.removeprefix("data: ")) for line in lines if line and "[DONE]" not in line]
                said = "".join(e.get("content") or e.get("response") or e.get("message", {}).get("content") or
                               "".join(c.get("text") or c.get("delta", {}).get("content", "") for c in e.get("choices", []))
                               for e in events)
                assert said == "a \"b\"\n", (kind, path, lines)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_is_exact(how):
    with Faults(text="count;") as server:
        whole = raw(server)[0]
        server.plan(cut=0, sweep=True, how=how)
        for n in range(len(whole)):
            data, end = raw(server)
            # what a reset overtakes is lost
            assert end == how and (data == whole[:n] if how == "fin" else whole.startswith(data)), (n, data, end)
        assert server.figures()["swept"] == 1


def test_stall_keeps_the_connection():
    with Faults(text="count;") as server:
        server.plan(cut=10, how="stall")
        data, end = raw(server)
        assert end == "open" and len(data) == 10


def test_plans_follow_each_other():
    with Faults() as server:
        server.plans({"status": 503, "times": 2}, {"raw": "HTTP/1.1 200 OK\r\n\r\n", "times": 1, "cut": 4}, {"text": "x"})
        seen = [raw(server)[0][:12] for _ in range(5)]
        assert seen == [b"HTTP/1.1 503"] * 2 + [b"HTTP"] + [b"HTTP/1.1 200"] * 2, seen


def test_flood_has_its_size():
    with Faults() as server:
        server.plan(flood="headers", flood_bytes=3_000_000)
        data, _ = raw(server)
        assert data.count(b"X-Flood") > 110_000 and data.endswith(b"0\r\n\r\n"), len(data)


def test_thousands_of_connections_a_second():
    with Faults(text="count;") as server:
        server.plan(cut=0, how="rst")
        started = time.monotonic()
        for _ in range(1000):
            raw(server)
        took = time.monotonic() - started
        assert server.figures()["reset"] == 1000
        assert took < 10, took  # 0.2 s on an idle machine
