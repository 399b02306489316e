# syntax=docker/dockerfile:1
# Built from the lock file; run as a user without a name, with a read-only root if you like.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.9

FROM ${UV_IMAGE} AS uv

FROM ${PYTHON_IMAGE} AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/costspan
WORKDIR /src
# the dependencies change seldom: a layer of their own
RUN --mount=type=bind,source=uv.lock,target=/src/uv.lock \
    --mount=type=bind,source=pyproject.toml,target=/src/pyproject.toml \
    uv sync --locked --no-dev --no-install-project
COPY . /src
RUN uv sync --locked --no-dev --no-editable

# the same base: the environment points at its interpreter
FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="costspan" \
      org.opencontainers.image.description="OpenTelemetry sidecar that prices LLM spans" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/costspan /opt/costspan
ENV PATH=/opt/costspan/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# numeric: runAsNonRoot can't judge a name
USER 65532:65532
EXPOSE 4317 4318 9464 13133
# for compose; Kubernetes probes 13133 itself
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["costspan", "health"]
ENTRYPOINT ["costspan"]
CMD ["run"]
