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
    bigquery             = {}
    ingest               = { metrics = true }
  }

  assert {
    condition = alltrue([for key in [
      google_artifact_registry_repository.images.kms_key_name,
      google_bigquery_dataset.records[0].default_encryption_configuration[0].kms_key_name,
      google_bigquery_table.records[0].encryption_configuration[0].kms_key_name,
      google_cloud_run_v2_service.ingest[0].template[0].encryption_key,
      google_compute_instance_template.connector[0].disk[0].disk_encryption_key[0].kms_key_self_link,
      google_pubsub_topic.bigquery[0].kms_key_name,
      google_storage_bucket.build[0].encryption[0].default_kms_key_name,
    ] : key == var.kms_key])
    error_message = "Images, disks, the service or BigQuery do not use the key."
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
      artifactregistry = "serviceAccount:service-123456789012@gcp-sa-artifactregistry.iam.gserviceaccount.com"
      compute          = "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com"
      pubsub           = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
      run              = "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
      secretmanager    = "serviceAccount:service-123456789012@gcp-sa-secretmanager.iam.gserviceaccount.com"
      storage          = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    }
    error_message = "Exactly the service agents of what stores something must be able to use the key."
  }

  assert {
    condition     = alltrue([for g in google_kms_crypto_key_iam_member.agents : g.role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && g.crypto_key_id == var.kms_key])
    error_message = "A grant has an unexpected role or key."
  }

  assert {
    condition     = keys(terraform_data.key_users) == ["artifactregistry", "pubsub", "run", "secretmanager"]
    error_message = "A service agent may not exist when it gets its grant."
  }

  assert {
    condition     = contains(keys(google_project_service.api), "cloudkms.googleapis.com")
    error_message = "The API of Cloud KMS is not enabled."
  }
}

run "with_a_function" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    ingest  = { function_source = "./tests/keys.tftest.hcl" }
  }

  assert {
    condition = google_cloudfunctions2_function.ingest[0].kms_key_name == var.kms_key && (
    google_kms_crypto_key_iam_member.agents["cloudfunctions"].member == "serviceAccount:service-123456789012@gcf-admin-robot.iam.gserviceaccount.com")
    error_message = "The function does not use the key, or Google's service agent cannot."
  }

  assert {
    condition     = google_storage_bucket.function[0].encryption[0].default_kms_key_name == var.kms_key
    error_message = "The bucket of the function's source does not use the key."
  }
}

run "without_connectors" {
  command = plan

  variables {
    kms_key   = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    connector = null
  }

  assert {
    condition     = !contains(keys(google_kms_crypto_key_iam_member.agents), "compute")
    error_message = "Compute Engine can use the key, but there are no machines."
  }
}

run "without_collector_secret" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    ingest  = { metrics = false }
  }

  assert {
    condition     = !contains(keys(google_kms_crypto_key_iam_member.agents), "secretmanager") && length(google_secret_manager_secret.collector) == 0
    error_message = "Secret Manager must not be able to use the key, because there is no secret."
  }
}
