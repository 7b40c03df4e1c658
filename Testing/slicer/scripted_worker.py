"""A worker that does what tests need, and ways to look at what it left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

from MedEnhanceLib.WorkerTransport import WorkerCommand

MARK = "MEDENHANCE_TEST_MARK"  # in the environment of every process of a test

SCRIPT = r'''
import json, os, queue, subprocess, sys, threading, time
from pathlib import Path

cancelled, requests = set(), queue.Queue()

def read():
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.add(message["cancel"])
        else:
            requests.put(message)
    requests.put(None)

def send(request, event, **values):
    line = json.dumps({"id": request["id"], "event": event, **values}, ensure_ascii=False)
    sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.buffer.flush()

def echo(message):
    send(message, "progress", stage="load", fraction=0.0, eta_s=None)
    send(message, "progress", stage="denoise", fraction=0.5, eta_s=1.5)
    send(message, "warning", message="so so")
    send(message, "result", pid=os.getpid(), got={k: v for k, v in message.items() if k not in ("id", "task")})

def slow(message):
    """Stops when asked to; removes what it had begun to write."""
    part = Path(message["output"] + ".part") if "output" in message else None
    for i in range(1000):
        if part is not None:
            part.write_text("x" * i)
        if message["id"] in cancelled:
            if part is not None:
                part.unlink()
            return send(message, "cancelled")
        send(message, "progress", stage="write" if part else "denoise", fraction=i / 1000, eta_s=1.0)
        time.sleep(0.01)
    send(message, "result")

def stubborn(message):
    """Hears nothing, as a network that takes minutes for one slice."""
    send(message, "progress", stage="denoise", fraction=0.1, eta_s=None)
    time.sleep(600)

def parent(message):
    """Has two generations of its own, which hear nothing either."""
    sleep = "import time; time.sleep(600)"
    nest = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}])"
    child = subprocess.Popen([sys.executable, "-c", nest])
    send(message, "progress", stage="denoise", fraction=0.1, eta_s=None)
    child.wait()

def refuse(message):
    send(message, "error", kind="input-missing", message="There is no such file.", hint="Look elsewhere.")

def garbage(message):
    for line in (b"hello", b"[1, 2]", b'{"id": 5}', b'{"event": 3}', b"\xff\xfe\x00", b"", b"{" * 100_000):
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.write(b'{"id": null, "event": "error", "message": "what?"}\n')
    sys.stdout.buffer.write(b'{"id": "none of yours", "event": "result"}\n')
    echo(message)

def long(message):
    send(message, "result", text="\u8111\u00e9\U0001f9e0" * message["times"])

def flood(message):
    for i in range(message["lines"]):
        print(f"line {i} \u00e9", "x" * 200, file=sys.stderr)
    sys.stderr.write("y" * 1_000_000)
    sys.stderr.flush()
    echo(message)

def die(message):
    print("no memory", file=sys.stderr, flush=True)
    os._exit(3)

def crash(message):
    os.kill(os.getpid(), 11)

sys.stderr.reconfigure(encoding="utf-8")
threading.Thread(target=read, daemon=True).start()
time.sleep(float(os.environ.get("START_S", 0)))
while (message := requests.get()) is not None:
    send(message, "started")
    globals()[message["task"]](message)
'''


def scriptedCommand(folder: Path, script: str = SCRIPT, **environment: str) -> WorkerCommand:
    """Start a script as the worker; its processes can be found by `processesOf` with the same folder."""
    path = folder / "a worker é 脑.py"
    path.write_text(script, encoding="utf-8")
    return WorkerCommand(sys.executable, ("-u", str(path)), markedEnvironment(folder, **environment))


def markedEnvironment(folder: Path, **environment: str) -> dict[str, str]:
    return {**os.environ, MARK: str(folder), **environment}


def processesOf(folder: Path) -> list[psutil.Process]:
    """Every process that lives with the mark of this folder, wherever its parents have gone."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == str(folder):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
