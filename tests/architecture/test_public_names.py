"""What may be imported is a decision: the lists are pinned, and every name on them is documented."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import stockyard
import stockyard.alerts
import stockyard.blocking
import stockyard.cache
import stockyard.compat.bullmq
import stockyard.effects
import stockyard.embedded
import stockyard.errors
import stockyard.events
import stockyard.halts
import stockyard.limits
import stockyard.manual
import stockyard.monitoring
import stockyard.pubsub
import stockyard.testing
import stockyard.tracing
import stockyard.trading

PUBLIC = {
    "stockyard": """
        AddOptions App Backoff BackoffStrategy Cache Channel ChildrenPage Clock ConfigError
        Deduplication Delay Duration Flow FlowTree Flows HandlerError Hooks InvalidOption Job JobCancelled JobError
        JobFailed JobNotFound JobOptions JobProcessor JobState JobStateError JobTimeout JsonFormatter
        Keep Middleware Misfire OnFailure Overlap ParentRef PayloadError Queue QueueHealth
        QueueOptions
        Rate RateLimited ReplyLost Requeue ResultTimeout Router Schedule Schedules ServerError ServerRefused
        ServerUnavailable Settings StockyardError Timing Topology UnknownQueue UnrecoverableError
        WaitForChildren Worker WorkerOptions configure_logging
    """,
    "stockyard.alerts": "Alert AlertRule evaluate_alerts",
    "stockyard.blocking": """
        BlockingApp BlockingCache BlockingCaches BlockingConsumer BlockingDelivery BlockingEffects
        BlockingFlows BlockingJob BlockingKeys BlockingLimitedCall BlockingManualWorker BlockingOpenChannel
        BlockingOpenLimits BlockingQueue BlockingQueueEvents BlockingReplay BlockingSchedules BlockingSubscription
        BlockingTakenJob BlockingView
    """,
    "stockyard.cache": "Cache CacheOptions CacheStats CacheUsage Memo",
    "stockyard.compat.bullmq": """
        AbortController AbortError AbortSignal DelayedError FlowProducer Job JobScheduler LockManager Queue
        QueueEvents QueueEventsProducer UnrecoverableError WaitingChildrenError Worker
    """,
    "stockyard.contrib.django": "add_on_commit fresh_connections outbox_connection project_app",
    "stockyard.dashboard": "Dashboard Viewer",
    "stockyard.effects": """
        ALPACA Answer Applied BINANCE BYBIT COINBASE Effect EffectHalted EffectMismatch EffectNotFound
        EffectOutcome EffectRecord EffectRecorded EffectRefused EffectStateError Effects INTERACTIVE_BROKERS KRAKEN
        NotApplied OKX OutcomeUnknown Venue order_id order_uuid
    """,
    "stockyard.embedded": """
        EmbeddedServer MemberStatus ServerStatus SetShape acquire ephemeral find_server pin status unpin
    """,
    "stockyard.errors": """
        AuthenticationFailed BlockingCallRefused ConfigError Delay EmbeddedServerError HandlerError
        InvalidOption JobCancelled JobError JobExpired JobFailed JobLocked JobNotFound JobStateError JobTimeout
        LeaseLost LimitReached LoadCycle NotDurable NotificationFailed PayloadError QueueFull QueueStateError
        RateLimited RemoteHandlerError ReplyLost Requeue ResultTimeout RunSignal ScheduleConflict ScheduleNotFound
        ServerError ServerRefused ServerTooOld ServerUnavailable SharedWorkCancelled SlotMoving StockyardError
        TlsFailed UnknownQueue UnrecoverableError UnsafeServer WaitForChildren WorkerProcessDied
    """,
    "stockyard.events": """
        ActiveEvent AddedEvent CleanedEvent CoalescedEvent CompletedEvent CustomEvent DeduplicatedEvent
        DelayedEvent DrainedEvent DroppedEvent DuplicatedEvent Event EventGap ExpiredEvent FailedEvent JobEvent
        PausedEvent ProgressEvent QueueEvents RemovedEvent ResumedEvent RetriesExhaustedEvent StalledEvent
        WaitingChildrenEvent WaitingEvent
    """,
    "stockyard.halts": "Breaker Halt HaltChange",
    "stockyard.limits": """
        AgeCost Bucket Decay Fixed Gap InFlight LimitUsage LimitedCall Limits LimitsStats LimitsStatus OpenLimits
        Outcome Rolling Usage
    """,
    "stockyard.manual": "ManualOptions ManualWorker TakenJob",
    "stockyard.mcp": "mcp_server",
    "stockyard.monitoring": """
        Canary Finding FoundJob HealthCheck JobPosition Lineage LineageStep MetricsServer PayloadVersion
        QueueMetrics QueueSettings SearchStep Severity VersionJobs WorkerInfo jobs_of_story lineage_of
    """,
    "stockyard.outbox": """
        FailedRow Inbox InboxEntry Outbox OutboxJob OutboxRelay OutboxStatus RelayOptions
    """,
    "stockyard.pubsub": """
        Channel ChannelOptions ChannelStats Consumer ConsumerGroup DeadLetter Delivery GapReason Message
        MessageGap OnInvalid OpenChannel Policy Replay ServerChannel Subscription
    """,
    "stockyard.testing": """
        AppProcess Drained History HistoryReport JobRun ManualClock all_enqueued assert_enqueued drain eventually
        failover halted inline make_app refute_enqueued run_job run_sync running
    """,
    "stockyard.tracing": "StockyardInstrumentor instrument uninstrument",
    "stockyard.trading": """
        ALERT_RULES Approval EvaluateSignals IngestCandles Order PLATFORM PortfolioQuery PriceUpdate QueueName
        QueuePriority RecalculatePosition Reconcile RiskApprovals RunBacktest alert_rules create_worker
        declare_platform default_app get_all_queues_health get_queue get_queue_health order_hash use_app
    """,
}
OF_EXTRAS = {
    "stockyard.outbox": "sqlalchemy",
    "stockyard.dashboard": "jinja2",
    "stockyard.contrib.django": "django",
    "stockyard.mcp": "mcp",
}
"""What a package needs that comes with an extra."""


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_list_is_pinned(package: str) -> None:
    assert importlib.import_module(package).__all__ == PUBLIC[package].split()


def test_the_top_level_is_small() -> None:
    assert len(stockyard.__all__) <= 61


def test_every_error_is_public() -> None:
    errors = importlib.import_module("stockyard.errors")
    tree = {
        each for each, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert tree == set(errors.__all__)


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_documented(package: str) -> None:
    if package in OF_EXTRAS:
        pytest.importorskip(OF_EXTRAS[package], reason="comes with an extra: `make install`")
    without: list[str] = []
    for leaf in PUBLIC[package].split():
        value = getattr(importlib.import_module(package), leaf)
        if inspect.isclass(value) or inspect.isfunction(value):
            without += _undocumented(value)
        elif not _text_below(_home(package, leaf), leaf):
            without.append(leaf)
    assert without == []


def _undocumented(value: Any) -> Iterator[str]:
    """Name what lacks a docstring of its own: the object, and the public methods and properties of a class."""
    if not vars(value).get("__doc__") if inspect.isclass(value) else not value.__doc__:
        yield value.__qualname__
    if not inspect.isclass(value):
        return
    for each, member in vars(value).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not each.startswith("_") and inspect.isfunction(function) and not function.__doc__:
            yield function.__qualname__


def _home(package: str, leaf: str) -> Path:
    """Find the module that an init passes a name on from."""
    module = importlib.import_module(package)
    assert module.__file__
    for statement in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(statement, ast.ImportFrom) and any(alias.name == leaf for alias in statement.names):
            home = importlib.import_module(statement.module or "")
            assert home.__file__
            path = Path(home.__file__)
            return _home(home.__name__, leaf) if path.name == "__init__.py" else path
    raise AssertionError(f"{package} does not import {leaf}")


def _text_below(path: Path, name: str) -> str:
    """Read the string that stands right under an assignment."""
    body = ast.parse(path.read_text()).body
    for statement, following in pairwise(body):
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                return str(following.value.value)
            return ""
    return ""
