mock_provider "google" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
  tokens = {
    current  = "new-0123456789abcdef"
    previous = "old-0123456789abcdef"
  }
}

run "plans" {
  command = plan

  assert {
    condition     = alltrue([for v in google_secret_manager_secret_version.token : v.secret_data == null && v.secret_data_wo_version == 1])
    error_message = "Tokens must be write-only, with the version of the rotation."
  }

  assert {
    condition     = yamldecode(output.esp_configuration).destinations.aerosink.headers.Authorization == "Bearer TOKEN" && startswith(yamldecode(output.esp_configuration).destinations.aerosink.urls[0], "https://aerosink-ingest-")
    error_message = "The configuration must have the URL and a placeholder for the token."
  }
}

run "short_token" {
  command = plan

  variables {
    tokens = { current = "secret", previous = "old-0123456789abcdef" }
  }

  expect_failures = [var.tokens]
}
