"""A program as a context: a test that fails inside does not wait for a program that nobody ends any more."""

import subprocess
from types import TracebackType
from typing import AnyStr


class Program(subprocess.Popen[AnyStr]):
    """`subprocess.Popen`, killed when its block raises; at a block's usual end it is waited for."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)
