# The function with Aerospike's own connector, which has no Google identity and sends one of
# two bearer tokens instead.
#
# To rotate: generate a token, make it current and the one that senders use previous, raise
# rotation, and apply. Both are accepted now. Give senders the new one; the old one is
# accepted until the next rotation.

terraform {
  required_version = ">= 1.11" # for write-only attributes

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}

variable "tokens" {
  description = "Accepted tokens, `current` and `previous`, each from: openssl rand -hex 32. They are stored in Secret Manager, but neither in the plan nor in the state. Every apply asks for them, but uses them only if rotation has changed."
  type        = object({ current = string, previous = string })
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = alltrue([for token in values(var.tokens) : can(regex("^[!-~]{16,}$", token))])
    error_message = "tokens must have 16 or more printable ASCII characters without spaces, such as the output of: openssl rand -hex 32"
  }
}

variable "rotation" {
  description = "Number of the rotation; raise it to store new tokens."
  type        = number
  default     = 1
}

# The module enables the API too, but only after the secret exists.
resource "google_project_service" "secret_manager" {
  project            = var.project
  service            = "secretmanager.googleapis.com"
  disable_on_destroy = false
}

resource "google_secret_manager_secret" "tokens" {
  project   = var.project
  secret_id = "aerosink-tokens-${var.region}"
  labels    = { app = "aerosink" }
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.secret_manager]

  # As its versions are. Only another region replaces it, and that is in its name.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_version" "token" {
  for_each = toset(["current", "previous"])

  secret                 = google_secret_manager_secret.tokens.id
  secret_data_wo         = var.tokens[each.key]
  secret_data_wo_version = var.rotation

  # The service uses the new versions before the old ones are destroyed.
  lifecycle {
    create_before_destroy = true
  }
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform?ref=COMMIT"

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges

  connector = null
  ingest = {
    tokens = {
      secret   = google_secret_manager_secret.tokens.id
      current  = google_secret_manager_secret_version.token["current"].version
      previous = google_secret_manager_secret_version.token["previous"].version
    }
  }
}

# ESP's machines must be in the subnetwork, or in another network of the project with Private
# Google Access. Requests from elsewhere get a 404.
output "esp_configuration" {
  description = "Configuration of Aerospike's connector, without the token."
  value       = <<-EOT
    destinations:
      aerosink:
        urls: [${module.aerosink.ingest_url}]
        protocol: HTTP_2
        call-timeout: 8000
        headers: {Authorization: Bearer TOKEN}
    routing: {mode: static-multi-destination, destinations: [aerosink]}
    format: {mode: json}
  EOT
}
