"""What the workbook did: pulls, builds, runs, deliveries, and which processes are at work."""
