"""test_doctor.py - the doctor with a real engine and a real, very small model. What the model says is not
judged; that it was asked, how fast it was, and what a model is good for is."""
import re
import socket
import subprocess
import time
import urllib.request

import pytest

from terminal import run, run_json


def settings(url, **more):
    return {"endpoints": [{"name": "llama", "kind": "llamacpp", "url": url}], **more}


@pytest.fixture
def examine(config, env, home):
    def check(settings):
        config(settings)
        code, findings, _ = run_json(["doctor"], env, home / "work", timeout=110)
        return code, {f["id"]: f for f in reversed(findings)}
    return check


def test_healthy(examine, llama):
    code, found = examine(settings(llama))
    assert code == 0 and not any(f["status"] == "FAIL" for f in found.values()), found
    assert found["endpoint.ready"]["status"] == "ok" and "version" in found["endpoint.ready"]["finding"]
    assert found["role.inline"]["finding"] == "llama/tinycode serves it"
    assert found["context"]["status"] == "ok" and "4096 tokens" in found["context"]["finding"]
    assert "trial" in found or "trial.wrong" in found  # the model is a very small one
    rate = re.search(r"first text after (\d+) ms, then ([\d.]+) tokens/s", found["speed"]["finding"])
    assert rate and float(rate[2]) > 10
    assert found["trial.chat"]["finding"] and "privacy.nothing_leaves" in found


def test_models(config, env, home, llama):
    config(settings(llama))
    code, value, _ = run_json(["models"], env, home / "work")
    model = value["endpoints"][0]["models"][0]
    assert code == 0 and model["id"] == "tinycode" and model["fillsMiddle"] and model["loaded"]
    assert model["parameters"] == 4196608 and model["contextTokens"] == 4096
    code, out, _ = run(["models"], env, home / "work")
    assert code == 0 and "llama: ready" in out and "llamacpp at http://127.0.0.1:" in out


@pytest.fixture
def talker(llama, program_path, model_path, tmp_path):
    """The same model, whose tokens for holes have other names: it can't fill in the middle."""
    assert llama
    copy = tmp_path / "talker.gguf"
    copy.write_bytes(model_path.read_bytes().replace(b"<|fim_", b"<|xim_"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([program_path, "-m", copy, "-a", "talker", "--host", "127.0.0.1", "--port", str(port),
                                "-np", "1", "-t", "1", "-c", "512"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        assert process.poll() is None, "llama-server has ended by itself"
        try:
            if urllib.request.urlopen(url + "/health", timeout=1).status == 200:
                break
        except OSError:
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(20)


def test_model_that_cannot_fill(examine, talker):
    code, found = examine(settings(talker))
    assert code == 1 and found["model.cannot_fill"]["status"] == "FAIL"
    assert "(talker)" in found["model.cannot_fill"]["finding"] and found["model.cannot_fill"]["next"]
    assert "trial.chat" in found
