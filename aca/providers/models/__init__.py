"""Models behind APIs: one loop of tools for all, a file for the dialect of each vendor.

chat     the loop                             conversation  what was said, in nobody's dialect
trouble  what can go wrong with a call        address       where a server is
anthropic, openai, ollama                     the dialects
"""
