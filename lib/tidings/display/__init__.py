"""What notebooks show: cards, charts, tables and sentences, in one style."""
