"""Wall time of the laboratory's experiments, asked as the page asks them, with the verdict of each.

python -m benchmarks.experiments [--questions NAME ...]
"""

from __future__ import annotations

import argparse
import os

from mtdemo.config import Settings, prepare_environment
from mtdemo.laboratory.inquiry import inquire
from mtdemo.laboratory.questions import QUESTIONS, find_question
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.serving.service import ModelService


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", nargs="+", default=[question.name for question in QUESTIONS])
    names = parser.parse_args().questions
    prepare_environment()
    service = ModelService(Settings())
    service.load()
    laboratory = Laboratory(service)
    print(f"{len(os.sched_getaffinity(0))} cores")
    for name in names:
        question = find_question(name)
        *_, last = inquire(laboratory, service, "benchmark", question)
        told = last.verdict.headline if last.verdict else "stopped, so there is no verdict"
        print(f"{last.seconds:5.0f} s  {question.title} {told}", flush=True)


if __name__ == "__main__":
    main()
