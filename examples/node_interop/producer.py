"""Adds three orders to execution:order_submission, waits for what the Node worker answers, and prints it."""

import asyncio

from stockyard.trading import QueueName, get_queue

ORDERS = [
    {"client_order_id": "o-1", "symbol": "BTCUSDT", "side": "buy", "quantity": 0.5},
    {"client_order_id": "o-2", "symbol": "ETHUSDT", "side": "sell", "quantity": 2},
    {"client_order_id": "o-3", "symbol": "BTCUSDT", "side": "sell", "quantity": 0.1},
]


async def main() -> None:
    queue = get_queue(QueueName.EXECUTION_ORDER_SUBMISSION)
    jobs = await queue.add_many([("submit", order, {"job_id": order["client_order_id"]}) for order in ORDERS])
    for job in jobs:
        answer = await job.wait_for_result(timeout="30s")
        print(f"{job.id}: {answer['status']} by {answer['venue']}")


if __name__ == "__main__":
    asyncio.run(main())
