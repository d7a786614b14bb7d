"""What is in memory and on disk, and what leaves first."""
