"""What serves models: packages, and the agent that answers with them."""
