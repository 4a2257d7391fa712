"""test_faults_net.py - the fault matrix's rows that no plan of the fault server plays: nobody there, a hole where a
network was, names, certificates, redirects, and answers that could be mixed up."""
import contextlib
import pathlib
import random
import resource
import signal
import socket
import ssl
import sys
import threading
import time

import pytest

from authority import authority  # noqa: F401  a fixture
from client import IS_SANITIZED, SLOWNESS, items_of
from faults import Faults, build_names
from faulty import CANARY, FENCED, LINE, TEXT, URI, Patient
from simulator import Simulator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fault server is built on epoll")
MODELS = {"llamacpp": "tinycode", "ollama": "tinycode:latest", "openai": "qwen2.5-coder"}
FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "unit/providers/fixtures"


@pytest.fixture
def patient(home, config, start):
    return lambda faults, **more: Patient(home, config, start, faults, **more)


def truth_comes(p, timeout=20):
    p.until(lambda: p.ask_typed()[0] == TEXT, timeout, "the truth, I4")


class Sink:
    """Listens and counts: what reaches a host that nobody should ask."""

    def __init__(self, backlog=16, accepts=True):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port, self.n_bytes, self.n_connections, self.held = self.listener.getsockname()[1], 0, 0, []
        if accepts:
            threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.n_connections += 1
                self.held.append(connection)
                threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                self.n_bytes += len(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.held:
            connection.close()


# -- nobody there --

def test_connection_refused_and_back(patient):
    with Faults(text=TEXT) as server:
        p, port = patient(server), server.port
    for _ in range(10):
        request = p.begin()
        p.others_answer()
        assert p.end(request) is None
    kind, said = p.end_action(p.begin_action())
    assert kind == "error" and "nothing listens" in said, said
    for _ in range(5):
        assert p.ask_typed(trigger=1)[0] is None
    assert len(p.messages()) <= 1, p.messages()
    with Faults(text=TEXT, port=port) as server:
        p.faults = server
        truth_comes(p)
        p.check_usage()
    p.check_replies()
    p.check_secrets()


def test_black_hole(patient):
    """A full backlog swallows connections, as a network that drops them does."""
    with Faults(text=TEXT) as server:
        p, port = patient(server), server.port
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        fillers.append(socket.socket())
        fillers[-1].setblocking(False)
        fillers[-1].connect_ex(("127.0.0.1", port))
    started = time.monotonic()
    for _ in range(6):
        request = p.begin()
        p.others_answer()
        assert p.end(request) is None
    assert time.monotonic() - started < 25 * SLOWNESS, "1 s for a connection, until it is known that none comes"
    for s in (*fillers, listener):
        s.close()
    with Faults(text=TEXT, port=port) as server:
        p.faults = server
        truth_comes(p, 30)
        p.check_usage()
    p.check_replies()
    p.check_secrets()


def test_server_that_is_stopped_and_goes_on(patient):
    """Connections that are open to nobody: what a suspended machine or a lost route leaves."""
    with Faults(text=TEXT) as server:
        p = patient(server)
        server.process.send_signal(signal.SIGSTOP)
        try:
            request = p.begin()
            p.others_answer()
            assert p.end(request) is None
            action = p.begin_action()
            time.sleep(0.3)
            p.cancel(action)
        finally:
            server.process.send_signal(signal.SIGCONT)
        truth_comes(p)
        p.check_usage()
    p.check_replies()
    p.check_secrets()


def test_no_descriptor_left(patient):
    """EMFILE: new connections can't be made; the editor is answered, and all is well when there are some again."""
    with Faults(text=TEXT) as server:
        p = patient(server)
        pid, limit = p.server.process.pid, resource.prlimit(p.server.process.pid, resource.RLIMIT_NOFILE)
        server.plan(close=1)
        p.ask_typed()  # the connection that was kept is gone
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (p.base[0], limit[1]))
        for _ in range(6):
            request = p.begin()
            p.others_answer()
            assert p.end(request) is None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        server.plan()
        truth_comes(p)
        p.check_usage()
    p.check_replies()
    p.check_secrets()


# -- names --

preloads = pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's runtime wants to be loaded first")


@preloads
@pytest.mark.parametrize("name, state, said", [
    ("gone.local", "down", "unknown"), ("broken.local", "down", "unknown"),
    ("wrong.local", "blocked", "out of this network"), ("hang.local", "probing", "")])
