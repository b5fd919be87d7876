"""What the build says beside the bare fact: how sizes came to be, and ways out that were tried."""
