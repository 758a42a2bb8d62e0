"""Limits of exchanges are shared by all processes: what a call may cost, and when it may be made."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.limits.call import LimitedCall, Outcome
    from stockyard.limits.open_limits import OpenLimits
    from stockyard.limits.stats import LimitsStats, LimitsStatus, LimitUsage
    from stockyard.limits.usage import Usage
    from stockyard.model.limit import AgeCost, Bucket, Decay, Fixed, Gap, InFlight, Rolling
    from stockyard.model.limits import Limits
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.limits.call": "LimitedCall Outcome",
            "stockyard.limits.open_limits": "OpenLimits",
            "stockyard.limits.stats": "LimitsStats LimitsStatus LimitUsage",
            "stockyard.limits.usage": "Usage",
            "stockyard.model.limit": "AgeCost Bucket Decay Fixed Gap InFlight Rolling",
            "stockyard.model.limits": "Limits",
        },
        "presets",
    )

__all__ = [
    "AgeCost",
    "Bucket",
    "Decay",
    "Fixed",
    "Gap",
    "InFlight",
    "LimitUsage",
    "LimitedCall",
    "Limits",
    "LimitsStats",
    "LimitsStatus",
    "OpenLimits",
    "Outcome",
    "Rolling",
    "Usage",
]
