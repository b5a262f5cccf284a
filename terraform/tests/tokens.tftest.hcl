# Bearer tokens instead of identities.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
  images = {
    connector = "europe-west1-docker.pkg.dev/example-project/aerosink/connector@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink@sha256:0000000000000000000000000000000000000000000000000000000000000002"
  }
}

run "two_tokens" {
  command = plan

  variables {
    connector = null
    ingest    = { tokens = { secret = "projects/example-project/secrets/tokens", current = "5", previous = "4" } }
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].invoker_iam_disabled
    error_message = "The service must admit senders without an identity."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "Only internal requests may reach the service."
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.ingest_connector) == 0
    error_message = "There must be no grant to call the service."
  }

  assert {
    condition     = { for e in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : e.name => e.value if startswith(e.name, "AUTH_") && length(e.value_source) == 0 } == { AUTH_TOKENS_FILE = "/etc/aerosink/tokens" }
    error_message = "No token may be in the environment as plain text."
  }

  assert {
    condition     = [for e in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : [e.name, e.value_source[0].secret_key_ref[0].secret, e.value_source[0].secret_key_ref[0].version] if length(e.value_source) > 0] == [["AUTH_TOKENS", "projects/example-project/secrets/tokens", "4"]]
    error_message = "The previous token is not accepted."
  }

  assert {
    condition     = [for v in google_cloud_run_v2_service.ingest[0].template[0].volumes : [v.secret[0].secret, v.secret[0].items[0].version, v.secret[0].items[0].path] if v.name == "tokens"] == [["projects/example-project/secrets/tokens", "5", "tokens"]]
    error_message = "The current token is not accepted."
  }

  assert {
    condition     = [for m in google_cloud_run_v2_service.ingest[0].template[0].containers[0].volume_mounts : "${m.mount_path}/${google_cloud_run_v2_service.ingest[0].template[0].volumes[0].secret[0].items[0].path}" if m.name == "tokens"] == [local.environment.AUTH_TOKENS_FILE]
    error_message = "The file of tokens is not mounted where the function looks."
  }

  assert {
    condition = (google_secret_manager_secret_iam_member.tokens_ingest[0].secret_id == "projects/example-project/secrets/tokens"
      && google_secret_manager_secret_iam_member.tokens_ingest[0].role == "roles/secretmanager.secretAccessor"
    && google_secret_manager_secret_iam_member.tokens_ingest[0].member == google_service_account.ingest.member)
    error_message = "Only the function's account must be able to read the tokens."
  }
}

run "one_token" {
  command = plan

  variables {
    connector = null
    ingest    = { tokens = { secret = "tokens", current = "1" } }
  }

  assert {
    condition     = [for e in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : e.value_source[0].secret_key_ref[0].version if length(e.value_source) > 0] == ["1"]
    error_message = "Only the current token must be accepted."
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.tokens_ingest[0].project == "example-project" && google_secret_manager_secret_iam_member.tokens_ingest[0].secret_id == "tokens"
    error_message = "The grant is on the wrong secret."
  }
}

# The grant must be in the secret's project, or every plan would recreate it.
run "secret_in_other_project" {
  command = plan

  variables {
    connector = null
    ingest    = { tokens = { secret = "projects/example-vault/secrets/tokens", current = "1" } }
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.tokens_ingest[0].project == "example-vault"
    error_message = "The grant is on the wrong secret."
  }
}

run "no_token" {
  command = plan

  assert {
    condition     = length(google_secret_manager_secret_iam_member.tokens_ingest) == 0 && !anytrue([for name in keys(local.environment) : startswith(name, "AUTH_")])
    error_message = "There must be no tokens by default."
  }
}
