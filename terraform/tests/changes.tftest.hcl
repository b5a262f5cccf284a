# The topic of changes, its publisher and subscriptions, and undelivered messages.

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

run "by_default" {
  command = plan

  assert {
    condition     = local.changes_sinks == ["pubsub://example-project/aerosink-changes?data=json&endpoint=europe-west1&ordering=256"]
    error_message = "Unexpected sinks: ${join(",", local.changes_sinks)}"
  }

  assert {
    condition = alltrue([for topic in [google_pubsub_topic.changes, google_pubsub_topic.undelivered] :
      topic.message_storage_policy[0].allowed_persistence_regions == toset(["europe-west1"]) && !topic.message_storage_policy[0].enforce_in_transit && topic.kms_key_name == null
    ])
    error_message = "Messages can be stored outside the region, or are encrypted with a key."
  }

  assert {
    condition     = google_pubsub_topic.changes.message_retention_duration == "86400s" && length(google_pubsub_topic.changes.schema_settings) == 0 && length(google_pubsub_schema.changes) == 0
    error_message = "The topic must keep messages for a day and have no schema."
  }

  assert {
    condition     = keys(google_pubsub_subscription.changes) == ["changes"] && length(google_pubsub_subscription_iam_member.changes_reader) == 0
    error_message = "The only subscription must be changes, and nobody may read it."
  }

  assert {
    condition = alltrue([for s in google_pubsub_subscription.changes :
      s.name == "aerosink-changes" && s.topic == "projects/example-project/topics/aerosink-changes" && s.enable_message_ordering && !s.enable_exactly_once_delivery && s.filter == "" && s.ack_deadline_seconds == 60
      && s.message_retention_duration == "604800s" && s.retry_policy[0].minimum_backoff == "10s" && s.retry_policy[0].maximum_backoff == "600s"
    ])
    error_message = "The subscription has unexpected settings."
  }

  assert {
    condition = (google_pubsub_topic_iam_member.changes_ingest.topic == "projects/example-project/topics/aerosink-changes"
      && google_pubsub_topic_iam_member.changes_ingest.role == "roles/pubsub.publisher"
    && google_pubsub_topic_iam_member.changes_ingest.member == google_service_account.ingest.member)
    error_message = "Only the function must be able to publish changes."
  }

  assert {
    condition = (google_pubsub_subscription.changes["changes"].dead_letter_policy[0].dead_letter_topic == "projects/example-project/topics/aerosink-undelivered"
    && google_pubsub_subscription.changes["changes"].dead_letter_policy[0].max_delivery_attempts == 20)
    error_message = "Dead letters must go to the topic of undelivered messages after 20 attempts."
  }

  assert {
    condition = (google_pubsub_subscription.undelivered.topic == "projects/example-project/topics/aerosink-undelivered"
    && google_pubsub_subscription.undelivered.message_retention_duration == "2678400s")
    error_message = "A subscription must keep undelivered messages for 31 days."
  }

  assert {
    condition = (google_pubsub_topic_iam_member.undelivered_agent.topic == "projects/example-project/topics/aerosink-undelivered"
      && google_pubsub_topic_iam_member.undelivered_agent.role == "roles/pubsub.publisher"
    && google_pubsub_topic_iam_member.undelivered_agent.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com")
    error_message = "Pub/Sub must be able to publish undelivered messages."
  }

  assert {
    condition = { for name, g in google_pubsub_subscription_iam_member.changes_agent : name => [g.subscription, g.role, g.member] } == {
      changes = ["projects/example-project/subscriptions/aerosink-changes", "roles/pubsub.subscriber", "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"]
    }
    error_message = "Pub/Sub needs roles/pubsub.subscriber on the subscription for dead letters."
  }

  assert {
    condition     = length(google_pubsub_topic.undelivered.schema_settings) == 0
    error_message = "The topic of undelivered messages must have no schema."
  }
}

run "subscriptions_do_not_expire" {
  command = plan

  variables {
    storage_subscription = {}
  }

  assert {
    condition = alltrue([for s in concat(values(google_pubsub_subscription.changes), google_pubsub_subscription.storage, [google_pubsub_subscription.undelivered]) :
      s.expiration_policy[0].ttl == ""
    ])
    error_message = "A subscription expires."
  }
}

run "readers" {
  command = plan

  override_resource {
    target          = google_pubsub_subscription.changes["orders"]
    override_during = plan
    values          = { id = "projects/example-project/subscriptions/aerosink-orders" }
  }

  variables {
    changes = {
      subscriptions = {
        orders = { filter = "attributes.set = \"orders\"", subscribers = ["serviceAccount:a@example-project.iam.gserviceaccount.com", "group:b@example.com"] }
        audit  = { ordering = false, exactly_once = true, attempts = 0, retention_days = 31, backoff_seconds = { most = 60 } }
      }
    }
  }

  assert {
    condition = [for key in sort(keys(google_pubsub_subscription_iam_member.changes_reader)) :
      [for g in [google_pubsub_subscription_iam_member.changes_reader[key]] : "${g.subscription} ${g.role} ${g.member}"]
      ] == [
      ["projects/example-project/subscriptions/aerosink-orders roles/pubsub.subscriber group:b@example.com"],
      ["projects/example-project/subscriptions/aerosink-orders roles/pubsub.subscriber serviceAccount:a@example-project.iam.gserviceaccount.com"],
    ]
    error_message = "Unexpected readers or roles."
  }

  assert {
    condition = (google_pubsub_subscription.changes["audit"].enable_exactly_once_delivery
      && !google_pubsub_subscription.changes["audit"].enable_message_ordering
      && length(google_pubsub_subscription.changes["audit"].dead_letter_policy) == 0
      && google_pubsub_subscription.changes["audit"].message_retention_duration == "2678400s"
    && google_pubsub_subscription.changes["audit"].retry_policy[0].maximum_backoff == "60s")
    error_message = "The subscription audit does not have its own settings."
  }

  assert {
    condition     = google_pubsub_subscription.changes["orders"].filter == "attributes.set = \"orders\"" && keys(google_pubsub_subscription_iam_member.changes_agent) == ["orders"]
    error_message = "The filter is missing, or Pub/Sub has a grant on a subscription without dead letters."
  }
}

run "without_order" {
  command = plan

  variables {
    changes = { ordering = 0, retention_days = 0 }
  }

  assert {
    condition     = local.changes_sinks == ["pubsub://example-project/aerosink-changes?data=json&ordering=0"] && !google_pubsub_subscription.changes["changes"].enable_message_ordering
    error_message = "Messages have ordering keys: ${join(",", local.changes_sinks)}"
  }

  assert {
    condition     = google_pubsub_topic.changes.message_retention_duration == null
    error_message = "The topic must not keep messages."
  }
}

run "packed_in_two_regions" {
  command = plan

  variables {
    changes = { packed = { compression = "gzip" }, regions = ["europe-west1", "europe-west4"], enforce_in_transit = true, ordering = 0 }
  }

  assert {
    condition     = local.changes_sinks == ["pubsub://example-project/aerosink-changes?compression=gzip&endpoint=europe-west1&mode=packed&ordering=0&packed=ndjson"]
    error_message = "Unexpected sinks: ${join(",", local.changes_sinks)}"
  }

  assert {
    condition     = google_pubsub_topic.changes.message_storage_policy[0].allowed_persistence_regions == toset(["europe-west1", "europe-west4"]) && google_pubsub_topic.changes.message_storage_policy[0].enforce_in_transit
    error_message = "Messages must be stored in the two regions only."
  }
}

run "avro_schema" {
  command = plan

  variables {
    changes = { data = "avro", schema = { definition = "{\"type\": \"record\", \"name\": \"Change\", \"fields\": []}" } }
  }

  assert {
    condition     = google_pubsub_schema.changes[0].name == "aerosink-changes-avro"
    error_message = "The name of the schema must contain its type, so that a schema of another type can replace it."
  }

  assert {
    condition     = google_pubsub_schema.changes[0].type == "AVRO" && google_pubsub_topic.changes.schema_settings[0].schema == "projects/example-project/schemas/aerosink-changes-avro" && google_pubsub_topic.changes.schema_settings[0].encoding == "BINARY"
    error_message = "The topic does not use the schema."
  }
}
