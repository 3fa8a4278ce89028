"""Study `landscape`: why are wide networks easy to train, and what stays of it at finite width?"""
