# The customer-managed key: what uses it, and who may use it.

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

run "without_a_key" {
  command = plan

  assert {
    condition     = length(google_kms_crypto_key_iam_member.agents) == 0
    error_message = "There must be no grants without a key."
  }
}

run "with_a_key" {
  command = plan

  variables {
    kms_key              = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    storage_subscription = {}
    ingest               = { metrics = true }
  }

  assert {
    condition     = alltrue([for topic in [google_pubsub_topic.changes, google_pubsub_topic.undelivered] : topic.kms_key_name == var.kms_key])
    error_message = "A topic does not use the key."
  }

  assert {
    condition     = alltrue([for b in concat(google_storage_bucket.archive, google_storage_bucket.messages, [google_storage_bucket.dead_letters]) : b.encryption[0].default_kms_key_name == var.kms_key])
    error_message = "A bucket does not use the key."
  }

  assert {
    condition = { for service, g in google_kms_crypto_key_iam_member.agents : service => g.member } == {
      pubsub        = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
      secretmanager = "serviceAccount:service-123456789012@gcp-sa-secretmanager.iam.gserviceaccount.com"
      storage       = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    }
    error_message = "Exactly the three service agents must be able to use the key."
  }

  assert {
    condition     = alltrue([for g in google_kms_crypto_key_iam_member.agents : g.role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && g.crypto_key_id == var.kms_key])
    error_message = "A grant has an unexpected role or key."
  }

  assert {
    condition     = keys(terraform_data.key_users) == ["pubsub", "secretmanager"]
    error_message = "A service agent may not exist when it gets its grant."
  }

  assert {
    condition     = contains(keys(google_project_service.api), "cloudkms.googleapis.com")
    error_message = "The API of Cloud KMS is not enabled."
  }
}

run "without_collector_secret" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    ingest  = { metrics = false }
  }

  assert {
    condition     = keys(google_kms_crypto_key_iam_member.agents) == ["pubsub", "storage"] && length(google_secret_manager_secret.collector) == 0
    error_message = "Secret Manager must not be able to use the key, because there is no secret."
  }
}
