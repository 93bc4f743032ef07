"""What is told of plans and runs: a file for each kind of telling.

base         the seam                         words      what they all say alike
lines        progress, line by line           live       as a tree in a terminal
jsonl        for machines                     summary    how a run ended
tree         plans and states                 story      of one task
drawing      a plan as a picture              rehearsal  the order it would be done in
estimates    what it may take                 agreement  who has approved it, made with what
differences  between two plans                keepers    who keeps agents to what they may do
spending     what a session used              costs      what several did
allowance    what is left of limits
"""
