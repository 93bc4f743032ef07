"""What is told of plans and runs: a file for each kind of telling; ``words`` has what they all say alike."""
