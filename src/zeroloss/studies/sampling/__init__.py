"""Study `sampling`: what a sampler's mean-field limit, step size or factorised family leaves out."""
