# The BigQuery table of records, and the subscription that writes to it.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

override_resource {
  target          = google_bigquery_job.staleness
  override_during = plan
  values          = { status = [{ state = "DONE", error_result = [], errors = [] }] }
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
  bigquery         = {}
}

run "not_by_default" {
  command = plan

  variables {
    bigquery = null
  }

  assert {
    condition = (length(google_bigquery_table.records) + length(google_bigquery_dataset.records) + length(google_bigquery_job.staleness)
    + length(google_pubsub_subscription.bigquery) + length(google_pubsub_topic.bigquery) + length(google_service_account.bigquery_writer) == 0)
    error_message = "There are BigQuery resources."
  }

  assert {
    condition     = length(local.bigquery_sinks) == 0 && output.bigquery_table == null && !contains(local.apis, "bigquery.googleapis.com")
    error_message = "The function publishes for BigQuery, or its API is enabled."
  }
}

run "enabled" {
  command = plan

  assert {
    condition     = google_bigquery_dataset.records[0].dataset_id == "aerosink" && google_bigquery_dataset.records[0].location == "europe-west1" && output.bigquery_table == "example-project.aerosink.records"
    error_message = "Unexpected dataset or table: ${output.bigquery_table}"
  }

  assert {
    condition     = google_bigquery_table.records[0].table_constraints[0].primary_key[0].columns == tolist(["ns", "digest"])
    error_message = "The primary key must be namespace and digest."
  }

  assert {
    condition = ([for c in jsondecode(google_bigquery_table.records[0].schema) : c.name if c.mode == "REQUIRED"] == ["ns", "digest"]
      && alltrue([for c in jsondecode(google_bigquery_table.records[0].schema) : can(regex("^[A-Za-z0-9_]+$", c.name))])
    && one([for c in jsondecode(google_bigquery_table.records[0].schema) : c.type if c.name == "bins"]) == "JSON")
    error_message = "Only ns and digest may be required columns, since a delete has no others; names must be valid and bins must be JSON."
  }

  assert {
    condition     = google_bigquery_table.records[0].clustering == tolist(["ns", "set_name", "digest"]) && google_bigquery_table.records[0].deletion_protection && length(google_bigquery_table.records[0].encryption_configuration) == 0
    error_message = "The table has unexpected clustering, protection or encryption."
  }

  assert {
    condition     = local.bigquery_sinks == ["pubsub://example-project/aerosink-bigquery?data=bigquery"] && contains(local.sinks, local.bigquery_sinks[0])
    error_message = "Unexpected sinks: ${join(",", local.sinks)}"
  }

  assert {
    condition = (google_pubsub_subscription.bigquery[0].topic == "projects/example-project/topics/aerosink-bigquery"
      && google_pubsub_subscription.bigquery[0].bigquery_config[0].table == "example-project.aerosink.records"
      && google_pubsub_subscription.bigquery[0].bigquery_config[0].use_table_schema
      && !google_pubsub_subscription.bigquery[0].bigquery_config[0].drop_unknown_fields
    && !google_pubsub_subscription.bigquery[0].bigquery_config[0].write_metadata)
    error_message = "The subscription has an unexpected topic, table or options."
  }

  assert {
    condition     = google_pubsub_subscription.bigquery[0].expiration_policy[0].ttl == ""
    error_message = "The subscription expires."
  }

  assert {
    condition     = google_pubsub_subscription.bigquery[0].dead_letter_policy[0].dead_letter_topic == "projects/example-project/topics/aerosink-undelivered" && google_pubsub_subscription.bigquery[0].dead_letter_policy[0].max_delivery_attempts == 100
    error_message = "Dead letters must go to the topic of undelivered messages after 100 attempts."
  }
}

