"""Where tasks work: in the user's own directory, or each in a git worktree of its own.

base        the seam                          choice      which of them a plan gets
inplace     the user's own directory          snapshots   its files at one moment
worktree    a worktree for each task          tree        one of these on the disk
submodules  what tasks do in those of a tree
docker      a container around either         containers  what it takes from an engine
images      there before a run begins         leftovers   what outlives a run of an engine's
merge       finished work, joined             quarantine  what an agent's own git makes
repository  what is asked of git              git         its command line
lifecycle   made ready, merged, removed       kept        what attempts left, brought back
collection  ``aca gc``
"""
