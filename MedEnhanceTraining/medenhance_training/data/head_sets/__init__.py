"""Readers of public data sets of head CT: a folder in, a manifest out; nothing is ever downloaded.

Each reader finds the layouts in which people keep its set, and says what it left out and why (specification of head
CT, section 5). Terms of use are the data sets' own: the licence tag of a case says which.
"""
