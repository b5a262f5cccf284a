# A row for each record: the table, in a dataset of its own or in one that is there.

variable "bigquery" {
  description = <<-EOT
    BigQuery table of the records as the database has them, kept by a subscription of its own topic. Null is none. It needs `bin-policy all` where the database ships: a change with some of a record's bins makes no row, and is a dead letter.
    - `dataset`: one that is there; by default, one is made that has the name of the prefix.
    - `location`: of the dataset that is made, a region or `EU` or `US`; by default the region.
    - `table`: its name.
    - `max_staleness_minutes`: how old an answer may be. BigQuery applies what has come about so often, each time reading the whole table, US$ 6.25 for a TiB; 0 has every query do so, and is never late.
    - `clustering`: columns by which rows stand together, up to four, so that a query with a filter on them reads less.
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
    error_message = "bigquery.dataset is the id of a dataset in the project, letters, digits and underscores, without the project before it."
  }

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.dataset == null || var.bigquery.location == null
    error_message = "bigquery.location is of a dataset that is made; bigquery.dataset, which is there, has one."
  }

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.location == null ? true : can(regex("^(EU|US|[a-z]+-[a-z]+[0-9]+)$", var.bigquery.location))
    error_message = "bigquery.location is a region like europe-west1, or EU or US."
  }

  validation {
    condition     = var.bigquery == null || var.kms_key == null ? true : coalesce(var.bigquery.location, var.region) == var.region
    error_message = "bigquery.location has to be the region where there is a kms_key: a key encrypts in its own location alone."
  }

  validation {
    condition     = var.bigquery == null ? true : can(regex("^[A-Za-z0-9_-]+$", var.bigquery.table))
    error_message = "bigquery.table is a name of letters, digits, underscores and hyphens."
  }

  validation {
    condition     = var.bigquery == null ? true : var.bigquery.max_staleness_minutes >= 0 && var.bigquery.max_staleness_minutes <= 1440 && floor(var.bigquery.max_staleness_minutes) == var.bigquery.max_staleness_minutes
    error_message = "bigquery.max_staleness_minutes is a number of minutes from 0 to 1440, a day."
  }

  validation {
    condition     = var.bigquery == null ? true : length(var.bigquery.clustering) <= 4 && length(setsubtract(var.bigquery.clustering, [for c in local.bigquery_columns : c.name if c.type != "JSON"])) == 0
    error_message = "bigquery.clustering has up to four columns of the table: ${join(", ", [for c in local.bigquery_columns : c.name if c.type != "JSON"])}."
  }

  validation {
    condition     = var.bigquery == null ? true : alltrue([for r in var.bigquery.readers : can(regex("^(user|group|domain|serviceAccount|principal|principalSet):.+", r))])
    error_message = "bigquery.readers are accounts like group:NAME@DOMAIN or serviceAccount:NAME@PROJECT.iam.gserviceaccount.com; the records are for nobody else."
  }
}

locals {
  bigquery_columns = jsondecode(file("${path.module}/schemas/changes.bigquery.json"))
}

resource "google_bigquery_dataset" "records" {
  count = var.bigquery == null ? 0 : var.bigquery.dataset == null ? 1 : 0

  project       = var.project
  dataset_id    = replace(var.prefix, "-", "_")
  friendly_name = "Records of Aerospike"
  location      = coalesce(var.bigquery.location, var.region)
  labels        = local.labels
  depends_on    = [google_project_service.api]
}

# Asking for BigQuery's account makes it.
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

  # As for the key: BigQuery asks at once.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_bigquery_table" "records" {
  count = var.bigquery == null ? 0 : 1

  project             = var.project
  dataset_id          = var.bigquery.dataset == null ? google_bigquery_dataset.records[0].dataset_id : var.bigquery.dataset
  table_id            = var.bigquery.table
  friendly_name       = "Records of Aerospike"
  labels              = local.labels
  schema              = jsonencode(local.bigquery_columns)
  clustering          = length(var.bigquery.clustering) == 0 ? null : var.bigquery.clustering
  deletion_protection = var.deletion_protection

  # By it BigQuery knows which row a change is of. The digest is of set and user key,
  # not of the namespace.
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

  # The job below sets it, and a second apply would take it away.
  lifecycle {
    ignore_changes = [max_staleness]
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.bigquery]
}

resource "google_bigquery_table_iam_member" "records_readers" {
  for_each = toset(var.bigquery == null ? [] : var.bigquery.readers)

  project    = var.project
  dataset_id = google_bigquery_table.records[0].dataset_id
  table_id   = google_bigquery_table.records[0].table_id
  role       = "roles/bigquery.dataViewer"
  member     = each.key
}

