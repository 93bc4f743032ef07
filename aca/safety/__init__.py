"""What nobody may reach, change or read: paths, protected files, keys."""
