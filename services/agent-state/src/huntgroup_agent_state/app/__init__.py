"""What agent state takes in from others, answers, and does on its own."""
