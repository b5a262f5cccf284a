# BigQuery: a table with a row for each record, in a dataset of its own or an existing one.

variable "bigquery" {
  description = <<-EOT
    BigQuery table with the current records of the database, kept up to date by a subscription of a topic of its own. Null creates none. The database must ship with `bin-policy all`: a change with only some of a record's bins becomes a dead letter.
    - `dataset`: an existing dataset; by default one is created, named after the prefix.
    - `location`: location of the created dataset, a region or `EU` or `US`; by default the region.
    - `table`: name of the table.
    - `max_staleness_minutes`: how old the result of a query may be. BigQuery applies changes about that often, and reads the whole table each time, at US$ 6.25 per TiB; 0 applies them in every query, so that results are always current.
    - `clustering`: up to four columns to cluster by, so that queries that filter on them read less.
    - `readers`: accounts that may read the table, such as `group:NAME@DOMAIN`.
  EOT
  type = object({
    dataset               = optional(string)
    location              = optional(string)
    table                 = optional(string, "records")
    max_staleness_minutes = optional(number, 15)
    clustering            = optional(list(string), ["ns", "set_name", "digest"])
    readers               = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.dataset == null ? true : can(regex("^[A-Za-z0-9_]+$", var.bigquery.dataset))
    error_message = "bigquery.dataset must be the ID of a dataset in the project: letters, digits and underscores, without the project."
  }

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.dataset == null || var.bigquery.location == null
    error_message = "bigquery.location is only for a dataset that is created; leave it out with bigquery.dataset."
  }

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.location == null ? true : can(regex("^(EU|US|[a-z]+-[a-z]+[0-9]+)$", var.bigquery.location))
    error_message = "bigquery.location must be a region such as europe-west1, or EU or US."
  }

  validation {
    condition     = var.bigquery == null || var.kms_key == null ? true : coalesce(var.bigquery.location, var.region) == var.region
    error_message = "bigquery.location must be the region if kms_key is set, because a key only encrypts in its own location."
  }

  validation {
    condition     = var.bigquery == null ? true : can(regex("^[A-Za-z0-9_-]+$", var.bigquery.table))
    error_message = "bigquery.table must be a name of letters, digits, underscores and hyphens."
  }

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.max_staleness_minutes >= 0 && var.bigquery.max_staleness_minutes <= 1440 && floor(var.bigquery.max_staleness_minutes) == var.bigquery.max_staleness_minutes
    error_message = "bigquery.max_staleness_minutes must be 0 to 1440 (a day)."
  }

  validation {
    condition     = var.bigquery == null ? true : length(var.bigquery.clustering) <= 4 && length(setsubtract(var.bigquery.clustering, [for c in local.bigquery_columns : c.name if c.type != "JSON"])) == 0
    error_message = "bigquery.clustering must list up to four columns of the table: ${join(", ", [for c in local.bigquery_columns : c.name if c.type != "JSON"])}."
  }

  validation {
    condition     = var.bigquery == null ? true : alltrue([for r in var.bigquery.readers : can(regex("^(user|group|domain|serviceAccount|principal|principalSet):.+", r))])
    error_message = "bigquery.readers must be accounts such as group:NAME@DOMAIN or serviceAccount:NAME@PROJECT.iam.gserviceaccount.com; allUsers and the like are refused."
  }
}

locals {
  bigquery_columns = jsondecode(file("${path.module}/schemas/changes.bigquery.json"))
}

resource "google_bigquery_dataset" "records" {
  count = var.bigquery == null ? 0 : var.bigquery.dataset == null ? 1 : 0

  project         = var.project
  dataset_id      = replace(var.prefix, "-", "_")
  friendly_name   = "Records of Aerospike"
  location        = coalesce(var.bigquery.location, var.region)
  labels          = local.labels
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api, google_kms_crypto_key_iam_member.bigquery]

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key[*]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }
}

# Reading BigQuery's service agent creates it.
data "google_bigquery_default_service_account" "this" {
  count = var.bigquery == null || var.kms_key == null ? 0 : 1

  project    = var.project
  depends_on = [google_project_service.api]
}

resource "google_kms_crypto_key_iam_member" "bigquery" {
  count = length(data.google_bigquery_default_service_account.this)

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:bq-${local.project_number}@bigquery-encryption.iam.gserviceaccount.com"
  depends_on    = [data.google_bigquery_default_service_account.this]

  # BigQuery checks the grant at once; see keys.tf for the pause.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_bigquery_table" "records" {
  count = var.bigquery == null ? 0 : 1

  project             = var.project
  dataset_id          = var.bigquery.dataset == null ? basename(google_bigquery_dataset.records[0].id) : var.bigquery.dataset
  table_id            = var.bigquery.table
  friendly_name       = "Records of Aerospike"
  labels              = local.labels
  schema              = jsonencode(local.bigquery_columns)
  clustering          = length(var.bigquery.clustering) == 0 ? null : var.bigquery.clustering
  deletion_protection = var.deletion_protection

  # BigQuery finds a change's row by this key. The digest covers set and user key, but not
  # the namespace.
  table_constraints {
    primary_key {
      columns = ["ns", "digest"]
    }
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key[*]

    content {
      kms_key_name = encryption_configuration.value
    }
  }

  # The job below sets it; without this a second apply would remove it.
  lifecycle {
    ignore_changes = [max_staleness]
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.bigquery]
}

