"""terminal.py - commands run to their end: with pipes, or in a terminal of 80 columns of their own."""
import json
import os
import pty
import re
import struct
import fcntl
import subprocess
import termios

import client

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(args, env, cwd, timeout=60):
    """(exit code, stdout, stderr) of the program."""
    done = subprocess.run([client.BINARY, *args], env=env, cwd=cwd, capture_output=True, text=True, check=False,
                          timeout=timeout * client.SLOWNESS, stdin=subprocess.DEVNULL)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def run_json(args, env, cwd, **more):
    code, out, err = run([*args, "--json"], env, cwd, **more)
    return code, json.loads(out), err


def run_in_terminal(args, env, cwd, columns=80, rows=50):
    """(exit code, what was written to the terminal, escapes and all)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([client.BINARY, *args], env={"TERM": "xterm", **env}, cwd=cwd, stdin=follower,
                               stdout=follower, stderr=subprocess.DEVNULL, close_fds=True)
    os.close(follower)
    written = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux's way of saying that the other side is closed
            break
        if not piece:
            break
        written += piece
    os.close(leader)
    return process.wait(60 * client.SLOWNESS), written.decode().replace("\r\n", "\n")


def plain(text):
    return ESCAPE.sub("", text)
