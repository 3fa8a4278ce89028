"""Study `my_study`: does the width rate hold for softplus on a table of one's own?"""
