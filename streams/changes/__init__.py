"""Change points: when the error, the scores or a feature of a deployment began to lie elsewhere."""
