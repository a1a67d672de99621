"""What each database has of its own: how it is reached, how its values become text, what its errors mean."""
