"""What the user `operator` of `deploy/users.acl` does: it looks, and acts as the dashboard does."""

from contextlib import suppress

from stockyard import Flow, JobError
from stockyard.limits import Fixed, Limits
from tests.support.roles import READER, add
from tests.support.stage import Stage


async def change_jobs(stage: Stage) -> None:
    """Retry, promote, cancel, edit and remove single jobs."""
    bad = await stage.prepared.add("bad")
    fine = await stage.prepared.add("fine")
    async with stage.admin_works():
        await stage.ends(bad, "failed")
        await stage.ends(fine)
    for job_id, state in ((bad.id, "failed"), (fine.id, "completed")):
        job = await stage.queue.get_job(job_id)
        assert job is not None
        await job.update_data({"more": 1})
        await job.retry(state="failed" if state == "failed" else "completed", reset_attempts=True)
        await job.cancel()
        await job.remove()
    later = await stage.prepared.add("fine", delay="1h")
    urgent = await stage.prepared.add("fine", priority=2)
    for job in (later, urgent):
        found = await stage.queue.get_job(job.id)
        assert found is not None
        with suppress(JobError):
            await found.promote()
        await found.remove()


async def cancel_what_runs(stage: Stage) -> None:
    job = await stage.prepared.add("slow")
    async with stage.admin_works():
        await stage.ends(job, "active")
        found = await stage.queue.get_job(job.id)
        assert found is not None
        await found.cancel("not now")
        await stage.ends(job, "failed")


async def change_many_jobs(stage: Stage) -> None:
    """Act on all jobs of a state, as the dashboard does step by step."""
    jobs = await stage.prepared.add_many([("bad", None), ("fine", None)])
    async with stage.admin_works():
        await stage.ends(jobs[0], "failed")
        await stage.ends(jobs[1])
    await stage.queue.retry_all("failed", limit=100)
    await stage.queue.retry_all("completed", limit=100)
    await stage.prepared.add_many([("x", None, {"delay": "1h"}), ("x", None, {"priority": 3})])
    for state in ("waiting", "delayed", "prioritized", "completed", "failed"):
        await stage.queue.clean(state, limit=100)


async def remove_families(stage: Stage) -> None:
    tree = await stage.admin.flows.add(Flow("parent", stage.name, children=[Flow("child", stage.name)]))
    (child,) = tree.children
    for job_id in (child.job.id, tree.job.id):
        found = await stage.queue.get_job(job_id)
        assert found is not None
        await found.remove()


async def retry_children(stage: Stage) -> None:
    """Let a failed child be waited for again."""
    bad_child = Flow("bad", stage.name, on_failure="continue_parent")
    tree = await stage.admin.flows.add(
        Flow("parent", stage.name, children=[bad_child, Flow("fine", stage.name, delay="1h")])
    )
    bad = tree.children[0].job
    async with stage.admin_works():
        await stage.ends(bad, "failed")
    found = await stage.queue.get_job(bad.id)
    assert found is not None
    await found.retry(reset_attempts=True)


async def control_queues(stage: Stage) -> None:
    await stage.prepared.add("x")
    # A BullMQ 5 sets aside what waits when it pauses a queue.
    aside = f"{stage.naming.place(stage.name)}:paused"
    for is_empty in (False, True):
        if is_empty:
            await stage.prepared.clean("waiting")
        await stage.queue.pause()
        await stage.at_the_server("RPUSH", aside, "gone")
        await stage.queue.resume()
    await stage.app.halt(stage.name, reason="look first", by="ada")
    await stage.app.halts()
    await stage.app.resume(stage.name, by="ada")
    await stage.app.halt_audit(5)


async def divide_versions(stage: Stage) -> None:
    base = stage.naming.place(stage.name)
    await stage.at_the_server("HSET", f"{base}:stalled-check:versions", "1", "0")
    await stage.at_the_server("ZADD", f"{base}:stalled-check:version:1:canary", "1", "gone")
    await stage.queue.set_canary(2, 0.05)
    await stage.queue.clear_canary()


async def control_schedules(stage: Stage) -> None:
    await stage.admin.schedules(stage.name).upsert("s", every="1h", name="fine")
    await stage.queue.add("fine", {"now": 1}, check=False, priority=3)
    await stage.app.schedules(stage.name).remove("s")


async def control_keys(stage: Stage) -> None:
    queue = stage.app.queue(f"{stage.name}-keys")
    for act in (queue.keys.resume, queue.keys.skip, queue.keys.replay):
        bad = await stage.admin.queue(queue.name).add("bad", key="BTC")
        async with stage.works(queue.name, app=stage.admin):
            await stage.ends(bad, "failed", queue=queue.name)
        assert [each.key for each in await queue.keys.list("parked")] == ["BTC"]
        await act("BTC")


async def settle_effects(stage: Stage) -> None:
    lost = await stage.prepared.add("lost", attempts=1)
    async with stage.admin_works():
        await stage.ends(lost, "failed")
    for outcome in ("unknown", "committed"):
        await stage.app.effects.list(outcome, queue=stage.name)
    await stage.app.effects.settle(lost.id, "committed", source="ada", queue=stage.name)
    await stage.app.effects.audit(count=5)


async def freeze_limits(stage: Stage) -> None:
    name = stage.name.rpartition(":")[2]
    async with stage.admin.limits(Limits(name, [Fixed("orders", 9, per="1h")])).take():
        pass
    await stage.app.all_limits.freeze(name, "1h")
    await stage.app.all_limits.thaw(name)


async def silence_alerts(stage: Stage) -> None:
    await stage.app.alerts.silence("backlog", stage.name, duration="1h", reason="by ada")
    await stage.app.alerts.unsilence("backlog", stage.name)


async def keep_the_audit(stage: Stage) -> None:
    await stage.app.monitor.audit.record("ada", "pause", queue=stage.name, subject="", note="")
    await stage.app.monitor.audit.list(5)


OPERATOR = (
    *READER,
    add,
    change_jobs,
    cancel_what_runs,
    change_many_jobs,
    remove_families,
    retry_children,
    control_queues,
    divide_versions,
    control_schedules,
    control_keys,
    settle_effects,
    freeze_limits,
    silence_alerts,
    keep_the_audit,
)
