"""Study `stability`: restrained instabilities, the edge of stability, and what the last bit decides."""
