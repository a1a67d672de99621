"""Maps the columns of a user's file or table to the columns of a feed."""
