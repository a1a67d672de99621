"""From the columns of somebody's file or table to the columns of a feed."""
