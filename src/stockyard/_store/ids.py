"""Ids of jobs between the bytes that the server holds and text: an id that is no UTF-8 is kept, byte for byte."""

from __future__ import annotations


def id_of(raw: bytes) -> str:
    """Return an id as text; bytes that are no UTF-8 stay in it as lone surrogates, so that none is lost."""
    return raw.decode(errors="surrogateescape")


def shown_id(raw: bytes) -> str:
    """Return an id for people and programs: U+FFFD stands for what is no UTF-8."""
    return raw.decode(errors="replace")
