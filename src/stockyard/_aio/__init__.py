"""Helpers of asyncio that know nothing of jobs."""
