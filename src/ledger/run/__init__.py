"""From the plan of a study to its tables: jobs, the code they rest on, what they cost."""
