"""The stored text of options: equal ones are encoded once, as most jobs of a queue share theirs."""

from __future__ import annotations

from stockyard._wire.options import encode_options
from stockyard.model.options import JobOptions

_MOST = 1000
_encoded: dict[JobOptions, str] = {}


def options_text(options: JobOptions) -> str:
    """Return BullMQ's JSON of options without a parent."""
    if options.job_id is not None or options.causation_id is not None or options.telemetry is not None:
        # What one job alone has is not kept.
        return encode_options(options)
    text = _encoded.get(options)
    if text is None:
        if len(_encoded) > _MOST:
            _encoded.clear()
        text = _encoded[options] = encode_options(options)
    return text
