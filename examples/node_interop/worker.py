"""Works off fills that a Node service adds to portfolio:high_priority; ends by SIGTERM or Ctrl-C."""

import msgspec

from stockyard import Job
from stockyard.trading import QueueName, create_worker


class Fill(msgspec.Struct):
    symbol: str
    quantity: float
    price: float


class Position(msgspec.Struct):
    symbol: str
    quantity: float = 0.0
    cost: float = 0.0


positions: dict[str, Position] = {}


async def apply_fill(job: Job[Fill]) -> Position:
    fill = job.data
    position = positions.setdefault(fill.symbol, Position(fill.symbol))
    position.quantity = round(position.quantity + fill.quantity, 8)
    position.cost = round(position.cost + fill.quantity * fill.price, 8)
    return position


if __name__ == "__main__":
    # One at a time, so that a position is never changed by two fills at once.
    create_worker(QueueName.PORTFOLIO_HIGH_PRIORITY, apply_fill, concurrency=1, name="python").run_forever()
