"""What a pod with costspan beside its application must be, as rules over the rendered pod. No I/O.

The restricted Pod Security Standard is Kubernetes' own; the rest is what costspan promises the pod:
it never keeps the application from starting, it sees the last span, and it gets nothing to misuse.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from costspan.config import Address, Config, OtlpGrpcExporter, load, passthrough
from costspan.errors import ConfigError

Manifest = dict[str, Any]
Rule = Callable[[Manifest, Manifest], bool]
"""Given costspan's container and its pod's spec: whether all is well."""

NAME = "costspan"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # a path, no secret
_MOST_NAME = 15  # IANA_SVC_NAME: a longer port name is refused by the API server, not by the schema
OTLP = ["127.0.0.1:4317", "127.0.0.1:4318"]
DEFAULT_GRACE = 30  # seconds: Kubernetes' own for the application; the pod has one period for both
_STOPS_OTHERWISE = 6  # seconds: calls in flight and the web server, around the drain (app.py)


def pod(documents: Sequence[Manifest], kind: str = "Deployment") -> Manifest:
    """The pod's spec in the first workload of a kind."""
    workload = next(each for each in documents if each["kind"] == kind)
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def costspan(spec: Manifest) -> Manifest:
    """Our container, wherever it stands."""
    containers: list[Manifest] = [*spec.get("initContainers", []), *spec["containers"]]
    return next(each for each in containers if each["name"] == NAME)


def environment(container: Manifest, **given: str) -> Mapping[str, str]:
    """What the kubelet makes of the container's variables, with `given` from elsewhere."""
    env = dict(given)
    for each in container["env"]:
        if "value" in each:
            env[each["name"]] = re.sub(r"\$\((\w+)\)", lambda m: env.get(m[1], m[0]), each["value"])
    return env


def configuration(documents: Sequence[Manifest]) -> str:
    """The text of costspan.yaml."""
    maps = [each["data"] for each in documents if each["kind"] == "ConfigMap"]
    return str(next(data["costspan.yaml"] for data in maps if "costspan.yaml" in data))


def read_configuration(text: str, env: Mapping[str, str]) -> Config:
    """What costspan makes of it, as with --on-config-error=passthrough."""
    source = {**env, "FILE": text}
    try:
        return load("env:FILE", source, embedded=lambda: False)
    except ConfigError:
        return passthrough("env:FILE", source, embedded=lambda: False)


def faults(documents: Sequence[Manifest]) -> list[str]:
    """The rules that do not hold."""
    spec = pod(documents)
    container = costspan(spec)
    broken = [name for name, holds in RULES.items() if not holds(container, spec)]
    return [*broken, *_misconfigured(documents, container, spec)]


# --- the restricted standard ---------------------------------------------------------------------


def _is_restricted(container: Manifest, spec: Manifest) -> bool:
    """Without help from the pod's own securityContext, which is the application's."""
    context = container.get("securityContext", {})
    volumes = {kind for each in spec.get("volumes", []) for kind in each if kind != "name"}
    return (
        context.get("runAsNonRoot") is True
        and context.get("runAsUser") == 65532
        and context.get("allowPrivilegeEscalation") is False
        and context.get("capabilities") == {"drop": ["ALL"]}
        and context.get("seccompProfile") == {"type": "RuntimeDefault"}
        and not context.get("privileged")
        and not any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC"))
        and volumes <= {"configMap", "emptyDir", "secret", "projected", "downwardAPI"}
    )


def _writes_only_to_tmp(container: Manifest, spec: Manifest) -> bool:
    """In memory, for an emptyDir on disk would keep the cluster autoscaler from removing a node."""
    mounts = {each["mountPath"]: each for each in container.get("volumeMounts", [])}
    writable = {path: each["name"] for path, each in mounts.items() if not each.get("readOnly")}
    volumes = {each["name"]: each for each in spec.get("volumes", [])}
    return (
        container["securityContext"].get("readOnlyRootFilesystem") is True
        and list(writable) == ["/tmp"]
        and _env(container).get("TMPDIR") == "/tmp"
        and volumes[writable["/tmp"]]["emptyDir"].get("medium") == "Memory"
    )


def _has_no_token(container: Manifest, spec: Manifest) -> bool:
    mounts = {each["mountPath"]: each["name"] for each in container.get("volumeMounts", [])}
    volumes = {each["name"]: each for each in spec.get("volumes", [])}
    return TOKEN in mounts and "emptyDir" in volumes[mounts[TOKEN]]


