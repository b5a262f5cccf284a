# The four required variables are enough.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
}

run "four_variables" {
  command = plan

  assert {
    condition     = google_pubsub_topic.changes.name == "aerosink-changes"
    error_message = "Unexpected name of the topic of changes."
  }
}
