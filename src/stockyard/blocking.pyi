"""Types of what ``.sync`` returns; made from the asynchronous classes by ``make stubs``."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, NoReturn, ParamSpec, Self, TypeVar, Unpack, overload

from stockyard._store.jobs.managing import EventLimits
from stockyard._store.limits.limiting import Request
from stockyard._store.snapshots import (
    Canary,
    JobPosition,
    PayloadVersion,
    QueueMetrics,
    QueueSettings,
    VersionJobs,
    WorkerInfo,
)
from stockyard.cache.cache import Cache
from stockyard.cache.caches import Caches
from stockyard.cache.loads import Loader
from stockyard.cache.memo import Memo
from stockyard.cache.near import NearCache
from stockyard.cache.options import CacheOptions
from stockyard.cache.stats import CacheStats, CacheUsage
from stockyard.config import Settings
from stockyard.consume.manual.manual_worker import ManualWorker
from stockyard.consume.manual.options import ManualOptions
from stockyard.consume.manual.taken_job import TakenJob
from stockyard.consume.options import WorkerOptions
from stockyard.consume.worker import Worker
from stockyard.effects.effects import Effects, Settled
from stockyard.events import Event, QueueEvents
from stockyard.limits.app_limits import AppLimits
from stockyard.limits.call import LimitedCall, Outcome
from stockyard.limits.open_limits import OpenLimits
from stockyard.limits.stats import LimitsStats, LimitsStatus
from stockyard.model.durability import Durability
from stockyard.model.duration import Duration
from stockyard.model.effect import Effect
from stockyard.model.effect_record import EffectRecord
from stockyard.model.family import ChildKind, ChildrenPage
from stockyard.model.flow import Flow, FlowTree
from stockyard.model.halt import Halt, HaltChange
from stockyard.model.job import Job, JobPort, JobProcessor, JobState, ResetAttempts
from stockyard.model.key_order import KeyInfo
from stockyard.model.limits import Cost, Limits
from stockyard.model.options import AddOptions, JobOptions
from stockyard.model.schedule import Schedule
from stockyard.observe.alerts.monitor import AlertMonitor
from stockyard.observe.alerts.rules import Rule
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.observe.alerts.store import AlertStore
from stockyard.observe.app_monitor import AppMonitor
from stockyard.observe.doctor.finding import Finding
from stockyard.observe.health import QueueHealth
from stockyard.observe.metrics.metrics_server import MetricsServer
from stockyard.produce.flows import Flows
from stockyard.produce.keys import Keys
from stockyard.produce.queue import JobTuple, Queue
from stockyard.produce.search import SearchStep
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.channels import Channels
from stockyard.pubsub.consumer import Consumer
from stockyard.pubsub.delivery import Delivery
from stockyard.pubsub.groups import ConsumerGroup, DeadLetter
from stockyard.pubsub.message import Message, MessageGap
from stockyard.pubsub.open_channel import OpenChannel
from stockyard.pubsub.replay import Replay
from stockyard.pubsub.stats import ChannelStats
from stockyard.pubsub.subscription import Policy, Subscription
from stockyard.schedule.schedules import Schedules
from stockyard.topology import QueueSpec, Rate, Router, Topology
from stockyard.topology.schedule_declaration import ScheduleOptions

T = TypeVar("T")
D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")

class BlockingView:
    """An object of Stockyard for code without a running loop: its methods block until they are done."""

class BlockingApp(BlockingView):
    """What ``App.sync`` returns."""

    @property
    def topology(self) -> Topology: ...
    def health(self, *names: str) -> list[QueueHealth]:
        """Return snapshots of the named queues, or of all, in one round trip."""

    def check_server(self) -> list[Finding]:
        """Return what ``stockyard doctor`` finds of the server and of one for caches alone, the dangers first."""

    def alert_monitor(
        self, settings: AlertSettings | None = None, *, rules: Sequence[Rule] | None = None
    ) -> AlertMonitor:
        """Make a monitor of this app's queues and server; ``await alert_monitor.start()`` begins."""

    @property
    def alerts(self) -> AlertStore:
        """Incidents, silences and history, shared by all processes of this topology, server and prefix."""

    def serve_metrics(self, host: str = "127.0.0.1", port: int = 0) -> MetricsServer:
        """Answer ``/metrics``, ``/live`` and ``/ready`` from a thread, until this app is closed."""

    @property
    def monitor(self) -> AppMonitor:
        """The monitor of this app: for alerts, metrics and probes."""

    def halt(self, queues: str, *, reason: str, by: str, key: str | None = None) -> Halt:
        """Let no job start, and no effect begin, until ``resume``: on every worker, from its next call on."""

    def resume(self, queues: str, *, by: str, reason: str = "", key: str | None = None) -> bool:
        """End a halt, and open circuit breakers of these queues; say whether there was one."""

    def halts(self) -> list[Halt]:
        """Return what is halted now, of all queues under this prefix, and this app's open circuit breakers."""

    def halt_audit(self, count: int = 100) -> list[HaltChange]:
        """Return who halted and resumed what, when and why, and what circuit breakers did; the latest first."""

    @property
    def settings(self) -> Settings: ...
    @property
    def url(self) -> str:
        """The server's URL, its password masked."""

    def queue(self, name: str) -> Queue:
        """Return a queue; asked again, the same. Raises UnknownQueue where the topology does not declare it."""

    def schedules(self, name: str) -> Schedules:
        """Return the schedules of a queue; raises UnknownQueue where the topology does not declare it."""

    def upsert_schedules(self, *names: str) -> tuple[Schedule, ...]:
        """Make or change the schedules that the named queues declare, or all queues; workers do so at their start."""

    @property
    def effects(self) -> Effects:
        """The effects of all queues: look at them, list them, settle them."""

    @property
    def flows(self) -> Flows:
        """Trees of jobs across the queues: added in one step, read back."""

    def events(
        self,
        name: str,
        after: str | None = None,
        *,
        only: Collection[type[Event]] = ...,
        job_ids: Collection[str] = ...,
    ) -> QueueEvents:
        """Return a reader of a queue's events: ``async with app.events("mail") as events``."""

    def worker(
        self, name: str, /, processor: JobProcessor[Any] | Router | None = None, **options: Unpack[WorkerOptions]
    ) -> Worker:
        """Make a worker of a queue; ``await worker.run()`` or ``worker.run_forever()`` starts it."""

    def manual_worker(self, name: str, /, **options: Unpack[ManualOptions]) -> ManualWorker:
        """Make what takes jobs of a queue by hand, for tests and for bridges to other runtimes."""

    @overload
    def cache(self, name: str, type: type[T], **options: Unpack[CacheOptions]) -> Cache[T]:
        """Return a cache; asked again by its name, the same."""

    @overload
    def cache(self, name: str, type: Any = ..., **options: Unpack[CacheOptions]) -> Cache[Any]: ...
    @property
    def caches(self) -> Caches:
        """All caches of this app: what they hold on the server, and how much they may."""

    def channel(self, channel: Channel[T]) -> OpenChannel[T]:
        """Return a declared channel on this app's server; asked again, the same. See ``Channels.open``."""

    @property
    def channels(self) -> Channels:
        """All channels of this app that were asked for."""

    def limits(self, limits: Limits) -> OpenLimits:
        """Return the limits of an exchange on this app's server; asked again, the same. See ``AppLimits.open``."""

    @property
    def all_limits(self) -> AppLimits:
        """All limits of exchanges, those of other programs on this server as well."""

    def aclose(self) -> None:
        """Close what this loop opened, and the embedded server if this app was its last user."""

    def close(self) -> None:
        """End the threads of metrics and of blocking callers, and release the embedded server; needs no loop."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

class BlockingCache(BlockingView, Generic[T]):
    """What ``Cache.sync`` returns."""

    @property
    def name(self) -> str: ...
    @property
    def near(self) -> NearCache | None:
        """This process's own copies, or None."""

    @overload
    def peek(self, key: str) -> T | None:
        """Return this process's own copy of an entry, without asking the server; ``default`` if there is none."""

    @overload
    def peek(self, key: str, default: D) -> T | D: ...
    @overload
    def get(self, key: str) -> T | None:
        """Return an entry's value, or ``default`` when there is none in date."""

    @overload
    def get(self, key: str, default: D) -> T | D: ...
    def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return the values of those keys that have one, in few round trips; errors are those of ``get``."""

    def set(self, key: str, value: T | None, ttl: Duration | None = None, *, tags: Iterable[str] = ...) -> bool:
        """Write an entry; a load of this key that runs anywhere will not overwrite it."""

    def set_many(
        self, values: Mapping[str, T | None], ttl: Duration | None = None, *, tags: Iterable[str] = ...
    ) -> int:
        """Write entries in few round trips; return how many were stored. See ``set``."""

    def get_or_set(
        self,
        key: str,
        loader: Loader,
        ttl: Duration | None = None,
        *,
        stale: Duration | None = None,
        early: float = 0.0,
        negative_ttl: Duration | None = None,
        tags: Iterable[str] = ...,
    ) -> T:
        """Return an entry's value; where there is none, one caller of all processes computes it for all."""

    @overload
    def memo(self, function: Callable[P, Any], /) -> Memo[P, T]:
        """Decorate a function so that its answers are remembered."""

    @overload
    def memo(
        self,
        function: None = None,
        /,
        *,
        ttl: Duration | None = None,
        key: Callable[..., str] | None = None,
        tags: Callable[..., Iterable[str]] | Iterable[str] = ...,
        stale: Duration | None = None,
        early: float = 0.0,
        negative_ttl: Duration | None = None,
    ) -> Callable[[Callable[P, Any]], Memo[P, T]]: ...
    def delete(self, *keys: str) -> int:
        """Delete entries; return how many there were. What is being loaded for them anywhere is not stored."""

    def invalidate(self, *tags: str) -> int:
        """Let no entry under these tags hold any more, however many there are; return how many tags were in use."""

    def clear(self) -> int:
        """Delete every entry and tag of this cache; return how many entries there were."""

    def stats(self) -> CacheStats:
        """Return what this cache did in this process."""

    def aclose(self) -> None:
        """Break off this loop's loads."""

