"""The room `dialect`."""
