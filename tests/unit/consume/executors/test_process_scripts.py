"""Whole programs with child processes: a script, a module, a parent that is killed."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.program import Program
from tests.support.waiting import wait_until

SCRIPT = """
import asyncio, ctypes, os, signal, time
from pathlib import Path
from stockyard.consume.executors.process import ChildTask, ProcessPool
from stockyard.errors import WorkerProcessDied
from stockyard.model.handler import reference
from stockyard.model.options import JobOptions

LOOK_EVERY = 0.01

def double(job):
    print("doubling")
    return job.data * 2

def obey(job):
    place = Path(job.data)
    announce(place)
    while not place.with_suffix(".go").exists():
        time.sleep(LOOK_EVERY)
    return "obeyed"

def spin(job):
    announce(Path(job.data))
    while True:
        pass

def announce(place):
    draft = place.with_suffix(".draft")
    draft.write_text(str(os.getpid()))
    draft.replace(place)

def task(handler, data):
    return ChildTask(handler=reference(handler), id="1", name="n", queue="q", data=data.encode(),
                     options=JobOptions(), timestamp=1)

async def main(handler, data, size=1):
    pool = ProcessPool(size=size)
    await pool.start()
    try:
        result = await pool.run(task(handler, data), port=None)
        print(reference(handler), result.decode())
    finally:
        await pool.aclose()
"""
DOUBLE = "asyncio.run(main(double, '21'))\n"
GUARDED = "if __name__ == '__main__':\n    "


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )


def test_a_script_has_its_handlers_in_main_and_they_print_to_its_output(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SCRIPT + GUARDED + DOUBLE)
    done = run("app.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("doubling\n__main__:double 42\n", "")


def test_a_module_that_is_run_has_its_handlers_in_main(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "app.py").write_text(SCRIPT + GUARDED + DOUBLE)
    done = run("-m", "shop.app", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("doubling\n__main__:double 42\n", "")


def test_a_script_without_guard_is_told_to_add_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SCRIPT + DOUBLE)
    done = run("app.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "WorkerProcessDied: a new child process died: exit code 1" in done.stderr
    assert "must not start a worker: put what the script does under `if __name__ == '__main__':`" in done.stderr


def test_a_handler_typed_at_a_prompt_cannot_be_imported_and_that_is_said(tmp_path: Path) -> None:
    done = run("-c", SCRIPT + DOUBLE, cwd=tmp_path)
    assert "HandlerError: a child process cannot import handler '__main__:double': a prompt" in done.stderr


def test_a_program_that_never_closed_its_pool_ends_all_the_same(tmp_path: Path) -> None:
    forgotten = """
async def forget():
    pool = ProcessPool(size=1)
    await pool.start()
    print((await pool.run(task(double, "21"), port=None)).decode(), flush=True)

if __name__ == '__main__':
    asyncio.run(forget())
"""
    (tmp_path / "app.py").write_text(SCRIPT + forgotten)
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "doubling\n42\n")


def test_children_of_a_killed_parent_end_even_while_they_compute(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    (tmp_path / "app.py").write_text(SCRIPT + GUARDED + f"asyncio.run(main(spin, '\"{place}\"', size=2))\n")
    environment = os.environ | {"STOCKYARD_TEST": str(tmp_path)}
    with Program[bytes]([sys.executable, "app.py"], cwd=tmp_path, env=environment) as parent:
        try:
            wait_until(place.exists, within=25)
            # The parent, its fork server, one child that computes and one that is idle.
            assert len(carrying(str(tmp_path))) >= 4
        finally:
            parent.kill()
    wait_until(lambda: carrying(str(tmp_path)) == [])


def test_a_lost_fork_server_costs_the_running_job_and_its_child(tmp_path: Path) -> None:
    losing = """
def hold(job):
    announce(Path(job.data))
    ctypes.PyDLL(None).pause()  # in C code that lets no other thread see the pipe

async def lose(place):
    from multiprocessing.forkserver import _forkserver
    pool = ProcessPool(size=1)
    await pool.start()
    job = asyncio.create_task(pool.run(task(hold, f'"{place}"'), port=None))
    while not place.exists():
        await asyncio.sleep(LOOK_EVERY)
    os.kill(_forkserver._forkserver_pid, signal.SIGKILL)
    try:
        await job
    except WorkerProcessDied as error:
        print(error)
    child = int(place.read_text())
    while Path(f"/proc/{child}/stat").exists() and ") Z " not in Path(f"/proc/{child}/stat").read_text():
        await asyncio.sleep(LOOK_EVERY)
    await pool.aclose()
"""
    end = f"asyncio.run(lose(Path({str(tmp_path / 'pid')!r})))\n"
    (tmp_path / "app.py").write_text(SCRIPT + losing + GUARDED + end)
    done = run("app.py", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("the child process of job 1 died: exit code 255\n", 0)


def test_an_interrupt_of_the_whole_group_leaves_children_to_the_parent(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    end = f"signal.signal(signal.SIGINT, signal.SIG_IGN); asyncio.run(main(obey, '\"{place}\"'))\n"
    (tmp_path / "app.py").write_text(SCRIPT + GUARDED + end)
    command = [sys.executable, "app.py"]
    with Program[bytes](command, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE) as parent:
        try:
            wait_until(place.exists, within=25)
            os.killpg(parent.pid, signal.SIGINT)
            os.kill(int(place.read_text()), signal.SIGINT)
            place.with_suffix(".go").touch()
            said, _ = parent.communicate(timeout=60)
        finally:
            parent.kill()
    assert said == b'__main__:obey "obeyed"\n'


def carrying(mark: str) -> list[str]:
    """The processes whose environment has it."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (each / "environ").read_bytes():
                found.append(each.name)
    return found
