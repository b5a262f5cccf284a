# A network without a route to the internet: private zones resolve the names that connectors
# use to addresses of Google that are reachable from the network only.
#
# The zones hold for everything in the network. If it has some of them already, add the
# records to those instead.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}

variable "restricted" {
  description = "Whether to use restricted.googleapis.com, which has only services that VPC Service Controls support, instead of private.googleapis.com. Inside a perimeter it is required."
  type        = bool
  default     = false
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform?ref=COMMIT"

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges
}

# The subnetwork may belong to another project, as projects/PROJECT/regions/R/subnetworks/NAME.
# Zones and route are created there.
data "google_compute_subnetwork" "this" {
  project = try(split("/", var.subnetwork)[1], var.project)
  region  = var.region
  name    = basename(var.subnetwork)
}

locals {
  api       = var.restricted ? "restricted.googleapis.com." : "private.googleapis.com."
  range     = var.restricted ? "199.36.153.4/30" : "199.36.153.8/30"
  addresses = [for i in range(4) : cidrhost(local.range, i)]

  # Domains, and the name in each that has the addresses. All other names in it are aliases.
  # Connectors send to Cloud Run, and images come from Artifact Registry.
  zones = {
    googleapis = { domain = "googleapis.com.", name = local.api }
    pkg        = { domain = "pkg.dev.", name = "pkg.dev." }
    run        = { domain = "run.app.", name = "run.app." }
  }
}

resource "google_project_service" "dns" {
  project            = data.google_compute_subnetwork.this.project
  service            = "dns.googleapis.com"
  disable_on_destroy = false
}

resource "google_dns_managed_zone" "google" {
  for_each = local.zones

  project    = data.google_compute_subnetwork.this.project
  name       = "aerosink-${each.key}"
  dns_name   = each.value.domain
  visibility = "private"
  labels     = { app = "aerosink" }
  depends_on = [google_project_service.dns]

  private_visibility_config {
    networks {
      network_url = data.google_compute_subnetwork.this.network
    }
  }
}

resource "google_dns_record_set" "address" {
  for_each = local.zones

  project      = data.google_compute_subnetwork.this.project
  managed_zone = google_dns_managed_zone.google[each.key].name
  name         = each.value.name
  type         = "A"
  ttl          = 300
  rrdatas      = local.addresses
}

resource "google_dns_record_set" "alias" {
  for_each = local.zones

  project      = data.google_compute_subnetwork.this.project
  managed_zone = google_dns_managed_zone.google[each.key].name
  name         = "*.${each.value.domain}"
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [each.value.name]
}

# The gateway's name notwithstanding, these addresses are not reached through the internet.
resource "google_compute_route" "google" {
  project          = data.google_compute_subnetwork.this.project
  name             = "aerosink-google"
  network          = data.google_compute_subnetwork.this.network
  dest_range       = local.range
  next_hop_gateway = "default-internet-gateway"
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}

output "range" {
  description = "Range that connectors must be able to reach on TCP port 443, if the network has firewall rules for egress."
  value       = local.range
}
