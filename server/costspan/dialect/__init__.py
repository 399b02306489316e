"""What a span says of a model call: one file per attribute convention. No prices, no protobuf.

`genai`, `openllmetry` and `openinference` are tables; `layout` lists them in order of precedence.
"""

from costspan.dialect.dimensions import DEFAULT_DIMENSIONS, Dimensions, configured
from costspan.dialect.layout import ANNOUNCES, DIALECTS
from costspan.dialect.recognition import recognise, wanted

__all__ = [
    "ANNOUNCES",
    "DEFAULT_DIMENSIONS",
    "DIALECTS",
    "Dimensions",
    "configured",
    "recognise",
    "wanted",
]
