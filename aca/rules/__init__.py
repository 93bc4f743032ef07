"""What the loop goes by: each file answers one question about the state.

budget    whether there is room for more      retries   whether it is tried again, and when
remedy    what else a failure leads to        answers   what follows from a person's word
verdict   how the session stands in the end
"""
