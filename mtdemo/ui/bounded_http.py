"""HTTP by httptools, which is fast, with requests of bounded heads, which it does not have by itself."""

from __future__ import annotations

from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # of a request, all but its body; as with h11, uvicorn's other parser
_TOO_LONG = "The head of the request is too long."


class BoundedHttp(HttpToolsProtocol):
    """A connection that ends where a head does not.

    A body is bounded by the gate, which sees none of a request before its head is complete.
    """

    _n_bytes = 0  # received of the request that comes in, but for its body

    def data_received(self, data: bytes) -> None:
        """Read what came, up to the limit."""
        self._n_bytes += len(data)
        super().data_received(data)
        if self._n_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(_TOO_LONG)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._n_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; another may follow."""
        self._n_bytes = 0
        super().on_message_complete()


def bound_heads() -> None:
    """Let servers of this process read heads of bounded length.

    gradio makes its server itself, and leaves the choice of the parser to uvicorn.
    """
    auto.AutoHTTPProtocol = BoundedHttp
