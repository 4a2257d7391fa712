"""test_models.py - `models`: what there is, what state it is in, and who serves what."""
import pytest

from fixtures import TRUTH, settings_for
from simulator import Simulator
from terminal import plain, run, run_in_terminal, run_json


@pytest.fixture
def shelf():
    """An Ollama with a loaded model, one that only chats, one that is forwarded, and a long name."""
    with Simulator([TRUTH], kind="ollama") as sim:
        sim.shelf.models += [
            {"name": "talker:7b", "capabilities": ["completion"], "size": 4_700_000_000},
            {"name": "huge:480b-cloud", "capabilities": ["completion"], "remote_host": "https://ollama.com:443",
             "remote_model": "huge:480b"},
            {"name": "hf.co/somebody/A-Very-Long-Name-Of-A-Model-GGUF:Q8_0-and-more", "capabilities": ["completion"]}]
        sim.shelf.loaded["tinycode:latest"] = {"num_ctx": 8192}
        yield sim


def settings(sim, **more):
    return {"endpoints": [{"name": "ollama", "kind": "ollama", "url": sim.url}], **more}


def test_json_says_what_is_known(config, env, home, shelf):
    config(settings(shelf))
    code, value, _ = run_json(["models"], env, home / "work")
    assert code == 0 and value["tookMs"] >= 0
    endpoint = next(e for e in value["endpoints"] if e["name"] == "ollama")
    assert (endpoint["kind"], endpoint["state"], endpoint["tier"]) == ("ollama", "ready", "loopback")
    assert endpoint["url"] == shelf.url and endpoint["version"] == "0.33.0" and endpoint["loading"] is None
    models = {m["id"]: m for m in endpoint["models"]}
    tiny, cloud = models["tinycode:latest"], models["huge:480b-cloud"]
    assert tiny["loaded"] and tiny["fillsMiddle"] and tiny["chat"] and not tiny["remote"]
    assert tiny["loadedContextTokens"] == 8192 and tiny["sizeBytes"] == 4595142 and tiny["parameters"] == 4_200_000
    assert not models["talker:7b"]["fillsMiddle"] and models["talker:7b"]["sizeBytes"] == 4_700_000_000
    assert not models["talker:7b"]["loaded"] and cloud["remote"]
    roles = {r["role"]: r for r in value["roles"]}
    assert (roles["inline"]["state"], roles["inline"]["name"]) == ("ready", "ollama/tinycode:latest")
    assert roles["chat"]["model"] == "talker:7b"  # the largest that fits; it would have to be loaded first
    assert roles["chat"]["state"] == "loading" and roles["chat"]["needsLoad"] and roles["chat"]["message"]
    assert set(roles) == {"inline", "inlineManual", "chat"} and shelf.generations == [] and shelf.shelf.n_loads == 0


def test_nothing_is_loaded(config, env, home, shelf):
    shelf.shelf.loaded = {}
    config(settings(shelf))
    code, value, _ = run_json(["models"], env, home / "work")
    inline = next(r for r in value["roles"] if r["role"] == "inline")
    assert code == 0 and inline["state"] == "loading" and inline["needsLoad"]
    assert shelf.shelf.n_loads == 0 and not any(e["is_load"] for e in shelf.log)


def test_table_fits_the_terminal(config, env, home, shelf):
    config({"endpoints": [*settings(shelf)["endpoints"], {"name": "proxied", "kind": "openai", "url":
            "http://127.0.0.1:1/a/path/that/is/longer/than/anybody/would/like/it/v1"}]})
    code, out = run_in_terminal(["models"], env, home / "work")
    assert code == 0 and "\x1b[" in out
    lines = plain(out).split("\n")
    assert all(len(line) <= 80 for line in lines), lines
    assert "ollama: ready" in lines[0]
    rows = {line.split()[0]: line for line in lines if line.startswith("    ")}
    heading = rows["model"]
    tiny = rows["tinycode:latest"]
    assert tiny.index("loaded") == heading.index("state") == rows["talker:7b"].index("not loaded")
    assert "fills, chat" in tiny and "fills" not in rows["talker:7b"] and "4.7 GB" in rows["talker:7b"]
    assert "elsewhere" in rows["huge:480b-cloud"]
    long = next(line for name, line in rows.items() if name.startswith("hf.co/"))
    assert "\u2026" in long and long.index("not loaded") == heading.index("state")


def test_no_color_and_pipes_mean_plain_text(config, env, home, shelf):
    config(settings(shelf))
    code, out = run_in_terminal(["models"], {**env, "NO_COLOR": "1"}, home / "work")
    assert code == 0 and "\x1b" not in out and "ready" in out
    code, piped, _ = run(["models"], env, home / "work")
    assert code == 0 and piped == out


def test_loading_says_how_far(config, env, home, sim):
    config(settings_for(sim))
    sim.script(loading=1000)
    code, out, _ = run(["models"], env, home / "work")
    assert code == 0 and "sim: loading" in out and "inline" in out
    code, value, _ = run_json(["models"], env, home / "work")
    assert value["endpoints"][0]["state"] == "loading" and value["roles"][0]["state"] == "loading"


def test_nothing_running_is_no_failure(config, env, home):
    config({"endpoints": [{"name": "none", "kind": "llamacpp", "url": "http://127.0.0.1:1"}]})
    code, out, err = run(["models"], env, home / "work")
    assert code == 0 and err == ""
    assert "none: down" in out and "nothing listens on 127.0.0.1:1" in out
    assert "embedded: none: nothing listens" in " ".join(out.split())
    code, value, _ = run_json(["models"], env, home / "work")
    assert code == 0 and value["endpoints"][0]["cause"] == "nothing_listens"
    assert [r["state"] for r in value["roles"]] == ["none"] * 3 and all(r["message"] for r in value["roles"])


def test_missing_model_is_named_with_the_next_step(config, env, home, shelf):
    config(settings(shelf, models={"inline": ["ollama/absent:1b"]}))
    code, out, _ = run(["models"], env, home / "work")
    assert code == 0 and "ollama has no model absent:1b" in " ".join(out.split())


def test_settings_that_were_named_must_be_there(env, home):
    code, out, err = run(["models", "--config", "/nowhere/config.json"], env, home / "work")
    assert code == 1 and out == "" and "/nowhere/config.json" in err
    code, value, _ = run_json(["models", "--config", "/nowhere/config.json"], env, home / "work")
    assert code == 1 and "named by --config" in value["error"]["message"]
