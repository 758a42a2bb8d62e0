"""Writes the Lua that asks what may keep jobs from being taken, gate by gate."""

from __future__ import annotations

import re
from collections.abc import Mapping

_OWN = ("keys", "request", "taking", "number")
"""What a gate may be given beside fields of the queue's ``meta``."""


def gates_text(gates: Mapping[str, str]) -> str:
    """Return the part ``gates``, which asks these one behind the other.

    A gate ``x`` is a part with a function ``x_gate``. It lowers ``taking.room``, and notes in ``taking`` what
    others are to know; or it returns what is true where no job may start, and no other gate is asked. With a
    function ``x_started`` it learns how many jobs started. Each parameter says by its name what is given:
    ``keys``, ``request`` (the take request), ``taking``, ``number`` (of started jobs), or else that field of the
    queue's ``meta``. All these fields are read by one command.

    Args:
        gates: their names and texts, in order.
    """
    asked = {name: parameters for name, text in gates.items() if (parameters := _parameters(f"{name}_gate", text))}
    started = {name: given for name, text in gates.items() if (given := _parameters(f"{name}_started", text))}
    fields = [field for parameters in asked.values() for field in parameters.split(", ") if field not in _OWN]
    lines = [
        f"-- What may keep jobs from being taken: {', '.join(gates) or 'nothing'}.",
        "",
        "-- Returns what the gates note: `room`, how many jobs may start; `limited`, for how many ms none may.",
        "local function pass_gates(keys, request)",
        "  local taking = {room = request.take, limited = 0}",
    ]
    if fields:
        names = ", ".join(f"'{field}'" for field in fields)
        lines += [f"  local {', '.join(fields)} =", f"    unpack(redis.call('HMGET', keys.meta, {names}))"]
    for name, parameters in asked.items():
        if "return" in gates[name]:
            lines += [f"  if {name}_gate({parameters}) then", "    taking.room = 0", "    return taking", "  end"]
        else:
            lines.append(f"  {name}_gate({parameters})")
    given = "keys, taking, number" if started else "..."
    lines += ["  return taking", "end", "", f"local function note_started({given})"]
    lines += [f"  {name}_started({parameters})" for name, parameters in started.items()]
    return "\n".join([*lines, "end", ""])


def _parameters(function: str, text: str) -> str:
    found = re.search(rf"^local function {function}\(([\w, ]+)\)", text, re.MULTILINE)
    return found[1] if found else ""
