"""The real hub and the real agent under random faults; see docs/faults.md."""
