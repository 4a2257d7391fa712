"""test_emacs.py - a real Emacs in batch mode, with eglot: what C-M-i does, and what the commands do.

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
EDITOR = ROOT / "editors" / "emacs"
SNIPPET = EDITOR / "snippet.el"
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
            "endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}],
            "models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"]}}))
        (home / "bin" / "crucible-ls").symlink_to(BINARY)
        self.snippet = SNIPPET.read_text()

    def take_over(self, mode):
        """The snippet as its comment says that a mode is taken over."""
        self.snippet = self.snippet.replace("prog-mode .", f"{mode} .").replace('"--stdio")) t))', '"--stdio"))))')
        assert f"{mode} ." in self.snippet and '"--stdio"))))' in self.snippet

    def load_whole(self, *modes):
        """crucible.el as its comment says, taking these modes over."""
        self.snippet = f"""(add-to-list 'load-path "{EDITOR}")
            (with-eval-after-load 'eglot (require 'crucible) (crucible-take-over {" ".join(f"'{m}" for m in modes)}))"""

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


BROKEN = TRUTH.replace("i < n", "i <= n")
PROSE = "# What it does\n\n" + "\n\n".join(f"Step {n}: it adds `numbers[{n}]` to the total." for n in range(12))
WAIT = "(wait-for (lambda () (not (equal (buffer-string) text))))"


def prompts(sim):
    return [json.dumps(e["body"], ensure_ascii=False) for e in sim.generations if "messages" in e["body"]]


def test_whole_file_completes_as_the_snippet_does(emacs):
    editor, _ = emacs
    editor.load_whole("c-mode")
    text, go = before("numbers[i];")
    values, after = editor.run("sum.c", text, go, "(complete)")
    assert values[1] is True
    assert after == TRUTH


def test_fix_is_applied_without_a_question_and_undone_at_once(emacs):
    editor, sim = emacs
    sim.script(text=f"```c\n{TRUTH}```\n")
    editor.load_whole("c-mode")
    values, after = editor.run(
        "sum.c", BROKEN, "(progn (buffer-enable-undo) (setq text (buffer-string)) (goto-char 60) (undo-boundary) nil)",
        "(progn (crucible-fix) t)", WAIT, "(equal (buffer-string) text)", "(buffer-string)",
        "(progn (undo-boundary) (setq last-command nil) (undo) (buffer-string))")
    assert values[4] == TRUTH
    assert values[5] == BROKEN and after == BROKEN
    assert len(prompts(sim)) == 1


def test_fix_hears_of_what_is_reported(emacs):
    editor, sim = emacs
    sim.script(text=f"```c\n{TRUTH}```\n")
    editor.load_whole("c-mode")
    backend = """(add-hook 'flymake-diagnostic-functions (lambda (report &rest _) (funcall report (list
        (flymake-make-diagnostic (current-buffer) 75 80 :error "reads past the end")))) nil t)"""
    _, after = editor.run(
        "sum.c", BROKEN, "(progn (setq text (buffer-string)) (goto-char 76) nil)", f"(progn {backend} (flymake-start) t)",
        "(and (wait-for (lambda () (flymake-diagnostics))) t)", "(progn (crucible-fix) t)", WAIT)
    assert after == TRUTH
    assert "reads past the end" in prompts(sim)[0]


def test_refactor_tells_the_instruction(emacs):
    editor, sim = emacs
    sim.script(text=f"```c\n{TRUTH}```\n")
    editor.load_whole("c-mode")
    _, after = editor.run(
        "sum.c", BROKEN, "(progn (setq text (buffer-string)) (goto-char 60) nil)",
        "(cl-letf (((symbol-function 'read-string) (lambda (&rest _) \"use a proper bound\")))"
        " (call-interactively #'crucible-refactor) t)", WAIT)
    assert after == TRUTH
    assert "use a proper bound" in prompts(sim)[0]


def test_code_action_asks_for_the_instruction(emacs):
    editor, sim = emacs
    sim.script(text=f"```c\n{TRUTH}```\n")
    editor.load_whole("c-mode")
    _, after = editor.run(
        "sum.c", BROKEN, "(progn (setq text (buffer-string)) (goto-char 60) nil)",
        "(cl-letf (((symbol-function 'read-string) (lambda (&rest _) \"use a proper bound\"))"
        " ((symbol-function 'completing-read) (lambda (_ table &rest _)"
        " (seq-find (lambda (s) (string-match-p \"^Refactor\" s)) (all-completions \"\" table)))))"
        " (let ((last-nonmenu-event ?x)) (call-interactively #'eglot-code-actions)) t)", WAIT)
    assert after == TRUTH
    assert "use a proper bound" in prompts(sim)[0]


def test_explanation_grows_in_a_buffer_while_emacs_goes_on(emacs):
    editor, sim = emacs
    sim.script(text=PROSE, token_ms=10)
    editor.load_whole("c-mode")
    values, after = editor.run(
        "sum.c", TRUTH, "(progn (goto-char 60) (crucible-explain) (text-of \"*crucible*\"))",
        "(wait-for (lambda () (and (string-match-p \"^# What\" (text-of \"*crucible*\")) (text-of \"*crucible*\"))))",
        f"(wait-for (lambda () (string-suffix-p {json.dumps(PROSE[-20:])} (string-trim-right (text-of \"*crucible*\")))))",
        "(with-current-buffer \"*crucible*\" buffer-read-only)", "(string-trim-right (text-of \"*crucible*\"))",
        "(with-current-buffer \"*crucible*\" (wait-for (lambda () (not (string-suffix-p \"...\" header-line-format)))))")
    assert values[0] == "", "nothing is waited for"
    assert len(values[1]) < len(PROSE), "it grows"
    assert values[3] is True and values[4] == PROSE and values[5] is True
    assert after == TRUTH


def test_quitting_an_explanation_stops_it(emacs):
    editor, sim = emacs
    sim.script(text=PROSE, token_ms=300)
    editor.load_whole("c-mode")
    values, _ = editor.run(
        "sum.c", TRUTH, "(progn (goto-char 60) (crucible-explain) nil)",
        "(and (wait-for (lambda () (string-match-p \"What\" (text-of \"*crucible*\")))) t)",
        "(progn (with-current-buffer \"*crucible*\" (crucible-answer-quit)) (wait-for (lambda () nil) 1) t)")
    assert values[1:] == [True, True]
    assert [e["outcome"] for e in sim.generations if "messages" in e["body"]] == ["aborted"]
