"""The embedded store: chDB in a process of its own behind ClickHouse's HTTP interface.

`process.EmbeddedStore` starts and supervises it; `python -m costspan.store` is the process;
`endpoint.read_endpoint` lets any other process attach to a running one. chDB (300 MiB resident) is
imported by `engine` alone, and `engine` by the child alone.
"""
