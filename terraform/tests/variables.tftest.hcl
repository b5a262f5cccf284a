# Variables that apply to all resources.

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

run "labels" {
  command = plan

  variables {
    prefix = "shop"
    labels = { team = "données", cost-centre = "4711", tier = "" }
  }

  assert {
    condition     = google_pubsub_topic.changes.labels == tomap({ app = "shop", team = "données", cost-centre = "4711", tier = "" })
    error_message = "Resources must have the given labels and app."
  }
}
