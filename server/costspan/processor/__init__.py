"""Price a call, and say so on its span. The names of the attributes we write are in `enrich`."""
