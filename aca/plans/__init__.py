"""What the user asked for, and what can be said of it before anything has run. No I/O, no async.

plan        the plan                          task        one of its tasks; check, how it is known to be done
settings    what holds for all of them        container   the containers they work in
values      what people write in several ways wording     what is wrong with a value, in plain words
provenance  where a plan comes from           contract    what was approved of it
faults      what is wrong between tasks       difference  what differs between two plans
touches     the files tasks work on           output      the output a task is to give
"""