run "least_privilege" {
  command = plan

  variables {
    bigquery = { readers = ["group:analysts@example.com"] }
  }

  assert {
    condition = [for g in concat(google_bigquery_table_iam_member.records_writer, values(google_bigquery_table_iam_member.records_readers)) : [g.dataset_id, g.table_id, g.role, g.member]] == [
      ["aerosink", "projects/example-project/datasets/aerosink/tables/records", "roles/bigquery.dataEditor", "serviceAccount:aerosink-bigquery@example-project.iam.gserviceaccount.com"],
      ["aerosink", "projects/example-project/datasets/aerosink/tables/records", "roles/bigquery.dataViewer", "group:analysts@example.com"],
    ]
    error_message = "Unexpected grants on the table."
  }

  assert {
    condition = [for g in google_service_account_iam_member.bigquery_writer_agent : [g.service_account_id, g.role, g.member]] == [[
      "projects/example-project/serviceAccounts/aerosink-bigquery@example-project.iam.gserviceaccount.com",
      "roles/iam.serviceAccountTokenCreator",
      "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
    ]]
    error_message = "Only Pub/Sub must be able to act as the account that writes."
  }

  assert {
    condition     = google_pubsub_subscription.bigquery[0].bigquery_config[0].service_account_email == "aerosink-bigquery@example-project.iam.gserviceaccount.com"
    error_message = "The subscription must write as its own account, not as Pub/Sub's service agent."
  }

  assert {
    condition = [for g in google_pubsub_topic_iam_member.bigquery_ingest : [g.topic, g.role, g.member]] == [[
      "projects/example-project/topics/aerosink-bigquery", "roles/pubsub.publisher", google_service_account.ingest.member,
    ]]
    error_message = "Only the function must be able to publish."
  }

  assert {
    condition = [for g in google_pubsub_subscription_iam_member.bigquery_agent : [g.subscription, g.role, g.member]] == [[
      "projects/example-project/subscriptions/aerosink-bigquery", "roles/pubsub.subscriber", "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
    ]]
    error_message = "Pub/Sub needs roles/pubsub.subscriber on the subscription for dead letters."
  }
}

run "staleness_by_sql" {
  command = plan

  variables {
    bigquery = { max_staleness_minutes = 60 }
  }

  assert {
    condition     = google_bigquery_job.staleness[0].query[0].query == "ALTER TABLE `example-project.aerosink.records` SET OPTIONS (max_staleness = INTERVAL 60 MINUTE)" && !google_bigquery_job.staleness[0].query[0].use_legacy_sql
    error_message = "Unexpected statement: ${google_bigquery_job.staleness[0].query[0].query}"
  }

  assert {
    condition     = google_bigquery_job.staleness[0].location == "europe-west1" && google_bigquery_job.staleness[0].query[0].create_disposition == "" && google_bigquery_job.staleness[0].query[0].write_disposition == ""
    error_message = "BigQuery would refuse the job."
  }
}

run "existing_dataset" {
  command = plan

  variables {
    prefix   = "shop-eu"
    bigquery = { dataset = "Shop_1", table = "shop-records", clustering = [] }
  }

  assert {
    condition     = length(google_bigquery_dataset.records) == 0 && output.bigquery_table == "example-project.Shop_1.shop-records" && google_bigquery_table.records[0].clustering == null
    error_message = "Unexpected table or clustering: ${output.bigquery_table}"
  }
}

run "dataset_in_eu" {
  command = plan

  variables {
    prefix              = "shop-eu"
    deletion_protection = false
    bigquery            = { location = "EU" }
  }

  assert {
    condition     = google_bigquery_dataset.records[0].dataset_id == "shop_eu" && google_bigquery_dataset.records[0].location == "EU" && !google_bigquery_table.records[0].deletion_protection
    error_message = "Unexpected dataset or location, or the table is protected from a destroy."
  }
}

run "customer_managed_key" {
  command = plan

  variables {
    kms_key = "projects/example-project/locations/europe-west1/keyRings/ring/cryptoKeys/key"
  }

  assert {
    condition     = google_bigquery_table.records[0].encryption_configuration[0].kms_key_name == var.kms_key && google_pubsub_topic.bigquery[0].kms_key_name == var.kms_key
    error_message = "Table or topic does not use the customer-managed key."
  }

  assert {
    condition = [for g in google_kms_crypto_key_iam_member.bigquery : [g.crypto_key_id, g.role, g.member]] == [[
      "projects/example-project/locations/europe-west1/keyRings/ring/cryptoKeys/key",
      "roles/cloudkms.cryptoKeyEncrypterDecrypter",
      "serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com",
    ]]
    error_message = "BigQuery must be able to use the key."
  }

  assert {
    condition     = length(data.google_bigquery_default_service_account.this) == 1
    error_message = "The grant to BigQuery's service agent needs the data source that creates it."
  }
}

run "enforce_in_transit" {
  command = plan

  variables {
    changes = { enforce_in_transit = true }
  }

  assert {
    condition     = google_pubsub_topic.bigquery[0].message_storage_policy[0].allowed_persistence_regions == toset(["europe-west1"]) && google_pubsub_topic.bigquery[0].message_storage_policy[0].enforce_in_transit
    error_message = "Messages can be stored or processed outside the region."
  }

  assert {
    condition     = local.bigquery_sinks == ["pubsub://example-project/aerosink-bigquery?data=bigquery&endpoint=europe-west1"]
    error_message = "Unexpected sinks: ${join(",", local.bigquery_sinks)}"
  }
}
