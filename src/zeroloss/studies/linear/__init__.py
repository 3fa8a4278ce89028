"""Study `linear`: deep linear networks, momentum, and what the linear block makes of the limit."""
