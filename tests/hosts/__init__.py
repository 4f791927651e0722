"""Real Debian servers with real systemd: a lab of containers with their own disks, cables and faults."""
