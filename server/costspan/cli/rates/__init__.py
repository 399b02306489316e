"""`costspan rates ...`: ask the price book and the rate cards. One file for each command."""
