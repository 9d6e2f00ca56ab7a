"""Notes every name and address that a Python process looks up or calls; imported by Python itself, before its program."""

import os
import socket
import sys
from typing import Any

EVENTS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto")


def note(event: str, values: tuple[Any, ...]) -> None:
    if event not in EVENTS:
        return
    place = values[1] if isinstance(values[0], socket.socket) else values[0]
    host = place[0] if isinstance(place, tuple) else "" if isinstance(values[0], socket.socket) else place
    with open(os.environ["MTDEMO_NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"{host.decode() if isinstance(host, bytes) else host}\n")


if "MTDEMO_NOTES" in os.environ:
    sys.addaudithook(note)
