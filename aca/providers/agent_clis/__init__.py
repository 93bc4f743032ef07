"""Agent CLIs by declaration: how one is called, and what its output means. codex is one of them."""
