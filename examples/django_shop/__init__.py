"""A Django project whose orders are jobs."""
