#!/usr/bin/env bash
# Builds the image from the Dockerfile and runs it as deploy/sidecar does, without a container engine and without a
# registry: buildah builds with a root file system of Debian's (mmdebstrap) in the place of the base image, and
# the result runs in namespaces of its own, read-only, as 65532, without capabilities.
#
# Needs root and `apt-get install buildah mmdebstrap iproute2`; takes about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
store=(buildah --storage-driver overlay --root "$scratch/store" --runroot "$scratch/run")
clean_up() {
  "${store[@]}" umount --all >/dev/null 2>&1 || true
  umount "$scratch/store/overlay" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

step() { printf '\n=== %s\n' "$*"; }

step 'a base image: Debian with Python'
mmdebstrap --quiet --variant=minbase --include=python3,ca-certificates,python3-venv bookworm "$scratch/base.tar"
base=$("${store[@]}" from scratch)
"${store[@]}" add -q "$base" "$scratch/base.tar" / >/dev/null
# the build downloads packages: it trusts whom this machine trusts
"${store[@]}" copy -q "$base" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ >/dev/null
"${store[@]}" config --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$base"
"${store[@]}" commit -q "$base" localhost/python >/dev/null

step 'uv, from its wheel, in the version that the Dockerfile names'
uv=$(sed -n 's/^ARG UV_IMAGE=.*:\([0-9.]*\)$/\1/p' Dockerfile)
python3 -m pip download -q --no-deps -d "$scratch" "uv==$uv"
python3 -m zipfile -e "$scratch"/uv-*.whl "$scratch/wheel"
chmod 755 "$scratch"/wheel/uv-*.data/scripts/uv
image=$("${store[@]}" from scratch)
"${store[@]}" copy -q "$image" "$scratch"/wheel/uv-*.data/scripts/uv /uv >/dev/null
"${store[@]}" commit -q "$image" localhost/uv >/dev/null

step 'the image'
"${store[@]}" bud -q --format docker --isolation chroot --network host \
  --build-arg PYTHON_IMAGE=localhost/python --build-arg UV_IMAGE=localhost/uv -t localhost/costspan . >/dev/null
"${store[@]}" inspect --type image --format '{{.Docker.Config.Healthcheck.Test}} {{.Docker.Config.User}}' localhost/costspan
container=$("${store[@]}" from localhost/costspan)
root=$("${store[@]}" mount "$container")

cat >"$scratch/pod.sh" <<'POD'
root=$1 config=$2
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/mnt"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cp "$config" "$root/mnt/costspan.yaml"
ip link set lo up
ip addr add 10.9.9.9/32 dev lo
ip -6 addr add fd00::9/128 dev lo nodad

within=(chroot "$root" setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all
  --inh-caps=-all env -i PATH=/opt/costspan/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 TMPDIR=/tmp)

try() { # ADDRESS OPTIONS-OF-RUN -- OPTIONS-OF-HEALTH
  local address=$1 run=() process
  shift
  while [ "$1" != -- ]; do run+=("$1") && shift; done
  shift
  "${within[@]}" "POD_IP=$address" costspan run "${run[@]}" 2>"$root/tmp/log" &
  process=$!
  for _ in $(seq 60); do
    "${within[@]}" "POD_IP=$address" costspan health "$@" >/dev/null 2>&1 && break
    sleep 0.5
  done
  "${within[@]}" "POD_IP=$address" costspan health "$@" || { cat "$root/tmp/log"; exit 1; }
  kill -TERM "$process"
  wait "$process"
}

if "${within[@]}" touch /opt/costspan/x 2>/dev/null; then echo 'the root is writable' && exit 1; fi
for address in 10.9.9.9 fd00::9; do
  try "$address" --config=/mnt/costspan.yaml --on-config-error=passthrough -- --config /mnt/costspan.yaml
done
try '' -- # without arguments, and the image's own health check, as compose runs it
POD

step 'in a pod'
unshare --mount --net --pid --fork --kill-child bash -euo pipefail "$scratch/pod.sh" "$root" deploy/config/sidecar.yaml

step 'done'
