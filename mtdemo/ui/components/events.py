"""The two ends of an event: what gradio hands to a callback, and what a callback answers."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import gradio as gr
import pandas as pd
from gradio.components import Component

from mtdemo.errors import MtdemoError

Values = Mapping[Component, Any]  # handed to a callback whose inputs are a set
Updates = dict[Component, Any]  # answered by a callback; a component that is not named stays as it is

Callback = TypeVar("Callback", bound=Callable[..., Any])


def shows_errors(callback: Callback) -> Callback:
    """Show this project's errors as one message.

    Anything else is a bug, and is raised as it is.
    """

    @wraps(callback)
    def guarded(*given: Any, **named: Any) -> Any:
        with _told():
            return callback(*given, **named)

    @wraps(callback)
    def guarded_steps(*given: Any, **named: Any) -> Iterator[Any]:
        with _told():
            yield from callback(*given, **named)

    return cast(Callback, guarded_steps if inspect.isgeneratorfunction(callback) else guarded)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MtdemoError as error:
        raise as_message(error) from error


def as_table(table: pd.DataFrame) -> Any:
    """Show a table, or nothing where it is empty."""
    return gr.Dataframe(table, visible=not table.empty)


def as_message(error: MtdemoError) -> gr.Error:
    """Make the message that gradio shows of an error."""
    message = html.escape(str(error), quote=False)  # a toast is HTML, and an error may quote what was typed
    return gr.Error(message, title="This did not work", print_exception=False)
