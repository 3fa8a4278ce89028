"""Study `size`: how deep and how wide a network must be to be near the limit, and how surely."""
