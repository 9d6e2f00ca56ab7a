"""The app as a person starts it: what it prints, when it answers, whom it calls."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from mtdemo.serving.service import ModelService
from tests.app_process import ROOT, AppProcess, run_app

LOOPBACK = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "a local socket", "None"}  # noqa: S104


def ask(app: AppProcess) -> list[dict[str, object]]:
    client = Client(app.url, verbose=False, analytics_enabled=False)
    try:
        answer: list[dict[str, object]] = client.predict(sentences=["John lives in Paris."], api_name="/analyze")
        return answer
    finally:
        client.close()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603


def test_from_start_to_answer_no_name_but_loopback_is_looked_up(app: AppProcess, service: ModelService) -> None:
    (record,) = ask(app)
    (answer,) = service.analyze(["John lives in Paris."])
    assert record["label"] == answer.label
    assert app.names, "the notes are really taken: the app asks itself whether it is up"
    assert app.names <= LOOPBACK


@pytest.mark.model
def test_a_question_asked_while_the_model_loads_waits_and_is_answered(tmp_path: Path) -> None:
    with run_app(tmp_path) as app:
        assert ask(app)[0]["text"] == "John lives in Paris."
        assert "loading in the background" in app.log


def test_it_says_where_it_is_and_keeps_sentences_out_of_its_log(app: AppProcess) -> None:
    ask(app)
    assert f"mtdemo is at {app.url}" in app.log
    assert "John" not in app.log


@pytest.mark.model
def test_a_checkpoint_that_is_none_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    with run_app(tmp_path, "--checkpoint", "/nowhere") as app, pytest.raises(AppError, match="no such directory"):
        ask(app)
    assert "There is no checkpoint '/nowhere'" in app.log
    assert "Traceback" not in app.log


@pytest.mark.model
def test_sigterm_ends_it_after_what_was_begun_is_answered() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        f"from mtdemo.ui import launch; launch.GRACE_S = 200.0; launch.main(['--port', '{port}'])"  # a machine may be busy
    )
    command = [sys.executable, "-c", program]
    sentences = [f"John number {number} lives in Paris, as he has done for long." for number in range(30)]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,  # noqa: S603
        ThreadPoolExecutor(1) as pool,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        assert process.stdout is not None
        try:
            assert "mtdemo is at" in process.stdout.readline()
            while client.get("/readyz").status_code != 200:
                time.sleep(0.1)
            answer = pool.submit(client.post, "/api/v1/embed", json={"sentences": sentences})
            while "mtdemo_requests_open 2.0" not in client.get("/metrics").text and not answer.done():
                time.sleep(0.01)  # until it is asked beside what asks for the numbers
            process.send_signal(signal.SIGTERM)
            assert len(answer.result().json()) == 30
            assert process.wait(200) == 0
            assert "Traceback" not in process.stdout.read()
        finally:
            process.kill()


@pytest.mark.model
def test_what_does_not_end_by_itself_is_cut_off() -> None:
    """A thread that loads or trains would keep the process; an open connection of a page would keep the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        "import threading, time\n"
        "from mtdemo.ui import launch\n"
        "launch.GRACE_S = launch._END_S = 1.0\n"
        "threading.Thread(target=time.sleep, args=[300]).start()\n"
        f"launch.main(['--port', '{port}'])\n"
    )
    with (
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        socket.socket() as silent,
    ):
        assert process.stdout is not None and process.stderr is not None
        try:
            assert "mtdemo is at" in process.stdout.readline()
            silent.connect(("127.0.0.1", port))
            silent.sendall(b"POST /api/v1/embed HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 1
            assert "what was not finished after 1 seconds is cut off" in process.stderr.read()
        finally:
            process.kill()


def test_help_shows_the_flags() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert all(flag in shown.stdout for flag in ("--host", "--port", "--model", "--checkpoint", "--max-length"))


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--port", "x"], "port must be a whole number"), (["--max-length", "1"], "at least 8")]
)
def test_a_setting_that_cannot_be_used_is_one_line(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_in_use_says_what_to_do(app: AppProcess) -> None:
    result = run("--port", app.url.rpartition(":")[2])
    assert result.returncode == 2
    assert "Try --port" in result.stderr
