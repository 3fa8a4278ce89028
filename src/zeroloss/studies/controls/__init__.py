"""Study `controls`: where zero loss, or the rate in width, must fail, and what it does not need."""