class BlockingCaches(BlockingView):
    """What ``Caches.sync`` returns."""

    def cache(self, name: str, declared: Any, options: CacheOptions) -> Cache[Any]:
        """Return a cache; asked again, the same."""

    def stats(self) -> dict[str, CacheStats]:
        """Return what each cache did in this process, by name."""

    def names(self) -> list[str]:
        """Return the caches of this prefix that hold entries of any process; it looks through all keys."""

    def usage(self) -> list[CacheUsage]:
        """Return what each cache of this prefix holds on the server, from all processes; expired entries are out."""

    def budget(self) -> int | None:
        """Return how many bytes they may take together now; None on a server that evicts by itself."""

    def aclose(self) -> None:
        """Close what this loop opened; loads that run are broken off."""

    def close(self) -> None:
        """End the thread behind the caches."""

class BlockingConsumer(BlockingView, Generic[T]):
    """What ``Consumer.sync`` returns."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that reads it, or None before the first read and after the end."""

    def aclose(self) -> None:
        """Hand back what was not acknowledged, and end the iteration; closing twice is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    @property
    def channel(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def name(self) -> str: ...
    def __iter__(self) -> Iterator[Delivery[T] | MessageGap]: ...
    def acknowledge(self, message_id: str) -> None:
        """Let the group be done with a message."""

    def release(self, message_id: str, *, reason: str, delay_ms: int, is_final: bool) -> None:
        """Hand a message back, or move it to the dead letters."""

class BlockingDelivery(BlockingView, Generic[T]):
    """What ``Delivery.sync`` returns."""

    @property
    def value(self) -> T: ...
    @property
    def channel(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """When it was published, milliseconds since the epoch by the server's clock."""

    def ack(self) -> None:
        """The group is done with it; calls of the same turn of the loop travel together."""

    def release(self, reason: str = "", *, delay: Duration = 0) -> None:
        """Hand it back: any consumer of the group is given it again; after the last attempt it is a dead letter."""

    def dead_letter(self, reason: str = "") -> None:
        """Move it to the dead letters, whatever attempts remain."""

