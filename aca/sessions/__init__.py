"""``.aca/sessions/``: the journal that is the truth of a run, and what is kept around it.

session     the directory                     journal     append, commit, read, lock
messages    what others tell a runner         resumption  what ``aca resume`` goes on with
derived     pictures made from the journal    history     what earlier sessions took and changed
logs        the log of aca itself             recorder    journal, state and whoever watches, in step
whereabouts  where a project and its sessions are
"""
