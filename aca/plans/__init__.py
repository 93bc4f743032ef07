"""What the user asked for, and what can be said of it before anything has run. No I/O, no async.

plan        the plan and its parts            values      what people write in several ways
container   what it says of containers        wording     what is wrong with a value, in plain words
output      the output a task is to give      faults      what is wrong between tasks
touches     the files tasks work on           contract    what was approved
difference  what differs between two plans
"""