def test_names_that_fail(home, config, start, name, state, said, env):
    with Faults(text=TEXT) as server:
        def with_names(**more):
            return start(env={"LD_PRELOAD": str(build_names())}, **more)
        p = Patient(home, config, with_names, server, url=f"http://{name}:{server.port}", warm=False)
        for _ in range(4):
            request = p.begin()
            p.others_answer()
            assert p.end(request) is None
        p.until(lambda: p.state() in (state, "down"), 10, state)
        endpoint = p.stats()["endpoints"][0]
        assert said in endpoint.get("message", ""), endpoint
        assert server.figures()["generations"] == 0
        p.check_replies()
        p.check_secrets()
        if name == "hang.local":  # leaving doesn't wait for the name
            started = time.monotonic()
            assert p.server.stop() == 0
            assert time.monotonic() - started < 5 * SLOWNESS


@preloads
def test_name_that_works(home, config, start):
    with Faults(text=TEXT) as server:
        p = Patient(home, config, lambda **more: start(env={"LD_PRELOAD": str(build_names())}, **more), server,
                    url=f"http://here.local:{server.port}")
        truth_comes(p)


# -- certificates --

@contextlib.contextmanager
def secure(pair, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    with Simulator([f"int f(int count)\n{{\n    int total_{i} = {TEXT}\n}}\n" for i in range(60)], tls=context) as sim:
        yield sim


@pytest.mark.parametrize("what", ["own", "unknown authority", "another host", "expired"])
def test_certificate_is_refused(home, config, start, authority, what):  # noqa: F811
    pair, more = {"own": (lambda: authority.own("localhost"), {}),
                  "unknown authority": (lambda: authority.signed("localhost"), {}),
                  "another host": (lambda: authority.signed("models.example.test"), {"caFile": str(authority.ca)}),
                  "expired": (lambda: authority.signed("localhost", -1), {"caFile": str(authority.ca)})}[what]
    with secure(pair()) as sim:
        p = Patient(home, config, start, None, url=sim.url, endpoint=more, warm=False)
        p.until(lambda: p.state() == "blocked", 10, "blocked")
        for _ in range(3):
            assert p.ask_typed()[0] is None
        kind, said = p.end_action(p.begin_action())
        assert kind == "error" and "certificate" in said, said
        n_connections = sim.n_connections
        time.sleep(0.5)
        assert not sim.log and sim.n_connections == n_connections, "a request went out, or it was tried again"
        p.check_replies()
        p.check_secrets()


def test_authority_of_the_settings_is_accepted(home, config, start, authority):  # noqa: F811
    with secure(authority.signed("localhost")) as sim:
        p = Patient(home, config, start, None, url=sim.url, endpoint={"caFile": str(authority.ca)}, warm=False)
        p.until(lambda: p.state() == "ready", 10, "ready")
        truth_comes(p)
        assert all(e["headers"]["authorization"] == f"Bearer {CANARY}" for e in sim.generations)
        p.check_replies()
        p.check_secrets()


@pytest.mark.parametrize("has_one", [False, True])
def test_server_that_wants_a_certificate_of_ours(home, config, start, authority, has_one):  # noqa: F811
    """Without one it can't be reached, and nothing is sent."""
    more = {"caFile": str(authority.ca)}
    if has_one:
        more["clientCert"], more["clientKey"] = (str(path) for path in authority.signed("somebody"))
    with secure(authority.signed("localhost"), client_ca=authority.ca) as sim:
        p = Patient(home, config, start, None, url=sim.url, endpoint=more, warm=False)
        if has_one:
            truth_comes(p)
        else:
            p.until(lambda: p.state() in ("down", "blocked"), 10, "down")
            assert p.ask_typed()[0] is None
            assert not sim.log
        p.check_replies()
        p.check_secrets()


def test_handshake_that_stalls(home, config, start):
    with Sink() as sink:
        p = Patient(home, config, start, None, url=f"https://127.0.0.1:{sink.port}", warm=False)
        started = time.monotonic()
        request = p.begin()
        p.others_answer()
        assert p.end(request) is None
        p.until(lambda: p.state() == "down", 10, "down")
        assert time.monotonic() - started < 10 * SLOWNESS
        p.check_replies()
        p.check_secrets()


# -- redirects --

@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}/infill", "file:///etc/passwd", "/infill"])
def test_redirect_is_refused(patient, status, where):
    with Faults(text=TEXT) as server, Sink() as sink:
        p = patient(server)
        asked = server.figures()["generations"]
        location = where.format(port=sink.port)
        server.plan(status=status, headers=f"Location: {location}\r\n".encode(), body=b"")
        assert p.ask_typed()[0] is None
        kind, said = p.end_action(p.begin_action())
        assert kind == "error" and "elsewhere" in said, said
        assert server.figures()["generations"] - asked == 2, "it was followed, or tried again"
        assert (sink.n_connections, sink.n_bytes) == (0, 0)
        server.plan()
        truth_comes(p)
        p.check_replies()
        p.check_usage()
        p.check_secrets()


