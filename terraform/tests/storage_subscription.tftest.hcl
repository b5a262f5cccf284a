# The subscription that writes messages to a bucket.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project              = "example-project"
  region               = "europe-west1"
  subnetwork           = "default"
  aerospike_ranges     = ["10.0.0.0/24"]
  storage_subscription = {}
}

run "not_by_default" {
  command = plan

  variables {
    storage_subscription = null
  }

  assert {
    condition     = length(google_pubsub_subscription.storage) + length(google_service_account.storage_writer) + length(google_storage_bucket.messages) == 0 && output.messages == null
    error_message = "There must be no Cloud Storage subscription, account or bucket."
  }
}

run "avro_with_metadata" {
  command = plan

  assert {
    condition = (google_pubsub_subscription.storage[0].topic == "projects/example-project/topics/aerosink-changes"
      && google_pubsub_subscription.storage[0].cloud_storage_config[0].bucket == "example-project-aerosink-messages"
      && google_pubsub_subscription.storage[0].cloud_storage_config[0].filename_suffix == ".avro"
    && google_pubsub_subscription.storage[0].cloud_storage_config[0].avro_config[0].write_metadata)
    error_message = "Unexpected topic, bucket or format."
  }

  assert {
    condition     = google_pubsub_subscription.storage[0].dead_letter_policy[0].dead_letter_topic == "projects/example-project/topics/aerosink-undelivered" && google_pubsub_subscription.storage[0].dead_letter_policy[0].max_delivery_attempts == 100
    error_message = "Dead letters must go to the topic of undelivered messages after 100 attempts."
  }

  assert {
    condition = { for role, g in google_storage_bucket_iam_member.messages_writer : role => [g.bucket, g.role, g.member] } == {
      for role in ["roles/storage.legacyBucketReader", "roles/storage.objectCreator"] :
      role => ["example-project-aerosink-messages", role, "serviceAccount:aerosink-storage@example-project.iam.gserviceaccount.com"]
    }
    error_message = "Unexpected grants on the bucket."
  }

  assert {
    condition = [for g in google_service_account_iam_member.storage_writer_agent : [g.service_account_id, g.role, g.member]] == [[
      "projects/example-project/serviceAccounts/aerosink-storage@example-project.iam.gserviceaccount.com",
      "roles/iam.serviceAccountTokenCreator",
      "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
    ]]
    error_message = "Only Pub/Sub must be able to act as the account that writes."
  }

  assert {
    condition     = google_pubsub_subscription.storage[0].cloud_storage_config[0].service_account_email == "aerosink-storage@example-project.iam.gserviceaccount.com"
    error_message = "The subscription must write as its own account, not as Pub/Sub's service agent."
  }

  assert {
    condition = [for g in google_pubsub_subscription_iam_member.storage_agent : [g.subscription, g.role, g.member]] == [[
      "projects/example-project/subscriptions/aerosink-storage", "roles/pubsub.subscriber", "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
    ]]
    error_message = "Pub/Sub needs roles/pubsub.subscriber on the subscription for dead letters."
  }
}

run "longest_file" {
  command = plan

  variables {
    storage_subscription = { max_seconds = 600 }
  }

  assert {
    condition     = tonumber(trimsuffix(google_pubsub_subscription.storage[0].cloud_storage_config[0].max_duration, "s")) <= google_pubsub_subscription.storage[0].ack_deadline_seconds
    error_message = "max_duration must not exceed the ack deadline, or Pub/Sub refuses the subscription."
  }
}

run "lines_of_json" {
  command = plan

  variables {
    storage_subscription = { format = "text", expire_days = 30 }
  }

  assert {
    condition     = length(google_pubsub_subscription.storage[0].cloud_storage_config[0].avro_config) == 0 && google_pubsub_subscription.storage[0].cloud_storage_config[0].filename_suffix == ".ndjson"
    error_message = "Files must be lines of JSON."
  }

  assert {
    condition     = [for r in google_storage_bucket.messages[0].lifecycle_rule : "${one(r.action).type} ${one(r.condition).age}"] == ["Delete 30"]
    error_message = "Files must be deleted after 30 days."
  }
}
