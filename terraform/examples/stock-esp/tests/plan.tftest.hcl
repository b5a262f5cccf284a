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
    error_message = "A token is kept in the state, or not taken."
  }

  assert {
    condition     = yamldecode(output.esp_configuration).destinations.aerosink.headers.Authorization == "Bearer TOKEN" && startswith(yamldecode(output.esp_configuration).destinations.aerosink.urls[0], "https://aerosink-ingest-")
    error_message = "Aerospike's connector is not told what to bring where."
  }
}

run "a_short_token_is_refused" {
  command = plan

  variables {
    tokens = { current = "secret", previous = "old-0123456789abcdef" }
  }

  expect_failures = [var.tokens]
}
