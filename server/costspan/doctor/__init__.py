"""What telemetry lacks, and which setting of which library mends it. Nothing here does I/O."""
