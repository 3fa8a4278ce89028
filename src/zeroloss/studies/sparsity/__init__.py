"""Study `sparsity`: does weight decay find the sparse minimiser, and does depth set the rate?"""
