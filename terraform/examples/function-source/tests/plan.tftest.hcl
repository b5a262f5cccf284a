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

  variables {
    zip = "main.tf" # any file
  }

  assert {
    condition     = startswith(output.aerosink.ingest_url, "https://aerosink-function-") && output.aerosink.ingest_audience == output.aerosink.ingest_url
    error_message = "URL and audience must be those of the function."
  }
}
