"""BullMQ's bytes."""
