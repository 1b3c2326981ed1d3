"""What of the global state matters to a teacher's z, and how much of it its student recovers."""
