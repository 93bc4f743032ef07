"""What happened, and what follows from it. No I/O, no async.

events    facts, as the journal has them      state      what they add up to
fold      from the ones to the other          misplaced  what cannot have happened
progress  of one task                         graph      what became ready, cycles, the critical path
schedule  which ready task next               spent      what was used of models, added up
patch     changes to a running plan           charges    the same, call by call
reshape   another cut of a plan               estimate   what a plan may take
"""
