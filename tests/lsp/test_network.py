"""test_network.py - proxies, private authorities and client certificates, as those who use curl expect them."""
import json
import ssl
import subprocess
import time

import pytest

from client import SLOWNESS
from fixtures import TRUTH, is_ready
from proxies import Gate, Proxy
from simulator import Simulator
from terminal import run
from test_doctor import HOLES, authority, endpoint, examine, secure  # noqa: F401 (fixtures)

HOST = "models.example.test"  # the proxy alone knows it
SECRET = "s3cr3t-passw0rd"


@pytest.fixture(scope="module")
def pair(authority):
    return authority.signed(HOST)


def at(more, url=f"https://{HOST}:4433"):
    return endpoint(url, **more)


def context_for(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def is_reached(found):
    return found.get("trial", {}).get("status") == "ok"


# -- proxies --

def test_https_goes_through_a_tunnel(examine, authority, pair):
    with secure(pair) as sim, Proxy(sim.port) as proxy:
        key = authority.ca.parent / "api.key"
        key.write_text("canary-key\n")
        key.chmod(0o600)
        code, found = examine(at({"proxy": proxy.url, "caFile": str(authority.ca), "apiKeyFile": str(key)}))
        assert code == 0 and is_reached(found), found
        assert {(m, p) for m, p, _ in proxy.asked} == {("CONNECT", f"{HOST}:4433")}
        assert not any("canary" in head for _, _, head in proxy.asked)  # the key is in the tunnel alone
        assert any("canary-key" in str(r) for r in sim.log)


def test_plain_http_of_the_own_network_is_handed_to_the_proxy(examine):
    with Simulator(HOLES) as sim, Proxy(sim.port) as proxy:
        code, found = examine(at({"proxy": proxy.url}, url="http://models:8080"))
        assert code == 0 and is_reached(found), found
        assert {p for _, p, _ in proxy.asked} == {"models:8080"}
        assert all(m in ("GET", "POST", "HEAD") for m, _, _ in proxy.asked)


def test_socks_proxy_resolves_the_name(examine, authority, pair):
    with secure(pair) as sim, Proxy(sim.port, kind="socks5", login=f"user:{SECRET}") as proxy:
        code, found = examine(at({"proxy": proxy.with_login(f"user:{SECRET}"), "caFile": str(authority.ca)}))
        assert code == 0 and is_reached(found), found
        assert {a[:2] for a in proxy.asked} == {("name", f"{HOST}:4433")}


def test_proxy_may_speak_tls_itself(examine, authority, pair):
    here = authority.signed("localhost")
    with secure(pair) as sim, Proxy(sim.port, kind="https", tls=context_for(here)) as proxy:
        url = proxy.url.replace("127.0.0.1", "localhost")
        code, found = examine(at({"proxy": url, "caFile": str(authority.ca)}))
        assert code == 0 and is_reached(found), found
        proxy.asked.clear()
        code, found = examine(at({"proxy": url}))  # nobody vouches for the proxy
        assert code == 1 and "endpoint.cert_issuer" in found and not proxy.asked


def test_proxy_that_wants_a_password_says_so(examine, authority, pair):
    with secure(pair) as sim, Proxy(sim.port, login=f"user:{SECRET}") as proxy:
        more = {"caFile": str(authority.ca)}
        code, found = examine(at({**more, "proxy": proxy.with_login(f"user:{SECRET}")}))
        assert code == 0 and is_reached(found), found
        for url in (proxy.url, proxy.with_login("user:wrong-one")):
            code, found = examine(at({**more, "proxy": url}))
            assert code == 1 and "user name and password" in found["endpoint.proxy"]["finding"], found
            assert "wrong-one" not in json.dumps(found)
    with Simulator(HOLES) as sim, Proxy(sim.port, login=f"user:{SECRET}") as proxy:
        code, found = examine(at({"proxy": proxy.url}, url="http://models:8080"))
        assert code == 1 and "user name and password" in found["endpoint.proxy"]["finding"], found


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_proxy_that_refuses_or_is_gone_is_told_from_the_server(examine, authority, pair, kind):
    more = {"caFile": str(authority.ca)}
    with secure(pair) as sim:
        with Proxy(sim.port, kind=kind, refuses=502) as proxy:
            url = proxy.url
            code, found = examine(at({**more, "proxy": url}))
            assert code == 1 and "proxy" in found["endpoint.proxy"]["finding"], found
        code, found = examine(at({**more, "proxy": url}))
        assert code == 1 and "can't be reached" in found["endpoint.proxy"]["finding"], found
    code, found = examine(at({**more, "proxy": "http://no.such.host.invalid:1"}))
    assert code == 1 and "unknown name" in found["endpoint.proxy"]["finding"], found


def test_password_of_the_proxy_is_nowhere(config, env, start, home, authority, pair):
    with secure(pair) as sim, Proxy(sim.port, login=f"user:{SECRET}") as proxy:
        url = proxy.with_login(f"user:{SECRET}")
        for settings in (at({"proxy": url, "caFile": str(authority.ca)}), at({"proxy": url}),
                         at({"proxy": url.replace("http://", "ftp://")}), at({"proxy": url + "9999999"})):
            config(settings)
            for args in (["doctor"], ["models"], ["doctor", "--json"]):
                assert SECRET not in str(run(args, env, home / "work", timeout=60))
            server = start(args=["--log-level", "debug"])
            end = time.monotonic() + 10 * SLOWNESS
            while any(e["state"] in ("unknown", "probing") for e in server.result("crucible/stats")["endpoints"]):
                assert time.monotonic() < end
                time.sleep(0.05)
            assert SECRET not in json.dumps(server.result("crucible/stats")) + server.stderr_text()
        assert proxy.asked
    for path in home.rglob("*"):
        if path.is_file() and path.name != "config.json":
            assert SECRET.encode() not in path.read_bytes(), path


# -- the environment's proxies --

def test_environment_names_the_proxy(examine, authority, pair):
    more = {"caFile": str(authority.ca)}
    with secure(pair) as sim:
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            with Proxy(sim.port) as proxy:
                code, found = examine(at(more), **{name: proxy.url})
                assert code == 0 and is_reached(found) and proxy.asked, (name, found)
    with Simulator(HOLES) as sim, Proxy(sim.port) as proxy:
        code, found = examine(at({}, url="http://models:8080"), http_proxy=proxy.url)
        assert code == 0 and proxy.asked
        proxy.asked.clear()
        examine(at({}, url="http://models:8080"), HTTP_PROXY=proxy.url)  # a request's header could have set it
        assert not proxy.asked


def test_endpoint_s_own_proxy_comes_first(examine, authority, pair):
    with secure(pair) as sim, Proxy(sim.port) as own, Proxy(sim.port) as other:
        code, _ = examine(at({"caFile": str(authority.ca), "proxy": own.url}), https_proxy=other.url)
        assert code == 0 and own.asked and not other.asked


@pytest.mark.parametrize("exempt,by_proxy", [
    ("*", False), (HOST, False), ("example.test", False), (".example.test", False), (f"a.test, {HOST} ,b.test", False),
    ("MODELS.EXAMPLE.TEST", False), ("ample.test", True), ("models.example", True), ("localhost,127.0.0.1", True)])
def test_no_proxy_as_curl_reads_it(examine, authority, pair, exempt, by_proxy):
    with secure(pair) as sim, Proxy(sim.port) as proxy:
        for name in ("no_proxy", "NO_PROXY") if exempt == "*" else ("no_proxy",):
            proxy.asked.clear()
            code, found = examine(at({"caFile": str(authority.ca)}), https_proxy=proxy.url, **{name: exempt})
            assert bool(proxy.asked) == by_proxy and (code == 0) == by_proxy, found


# -- who is trusted --

def test_environment_names_the_authority(examine, authority):
    with secure(authority.signed("localhost")) as sim:
        ca, other = str(authority.ca), str(authority.own("other.test")[0])
        assert examine(endpoint(sim.url))[0] == 1
        assert examine(endpoint(sim.url), SSL_CERT_FILE=ca)[0] == 0
        assert examine(endpoint(sim.url), CURL_CA_BUNDLE=ca)[0] == 0
        assert examine(endpoint(sim.url), CURL_CA_BUNDLE=other, SSL_CERT_FILE=ca)[0] == 1  # the first one counts
        assert examine(endpoint(sim.url, caFile=ca), CURL_CA_BUNDLE=other)[0] == 0  # the user's own before all
        assert examine(endpoint(sim.url, caFile=other), CURL_CA_BUNDLE=ca)[0] == 1
        folder = authority.ca.parent / "hashed"
        folder.mkdir()
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", ca], capture_output=True, text=True, check=True)
        (folder / f"{name.stdout.strip()}.0").write_text(authority.ca.read_text())
        assert examine(endpoint(sim.url), SSL_CERT_DIR=str(folder))[0] == 0


def test_certificates_are_looked_at_through_a_proxy_too(examine, authority):
    ca = {"caFile": str(authority.ca)}
    for pair, more, cause in ((authority.signed("another.example.test"), ca, "host"),
                              (authority.signed(HOST, -1), ca, "expired"), (authority.signed(HOST), {}, "issuer")):
        with secure(pair) as sim, Proxy(sim.port) as proxy:
            code, found = examine(at({"proxy": proxy.url, **more}))
            assert code == 1 and f"endpoint.cert_{cause}" in found, found
            assert not sim.log


# -- who we are --

@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
def choosy(request, authority):
    """A server that talks to those whom the authority vouches for."""
    context = context_for(authority.signed("localhost"))
    context.minimum_version = context.maximum_version = request.param
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(str(authority.ca))
    with Simulator(HOLES) as sim, Gate(sim.port, context) as gate:
        gate.log = sim.log
        yield gate


@pytest.fixture(scope="module")
def client_pair(authority):
    cert, key = authority.signed("client.test")
    key.chmod(0o600)
    return cert, key


def test_client_certificate_is_shown(examine, authority, choosy, client_pair):
    cert, key = client_pair
    ca = {"caFile": str(authority.ca)}
    code, found = examine(endpoint(choosy.url, **ca, clientCert=str(cert), clientKey=str(key)))
    assert code == 0 and is_reached(found), found
    both = authority.ca.parent / "both.pem"
    both.write_text(cert.read_text() + key.read_text())
    both.chmod(0o600)
    code, found = examine(endpoint(choosy.url, **ca, clientCert=str(both)))
    assert code == 0 and is_reached(found), found


def test_client_certificate_is_missing_or_refused(examine, authority, choosy, client_pair):
    ca = {"caFile": str(authority.ca)}
    code, found = examine(endpoint(choosy.url, **ca))
    assert code == 1 and "want" in found["endpoint.client_cert"]["finding"], found
    assert "clientCert" in found["endpoint.client_cert"]["next"] and not choosy.log
    cert, key = authority.own("stranger.test")
    key.chmod(0o600)
    code, found = examine(endpoint(choosy.url, **ca, clientCert=str(cert), clientKey=str(key)))
    assert code == 1 and "refuse" in found["endpoint.client_cert"]["finding"], found
    assert not choosy.log


def test_client_certificate_that_can_t_be_used(examine, authority, client_pair):
    cert, key = client_pair
    with secure(authority.signed("localhost")) as sim:
        for clientCert, clientKey, cause, word in (
                (cert, "/nowhere/key.pem", "client_cert", "isn't there"), ("/nowhere/cert.pem", key, "client_cert", "PEM"),
                (cert, cert, "key_exposed", "others"), (key, key, "client_cert", "PEM")):
            code, found = examine(endpoint(sim.url, caFile=str(authority.ca), clientCert=str(clientCert),
                                           clientKey=str(clientKey)))
            assert code == 1 and word in found[f"endpoint.{cause}"]["finding"], found
        assert not sim.log


def test_key_with_a_passphrase_asks_nobody(examine, authority, client_pair):
    """Without a passphrase to try, OpenSSL would ask the terminal for one, and the loop would wait for it."""
    cert, key = client_pair
    sealed = key.with_suffix(".sealed")
    subprocess.run(["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:hush", "-out", str(sealed)],
                   check=True, capture_output=True)
    sealed.chmod(0o600)
    with secure(authority.signed("localhost")) as sim:
        code, found = examine(endpoint(sim.url, caFile=str(authority.ca), clientCert=str(cert), clientKey=str(sealed)),
                              timeout=30)
        assert code == 1 and "without a passphrase" in found["endpoint.client_cert"]["finding"], found


# -- connections --

def test_cancelled_question_leaves_a_connection_for_the_next(config, start, authority, document):
    """It was closed with its own, so another one is opened before the next question needs it."""
    with Simulator([TRUTH], tls=context_for(authority.signed("localhost"))) as sim:
        config({"endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url, "caFile": str(authority.ca)}],
                "models": {"inline": ["sim/tinycode"]}})
        server = start()

        def figures():
            return server.result("crucible/stats")["upstream"]["connections"]
        assert sim.wait(lambda: is_ready(server), 10 * SLOWNESS)
        assert figures()["opened"] == 1 and figures()["warmed"] == 0
        sim.script(first_ms=60000)
        uri, text, line, character = document("    return ", "count;")
        server.open(uri, text)
        id = server.ask_inline(uri, line, character, 1)
        assert sim.wait(lambda: sim.generations, 10 * SLOWNESS)
        server.notify("$/cancelRequest", {"id": id})
        server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert sim.wait(lambda: figures()["warmed"] == 1, 10 * SLOWNESS), figures()
        assert [e["path"] for e in sim.log][-1] == "/health"
        sim.script()
        server.open(uri, text)
        assert sim.wait(lambda: server.inline(uri, line, character, trigger=1), 10 * SLOWNESS)
        found = figures()
        assert found["opened"] == 2 and found["reused"] >= 2, found
        assert found["open"] == found["opened"] - found["closed"] and found["idle"] <= found["open"], found


def test_warming_can_be_switched_off(config, start, authority, document):
    with Simulator([TRUTH], tls=context_for(authority.signed("localhost"))) as sim:
        config({"endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url, "caFile": str(authority.ca)}],
                "models": {"inline": ["sim/tinycode"]}, "upstream": {"warm": False}})
        server = start()
        assert sim.wait(lambda: is_ready(server), 10 * SLOWNESS)
        sim.script(first_ms=60000)
        uri, text, line, character = document("    return ", "count;")
        server.open(uri, text)
        id = server.ask_inline(uri, line, character, 1)
        assert sim.wait(lambda: sim.generations, 10 * SLOWNESS)
        server.notify("$/cancelRequest", {"id": id})
        assert sim.wait(lambda: server.result("crucible/stats")["upstream"]["connections"]["open"] == 0, 10 * SLOWNESS)
        assert all(e["path"] != "/health" for e in sim.log)
