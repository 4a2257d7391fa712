"""conftest.py - a real llama-server with a small real model, where they can be had.

$ENGINE_DIR names a directory with root/usr/bin/llama-server or llama-server; without it one is made
by ../shared/tools/get-engine.sh, where that is there. $MODEL names the model's file."""
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


def find_program():
    """The server's path, or the reason why there is none."""
    directory = os.environ.get("ENGINE_DIR") or str(ROOT / "build" / "engine")
    places = [pathlib.Path(directory) / p for p in ("root/usr/bin/llama-server", "llama-server", "bin/llama-server")]
    for place in places:
        if os.access(place, os.X_OK):
            return place
    if own := shutil.which("llama-server"):
        return pathlib.Path(own)
    script = SHARED / "tools" / "get-engine.sh"
    if os.environ.get("ENGINE_DIR") or not script.exists():
        return f"no llama-server in {directory}: set ENGINE_DIR"
    subprocess.run([ROOT / ".ci" / "deps", "engines"], check=True)
    done = subprocess.run(["bash", script, directory, "forky"], capture_output=True, text=True, check=False)
    return places[0] if os.access(places[0], os.X_OK) else f"get-engine.sh failed: {done.stderr[-300:]}"


def find_model():
    own = os.environ.get("MODEL")
    if own:
        return pathlib.Path(own)
    models = sorted((SHARED / "models").glob("*q8_0.gguf")) if SHARED.exists() else []
    return models[0] if models else "no model: set MODEL to a .gguf file that can fill in the middle"


@pytest.fixture(scope="session")
def llama():
    """The URL of a running llama-server."""
    program, model = find_program(), find_model()
    for found in (program, model):
        if isinstance(found, str):
            pytest.skip(found)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([program, "-m", model, "-a", "tinycode", "--host", "127.0.0.1", "--port", str(port),
                                "-np", "2", "-t", "1", "-c", "8192"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
