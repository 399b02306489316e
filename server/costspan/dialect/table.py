"""The shape of a dialect's table: which key means what, and who counts how. No keys live here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

# --- meanings of counts --------------------------------------------------------------------------
INPUT = "input"
OUTPUT = "output"
TOTAL = "total"
CACHE_READ = "cache_read"
CACHE_WRITE = "cache_write"
CACHE_WRITE_5M = "cache_write_5m"
CACHE_WRITE_1H = "cache_write_1h"
REASONING = "reasoning"
AUDIO_INPUT = "audio_input"
AUDIO_OUTPUT = "audio_output"
IMAGE_INPUT = "image_input"
IMAGE_OUTPUT = "image_output"
CACHE_READ_AUDIO = "cache_read_audio"
CACHE_READ_IMAGE = "cache_read_image"
STEP_INPUT = "step_input"  # billed by steps inside the call, outside its totals
STEP_OUTPUT = "step_output"
FRESH = "fresh"  # input that no cache served, where it is counted as such beside the other parts
RAW_INPUT = "raw_input"  # input in the words of an API that counts the uncached rest
APART_INPUT = "apart_input"  # input that holds nothing of the other counts, whatever they are
APART_OUTPUT = "apart_output"  # the same of output: no reasoning, no audio

# --- meanings of texts ---------------------------------------------------------------------------
OPERATION = "operation"
SPAN_KIND = "span_kind"  # OpenInference's class of a span
ENTITY_KIND = "entity_kind"  # Traceloop's class of a span
ENTITY_NAME = "entity_name"  # the name of whatever ENTITY_KIND says
REQUEST_TYPE = "request_type"
PROVIDER = "provider"
SERVER = "server"
REQUEST_MODEL = "request_model"
RESPONSE_MODEL = "response_model"
RESPONSE_ID = "response_id"
AGENT = "agent"
AGENT_ID = "agent_id"  # where it has no name
WORKFLOW = "workflow"
TOOL = "tool"
USER = "user"
SESSION = "session"
CONVERSATION = "conversation"
ERROR_TYPE = "error_type"
SERVED_TIER = "served_tier"
ASKED_TIER = "asked_tier"
SPEED = "speed"  # that served the call: Anthropic's fast mode
GEO = "geo"
REGION = "region"  # the region of a call to AWS
LOCATION = "location"  # the location of a call to Vertex AI
PARAMETERS = "parameters"  # JSON of the request's arguments
RESPONSE_BODY = "response_body"  # the whole answer, in many cases the provider's JSON
FINISHED = "finished"  # why the model stopped: it did answer
CACHED = "cached"  # the response came from a cache
PROMPT_CACHING = "prompt_caching"  # read | write
COST = "cost"  # reported by the emitter, in USD
LIBRARY = "library"  # name and version of the emitter, where its scope has none
BEGUN = "begun"  # only on what is sent when a span begins, with an id of its own, below that span

# --- how a count is made -------------------------------------------------------------------------
INCLUSIVE = "inclusive"  # input contains the cached tokens
EXCLUSIVE = "exclusive"  # input is the uncached rest

INSIDE = "inside"  # output contains reasoning
BESIDE = "beside"  # it does not, reasoning has a count of its own
TWICE = "twice"  # it does, and it was added all the same
IN_TOTAL = "in_total"  # it does not, and the provider's total shows it, if that is told

Keys = Mapping[str, tuple[str, ...]]
"""Meaning to attribute keys, newest first. `attribute#/member` is a place in a JSON document."""

Operations = Mapping[str, tuple[str, str]]
"""What a span is called by its convention, lower-cased: (canonical operation, role)."""


class Emitter(NamedTuple):
    """A library whose way of counting is known from its source. Conditions left out hold always."""

    scope: str  # name of the instrumentation scope; a final * makes it a prefix
    counting: str  # INCLUSIVE | EXCLUSIVE
    version: str = ""  # a regular expression for the whole scope version, or LIBRARY without one
    providers: tuple[str, ...] = ()  # canonical names
    model: str = ""  # a part of the model's name
    span: str = ""  # how the span's name begins
    key: str = ""  # an attribute that only these spans of the scope have
    reasoning: str = INSIDE
    certain: bool = False  # its counts can't be of the other kind: a contradiction is nonsense
    cumulative: str = ""  # role of its spans whose usage contains that of the ones before
    misused: str = ""  # a key of counts that it fills with something else


class Named(NamedTuple):
    """Spans of a scope that state no operation, and give it away by how their name begins."""

    scope: str
    span: str
    operation: str  # canonical
    role: str


class Arguments(NamedTuple):
    """Where the span of a tool says what the tool was called with."""

    key: str
    # An attribute and its value: on other spans the key holds something else (prompts, mostly), and
    # is not read.
    where: tuple[str, str] | None = None


class Dialect(NamedTuple):
    """One attribute convention."""

    name: str
    counts: Keys
    texts: Keys
    signs: frozenset[str]  # keys that only this convention has
    emitters: tuple[Emitter, ...]  # the first that fits decides
    operations: Operations = MappingProxyType({})  # beside those that everybody shares
    names: tuple[Named, ...] = ()  # the first that fits decides
    arguments: tuple[Arguments, ...] = ()  # of tools; a hash of them is kept, nothing else
    home: str = ""  # scope of its rows that spans with its signs may have under another name
    # Raw needles: a span that holds none in its bytes is not opened. Each costs some 0.4 us a span,
    # in requests that hold it anywhere, so there is one only for what no other opens.
    markers: tuple[bytes, ...] = ()
    familiar: tuple[str, ...] = ()  # how its gen_ai.* keys begin that have nothing to do with cost
