"""How long until the page answers, against `import gradio` alone: both measured in one run, in fresh processes.

    python -m benchmarks.startup [--repeat 3]

Prints the median of each in seconds, their difference, and when the first question was answered. Then what each part of the
start costs, one after the other in a fresh process, with the memory after it; in the app some of them overlap.
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
PARTS = {  # what it is, and what does it
    "import gradio": "import gradio",
    "import the page": "from mtdemo.planning.planner import Planner; from mtdemo.serving.service import ModelService; "
    "from mtdemo.config import Settings; from mtdemo.ui.page import build_page",
    "build the page": "service = ModelService(Settings()); page = build_page(service, Planner(Settings().checkpoint))",
    "import torch": "import torch.optim.swa_utils",
    "import transformers": "from mtdemo.runtime import import_libraries; import_libraries()",
    "import models": "from mtdemo.inference.placement import place; from mtdemo.models.checkpoints import load_directory; "
    "from mtdemo.models.hub import download",
    "load the model": "service.load()",
    "first answer": "service.analyze(['John lives in Paris.'])",
}
_MEASURE = """
import time, sys
from pathlib import Path
from mtdemo.config import prepare_environment
prepare_environment()
for name, code in {parts!r}.items():
    start = time.perf_counter()
    exec(code, globals())
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(f"  {{name:<24}} {{time.perf_counter() - start:6.2f}} s {{n_pages * 4096 / 1e6:8.0f}} MB", flush=True)
"""


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


def print_parts() -> None:
    """Print what each part costs, in a process of its own."""
    subprocess.run([sys.executable, "-c", _MEASURE.format(parts=PARTS)], cwd=ROOT, check=True)


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
    print(f"first question answered    {answer_s:6.2f} s   {answer_s / alone:.2f} x", flush=True)
    print_parts()


if __name__ == "__main__":
    main()
