# The buckets of changes and of dead letters, and what the function writes there.

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
    condition     = local.archive_sinks == ["gs://example-project-aerosink-archive/changes?compression=gzip&format=ndjson"] && local.dead_letters == "gs://example-project-aerosink-dead-letters/letters"
    error_message = "Unexpected sinks or dead letters: ${join(",", local.archive_sinks)}, ${local.dead_letters}"
  }

  assert {
    condition = (google_storage_bucket.archive[0].location == "europe-west1"
      && google_storage_bucket.archive[0].storage_class == "STANDARD"
      && length(google_storage_bucket.archive[0].autoclass) == 0
      && length(google_storage_bucket.archive[0].retention_policy) == 0
    && length(google_storage_bucket.archive[0].encryption) == 0)
    error_message = "The bucket of the archive has unexpected settings."
  }

  assert {
    condition     = [for r in google_storage_bucket.archive[0].lifecycle_rule : one(r.action).type] == ["AbortIncompleteMultipartUpload"] && length(google_storage_bucket.dead_letters.lifecycle_rule) == 0
    error_message = "There are lifecycle rules that move or delete files."
  }

  assert {
    condition = [for g in concat(google_storage_bucket_iam_member.archive_ingest, [google_storage_bucket_iam_member.dead_letters_ingest]) : [g.bucket, g.role, g.member]] == [
      for bucket in ["archive", "dead-letters"] : ["example-project-aerosink-${bucket}", "roles/storage.objectCreator", google_service_account.ingest.member]
    ]
    error_message = "Only the function must be able to write to the buckets, and only create objects."
  }
}

run "protection" {
  command = plan

  variables {
    storage_subscription = {}
  }

  assert {
    condition = alltrue([for b in concat(google_storage_bucket.archive, google_storage_bucket.messages, [google_storage_bucket.dead_letters]) :
      b.uniform_bucket_level_access && b.public_access_prevention == "enforced"
    ])
    error_message = "A bucket can be made public."
  }

  assert {
    condition = alltrue([for b in concat(google_storage_bucket.archive, google_storage_bucket.messages, [google_storage_bucket.dead_letters]) :
      !b.force_destroy && b.soft_delete_policy[0].retention_duration_seconds == 604800
    ])
    error_message = "Deleted files cannot be restored for a week, or a destroy deletes buckets with files."
  }
}

run "without_protection" {
  command = plan

  variables {
    deletion_protection  = false
    storage_subscription = {}
  }

  assert {
    condition     = alltrue([for b in concat(google_storage_bucket.archive, google_storage_bucket.messages, [google_storage_bucket.dead_letters]) : b.force_destroy])
    error_message = "A destroy fails for a bucket with files."
  }
}

run "without_an_archive" {
  command = plan

  variables {
    archive = null
  }

  assert {
    condition     = length(google_storage_bucket.archive) == 0 && length(google_storage_bucket_iam_member.archive_ingest) == 0 && length(local.archive_sinks) == 0 && output.archive == null
    error_message = "There is a bucket for the archive, or the function writes to one."
  }
}

run "parquet_with_path" {
  command = plan

  variables {
    archive = { format = "parquet", prefix = "shop/changes", path = "set={set}/shard={shard:16}", linger_ms = 2000 }
  }

  assert {
    condition     = local.archive_sinks == ["gs://example-project-aerosink-archive/shop/changes?format=parquet&linger=2000ms&path=set%3D%7Bset%7D%2Fshard%3D%7Bshard%3A16%7D"]
    error_message = "Unexpected sinks: ${join(",", local.archive_sinks)}"
  }
}

run "lifecycle_and_retention" {
  command = plan

  variables {
    archive      = { location = "EU", transitions = { NEARLINE = 30, ARCHIVE = 365 }, expire_days = 3650, retention = { days = 7, locked = true }, soft_delete_days = 0 }
    dead_letters = { expire_days = 90 }
  }

  assert {
    condition = [for r in google_storage_bucket.archive[0].lifecycle_rule : "${one(r.action).type} ${coalesce(one(r.action).storage_class, "-")} ${one(r.condition).age}"] == [
      "AbortIncompleteMultipartUpload - 7", "SetStorageClass ARCHIVE 365", "SetStorageClass NEARLINE 30", "Delete - 3650"
    ]
    error_message = "The bucket of the archive has unexpected lifecycle rules."
  }

  assert {
    condition     = google_storage_bucket.archive[0].retention_policy[0].retention_period == "604800" && google_storage_bucket.archive[0].retention_policy[0].is_locked
    error_message = "The bucket has no locked retention of a week."
  }

  assert {
    condition     = google_storage_bucket.archive[0].location == "EU" && google_storage_bucket.archive[0].soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "The bucket is not in the EU, or has soft delete."
  }

  assert {
    condition     = [for r in google_storage_bucket.dead_letters.lifecycle_rule : "${one(r.action).type} ${one(r.condition).age}"] == ["Delete 90"]
    error_message = "The bucket of dead letters has unexpected lifecycle rules."
  }
}

run "autoclass" {
  command = plan

  variables {
    archive = { autoclass = "ARCHIVE" }
  }

  assert {
    condition     = google_storage_bucket.archive[0].autoclass[0].enabled && google_storage_bucket.archive[0].autoclass[0].terminal_storage_class == "ARCHIVE"
    error_message = "Autoclass is off, or has another terminal class."
  }
}
