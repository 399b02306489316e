"""The sidecar's manifest: rendered by kustomize, held against schemas, a linter and our own rules.

kustomize and kube-score are built with Go; the schemas are those that PyPI's kubernetes-validate
ships. Where one is missing the tests are skipped, unless REQUIRE_DEPLOY_TOOLS is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from costspan import __version__
from sidecar_rules import Manifest, configuration, costspan, faults, pod, read, read_configuration

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "example"
# the first with native sidecars on by default, the one where they became stable, the newest known
VERSIONS = ("1.29", "1.33", "1.37")
# what kube-score wants of the application, or of a registry that forbids moving a tag
NOT_OURS = (
    "pod-networkpolicy",
    "deployment-has-poddisruptionbudget",
    "deployment-has-host-podantiaffinity",
    "container-image-pull-policy",
    # an emptyDir on disk there is none, and a limit would evict the whole pod for our log
    "container-ephemeral-storage-request-and-limit",
)
ASKED_TOO = ("container-seccomp-profile", "container-ports-check")

pytestmark = pytest.mark.slow


def _without(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_DEPLOY_TOOLS"):
        pytest.fail(f"REQUIRE_DEPLOY_TOOLS is set, and {reason}")
    pytest.skip(reason)


def _go_tool(name: str) -> str:
    if shutil.which("go") is None:
        _without(f"{name} is built with Go, and there is no `go` on the PATH")
    script = ROOT / "tools" / "install_go_tool.py"
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, script, name], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="session")
def kustomize() -> str:
    return _go_tool("kustomize")


@pytest.fixture(scope="session")
def kube_score() -> str:
    return _go_tool("kube-score")


@pytest.fixture(scope="session")
def example(kustomize: str) -> list[Manifest]:
    return render(kustomize, EXAMPLE)


def render(kustomize: str, folder: Path) -> list[Manifest]:
    done = subprocess.run(  # noqa: S603  ours
        [kustomize, "build", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return read(done.stdout)


def schema_faults(documents: Sequence[Manifest], version: str, folder: Path) -> str:
    if find_spec("kubernetes_validate") is None:
        _without("kubernetes-validate is not installed")
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--quiet", "-k", version]
    return _faults(command, documents, folder)


def lint_faults(documents: Sequence[Manifest], kube_score: str, folder: Path) -> str:
    options = [f"--ignore-test={each}" for each in NOT_OURS]
    options += [f"--enable-optional-test={each}" for each in ASKED_TOO]
    command = [kube_score, "score", "--output-format=ci", "--ignore-container-cpu-limit"]
    command += ["--exit-one-on-warning", f"--kubernetes-version=v{VERSIONS[0]}", *options]
    return _faults(command, documents, folder)


def _faults(command: Sequence[str], documents: Sequence[Manifest], folder: Path) -> str:
    """What a checker says of the documents, "" if it is content."""
    file = folder / "manifest.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    done = subprocess.run([*command, file], capture_output=True, text=True, check=False)  # noqa: S603  ours
    return done.stdout + done.stderr if done.returncode else ""


# --- the example as it is ------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_what_kubernetes_takes(version: str, example: list[Manifest], tmp_path: Path) -> None:
    assert schema_faults(example, version, tmp_path) == ""


def test_a_linter_of_policies_is_content(
    example: list[Manifest], kube_score: str, tmp_path: Path
) -> None:
    assert lint_faults(example, kube_score, tmp_path) == ""


def test_it_keeps_our_rules(example: list[Manifest]) -> None:
    assert faults(example) == []


def test_its_configuration_is_the_file_that_we_ship(example: list[Manifest]) -> None:
    shipped = (ROOT / "deploy" / "config" / "sidecar.yaml").read_text()

    assert configuration(example) == shipped
    assert list(read_configuration(shipped, {}).exporters) == ["otlp", "clickhouse"]


def test_its_image_is_this_version(example: list[Manifest]) -> None:
    image: str = costspan(pod(example))["image"]

    assert image == f"registry.example/costspan:{__version__}"


# --- other workloads -----------------------------------------------------------------------------

WORKLOADS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: labelled, labels: {costspan.dev/inject: "true"}}
spec:
  serviceName: labelled
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      initContainers: [{name: migrate, image: "a:1"}]
      containers: [{name: a, image: "a:1", env: [{name: KEPT, value: "1"}]}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: batch, labels: {costspan.dev/inject: "true"}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec:
  selector: {matchLabels: {app: b}}
  template:
    metadata: {labels: {app: b}}
    spec: {containers: [{name: b, image: "b:1"}]}
"""


