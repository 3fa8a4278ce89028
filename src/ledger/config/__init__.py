"""The configuration: closed models, YAML, cases, studies, a user's table."""
