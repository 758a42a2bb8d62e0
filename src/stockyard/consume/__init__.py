"""Takes jobs and runs them: the worker and its roles."""
