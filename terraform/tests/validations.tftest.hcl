# Terraform refuses invalid values of each variable. The Go tests check every validation and
# its message, since they need no plan for each. If a variable is invalid, Terraform does not
# evaluate validations of other variables that refer to it, hence several runs.

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

run "out_of_range" {
  command = plan

  variables {
    aerospike_ranges     = ["10.0.0.0/24", "0.0.0.0/0"]
    prefix               = "google"
    labels               = { Team = "data" }
    alerts               = { error_ratio = 5 }
    archive              = { linger_ms = 5000 }
    bigquery             = { max_staleness_minutes = 2880 }
    dead_letters         = { expire_days = 0 }
    ingest               = { concurrency = 1001 }
    storage_subscription = { max_seconds = 601 }
  }

  expect_failures = [
    var.aerospike_ranges, var.prefix, var.labels, var.alerts, var.archive, var.bigquery, var.dead_letters, var.ingest,
    var.storage_subscription,
  ]
}

run "wrong_format" {
  command = plan

  variables {
    subnetwork   = "https://www.googleapis.com/compute/v1/projects/p/regions/r/subnetworks/s"
    alerts       = { channels = ["mail"] }
    archive      = { format = "csv" }
    bigquery     = { table = "shop.records" }
    build_region = "europe-west1-b"
    changes      = { data = "yaml" }
    connector    = { tls = { certificate = "projects/p/secrets/s", key = "projects/p/secrets/k/versions/1", name = "a" } }
    images       = { connector = "gcr.io/a/connector:v1.2.3", sink = "gcr.io/a/sink:v1.2.3" }
  }

  expect_failures = [
    var.subnetwork, var.alerts, var.archive, var.bigquery, var.build_region, var.changes, var.connector, var.images,
  ]
}

run "wrong_location_or_public" {
  command = plan

  variables {
    kms_key   = "projects/keys/locations/us-east1/keyRings/ring/cryptoKeys/key"
    changes   = { subscriptions = { orders = { subscribers = ["allUsers"] } } }
    connector = { zones = ["us-central1-a"] }
  }

  expect_failures = [var.kms_key, var.changes, var.connector]
}

run "combinations" {
  command = plan

  variables {
    archive              = { expire_days = 30, retention = { days = 90 } }
    bigquery             = { dataset = "shop", location = "EU" }
    changes              = { data = "message-pack" }
    ingest               = { tokens = { secret = "tokens", current = "1" } }
    storage_subscription = { format = "text" }
  }

  expect_failures = [var.archive, var.bigquery, var.ingest, var.storage_subscription]
}
