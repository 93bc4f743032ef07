"""Child processes: how they start and end, and that nothing of them outlives its task.

process   a child with a time limit           spawn     how it is started, how its end is noticed
orphans   what outlives who started it        daemons   who starts programs for whoever asks
bubblewrap  what a child may write to        interruption  what has aca itself end
"""
