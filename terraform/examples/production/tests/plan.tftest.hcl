mock_provider "google" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  project               = "example-project"
  region                = "europe-west1"
  subnetwork            = "default"
  aerospike_ranges      = ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
  kms_key               = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
  notification_channels = ["projects/example-project/notificationChannels/1"]
  images = {
    connector = "europe-west1-docker.pkg.dev/example-project/aerosink/connector@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink@sha256:0000000000000000000000000000000000000000000000000000000000000002"
  }
}

run "plans" {
  command = plan

  assert {
    condition     = output.aerosink.archive == "gs://example-project-shop-changes-archive/changes" && output.aerosink.ingest_audience == "https://shop-changes.ingest"
    error_message = "Names must begin with the prefix, and there must be an archive."
  }

  assert {
    condition     = length(output.aerosink.connectors) == 3 && toset(keys(output.aerosink.subscriptions)) == toset(["mail", "search"])
    error_message = "There must be three connectors and two subscriptions."
  }

  assert {
    condition     = output.aerosink.bigquery_table != null
    error_message = "There must be a BigQuery table."
  }
}