# --- a native sidecar that fails open ------------------------------------------------------------


def _is_first_sidecar(container: Manifest, spec: Manifest) -> bool:
    first = spec.get("initContainers", [None])[0]
    return first is container and container.get("restartPolicy") == "Always"


def _never_blocks_the_start(container: Manifest, spec: Manifest) -> bool:
    """Neither a missing Secret or ConfigMap nor a faulty configuration may."""
    mounted = {each["name"] for each in container["volumeMounts"]}
    volumes = [each for each in spec["volumes"] if each["name"] in mounted]
    variables = [each.get("valueFrom", {}) for each in container["env"]]
    optional = [
        reference.get("optional", False)
        for source in (*variables, *container["envFrom"], *volumes)
        for kind, reference in source.items()
        if kind in _REFERENCES
    ]
    return all(optional) and "--on-config-error=passthrough" in container["args"]


def _is_probed_where_it_answers(container: Manifest, _: Manifest) -> bool:
    """Named ports, so that probe and port can't part; the paths are those of web/health.py."""
    paths = {"startupProbe": "startup", "readinessProbe": "ready", "livenessProbe": "live"}
    names = {each["name"] for each in container["ports"]}
    probes = {name: container.get(name, {}).get("httpGet", {}) for name in paths}
    return all(len(name) <= _MOST_NAME for name in names) and all(
        probe.get("path") == f"/healthz/{paths[name]}"
        and probe.get("port") in names
        and "host" not in probe  # the pod's address
        for name, probe in probes.items()
    )


def _is_bounded(container: Manifest, _: Manifest) -> bool:
    """A request for both, or autoscalers can't count; no CPU limit, for throttling delays acks."""
    resources = container.get("resources", {})
    asked, most = resources.get("requests", {}), resources.get("limits", {})
    return {"cpu", "memory"} <= asked.keys() and list(most) == ["memory"]


def _is_spoken_to_on_loopback(_: Manifest, spec: Manifest) -> bool:
    applications = [each for each in spec["containers"] if each["name"] != NAME]
    told = [_env(each).get("OTEL_EXPORTER_OTLP_ENDPOINT") for each in applications]
    return told == ["http://127.0.0.1:4317"]


_REFERENCES = frozenset(
    {"secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef", "secret", "configMap"}
)
RULES: Mapping[str, Rule] = {
    "restricted": _is_restricted,
    "writes only to /tmp": _writes_only_to_tmp,
    "no service account token": _has_no_token,
    "first sidecar": _is_first_sidecar,
    "never blocks the start": _never_blocks_the_start,
    "probed where it answers": _is_probed_where_it_answers,
    "bounded": _is_bounded,
    "spoken to on loopback": _is_spoken_to_on_loopback,
}


# --- the configuration in the ConfigMap ----------------------------------------------------------


def _misconfigured(
    documents: Sequence[Manifest], container: Manifest, spec: Manifest
) -> Iterator[str]:
    text = configuration(documents)
    for address in ("10.0.0.7", "fd00::7"):
        env = environment(container, POD_IP=address, COLLECTOR="collector:4317")
        yield from _unheard(container, address, read_configuration(text, env), "as it is")
        yield from _unheard(container, address, read_configuration("no: [yaml", env), "unreadable")
    config = read_configuration(text, {})
    protocols = config.receivers.otlp.protocols
    if [str(each and each.endpoint) for each in (protocols.grpc, protocols.http)] != OTLP:
        yield "OTLP on loopback only"
    drain = config.service.drain.accept_grace + config.service.drain.timeout + _STOPS_OTHERWISE
    if spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE) < DEFAULT_GRACE + drain:
        yield "time to drain"


def _unheard(container: Manifest, address: str, config: Config, how: str) -> Iterator[str]:
    """Health and metrics are on the pod's address, and spans find the collector."""
    told = {config.extensions.health_check.endpoint, config.service.telemetry.metrics.address}
    if told != {Address(address, each["containerPort"]) for each in container["ports"]}:
        yield f"health and metrics on {address}, the configuration {how}"
    first = config.exporters.get("otlp")
    if not isinstance(first, OtlpGrpcExporter) or first.target != "collector:4317":
        yield f"spans find the collector, the configuration {how}"


def _env(container: Manifest) -> Mapping[str, str]:
    return {each["name"]: each.get("value", "") for each in container.get("env", [])}


def read(text: str) -> list[Manifest]:
    """The documents of a rendered manifest."""
    return list(yaml.safe_load_all(text))