OWN = "exporters: {otlp: {endpoint: 'mine:4317'}}\n"


@pytest.fixture
def overlay(kustomize: str, tmp_path: Path) -> Callable[[str], list[Manifest]]:
    """A user's own kustomization beside ours, with whatever is added to it."""

    def rendered(more: str) -> list[Manifest]:
        shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "workloads.yaml").write_text(WORKLOADS)
        (mine / "own.yaml").write_text(OWN)
        head = "resources: [workloads.yaml]\ncomponents: [../deploy/sidecar]\n"
        (mine / "kustomization.yaml").write_text(head + more)
        return render(kustomize, mine)

    return rendered


def test_it_goes_first_into_what_is_labelled_and_nowhere_else(
    overlay: Callable[[str], list[Manifest]],
) -> None:
    """What the workload had stays, in flow style too; costspan comes before its init containers."""
    documents = overlay("")
    labelled, job = pod(documents, "StatefulSet"), pod(documents, "Job")

    assert [each["name"] for each in labelled["initContainers"]] == ["costspan", "migrate"]
    assert labelled["containers"][0]["env"] == [{"name": "KEPT", "value": "1"}]
    assert {"name": "data", "emptyDir": {}} in labelled["volumes"]
    assert [each["name"] for each in job["initContainers"]] == ["costspan"]
    assert pod(documents)["containers"] == [{"name": "b", "image": "b:1"}]