resource "google_bigquery_table_iam_member" "records_readers" {
  for_each = toset(var.bigquery == null ? [] : var.bigquery.readers)

  project    = var.project
  dataset_id = google_bigquery_table.records[0].dataset_id
  table_id   = google_bigquery_table.records[0].id
  role       = "roles/bigquery.dataViewer"
  member     = each.key
}

locals {
  bigquery_table = one([for table in google_bigquery_table.records : "${var.project}.${table.dataset_id}.${table.table_id}"])
}

# A job ID can be used only once in a project, so whatever needs a new job gets a new ID.
resource "terraform_data" "staleness" {
  count = length(google_bigquery_table.records)

  triggers_replace = [google_bigquery_table.records[0].creation_time, var.bigquery.max_staleness_minutes, local.labels]
}

# The table's own max_staleness has no effect: BigQuery's API takes it only for views and
# external tables. For this table it must be set by SQL.
resource "google_bigquery_job" "staleness" {
  count = length(google_bigquery_table.records)

  project  = var.project
  job_id   = "${var.prefix}-staleness-${terraform_data.staleness[0].id}"
  location = google_bigquery_table.records[0].location
  labels   = local.labels

  query {
    query              = "ALTER TABLE `${local.bigquery_table}` SET OPTIONS (max_staleness = INTERVAL ${var.bigquery.max_staleness_minutes} MINUTE)"
    use_legacy_sql     = false
    create_disposition = "" # required for anything but a SELECT
    write_disposition  = ""
  }

  lifecycle {
    ignore_changes = [query] # BigQuery may return it rewritten; a new query has a new job ID

    postcondition {
      condition     = length(flatten(self.status[*].error_result)) == 0
      error_message = "BigQuery did not set the table's max_staleness: ${join(" ", flatten(self.status[*].error_result)[*].message)} Fix that, then apply with -replace='terraform_data.staleness[0]'."
    }
  }
}

# The topic with messages for BigQuery, and the subscription that writes them to the
# table.

resource "google_service_account" "bigquery_writer" {
  count = var.bigquery == null ? 0 : 1

  project         = var.project
  account_id      = "${var.prefix}-bigquery"
  display_name    = "Aerosink's BigQuery subscription: writes the rows of a table"
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

# Pub/Sub writes as this account. The user who runs terraform apply needs
# roles/iam.serviceAccountUser on it to create the subscription.
resource "google_service_account_iam_member" "bigquery_writer_agent" {
  count = length(google_service_account.bigquery_writer)

  service_account_id = google_service_account.bigquery_writer[0].id
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
  depends_on         = [google_pubsub_topic.bigquery] # the first topic of a project creates Pub/Sub's service agent

  # Pub/Sub checks the grant at once; see keys.tf for the pause.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_bigquery_table_iam_member" "records_writer" {
  count = length(google_service_account.bigquery_writer)

  project    = var.project
  dataset_id = google_bigquery_table.records[0].dataset_id
  table_id   = google_bigquery_table.records[0].id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.bigquery_writer[0].member

  # Pub/Sub checks the grant at once; see keys.tf for the pause.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_pubsub_topic" "bigquery" {
  count = var.bigquery == null ? 0 : 1

  project         = var.project
  name            = "${var.prefix}-bigquery"
  labels          = local.labels
  kms_key_name    = var.kms_key
  deletion_policy = local.deletion_policy

  message_storage_policy {
    allowed_persistence_regions = local.message_regions
    enforce_in_transit          = var.changes.enforce_in_transit
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_pubsub_topic_iam_member" "bigquery_ingest" {
  count = length(google_pubsub_topic.bigquery)

  project = var.project
  topic   = google_pubsub_topic.bigquery[0].id
  role    = "roles/pubsub.publisher"
  member  = google_service_account.ingest.member
}

resource "google_pubsub_subscription" "bigquery" {
  count = length(google_pubsub_topic.bigquery)

  project                    = var.project
  name                       = "${var.prefix}-bigquery"
  topic                      = google_pubsub_topic.bigquery[0].id
  labels                     = local.labels
  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s" # 31 days, the maximum
  deletion_policy            = local.deletion_policy

  # Unknown columns are refused, not dropped: a row without its UPSERT or DELETE would be
  # an extra row.
  bigquery_config {
    table                 = local.bigquery_table
    use_table_schema      = true
    drop_unknown_fields   = false
    write_metadata        = false
    service_account_email = google_service_account.bigquery_writer[0].email
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # The maximum: a failure is more likely BigQuery's than a message's, and passes.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 100
  }

  depends_on = [google_bigquery_table_iam_member.records_writer, google_service_account_iam_member.bigquery_writer_agent]
}

resource "google_pubsub_subscription_iam_member" "bigquery_agent" {
  count = length(google_pubsub_subscription.bigquery)

  project      = var.project
  subscription = google_pubsub_subscription.bigquery[0].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

locals {
  # No ordering: each message has a sequence number among the changes of its record.
  bigquery_parameters = {
    data     = "bigquery"
    endpoint = var.changes.enforce_in_transit ? var.region : null
  }

  # The function gets the topic once the subscription exists: an earlier message would be
  # lost.
  bigquery_sinks = [
    for subscription in google_pubsub_subscription.bigquery :
    "pubsub://${var.project}/${google_pubsub_topic.bigquery[0].name}?${join("&", [for name, value in local.bigquery_parameters : "${name}=${value}" if value != null])}"
  ]
}
