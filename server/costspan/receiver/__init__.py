"""The room `receiver`."""