locals {
  bigquery_table = one([for table in google_bigquery_table.records : "${var.project}.${table.dataset_id}.${table.table_id}"])
}

# The id of a job can be used once in a project: for whatever makes a new job, there is
# a new one.
resource "terraform_data" "staleness" {
  count = length(google_bigquery_table.records)

  triggers_replace = [google_bigquery_table.records[0].creation_time, var.bigquery.max_staleness_minutes, local.labels]
}

# The table's own max_staleness does nothing: BigQuery's API takes it for views and
# external tables alone, and SQL for this one.
resource "google_bigquery_job" "staleness" {
  count = length(google_bigquery_table.records)

  project  = var.project
  job_id   = "${var.prefix}-staleness-${terraform_data.staleness[0].id}"
  location = google_bigquery_table.records[0].location
  labels   = local.labels

  query {
    query              = "ALTER TABLE `${local.bigquery_table}` SET OPTIONS (max_staleness = INTERVAL ${var.bigquery.max_staleness_minutes} MINUTE)"
    use_legacy_sql     = false
    create_disposition = "" # as all that is no SELECT needs
    write_disposition  = ""
  }

  lifecycle {
    ignore_changes = [query] # which BigQuery may tell otherwise than it was asked; what is asked anew has another id

    postcondition {
      condition     = length(flatten(self.status[*].error_result)) == 0
      error_message = "BigQuery has not set the table's max_staleness: ${join(" ", flatten(self.status[*].error_result)[*].message)} Mend that, and apply with -replace of terraform_data.staleness[0]."
    }
  }
}

# Changes as rows: the topic with messages for BigQuery, and the subscription by which
# Pub/Sub writes them to the table.

resource "google_service_account" "bigquery_writer" {
  count = var.bigquery == null ? 0 : 1

  project      = var.project
  account_id   = "${var.prefix}-bigquery"
  display_name = "Aerosink's BigQuery subscription: writes the rows of a table"
  depends_on   = [google_project_service.api]
}

# Pub/Sub becomes this account for writing. Whoever applies needs
# roles/iam.serviceAccountUser, to make a subscription that does.
resource "google_service_account_iam_member" "bigquery_writer_agent" {
  count = length(google_service_account.bigquery_writer)

  service_account_id = google_service_account.bigquery_writer[0].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
  depends_on         = [google_pubsub_topic.bigquery] # by the first topic of a project Pub/Sub's account is there

  # As for the key: Pub/Sub asks at once.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_bigquery_table_iam_member" "records_writer" {
  count = length(google_service_account.bigquery_writer)

  project    = var.project
  dataset_id = google_bigquery_table.records[0].dataset_id
  table_id   = google_bigquery_table.records[0].table_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.bigquery_writer[0].member

  # As for the key: Pub/Sub asks at once.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_pubsub_topic" "bigquery" {
  count = var.bigquery == null ? 0 : 1

  project      = var.project
  name         = "${var.prefix}-bigquery"
  labels       = local.labels
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = local.message_regions
    enforce_in_transit          = var.changes.enforce_in_transit
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_pubsub_topic_iam_member" "bigquery_ingest" {
  count = length(google_pubsub_topic.bigquery)

  project = var.project
  topic   = google_pubsub_topic.bigquery[0].name
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
  message_retention_duration = "2678400s" # 31 days, which is the most

  # What is no column is refused, not dropped: a row without what says UPSERT or DELETE
  # would be one more.
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

  # The most attempts: what fails is BigQuery rather than a message, and passes.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 100
  }

  depends_on = [google_bigquery_table_iam_member.records_writer, google_service_account_iam_member.bigquery_writer_agent]
}

resource "google_pubsub_subscription_iam_member" "bigquery_agent" {
  count = length(google_pubsub_subscription.bigquery)

  project      = var.project
  subscription = google_pubsub_subscription.bigquery[0].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

locals {
  # Without ordering: each message says its place among the changes of its record.
  bigquery_parameters = {
    data     = "bigquery"
    endpoint = var.changes.enforce_in_transit ? var.region : null
  }

  # The function is told when there is a subscription: a message before is nobody's.
  bigquery_sinks = [
    for subscription in google_pubsub_subscription.bigquery :
    "pubsub://${var.project}/${google_pubsub_topic.bigquery[0].name}?${join("&", [for name, value in local.bigquery_parameters : "${name}=${value}" if value != null])}"
  ]
}
