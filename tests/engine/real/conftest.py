"""conftest.py - a real llama-server with a small real model, where they can be had (for Ollama see its tests).

$ENGINE_DIR names a directory with root/usr/bin/llama-server or llama-server; without it one is made
by ../shared/tools/get-engine.sh, where that is there. $MODEL names the model's file."""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT / "tests" / "lsp"))

from fixtures import *  # noqa: E402,F403  the fixtures of the protocol suite

program = model = None


def get_engine(script, directory, say):
    """Makes a llama-server in the directory; what went wrong, or None. One that broke off is made again."""
    stamp = directory / ".made"
    if stamp.exists():
        return None
    say(f"getting a llama-server into {os.path.relpath(directory, ROOT)}")
    subprocess.run([ROOT / ".ci" / "deps", "engines"], check=True)
    done = subprocess.run(["bash", script, directory, "forky"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"get-engine.sh failed: {done.stderr.strip()[-300:]}"
    stamp.touch()
    return None


def find_program(say):
    """The server's path, or the reason why there is none."""
    own, script = os.environ.get("ENGINE_DIR"), SHARED / "tools" / "get-engine.sh"
    directory = pathlib.Path(own or ROOT / "build" / "engine").resolve()
    if not own and script.exists() and (wrong := get_engine(script, directory, say)):
        return wrong
    for place in ("root/usr/bin/llama-server", "llama-server", "bin/llama-server"):
        if os.access(directory / place, os.X_OK):
            return directory / place
    if own:
        return f"no llama-server in ENGINE_DIR={own}"
    found = shutil.which("llama-server")
    return pathlib.Path(found) if found else "no llama-server here: set ENGINE_DIR to the directory of one"


def find_model():
    """The model's path, or the reason why there is none."""
    if own := os.environ.get("MODEL"):
        return pathlib.Path(own) if os.access(own, os.R_OK) else f"no file MODEL={own}"
    models = sorted((SHARED / "models").glob("*q8_0.gguf")) if SHARED.exists() else []
    return models[0] if models else "no model here: set MODEL to a .gguf file that can fill in the middle"


def pytest_collection_modifyitems(config, items):
    """What is missing is said once for all tests, not by each."""
    global program, model
    mine = [item for item in items if pathlib.Path(__file__).parent in item.path.parents]
    if not mine:
        return
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    model = find_model()
    if any("llama" in item.fixturenames for item in mine):
        program = find_program(terminal.write_line if terminal else print)
    for item in mine:
        needs = (program, model) if "llama" in item.fixturenames else (model,)
        if reasons := [found for found in needs if isinstance(found, str)]:
            item.add_marker(pytest.mark.skip(reason="; ".join(reasons)))


@pytest.fixture(scope="session")
def program_path():
    return program


@pytest.fixture(scope="session")
def model_path():
    return model


@contextlib.contextmanager
def running_llama(*more):
    """The URL of a llama-server that runs meanwhile."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([program, "-m", model, "-a", "tinycode", "--host", "127.0.0.1", "--port", str(port),
                                "-np", "2", "-t", "1", "-c", "8192", *more],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, "llama-server has ended by itself"
            try:
                if urllib.request.urlopen(url + "/health", timeout=1).status == 200:
                    break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def llama():
    with running_llama() as url:
        yield url


@pytest.fixture(scope="session")
def llama_of_vectors():
    """One that makes vectors of texts, and nothing else."""
    with running_llama("--embeddings", "--pooling", "mean") as url:
        yield url


TEMPLATE = ("{{- if .Suffix }}<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>"
            "{{ else }}{{ .Prompt }}{{ end }}")


class Ollama:
    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def call(self, method, path, body=None):
        """(status, the lines of the answer)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body) if body else None)
        response = connection.getresponse()
        lines = [json.loads(line) for line in response.read().decode().splitlines() if line.startswith("{")]
        connection.close()
        return response.status, lines

    def running(self):
        return [m["model"] for m in self.call("GET", "/api/ps")[1][0]["models"]]

    def unload(self):
        for model in self.running():
            self.call("POST", "/api/generate", {"model": model, "keep_alive": 0})
        end = time.monotonic() + 10
        while self.running():
            assert time.monotonic() < end
            time.sleep(0.05)

    def take_in(self, model):
        """Makes two models of one file: one that fills in the middle, one that chats."""
        data = model.read_bytes()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        assert self.call("POST", "/api/blobs/" + digest, data)[0] == 201
        for name, template in (("tinycode", TEMPLATE), ("tinychat", "{{ .Prompt }}")):
            order = {"model": name, "files": {"x.gguf": digest}, "template": template}
            assert self.call("POST", "/api/create", order)[1][-1] == {"status": "success"}


@pytest.fixture(scope="session")
def ollama(tmp_path_factory, model_path):
    program = os.environ.get("OLLAMA") or shutil.which("ollama")
    if not program:
        pytest.skip("no ollama here: set OLLAMA to the program")
    home = tmp_path_factory.mktemp("ollama")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = {**os.environ, "HOME": str(home), "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(home / "models")}
    process = subprocess.Popen([program, "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    served = Ollama(port)
    try:
        for _ in range(600):
            assert process.poll() is None, "ollama has ended by itself"
            try:
                if served.call("GET", "/api/version")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        served.take_in(model_path)
        yield served
    finally:
        process.terminate()
        process.wait(20)
