"""Agent CLIs by declaration: how one is called, and what its output means.

declaration  the language                     stream  what is read by it
declared     any CLI that has one             codex   one that aca brings along
"""
