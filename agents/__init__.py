"""What serves models and changes them: the floor of serving applications."""