class BlockingEffects(BlockingView):
    """What ``Effects.sync`` returns."""

    def get(self, key: str, *, queue: str | None = None) -> EffectRecord | None:
        """Return an effect by its key, or None."""

    def list(self, outcome: str = ..., *, queue: str | None = None, count: int = 100) -> Sequence[EffectRecord]:
        """Return effects of an outcome: unknown and open ones the oldest first, settled ones the latest first."""

    def audit(self, *, queue: str | None = None, count: int = 100) -> Sequence[dict[str, str]]:
        """Return who settled what, the latest first, of each queue."""

    def settle(
        self,
        key: str,
        outcome: Settled,
        *,
        source: str,
        value: Any = None,
        note: str = "",
        queue: str | None = None,
    ) -> EffectRecord:
        """Say what became of an effect, and return how it stands then; from now on no run repeats it blindly."""

class BlockingFlows(BlockingView):
    """What ``Flows.sync`` returns."""

    def add(self, flow: Flow, *, check: bool | None = None) -> FlowTree:
        """Add a tree of jobs, none of it when it is refused; no parent runs before all of its children are there."""

    def add_many(self, flows: Iterable[Flow], *, check: bool | None = None) -> list[FlowTree]:
        """Add several trees as if they were one, in the order given; raises the errors of ``add``."""

    def get(self, queue: str, job_id: str, depth: int = 10, children: int = 20) -> FlowTree | None:
        """Read a job with what is below it, level by level, or None when there is no such job."""

