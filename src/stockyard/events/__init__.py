"""Events of a queue: waiting for the end of a job."""
