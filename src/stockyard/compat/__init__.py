"""The interfaces of other job queues on Stockyard's engine, for programs that move over."""
