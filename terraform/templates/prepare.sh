#!/bin/sh
# Fetches what the connector needs: the name of its image, its configuration, and the
# secrets of TLS, and finds out how much memory it may use. Also opens the ports in the
# machine's own firewall, whose rules do not survive a restart. aerosink.service runs it
# before each start and on a reload.
set -eu

# fail logs an error and exits.
fail() {
  echo "prepare: $1" >&2
  exit 1
}

# metadata prints a value of the metadata server.
metadata() {
  curl --silent --show-error --fail --retry 5 --retry-connrefused --max-time 10 --header 'Metadata-Flavor: Google' \
    "http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance/$1"
}

# token prints an access token of the machine's service account.
token() {
  metadata service-accounts/default/token | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p'
}

# fetch writes a version of a secret to a new file that only the connector can read. curl
# reads the token from its standard input, because every user can see arguments.
fetch() {
  printf 'Authorization: Bearer %s\n' "$access" |
    curl --silent --show-error --fail --retry 5 --max-time 10 --header @- "${SECRET_MANAGER:-https://secretmanager.googleapis.com}/v1/$1:access" |
    sed -n 's/.*"data" *: *"\([^"]*\)".*/\1/p' | base64 -d > "$tls/$2.new"
  [ -s "$tls/$2.new" ] || fail "nothing in $1; does it exist, and may this machine's account read it?"
  chmod 0400 "$tls/$2.new"
  chown 65532:65532 "$tls/$2.new"
}

for port in $PORTS; do
  iptables -w -C INPUT -p tcp --dport "$port" -j ACCEPT 2>/dev/null || iptables -w -A INPUT -p tcp --dport "$port" -j ACCEPT
done

image=$(metadata attributes/connector-image) || fail "no image to run; the group's metadata has it under connector-image, and an update or a restart brings it here"
docker-credential-gcr configure-docker --registries="${image%%/*}"

# The connector gets the machine, except for what the system, Docker and the collector of
# metrics need. Go collects garbage more often when a tenth is left.
meminfo=${MEMINFO:-/proc/meminfo}
total=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' "$meminfo") || total=
[ -n "$total" ] || fail "cannot read this machine's memory from $meminfo"
total=$((total / 1024))
memory=$((total - 768))
[ "$memory" -ge $((total / 2)) ] || memory=$((total / 2))
printf 'IMAGE=%s\nMEMORY=%sm\nGOMEMLIMIT=%sMiB\n' "$image" "$memory" $((memory * 9 / 10)) > "$RUNTIME_DIRECTORY/environment"

# A new file each time: the container that runs keeps the one it was started with.
metadata attributes/connector-config > "$RUNTIME_DIRECTORY/connector.yml.new" || fail "no configuration; the group's metadata has it under connector-config, and an update or a restart brings it here"
mv "$RUNTIME_DIRECTORY/connector.yml.new" "$RUNTIME_DIRECTORY/connector.yml"

if [ -n "${SECRETS:-}" ]; then
  umask 077
  tls=$RUNTIME_DIRECTORY/tls
  mkdir -p "$tls"
  chown 65532:65532 "$tls"
  access=$(token)
  [ -n "$access" ] || fail "no token of the machine's account, and so no secrets"
  for secret in $SECRETS; do
    fetch "${secret#*=}" "${secret%%=*}"
  done
  # Replace all files or none, since a certificate needs its own key.
  for secret in $SECRETS; do
    mv "$tls/${secret%%=*}.new" "$tls/${secret%%=*}"
  done
fi
