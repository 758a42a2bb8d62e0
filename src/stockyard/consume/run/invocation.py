"""One job that is called: its payload as stored and as declared, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec

from stockyard._store.jobs.rows import json_or_text
from stockyard.errors import PayloadError
from stockyard.model.handler import Handler
from stockyard.model.job import Job, set_field
from stockyard.model.payload import encode_payload


class Invocation(msgspec.Struct, eq=False):
    """One job that is called.

    ``job.data`` is the stored JSON text until ``expose`` or ``data_for`` decodes it, once.

    Attributes:
        job: the job, its payload still JSON text.
        find: gives the handler of a job's name; raises HandlerError.
        handler: what runs it, once it is known.
        is_lost: its lease passed to another worker: whatever comes of it is not written.
        cancelled: why it was cancelled, None if it was not.
        result: what the hooks are called with once the end is written.
        trace: its span, for links and log lines; None where it is not traced.
        began: when a child process began with it, by ``perf_counter``; None if it did not wait for one.
    """

    job: Job[Any]
    find: Callable[[str], Handler]
    handler: Handler | None = None
    is_lost: bool = False
    cancelled: str | None = None
    result: Any = None
    trace: object | None = None
    began: float | None = None
    _is_exposed: bool = False
    _is_misfit: bool = False
    _text: bytes = b""
    _data: Any = None
    _encoded: bytes | None = None

    def begin(self) -> None:
        """Note that a child process begins with it now: until then it waited for one."""
        self.began = perf_counter()

    def expose(self) -> None:
        """Let user code see ``job.data`` as the handler declares it; plain values where it does not fit.

        ``data_for`` raises the error when it is the handler's turn.
        """
        if self._is_exposed:
            return
        self._is_exposed = True
        job = self.job
        self._text = job.data
        try:
            handler = self.handler = self.handler or self.find(job.name)
            job.data = handler.decode(self._text)
        except BaseException:  # validators of payload types are anybody's code
            self._is_misfit = True
            job.data = json_or_text(self._text)
        self._data = job.data
        self._encoded = self._encoding() if self.handler is None or self.handler.executor == "process" else None

    def data_for(self, handler: Handler, job: Job[Any]) -> bytes:
        """Make the payload ready for the handler; return it as JSON text for a child process, else nothing.

        Args:
            handler: runs the job.
            job: what it is given; a middleware may have replaced it or its data.

        Raises:
            PayloadError: the payload does not fit what the handler declares.
        """
        is_child = handler.executor == "process"
        if not self._is_exposed:
            if is_child:
                return job.data  # type: ignore[no-any-return]  # still text
            set_field(job, "data", handler.decode(job.data))
            self._is_exposed = True
            return b""
        if self._is_misfit:
            # A middleware may have mended it in place.
            job.data = handler.decode(encode_payload(job.data, what="the payload of", of=job.name))
        if not is_child:
            return b""
        if job.data is self._data and self._encoded is None:
            return self._text
        text = encode_payload(job.data, what="the payload of", of=job.name)
        return self._text if text == self._encoded else text

    def updated(self, data: Any) -> None:
        """Take over the payload that the handler has stored from its child process, given as plain values."""
        text = encode_payload(data, what="the payload of", of=self.job.name)
        if not self._is_exposed:
            self.job.data = text
            return
        try:
            self.job.data = data if self.handler is None else self.handler.decode(text)
        except PayloadError:
            self.job.data = data

    def _encoding(self) -> bytes | None:
        try:
            return encode_payload(self.job.data, what="the payload of", of=self.job.name)
        except PayloadError:
            return None
