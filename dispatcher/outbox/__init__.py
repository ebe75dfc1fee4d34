"""The outbox's rules, all pure: which moves a delivery may make, when to try again, what leaves first, and how fast.

The rows themselves are the store's; the moving is the pipeline's.
"""
