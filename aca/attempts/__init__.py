"""One attempt at one task.

attempt       from its beginning to its ending; what the loop calls
site          where it works                  checks      whether the work is done
consultation  the agent, and what passes between them
prompt        what it is told                 recap       what it did so far, for a new conversation
remarks       what people say to it           last_word   what it hands in without tools of aca
accounting    what it uses                    rights      what it may do, and who keeps it to that
"""
