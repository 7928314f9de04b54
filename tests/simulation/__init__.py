"""The real threaded shells under a virtual clock, a seeded scheduler and seeded faults."""
