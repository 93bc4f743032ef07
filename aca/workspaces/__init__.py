"""Where tasks work: in the user's own directory, or each in a git worktree of its own."""