def test_a_user_brings_a_configuration_of_their_own(
    overlay: Callable[[str], list[Manifest]],
) -> None:
    """Its name carries a hash in the pod, too: another text rolls the pods."""
    documents = overlay("configMapGenerator: [{name: costspan, files: [costspan.yaml=own.yaml]}]\n")
    names = [each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap"]
    volume = pod(documents, "StatefulSet")["volumes"][0]

    assert configuration(documents) == OWN
    assert [volume["configMap"]["name"]] == names
    assert names[0].startswith("costspan-")


# --- a manifest that was changed for the worse ---------------------------------------------------

Change = Callable[[Manifest, Manifest], object]
"""What is done to costspan's container and to the pod's spec."""

BROKEN: dict[str, list[Change]] = {
    "restricted": [
        lambda c, _: c["securityContext"].pop("runAsNonRoot"),
        lambda c, _: c["securityContext"].update(runAsUser=0),
        lambda c, _: c["securityContext"].update(allowPrivilegeEscalation=True),
        lambda c, _: c["securityContext"]["capabilities"].update(add=["NET_RAW"]),
        lambda c, _: c["securityContext"].pop("seccompProfile"),
        lambda _, spec: spec.update(hostNetwork=True),
        lambda _, spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ],
    "writes only to /tmp": [
        lambda c, _: c["securityContext"].update(readOnlyRootFilesystem=False),
        lambda c, _: c["volumeMounts"][0].pop("readOnly"),
        lambda c, _: c["env"].pop(),
        lambda _, spec: spec["volumes"][1]["emptyDir"].pop("medium"),
    ],
    "no service account token": [lambda c, _: c["volumeMounts"].pop()],
    "first sidecar": [
        lambda c, _: c.pop("restartPolicy"),
        lambda _, spec: spec["initContainers"].insert(0, {"name": "migrate"}),
        lambda _, spec: spec["containers"].append(spec.pop("initContainers")[0]),
    ],
    "never blocks the start": [
        lambda c, _: c["args"].pop(),
        lambda c, _: c["env"][1]["valueFrom"]["secretKeyRef"].pop("optional"),
        lambda c, _: c["envFrom"][0]["configMapRef"].pop("optional"),
        lambda _, spec: spec["volumes"][0]["configMap"].pop("optional"),
    ],
    "probed where it answers": [
        lambda c, _: c.pop("startupProbe"),
        lambda c, _: c["readinessProbe"]["httpGet"].update(path="/ready"),
        lambda c, _: c["livenessProbe"]["httpGet"].update(host="127.0.0.1"),
        lambda c, _: c["ports"][0].update(name="costspan-metrics"),
    ],
    "bounded": [
        lambda c, _: c["resources"].pop("limits"),
        lambda c, _: c["resources"]["requests"].pop("cpu"),
        lambda c, _: c["resources"]["limits"].update(cpu="100m"),
    ],
    "spoken to on loopback": [
        lambda _, spec: spec["containers"][0]["env"][0].update(value="http://localhost:4317")
    ],
    "health and metrics on fd00::7, the configuration as it is": [
        lambda c, _: c["ports"][1].update(containerPort=4320),
        lambda c, _: c["env"][2].update(value="$(POD_IP):13133"),
    ],
    "health and metrics on 10.0.0.7, the configuration unreadable": [lambda c, _: c["env"].pop(2)],
    "spans find the collector, the configuration unreadable": [lambda c, _: c["env"].pop(4)],
    "time to drain": [lambda _, spec: spec.pop("terminationGracePeriodSeconds")],
}


@pytest.mark.parametrize(
    ("rule", "change"), [(rule, each) for rule, changes in BROKEN.items() for each in changes]
)
def test_our_rules_see(rule: str, change: Change, example: list[Manifest]) -> None:
    assert rule in faults(changed(example, change))


EXPOSED = "receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:4317'}}}}"


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("exporters:", f"{EXPOSED}\nexporters:", "OTLP on loopback only"),
        ("service:", "service:\n  drain: {timeout: 60s}", "time to drain"),
        (
            "{env:COLLECTOR:",
            "{env:COLECTOR:",
            "spans find the collector, the configuration as it is",
        ),
    ],
)
def test_our_rules_read_the_configuration(
    old: str, new: str, rule: str, example: list[Manifest]
) -> None:
    documents = deepcopy(example)
    data = next(each["data"] for each in documents if "costspan.yaml" in each.get("data", {}))
    data["costspan.yaml"] = data["costspan.yaml"].replace(old, new, 1)

    assert rule in faults(documents)


@pytest.mark.parametrize(
    "change",
    [
        lambda c, _: c.update(restartPolicy="Sometimes", imagePolicy="x"),
        lambda c, _: c["securityContext"].update(runAsUser="root"),
        lambda c, _: c["ports"][0].pop("containerPort"),
        lambda _, spec: spec.update(initContainer=[]),
    ],
)
def test_the_schemas_see(change: Change, example: list[Manifest], tmp_path: Path) -> None:
    assert schema_faults(changed(example, change), VERSIONS[0], tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c, _: c.update(image="costspan:latest"), "latest"),
        (lambda c, _: c["securityContext"].update(privileged=True), "privileged"),
        (lambda c, _: c["securityContext"].update(readOnlyRootFilesystem=False), "filesystem"),
        (lambda c, _: c["resources"].pop("limits"), "limit"),
        (lambda c, _: c["securityContext"].update(runAsGroup=0), "group"),
    ],
)
def test_the_linter_sees(
    change: Change, said: str, example: list[Manifest], kube_score: str, tmp_path: Path
) -> None:
    assert said in lint_faults(changed(example, change), kube_score, tmp_path)


def changed(documents: Sequence[Manifest], change: Change) -> list[Manifest]:
    copied = deepcopy(list(documents))
    spec = pod(copied)
    change(costspan(spec), spec)
    return copied
