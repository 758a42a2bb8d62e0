"""Effects make dangerous steps happen at most once, with an honest outcome."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.effects.effects import Effects
    from stockyard.effects.order_ids import order_id, order_uuid
    from stockyard.effects.venues import (
        ALPACA,
        BINANCE,
        BYBIT,
        COINBASE,
        INTERACTIVE_BROKERS,
        KRAKEN,
        OKX,
    )
    from stockyard.model.effect import Effect
    from stockyard.model.effect_errors import (
        EffectHalted,
        EffectMismatch,
        EffectNotFound,
        EffectRecorded,
        EffectRefused,
        EffectStateError,
        NotApplied,
        OutcomeUnknown,
    )
    from stockyard.model.effect_record import EffectOutcome, EffectRecord
    from stockyard.model.venue import Answer, Applied, Venue
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.effects.effects": "Effects",
            "stockyard.effects.order_ids": "order_id order_uuid",
            "stockyard.effects.venues": "ALPACA BINANCE BYBIT COINBASE INTERACTIVE_BROKERS KRAKEN OKX",
            "stockyard.model.effect": "Effect",
            "stockyard.model.effect_errors": (
                "EffectHalted EffectMismatch EffectNotFound EffectRecorded EffectRefused EffectStateError "
                "NotApplied OutcomeUnknown"
            ),
            "stockyard.model.effect_record": "EffectOutcome EffectRecord",
            "stockyard.model.venue": "Answer Applied Venue",
        },
    )

__all__ = [
    "ALPACA",
    "Answer",
    "Applied",
    "BINANCE",
    "BYBIT",
    "COINBASE",
    "Effect",
    "EffectHalted",
    "EffectMismatch",
    "EffectNotFound",
    "EffectOutcome",
    "EffectRecord",
    "EffectRecorded",
    "EffectRefused",
    "EffectStateError",
    "Effects",
    "INTERACTIVE_BROKERS",
    "KRAKEN",
    "NotApplied",
    "OKX",
    "OutcomeUnknown",
    "Venue",
    "order_id",
    "order_uuid",
]
