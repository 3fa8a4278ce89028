"""Numbers, tables and figures of a paper, as LaTeX and as files."""
