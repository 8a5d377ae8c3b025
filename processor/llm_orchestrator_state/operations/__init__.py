"""What an operator asks of a running deployment: is everything there, who works, how far behind."""
