"""hiredis, which packs commands and parses replies, under the names that the store uses."""

from hiredis import HiredisError as ParserError
from hiredis import PushNotification, ReplyError, pack_command
from hiredis import Reader as ReplyParser

__all__ = ["ParserError", "PushNotification", "ReplyError", "ReplyParser", "pack_command"]
