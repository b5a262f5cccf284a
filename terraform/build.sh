#!/bin/sh
# Builds the images of this clone with Cloud Build. build.tf runs it at the top of the clone.
# Terraform deploys them, with the digests that the tag latest names then.
set -eu

fail() {
  echo "build the images: $*" >&2
  exit 1
}

[ -f cloudbuild.yaml ] || fail "there is no cloudbuild.yaml in $PWD, only terraform/; apply in a whole clone, or set the variable images"
command -v gcloud >/dev/null || fail "gcloud is not on this machine; install it (https://cloud.google.com/sdk/docs/install), or set the variable images"
gcloud auth print-access-token >/dev/null || fail "gcloud is not logged in; run gcloud auth login, beside the application-default login of Terraform"

# A private pool has machines of a certain type, so the configuration must not ask for one.
set -- --config=cloudbuild.yaml
if [ -n "${POOL:-}" ]; then
  own=$(mktemp -d)
  trap 'rm -rf "$own"' EXIT
  sed '/^  machineType:/d' cloudbuild.yaml >"$own/cloudbuild.yaml"
  set -- --worker-pool="$POOL" --config="$own/cloudbuild.yaml"
fi

submit() {
  gcloud builds submit --quiet --project="$PROJECT" --region="$AT" --ignore-file=.cloudbuildignore \
    --service-account="$ACCOUNT" --gcs-source-staging-dir="gs://$BUCKET/source" \
    --substitutions="_REGION=$REGION,_PREFIX=$PREFIX,_TAG=$TAG,_CHECK=false,_DEPLOY=terraform" "$@"
}

# Grants to a new account take minutes to become effective. If a build ends before anything
# can have been built, that is the most likely reason, so try again.
for attempt in 1 2 3 4 5 6; do
  began=$(date +%s)
  if submit "$@"; then exit; fi
  [ $(($(date +%s) - began)) -lt "${TOO_SOON:-90}" ] || fail "the build failed, see above"
  echo "build the images: attempt $attempt ended at once; grants may not be effective yet" >&2
  sleep "${PAUSE:-30}"
done
fail "six attempts ended at once, see above; is $ACCOUNT granted what it needs? If Cloud Build has no machines in $AT for a new project, set build_region to global"
