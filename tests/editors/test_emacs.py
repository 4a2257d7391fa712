"""test_emacs.py - a real Emacs in batch mode, with eglot and our own snippet: what C-M-i does.

Needs Emacs 28 or newer with eglot ($EMACS_PROGRAM names the program); skipped where it isn't there."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from simulator import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CRUCIBLE_LS", str(ROOT / "build" / "crucible-ls"))
SNIPPET = ROOT / "editors" / "emacs" / "crucible.el"
TRUTH = """int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        total += numbers[i];
    }
    return total;
}
"""
LISP = """(defun sum-all (numbers)
  (let ((running-total 0))
    (dolist (number numbers)
      (setq running-total (+ running-total number)))
    running-total))
"""


def find_emacs():
    """The program, or the reason why there is none."""
    program = os.environ.get("EMACS_PROGRAM") or shutil.which("emacs")
    if not program:
        return None, "no Emacs: set EMACS_PROGRAM"
    try:
        done = subprocess.run([program, "-q", "--batch", "-f", "package-initialize", "-l", "eglot"], capture_output=True,
                              text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"{program} doesn't start: {error}"
    return (program, "") if done.returncode == 0 else (None, f"{program} has no eglot")


class Emacs:
    def __init__(self, program, home, sim):
        self.program, self.home = program, home
        (home / "bin").mkdir()
        (home / "run").mkdir(mode=0o700)
        (home / ".config" / "crucible").mkdir(parents=True)
        (home / ".config" / "crucible" / "config.json").write_text(json.dumps({
            "endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}], "models": {"inline": ["sim/tinycode"]}}))
        (home / "bin" / "crucible-ls").symlink_to(BINARY)
        self.snippet = SNIPPET.read_text()

    def take_over(self, mode):
        """The snippet as its comment says that a mode is taken over."""
        self.snippet = self.snippet.replace("prog-mode .", f"{mode} .").replace('"--stdio")) t))', '"--stdio"))))')
        assert f"{mode} ." in self.snippet and '"--stdio"))))' in self.snippet

    def run(self, name, text, *forms):
        """Opens a file with this text and evaluates the forms in it: values, then the text."""
        (self.home / name).write_text(text)
        (self.home / "init.el").write_text(self.snippet)
        env = {"PATH": f"{self.home}/bin:/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8",
               "XDG_CONFIG_HOME": f"{self.home}/.config", "XDG_RUNTIME_DIR": f"{self.home}/run",
               "CRUCIBLE_EL": f"{self.home}/init.el", "CRUCIBLE_FILE": f"{self.home}/{name}",
               "CRUCIBLE_KEYS": "(" + " ".join(forms) + ")"}
        done = subprocess.run([self.program, "-q", "--batch", "-l", str(ROOT / "tests" / "editors" / "emacs" / "drive.el")],
                              env=env, capture_output=True, text=True, timeout=60, check=False)
        lines = [line for line in done.stdout.split("\n") if line.startswith("RESULT ")]
        assert lines, done.stderr[-3000:]
        result = json.loads(lines[0].removeprefix("RESULT "))
        assert result["managed"] is True
        return result["values"], result["text"]


@pytest.fixture
def emacs(tmp_path):
    program, reason = find_emacs()
    if program is None:
        pytest.skip(reason)
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} isn't built")
    with Simulator([TRUTH, LISP]) as sim:
        yield Emacs(program, tmp_path, sim), sim


def before(hole, text=TRUTH):
    """The text without the hole, and the form that goes there."""
    line = text[:text.index(hole)].count("\n")
    column = len(text[:text.index(hole)].split("\n")[-1])
    return text.replace(hole, "", 1), f"(progn (goto-char (point-min)) (forward-line {line}) (forward-char {column}) nil)"


def test_suggestion_is_the_candidate_and_is_inserted(emacs):
    editor, _ = emacs
    editor.take_over("c-mode")
    text, go = before("numbers[i];")
    values, after = editor.run("sum.c", text, go, "(candidates)", "(complete)")
    assert values[1:] == [["numbers[i];"], True]
    assert after == TRUTH


def test_suggestion_goes_on_from_a_word_that_was_begun(emacs):
    editor, _ = emacs
    editor.take_over("c-mode")
    text, go = before("bers[i];")
    values, after = editor.run("sum.c", text, go, "(candidates)", "(complete)")
    assert values[1:] == [["numbers[i];"], True]
    assert after == TRUTH


def test_block_is_inserted_whole(emacs):
    editor, _ = emacs
    editor.take_over("c-mode")
    text, go = before("for (int i = 0; i < n; i++) {\n        total += numbers[i];\n    }")
    values, after = editor.run("sum.c", text, go, "(complete)")
    assert values[1] is True
    assert after == TRUTH


def test_slow_model_is_waited_for_by_asking_again(emacs):
    editor, sim = emacs
    sim.script(first_ms=700)
    editor.take_over("c-mode")
    text, go = before("numbers[i];")
    values, after = editor.run("sum.c", text, go, "(complete-within 8)")
    assert values[1]
    assert after == TRUTH
    assert len(sim.generations) == 1, "asking again rides the flight that is in the air"


def test_snippet_as_it_is_serves_modes_without_a_server(emacs):
    editor, _ = emacs
    text, go = before("number)))", LISP)
    values, after = editor.run("sum.el", text, go, "(complete)")
    assert values[1] is True
    assert after == LISP


def test_names_with_hyphens_are_completed_in_lisp(emacs):
    editor, _ = emacs
    text, go = before("otal number)))", LISP)
    values, after = editor.run("sum.el", text, go, "(candidates)", "(complete)")
    assert values[1] == ["running-total number)))"]
    assert after == LISP
