mock_provider "google" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
}

run "plans" {
  command = plan

  assert {
    condition     = output.aerosink.ingest_audience == "https://aerosink.ingest" && startswith(output.aerosink.ingest_url, "https://aerosink-ingest-")
    error_message = "The URL must be that of the service, with the custom audience."
  }
}
