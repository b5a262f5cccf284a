# The function as Google builds it from a zip of the sources, with the Functions
# Framework's server: HTTP/1.1, no metrics, and requests in flight are cut off when it
# stops.

resource "google_service_account" "function" {
  count = local.is_function ? 1 : 0

  project         = var.project
  account_id      = "${var.prefix}-function"
  display_name    = "Aerosink's function: runs its builds"
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

resource "google_project_iam_member" "logs_function" {
  count = local.is_function ? 1 : 0

  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.function[0].member
}

# Google builds a copy of the zip in a bucket of its own, which exists only from the first
# build on: hence a grant on the project, limited to this bucket.
resource "google_project_iam_member" "source_function" {
  count = local.is_function ? 1 : 0

  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.function[0].member
  condition {
    title      = "sources-of-functions"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${local.project_number}-${var.region}\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "images_function" {
  count = local.is_function ? 1 : 0

  project    = var.project
  repository = google_artifact_registry_repository.images.id
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.function[0].member
}

# The build sees grants up to a minute late, and fails without them.
resource "terraform_data" "function_grants" {
  count = local.is_function ? 1 : 0

  triggers_replace = [
    google_project_iam_member.logs_function[0].id,
    google_project_iam_member.source_function[0].id,
    google_artifact_registry_repository_iam_member.images_function[0].id,
  ]

  provisioner "local-exec" {
    command = "sleep 90"
  }
}

resource "google_storage_bucket" "function" {
  count = local.is_function ? 1 : 0

  project                     = var.project
  name                        = "${var.project}-${var.prefix}-function"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # it holds copies of the zip only
  depends_on                  = [google_project_service.api, google_kms_crypto_key_iam_member.agents]

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_storage_bucket_object" "function" {
  count = local.is_function ? 1 : 0

  bucket = google_storage_bucket.function[0].id
  name   = "${filesha256(var.ingest.function_source)}.zip" # only a new name starts a new build
  source = var.ingest.function_source
}

resource "google_cloudfunctions2_function" "ingest" {
  count = local.is_function ? 1 : 0

  project         = var.project
  name            = local.ingest_service
  location        = var.region
  labels          = local.labels
  deletion_policy = local.deletion_policy

  kms_key_name = var.kms_key

  build_config {
    runtime           = "go126"
    entry_point       = "Receive"
    docker_repository = google_artifact_registry_repository.images.id
    service_account   = google_service_account.function[0].id
    source {
      storage_source {
        bucket = google_storage_bucket.function[0].name
        object = google_storage_bucket_object.function[0].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.ingest.email
    ingress_settings                 = { internal = "ALLOW_INTERNAL_ONLY", internal-and-load-balancer = "ALLOW_INTERNAL_AND_GCLB", all = "ALLOW_ALL" }[var.ingest.ingress]
    min_instance_count               = var.ingest.min_instances
    max_instance_count               = var.ingest.max_instances
    max_instance_request_concurrency = var.ingest.concurrency # the default is 1
    available_cpu                    = tostring(var.ingest.cpu)
    available_memory                 = "${var.ingest.memory}Mi"
    timeout_seconds                  = 60
    environment_variables            = local.environment
    direct_vpc_egress                = one([for s in local.shared_subnetworks : "VPC_EGRESS_PRIVATE_RANGES_ONLY"])

    dynamic "direct_vpc_network_interface" {
      for_each = local.shared_subnetworks
      content {
        subnetwork = direct_vpc_network_interface.value
      }
    }
  }

  depends_on = [
    terraform_data.function_grants,
    google_kms_crypto_key_iam_member.agents,
    google_compute_subnetwork_iam_member.ingest,
    google_pubsub_topic_iam_member.changes_ingest,
    google_storage_bucket_iam_member.archive_ingest,
    google_storage_bucket_iam_member.dead_letters_ingest,
  ]
}

# Callers need a grant on the function and on the Cloud Run service behind it, which
# service.tf gives.
resource "google_cloudfunctions2_function_iam_member" "ingest_connector" {
  count = local.is_function ? 1 : 0

  project        = var.project
  cloud_function = google_cloudfunctions2_function.ingest[0].id
  location       = var.region
  role           = "roles/cloudfunctions.invoker"
  member         = google_service_account.connector.member
}
