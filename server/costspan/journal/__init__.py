"""The room `journal`."""
