"""How long until the page answers, against `import gradio` alone: both measured in one run, in fresh processes.

    python -m benchmarks.startup [--repeat 3]

Prints the median of each in seconds, their difference, and when the first question was answered.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).parent.parent


def time_import() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import gradio"], check=True)
    return time.perf_counter() - start


def time_app() -> tuple[float, float]:
    """Seconds from start to the first page, and to the first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                fetch(url)
                page_s = time.perf_counter() - start
                break
            except (URLError, ConnectionError):
                time.sleep(0.02)
        body = json.dumps({"data": [["John lives in Paris."]]}).encode()
        event = json.loads(fetch(f"{url}/gradio_api/call/entities", body))["event_id"]
        fetch(f"{url}/gradio_api/call/entities/{event}")
        return page_s, time.perf_counter() - start
    finally:
        process.terminate()
        process.wait()


def fetch(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        content: bytes = response.read()
        return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    imports, apps = zip(*((time_import(), time_app()) for _ in range(repeat)), strict=True)
    alone = statistics.median(imports)
    page_s, answer_s = (statistics.median(values) for values in zip(*apps, strict=True))
    print(f"import gradio alone        {alone:6.2f} s")
    print(f"page answers               {page_s:6.2f} s   {page_s / alone:.2f} x   +{page_s - alone:.2f} s")
    print(f"first question answered    {answer_s:6.2f} s   {answer_s / alone:.2f} x")


if __name__ == "__main__":
    main()
