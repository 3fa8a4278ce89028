"""The machinery of an executable paper: claims, verdicts, runs, figures, numbers, and how they are shown.

It knows nothing of any subject. README.md beside this file builds a paper of one study with it.
"""

__version__ = "0.1.0"
