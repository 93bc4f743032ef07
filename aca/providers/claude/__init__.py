"""The claude CLI and its SDK: called, held to what a plan allows, and read.

cli     a run per attempt                     sdk     a live conversation, with wire, its two ends
stream  what it prints, and how it ended      rights  what it may not do, with guard, which it asks
"""
