"""The one place where data waits: append, then ack; a cursor for each reader."""
