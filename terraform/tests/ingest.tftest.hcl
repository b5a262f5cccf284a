# The environment of the function, and the outputs about it.

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

run "environment" {
  command = plan

  variables {
    ingest = { environment = { LOG_LEVEL = "debug", MAX_BODY = "8MiB" } }
  }

  assert {
    condition = { for e in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : e.name => e.value } == {
      SINKS        = join(",", local.sinks)
      DEAD_LETTERS = local.dead_letters
      LOG_LEVEL    = "debug"
      MAX_BODY     = "8MiB"
    }
    error_message = "The environment must have the sinks, the dead letters and the given variables."
  }
}

run "by_default" {
  command = plan

  assert {
    condition     = local.environment.SINKS == join(",", concat(local.changes_sinks, local.archive_sinks, local.bigquery_sinks)) && local.environment.SINKS != ""
    error_message = "SINKS must have all sinks."
  }

  assert {
    condition     = output.ingest_url == local.ingest_url && output.ingest_audience == local.audience && output.ingest_account == google_service_account.ingest.email
    error_message = "Outputs do not match the function."
  }
}