class BlockingJob(BlockingView, Generic[T]):
    """What ``Job.sync`` returns."""

    @property
    def id(self) -> str: ...
    @property
    def options(self) -> JobOptions: ...
    @property
    def schedule_id(self) -> str | None:
        """Id of the schedule whose run the job is, or None for any other job."""

    @property
    def run_number(self) -> int | None:
        """Number of the run in its schedule, from 1, or None for a job that is no run."""

    @property
    def port(self) -> JobPort: ...
    def log(self, line: str) -> int:
        """Append a line to the job's log; return how many lines it has."""

    def logs(self, start: int = 0, end: int = -1, *, newest_first: bool = False) -> list[str]:
        """Return log lines ``start`` to ``end`` inclusive, oldest first; -1 is the last."""

    def log_count(self) -> int:
        """Return how many lines the job's log has."""

    def clear_logs(self, keep: int = 0) -> None:
        """Drop the log but its last ``keep`` lines."""

    @property
    def data(self) -> T: ...
    @property
    def attempts_started(self) -> int: ...
    @property
    def expires_at(self) -> int | None:
        """When it expires, ms since the epoch by the server's clock, or None: from then on it does not start."""

    @property
    def attempt(self) -> int:
        """Number of the attempt that runs or would run next, from 1; in a hook, of the attempt that has ended."""

    def effect(
        self,
        key: str,
        *,
        max_duration: Duration,
        payload: Any = ...,
        min_duration: Duration | None = None,
        scope: Mapping[str, str] | None = None,
    ) -> Effect:
        """In the job's handler: do a dangerous step at most once, and record honestly what became of it."""

    @property
    def queue(self) -> str: ...
    @property
    def correlation_id(self) -> str:
        """What all jobs of one story share: the id that the first one was given, or its ``queue/id``."""

    @property
    def causation_id(self) -> str | None:
        """What caused it: ``queue/id`` of the job whose handler added it, an id of the producer, or None."""

    @property
    def has_lineage(self) -> bool:
        """Whether its record says why it was added."""

    def children_values(self) -> dict[str, Any]:
        """Return the results of the children that completed, by their full keys."""

    def ignored_failures(self) -> dict[str, str]:
        """Return why children failed that the job goes on without, by their full keys."""

    def failed_children(self) -> list[str]:
        """Return the full keys of the children that failed the job, in the order that they failed."""

    def children(self, kind: ChildKind = "unprocessed", *, cursor: int = 0, count: int = 20) -> ChildrenPage:
        """Return some of the children, and where those that follow begin."""

    def children_counts(self) -> dict[ChildKind, int]:
        """Return how many children there are of each kind."""

    def detach_from_parent(self) -> bool:
        """Detach the job from the parent that waits for this job; a parent that waits for no other goes on."""

    @property
    def timestamp(self) -> int: ...
    @property
    def replaced(self) -> int:
        """How many payloads were replaced by the one that is there, of jobs of its coalescing key."""

    @property
    def name(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def delay_ms(self) -> int: ...
    @property
    def attempts_made(self) -> int: ...
    @property
    def stalled_count(self) -> int: ...
    @property
    def progress(self) -> Any: ...
    @property
    def return_value(self) -> Any: ...
    @property
    def failed_reason(self) -> str | None: ...
    @property
    def stacktrace(self) -> tuple[str, ...]: ...
    @property
    def processed_on(self) -> int | None: ...
    @property
    def finished_on(self) -> int | None: ...
    @property
    def processed_by(self) -> str | None: ...
    @property
    def parent_key(self) -> str | None: ...
    @property
    def ended_attempt(self) -> int | None: ...
    @property
    def was_added(self) -> bool: ...
    @property
    def should_stop(self) -> bool: ...
    def update_progress(self, value: Any) -> None:
        """Store progress (any JSON value) and announce it."""

    def update_data(self, data: T) -> None:
        """Replace the payload; the next attempt is given it."""

    def state(self) -> JobState:
        """Return where the job is now."""

    def change_delay(self, delay: Duration) -> None:
        """Let a delayed job run so long after now."""

    def change_priority(self, priority: int, *, lifo: bool = False) -> None:
        """Give the job another priority; if it waits, it goes behind those of the same one."""

    def retry(
        self, *, state: Literal["failed", "completed"] = "failed", reset_attempts: ResetAttempts = False
    ) -> None:
        """Put the job back to wait, if it has ended in this state."""

    def remove(self, *, children: bool = True) -> None:
        """Remove the job, its logs and its place in the queue."""

    def remove_unprocessed_children(self) -> int:
        """Remove the children that the job still waits for, with all below; those that run or failed stay."""

    def promote(self) -> None:
        """Let a delayed job run now."""

    @overload
    def wait_for_result(self, timeout: Duration | None = None, *, result_type: type[R]) -> R:
        """Wait until the job ends, and return its result."""

    @overload
    def wait_for_result(self, timeout: Duration | None = None, *, result_type: Any = None) -> Any: ...
    def cancel(self, reason: str = "") -> None:
        """Fail the job without a retry, in whatever state it is before its end."""

    def refresh(self) -> Job[Any]:
        """Read the job again."""

    def move_to_delayed(self, delay: Duration) -> NoReturn:
        """In the job's handler: end this run here, and run the handler again after a while."""

    def move_to_wait(self) -> NoReturn:
        """In the job's handler: end this run here, and be the next in line again. No attempt is used up."""

    def wait_for_children(self) -> None:
        """In the job's handler: go on when every child has ended."""

    def rate_limit(self, duration: Duration) -> NoReturn:
        """In the job's handler: end this run here, and let no job of the queue start for a while."""

class BlockingKeys(BlockingView):
    """What ``Keys.sync`` returns."""

    def list(self, state: str | None = None, *, count: int = 100) -> Sequence[KeyInfo]:
        """Return the keys that have jobs, the parked ones first, then those with the longest lines."""

    def get(self, key: str) -> KeyInfo | None:
        """Return one key, or None where it has no job; of several jobs at a time, the first says how it is."""

    def waiting(self, key: str, *, count: int = 100) -> Sequence[str]:
        """Return the ids of the jobs in the line of a key, the next one first."""

    def resume(self, key: str) -> str:
        """Let a parked key go on with its next job; return the id of the failed one, which stays failed."""

    def skip(self, key: str) -> str:
        """Remove the failed job of a parked key, and let the key go on with the next; return the removed id."""

    def replay(self, key: str) -> str:
        """Run the failed job of a parked key again, with all of its attempts, before the next; return its id."""

class BlockingLimitedCall(BlockingView):
    """What ``LimitedCall.sync`` returns."""

    @property
    def is_admitted(self) -> bool: ...
    @property
    def request(self) -> Request: ...
    @property
    def tickets(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def waited(self) -> float: ...
    def acquire(self) -> None:
        """Wait until all limits admit the call; ``async with`` does this."""

    def release(self) -> None:
        """End the call's places among those under way; ``async with`` does this. Releasing twice is fine."""

    def observe(self, headers: Mapping[str, str], *, status: int | None = None) -> None:
        """Note what the exchange said in its reply: its own counts, and whether all calls have to wait."""

    def settle(self, outcome: Outcome = "unknown", *, refund: Mapping[str, float] | None = None) -> None:
        """Give back what the call did not use, once."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

class BlockingManualWorker(BlockingView):
    """What ``ManualWorker.sync`` returns."""

    @property
    def queue(self) -> str: ...
    def take(self, token: str | None = None, *, wait: Duration = 0) -> TakenJob | None:
        """Take the next job; None if there is none that may start."""

    def resume(self, job_id: str, token: str) -> TakenJob:
        """Return a job that was taken before, here or in another process, to end it."""

    def recover_stalled(self) -> list[str]:
        """Hand back the jobs whose leases have run out; return their ids."""

class BlockingOpenChannel(BlockingView, Generic[T]):
    """What ``OpenChannel.sync`` returns."""

    @property
    def channel(self) -> Channel[T]: ...
    @property
    def name(self) -> str: ...
    def stats(self) -> ChannelStats:
        """Return what this channel did in this process."""

    def publish(self, value: T) -> Any:
        """Publish one message; calls of the same turn of the loop travel together, in the order made."""

    def publish_many(self, values: Iterable[T]) -> list[Any]:
        """Publish messages in their order, in few round trips; all are checked before any is sent."""

    def subscribe(self, *, buffer: int = 10000, policy: Policy = "drop_oldest") -> Subscription[T]:
        """Listen to a live channel from now on: ``async with channel.subscribe() as messages``."""

    def consume(
        self, group: str, consumer: str | None = None, *, after: str | None = "0-0", buffer: int = 100
    ) -> Consumer[T]:
        """Consume a durable channel as one of a group: ``async with channel.consume("ledger") as messages``."""

    def handle(
        self,
        group: str,
        handler: Callable[[Delivery[T]], Any],
        *,
        concurrency: int = 1,
        consumer: str | None = None,
        after: str | None = "0-0",
        buffer: int = 100,
        on_gap: Callable[[MessageGap], None] | None = None,
    ) -> None:
        """Give each message of a group to a handler until cancelled, and acknowledge it when that returns."""

    def replay(self, after: str | None = None) -> Replay[T]:
        """Read a durable channel without a group: what is kept behind a place, then what comes."""

    def read(self, after: str = "0-0", count: int = 100) -> list[Message[T]]:
        """Return messages that a durable channel keeps behind a place, the oldest first, and do not wait."""

    def groups(self) -> list[ConsumerGroup]:
        """Return the groups of a durable channel, by name."""

    def delete_group(self, group: str) -> bool:
        """Forget a group, with all that it has not read; return whether there was one. The errors are as above."""

    def dead_letters(self, after: str = "0-0", count: int = 100) -> list[DeadLetter[T]]:
        """Return what groups gave up, the oldest first; of these, about the latest 10,000 are kept."""

    def redeliver(self, *ids: str) -> int:
        """Give dead letters to their groups again, as new messages that other groups do not see."""

    def discard(self, *ids: str) -> int:
        """Delete dead letters; return how many there were. The errors are those of ``redeliver``."""

    def close_readers(self) -> None:
        """End those who read in the running loop."""

class BlockingOpenLimits(BlockingView):
    """What ``OpenLimits.sync`` returns."""

    @property
    def declared(self) -> Limits: ...
    @property
    def name(self) -> str: ...
    @property
    def queues(self) -> tuple[str, ...]: ...
    def take(
        self,
        cost: Cost | None = None,
        *,
        scope: Mapping[str, str] | None = None,
        lane: str = "",
        timeout: Duration | None = None,
    ) -> LimitedCall:
        """Return a call that waits, as ``async with limits.take(...) as call``, until all of its limits admit it."""

    def call_of(self, job: Job[Any]) -> LimitedCall:
        """Return the call that admitted a job of a queue with these limits, to observe its reply or to settle it."""

    def observe(
        self, headers: Mapping[str, str], call: LimitedCall | None = None, *, status: int | None = None
    ) -> None:
        """Note what the exchange said in a reply."""

    def settle(
        self, call: LimitedCall, outcome: Any = "unknown", *, refund: Mapping[str, float] | None = None
    ) -> None:
        """Give back what a call did not use; see ``LimitedCall.settle``."""

    def freeze(self, duration: Duration, *, scope: Mapping[str, str] | None = None) -> float:
        """Hold all calls of all processes, and the declared queues; a freeze that ends later stays."""

    def thaw(self, *, scope: Mapping[str, str] | None = None) -> int:
        """End the freezes of a scope, or of all; return how many there were. Calls come back without slow start."""

    def set_most(self, amounts: Mapping[str, float | None]) -> None:
        """Change amounts of limits for all processes at once, as when the exchange publishes others."""

    def status(self) -> LimitsStatus:
        """Return what is used and frozen, as all processes see it."""

    def stats(self) -> LimitsStats:
        """Return what this process did with these limits."""

    def admit(self, request: Request, timeout: float | None) -> tuple[tuple[Mapping[str, Any], ...], float]:
        """Wait until a call is admitted; return what later words of it are measured by, and the seconds it waited."""

    def settle_call(self, call: LimitedCall, refunds: Mapping[str, float], *, ends: bool) -> None:
        """Give back parts of a call's cost, and end or renew its places."""

    def announce(self) -> None:
        """Note on the server what these limits are, for those who look at them without the program."""

class BlockingQueue(BlockingView):
    """What ``Queue.sync`` returns."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> QueueSpec: ...
    def get_job(self, job_id: str) -> Job[Any] | None:
        """Return a job as it is now, or None when there is none of that id."""

    def position(self, job_id: str) -> JobPosition:
        """Return how many jobs start before one that waits, and when it starts at the rate of the last minutes."""

    def get_jobs(
        self,
        state: JobState | str | Iterable[JobState | str],
        *,
        page: int = 1,
        size: int = 50,
        newest_first: bool = True,
    ) -> list[Job[Any]]:
        """Return one page of the jobs in a state, or in several, one after the other."""

    def search(
        self,
        text: str,
        *,
        states: Iterable[JobState | str] = ...,
        after: str | None = None,
        seconds: float = 0.5,
        count: int = 100,
    ) -> SearchStep:
        """Look for jobs by id, name, error or payload; return what one step has found, and where the next begins."""

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state; ``waiting`` leaves out the prioritized ones here."""

    def count(self, *states: JobState | str) -> int:
        """Return how many jobs are in some states together; without any, in all."""

    def counts_per_priority(self, priorities: Iterable[int]) -> dict[int, int]:
        """Return how many jobs wait with each of these priorities; 0 is those without one."""

    def is_paused(self) -> bool:
        """Say whether the queue is paused."""

    def settings(self) -> QueueSettings:
        """Return the settings that all workers of the queue respect."""

    def rate_limit_left_ms(self, limit: int | None = None) -> int:
        """Return how long no job starts because of a rate: milliseconds, 0 when jobs start."""

    def deduplication_owner(self, dedup_id: str) -> str | None:
        """Return the id of the job under which others of a deduplication id are dropped, or None."""

    def workers(self) -> list[WorkerInfo]:
        """Return the workers that are connected, Node's and ours alike."""

    def versions(self) -> list[PayloadVersion]:
        """Return the payload versions that were seen, with the jobs that wait for a worker of theirs."""

    def count_versions(self) -> list[VersionJobs]:
        """Count the jobs that have not ended by their payload version; looks at each of them, 500 a call."""

    def canary(self) -> Canary | None:
        """Return the release whose workers run a share of the jobs, or None where none is set."""

    def metrics(
        self, kind: Literal["completed", "failed"] = "completed", start: int = 0, end: int = -1
    ) -> QueueMetrics:
        """Return how many jobs ended in each minute, newest first."""

    def prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the queue's numbers as text for Prometheus, under BullMQ's names."""

    def pause(self) -> None:
        """Let no job start, on any worker, until ``resume``; jobs that run go on, adding too."""

    def resume(self) -> None:
        """Let jobs start again; what a BullMQ 5 set aside when it paused the queue waits again first."""

    def set_concurrency(self, limit: int | None) -> bool:
        """Bound how many jobs run at a time over all workers of all processes; say whether the bound has changed."""

    def set_rate(self, rate: Rate | str | None) -> bool:
        """Bound how many jobs start in a time over all workers of all processes; say whether that has changed."""

    def rate_limit(self, duration: Duration) -> None:
        """Let no job start for so long, as when an API reports that its limit is reached."""

    def clear_rate_limit(self) -> bool:
        """Begin a new window of the rate limit, and end what ``rate_limit`` began; say whether there was one."""

    def set_canary(self, version: int, share: float) -> Canary | None:
        """Let workers of one release run a share of the jobs of older payload versions; return what held before."""

    def clear_canary(self) -> Canary | None:
        """Let every worker run what it understands; return the canary that was set before, or None."""

    def drain(self, *, delayed: bool = False) -> int:
        """Remove the jobs that wait, and return how many; those that run, have ended or await children stay."""

    def clean(self, state: JobState | str, *, older_than: Duration = 0, limit: int = 0) -> list[str]:
        """Remove jobs of one state, the oldest first; return their ids."""

    def obliterate(self, *, force: bool = False) -> None:
        """Remove the queue with everything of it: jobs in every state, schedules, events, settings."""

    def retry_all(
        self, state: JobState | str = ..., *, limit: int | None = None, before: datetime | None = None
    ) -> int:
        """Put finished jobs back to wait, the oldest first, by their own priority; return how many."""

    def promote_all(self) -> int:
        """Let the jobs that are delayed run now, by their own priority; return how many."""

    def remove(self, job_id: str, *, children: bool = True) -> None:
        """Remove one job, its logs and its place in the queue."""

    def cancel(self, job_id: str, reason: str = "") -> None:
        """Fail a job without a retry, in whatever state it is before its end; see ``Job.cancel``."""

    def release_deduplication(self, dedup_id: str, *, owner: str | None = None) -> bool:
        """Free a deduplication id, so that the next job under it is added; say whether it was freed."""

    def trim_events(self, length: int) -> int:
        """Cut the queue's event stream to about its last ``length`` entries; return how many went."""

    def set_event_limits(self, *, entries: int | None = None, size: int | None = None) -> bool:
        """Bound the queue's event stream, for all workers and from now on; say whether a bound has changed."""

    def event_limits(self) -> EventLimits:
        """Return how much the queue's event stream keeps."""

    def publish_event(self, name: str, fields: Mapping[str, str | int | float] | None = None) -> str:
        """Put an event of your own into the queue's stream, for its readers; return its stream id."""

    @property
    def keys(self) -> Keys:
        """The keys of its jobs; of queues that declare ``ordered`` or ``key_concurrency``."""

    def add(
        self,
        name: str,
        data: Any = ...,
        *,
        check: bool | None = None,
        durability: Durability | Literal[False] | None = None,
        **options: Unpack[AddOptions],
    ) -> Job[Any]:
        """Add one job; calls of the same turn of the loop travel together."""

    def add_many(
        self,
        jobs: Iterable[JobTuple],
        *,
        check: bool | None = None,
        durability: Durability | Literal[False] | None = None,
    ) -> list[Job[Any]]:
        """Add many jobs, batch behind batch, in the order given; all are checked before any is sent."""

class BlockingQueueEvents(BlockingView):
    """What ``QueueEvents.sync`` returns."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that reads it, or None before the first read and after the end."""

    def aclose(self) -> None:
        """Disconnect and end the iteration; closing twice is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    @property
    def queue(self) -> str: ...
    def earlier(self, count: int) -> list[Event]:
        """Return the events before the one that comes next, oldest first: what led to now, if that is the place."""

    def __iter__(self) -> Iterator[Event]: ...

class BlockingReplay(BlockingView, Generic[T]):
    """What ``Replay.sync`` returns."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that reads it, or None before the first read and after the end."""

    def aclose(self) -> None:
        """End the iteration; closing twice is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    @property
    def channel(self) -> str: ...
    @property
    def place(self) -> str:
        """Id of the message that was read last, or behind which the first is read; ``after`` goes on there."""

    def __iter__(self) -> Iterator[Message[T] | MessageGap]: ...

class BlockingSchedules(BlockingView):
    """What ``Schedules.sync`` returns."""

    @property
    def queue(self) -> str: ...
    def upsert(self, schedule_id: str, /, **options: Unpack[ScheduleOptions]) -> Schedule:
        """Make a schedule, or change the one of that id; with the same options again it changes nothing."""

    def upsert_declared(self) -> tuple[Schedule, ...]:
        """Make or change the schedules that the queue declares; workers do so when they start."""

    def list(self, first: int = 0, last: int = -1) -> tuple[Schedule, ...]:
        """Return the schedules at positions ``first`` to ``last`` inclusive, the next to run first."""

    def get(self, schedule_id: str, /) -> Schedule | None:
        """Return one schedule, or None."""

    def count(self) -> int:
        """Return how many schedules there are."""

    def remove(self, schedule_id: str, /) -> bool:
        """End a schedule, with its next run unless that waits or runs already; return whether there was one."""

    def upcoming(self, schedule_id: str, count: int = 5, /) -> tuple[int, ...]:
        """Return the times of a schedule's next runs, at most so many, in ms since the epoch."""

class BlockingSubscription(BlockingView, Generic[T]):
    """What ``Subscription.sync`` returns."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that reads it, or None before the first read and after the end."""

    def aclose(self) -> None:
        """End the subscription; what is in the buffer can still be read. Closing twice is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    @property
    def channel(self) -> str: ...
    def __iter__(self) -> Iterator[Message[T] | MessageGap]: ...
    def begin(self) -> None:
        """The channel is listened to from now on; a second time, after it was not for a while."""

    def offer(self, messages: Sequence[Message[T]]) -> Sequence[Message[T]]:
        """Take as many as there is room for; return the rest."""

    def press(self, messages: Sequence[Message[T]]) -> None:
        """Take the rest, as the policy says; a reader who keeps up has emptied the buffer after one turn."""

class BlockingTakenJob(BlockingView):
    """What ``TakenJob.sync`` returns."""

    @property
    def job(self) -> Job[Any]: ...
    @property
    def token(self) -> str: ...
    def complete(self, result: Any = None) -> None:
        """End the run: the job has completed."""

    def fail(self, error: BaseException | str) -> bool:
        """End the run as if its handler had raised: the job is retried, or has failed; say whether it runs again."""

    def delay(self, delay: Duration) -> None:
        """End the run: the job runs again after a while, with no attempt used up."""

    def requeue(self) -> None:
        """End the run: the job is the next in line again, with no attempt used up."""

    def wait_for_children(self) -> bool:
        """End the run until the job's children have ended, if there are any left; say whether it was ended."""

    def extend(self, lock: Duration | None = None) -> None:
        """Renew the lease: it ends so long after now."""

__all__ = [
    "BlockingApp",
    "BlockingCache",
    "BlockingCaches",
    "BlockingConsumer",
    "BlockingDelivery",
    "BlockingEffects",
    "BlockingFlows",
    "BlockingJob",
    "BlockingKeys",
    "BlockingLimitedCall",
    "BlockingManualWorker",
    "BlockingOpenChannel",
    "BlockingOpenLimits",
    "BlockingQueue",
    "BlockingQueueEvents",
    "BlockingReplay",
    "BlockingSchedules",
    "BlockingSubscription",
    "BlockingTakenJob",
    "BlockingView",
]
