"""The room `processor`."""
