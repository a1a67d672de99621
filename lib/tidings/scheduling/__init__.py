"""Reports by the clock: slots, what is due, and the steps from a slot to its deliveries."""
