"""A process that watches the pipe from its parent."""

import subprocess
import sys

CHILD = """
import asyncio
from stockyard._aio.parent_watch import watch_parent

async def main():
    gone = asyncio.Event()
    watch_parent(on_gone=gone.set, on_message=lambda: print("message", flush=True))
    print("watching", flush=True)
    await gone.wait()
    print("gone", flush=True)

asyncio.run(main())
"""


def test_a_message_and_the_end_of_the_parent_are_noticed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"watching\n"
        child.stdin.write(b"!")
        assert child.stdout.readline() == b"message\n"
        child.stdin.close()
        assert child.stdout.read() == b"gone\n"
        assert child.wait(10) == 0
