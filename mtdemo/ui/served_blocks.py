"""gradio's `Blocks`, to be served to strangers and to many: it refuses what no page sends, and its sessions are light."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig
from gradio.components import Component

from mtdemo.text.tokenization import replace_unreadable

_NO_VALUE = "A value was sent that this field cannot have. Reload the page and try again."


class SharedConfig(BlocksConfig):  # type: ignore[misc]
    """The configuration of a page, described once for all sessions.

    gradio describes every component anew for each session, and a call of its API without a session makes one: with a
    hundred components that takes longer than the answer, and half a megabyte. Here sessions borrow what was described, and
    describe for themselves only components that were changed in them.
    """

    def __init__(self, page: gr.Blocks) -> None:
        super().__init__(page)
        self._described: dict[int, dict[str, Any]] = {}

    def __copy__(self) -> SharedConfig:
        copied = SharedConfig(self.root_block)
        copied.__dict__.update(super().__copy__().__dict__)
        copied._described = self._described
        return copied

    def config_for_block(self, _id: int, rendered_ids: list[int], block: Any, renderable: Any = None) -> dict[str, Any]:
        """Describe a component; its `props` may be changed.

        A session asks before anything is rendered, and borrows; the page asks for what it sends, and gets a copy.
        """
        page = self.root_block
        if renderable or not page.is_running or page.blocks.get(_id) is not block:
            return dict(super().config_for_block(_id, rendered_ids, block, renderable))
        if _id not in self._described:
            self._described[_id] = super().config_for_block(_id, rendered_ids, block)
        described = self._described[_id]
        return {**described, "props": dict(described["props"])} if rendered_ids else _Borrowed(described)


class _Borrowed(dict[str, Any]):
    """A description that all sessions share until one changes it."""

    __slots__ = ("_lent",)

    def __init__(self, lent: dict[str, Any]) -> None:
        super().__init__()
        self._lent = lent

    def __missing__(self, key: str) -> Any:
        if key != "props":
            return self._lent[key]
        own = self[key] = dict(self._lent[key])
        return own

    def __contains__(self, key: object) -> bool:
        return key in self._lent

    def whole(self) -> dict[str, Any]:
        """Return all of it, with what was changed."""
        return {**self._lent, **self}


class OpenEvents(dict[str, set[str]]):
    """Events of each session that are not answered yet.

    It is for gradio's queue, which by itself never forgets a session, and looks through all of them at each call.

    Args:
        messages: what is to be sent to each session; a session leaves both together.
        most: sessions, after which those leave that wait for nothing.
    """

    def __init__(self, messages: dict[str, Any], most: int) -> None:
        super().__init__()
        self._messages, self._most = messages, most

    def __setitem__(self, session: str, events: set[str]) -> None:
        if len(self) >= self._most:
            for other in [other for other, its in self.items() if not its or other not in self._messages]:
                del self[other]
                self._messages.pop(other, None)
        super().__setitem__(session, events)


class ServedBlocks(gr.Blocks):  # type: ignore[misc]
    """A page with light sessions, guarded inputs and quiet events.

    Programs may send anything to the endpoints behind a page. gradio writes a traceback for each value that a component
    cannot hold, and the value with it, which may be somebody's text.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.default_config = SharedConfig(self)

    def __exit__(self, *given: Any, **named: Any) -> None:
        """Let quiet events tell of progress in one place.

        The page keeps every component that an event ever told of its progress, and at every word about any event it looks
        up all of them and copies what they hold. With the tables of all tabs among them that took most of a second.
        """
        super().__exit__(*given, **named)
        first = [block for block in self.blocks.values() if isinstance(block, Component)][:1]  # found soonest
        for event in self.fns.values():
            if event.show_progress == "hidden":
                event.show_progress_on = first or None

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *given: Any, **named: Any) -> Any:
        """Turn what was sent into what callbacks get.

        Characters that no encoding can carry are replaced, since an answer that repeats one could not be sent.

        Raises:
            gr.Error: a component cannot hold it.
        """
        try:
            return await super().preprocess_data(block_fn, _readable(inputs), *given, **named)
        except gr.Error as error:
            raise gr.Error(html.escape(str(error.message), quote=False), print_exception=False) from error
        except Exception as error:
            raise gr.Error(_NO_VALUE, print_exception=False) from error


def _readable(value: Any) -> Any:
    """Replace lone surrogates in every text of a JSON value."""
    if isinstance(value, str):
        return replace_unreadable(value)
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        return {_readable(name): _readable(item) for name, item in value.items()}
    return value
