"""Models behind APIs: one loop of tools for all, a file for the dialect of each vendor."""
