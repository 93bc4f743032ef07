"""What nobody may reach, change or read: paths, protected files, keys.

place       what a path may reach             protection  what no agent may do
guard       what was protected, and changed   keys        of model providers: from where they come
secrets     the same, struck out
"""
