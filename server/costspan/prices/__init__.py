"""The prices in force: a book and rate cards, read from files, checked, renewed. No pricing."""
