#!/bin/sh
# promote.sh REGISTRY TAG: copies the images of one project to the registry of another, by
# digest, and prints the variable images for it. Reads the output images of the first:
#
#   terraform output -json images | sh promote.sh europe-west1-docker.pkg.dev/shop-production/aerosink v1.2.3
#
# The registry's cleanup keeps them, with the tag deployed-TAG. Needs crane
# (github.com/google/go-containerregistry/cmd/crane), which uses the logins of Docker:
# gcloud auth configure-docker europe-west1-docker.pkg.dev
set -eu

fail() {
  echo "promote the images: $*" >&2
  exit 1
}

[ $# = 2 ] || fail "usage: terraform output -json images | sh promote.sh REGISTRY TAG"
registry=${1%/} tag=$2
command -v crane >/dev/null || fail "crane is not on this machine; go install github.com/google/go-containerregistry/cmd/crane@latest"

images=$(cat)
copies=
for half in connector sink; do
  from=$(printf '%s' "$images" | sed -n "s/.*\"$half\": *\"\\([^\"]*@sha256:[0-9a-f]\\{64\\}\\)\".*/\\1/p")
  [ -n "$from" ] || fail "no digest of $half in the standard input, want the JSON of the output images"
  crane copy "$from" "$registry/$half:deployed-$tag" >&2 || fail "cannot copy $from to $registry"
  copies="$copies$(printf '  %-9s = "%s"' "$half" "$registry/$half@${from##*@}")
"
done
printf 'images = {\n%s}\n' "$copies"