def test_redirected_probe_reaches_nobody(home, config, start):
    with Faults() as server, Sink() as sink:
        server.plans({"for": "probe", "status": 307, "body": b"",
                      "headers": f"Location: http://127.0.0.1:{sink.port}/\r\n".encode()})
        p = Patient(home, config, start, server, warm=False)
        p.until(lambda: p.state() == "down", 10, "down")
        assert (sink.n_connections, sink.n_bytes) == (0, 0)
        p.check_secrets()


# -- answers of somebody else --

PACES = [{}, {"token_us": 200}, {"slice": 50}, {"delay_ms": 1}, {"close": 1}, {"http10": 1}]


def test_answers_are_never_mixed_up(patient):
    """Each request has a word of its own, and its answer says it; half of them are cancelled in all states."""
    with Faults(echo=1) as server:
        p = patient(server, warm=False)
        p.until(lambda: p.state() == "ready", 10, "ready")
        rng, n_answered = random.Random(server.seed), 0
        waiting = []
        for i in range(3000):
            if i % 500 == 0:
                server.plan(**rng.choice(PACES))
            word = f"nonce{i:06d}"
            text = f"int f(void)\n{{\n    int {word} = \n}}\n"
            p.version += 1
            p.server.change(URI, p.version, text)
            request = p.server.ask_inline(URI, 2, len(text.split("\n")[2]))
            waiting.append((request, word))
            if rng.random() < 0.5:
                time.sleep(rng.random() * 0.002)
                p.server.notify("$/cancelRequest", {"id": request})
            elif rng.random() < 0.5:
                p.server.reply(request, 10 * SLOWNESS)
        for request, word in waiting:
            message = p.server.reply(request, 10 * SLOWNESS)
            items = items_of(message.get("result"))
            if items:
                n_answered += 1
                assert items[0]["insertText"] == f"({word});", (word, items)
        assert n_answered > 300, n_answered
        p.check_replies()


# -- every byte --

@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("kind", ["llamacpp", "ollama", "openai"])
def test_cut_at_every_byte(patient, kind, how):
    """Wherever the answer is cut, it is given whole or not at all, and the next one is right."""
    with Faults(kind, text=TEXT) as server:
        model = MODELS[kind]
        # budgets are tried elsewhere; here each cut has to reach the wire
        p = patient(server, kind=kind, model=model, upstream={"breakerFailures": 1000})
        length, n_shown, step = server.figures()["len"], 0, 1 if how == "fin" else 7
        for cut in range(0, length, step):
            server.plans({"cut": cut, "how": how, "times": 1}, {})
            text, _ = p.ask_typed()
            assert text in (None, TEXT), (cut, text)
            n_shown += text == TEXT
            if text is None and p.state() != "ready":
                p.until(lambda: p.state() == "ready", 10, "ready")
            if cut % 50 == 0:
                truth_comes(p)
        assert n_shown < length / 2 / step, "only the end may be missing"
        server.plan()
        truth_comes(p)
        p.check_replies()
        p.check_usage()


@pytest.mark.parametrize("kind, fixture", [
    ("llamacpp", "llamacpp_infill_limit.sse"), ("ollama", "ollama_infill.ndjson"), ("openai", "openai_completions.sse")])
def test_split_at_every_byte(patient, kind, fixture):
    """A recorded stream, in two packets at each byte, and byte by byte, in chunks of all sizes: the same text."""
    stream = (FIXTURES / fixture).read_bytes()
    mime = "application/x-ndjson" if kind == "ollama" else "text/event-stream"
    with Faults(kind, text=TEXT) as server:
        p = patient(server, kind=kind, model=MODELS[kind])
        whole = {"body": stream, "type": mime}
        server.plan(**whole)
        expected, _ = p.ask_typed()
        assert expected, "the recorded stream has a text"
        for how in ({"slice": 1, "gap_us": 20}, {"slice": 1, "chunk": 1}, {"chunk": 7}, {"slice": 3, "gap_us": 100}):
            server.plan(**whole, **how)
            assert p.ask_typed()[0] == expected, how
        server.plan(**whole, split=1, sweep=1, gap_us=150)
        for _ in range(server.figures()["len"] - 1):
            assert p.ask_typed()[0] == expected
        assert server.figures()["swept"] >= 1
        p.check_replies()
        p.check_usage()
