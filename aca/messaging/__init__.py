"""What a person says to a session: what may be said, who is to hear it, and how it gets there."""
