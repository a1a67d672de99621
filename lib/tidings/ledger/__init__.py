"""What the workbook did: pulls, builds, runs, deliveries, and who is at work."""
