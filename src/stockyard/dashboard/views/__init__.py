"""The pages: what each looks at."""
