# The function for who keeps Aerospike's own connector, which has no identity of
# Google's: it brings one of two bearer tokens instead.
#
# To rotate: make a token, call it current and the one that senders have previous, raise
# rotation, and apply. Both are let in now. Give senders the new one; the old one is let
# in until the next time.

terraform {
  required_version = ">= 1.11" # for what is written and never kept

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.21"
    }
  }
}

variable "tokens" {
  description = "The tokens that are let in, `current` and `previous`, each made by: openssl rand -hex 32. They come to be in Secret Manager, and neither in the plan nor in the state. Every apply asks for them, and takes them when rotation has changed."
  type        = object({ current = string, previous = string })
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = alltrue([for token in values(var.tokens) : can(regex("^[!-~]{16,}$", token))])
    error_message = "A token is one word of 16 letters or more. Make it by: openssl rand -hex 32"
  }
}

variable "rotation" {
  description = "How often tokens were changed; raise it to have them taken anew."
  type        = number
  default     = 1
}

# The module switches it on as well, but only after it was told the secret.
resource "google_project_service" "secret_manager" {
  project            = var.project
  service            = "secretmanager.googleapis.com"
  disable_on_destroy = false
}

resource "google_secret_manager_secret" "tokens" {
  project   = var.project
  secret_id = "aerosink-tokens"
  labels    = { app = "aerosink" }
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.secret_manager]
}

resource "google_secret_manager_secret_version" "token" {
  for_each = toset(["current", "previous"])

  secret                 = google_secret_manager_secret.tokens.id
  secret_data_wo         = var.tokens[each.key]
  secret_data_wo_version = var.rotation

  # The service goes over to the new ones before the old ones are gone.
  lifecycle {
    create_before_destroy = true
  }
}

module "aerosink" {
  source = "../.."

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

# ESP's machines have to be in the subnetwork, or in another network of the project with
# Private Google Access: from elsewhere the URL is not found.
output "esp_configuration" {
  description = "What Aerospike's connector is told, but for the token."
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
