# The connectors' network: the subnetwork, their addresses, and firewall rules.

locals {
  subnetwork_parts = split("/", var.subnetwork)
  subnetwork       = length(local.subnetwork_parts) > 1 ? var.subnetwork : "projects/${var.project}/regions/${var.region}/subnetworks/${var.subnetwork}"
}

# No depends_on: with a subnetwork the API is on already, and data that is read only
# after other changes would replace rules and addresses each time.
data "google_compute_subnetwork" "connector" {
  count = var.connector == null ? 0 : 1

  project = split("/", local.subnetwork)[1]
  region  = split("/", local.subnetwork)[3]
  name    = split("/", local.subnetwork)[5]

  lifecycle {
    postcondition {
      condition     = self.private_ip_google_access
      error_message = "The connectors have no external addresses and subnetwork ${var.subnetwork} has no Private Google Access, so they could not reach the function. Turn it on: gcloud compute networks subnets update ${self.name} --project=${self.project} --region=${self.region} --enable-private-ip-google-access"
    }

    postcondition {
      condition     = self.region == var.region
      error_message = "Subnetwork ${var.subnetwork} is in ${self.region}, but the connectors are in ${var.region}. Use a subnetwork in ${var.region}; the database may be in another region."
    }
  }
}

# Reserved, so that the database's configuration stays valid when a machine is recreated.
resource "google_compute_address" "connector" {
  for_each = local.connector_names

  project         = var.project
  name            = each.key
  address_type    = "INTERNAL"
  purpose         = "GCE_ENDPOINT"
  subnetwork      = local.subnetwork
  region          = var.region
  labels          = local.labels
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

# Rules belong to the network's project, which is another one in a Shared VPC. The default
# network has a rule that admits 10.128.0.0/9 to every port, and others may have rules of
# the default priority, 1000: hence a denial before these, and our rules before it.

locals {
  firewall_priority_allow = 900
  firewall_priority_deny  = 950
}

resource "google_compute_firewall" "connector_xdr" {
  count = try(var.connector.firewall, false) ? 1 : 0

  project                 = data.google_compute_subnetwork.connector[0].project
  name                    = "${local.connector_name}-xdr"
  network                 = data.google_compute_subnetwork.connector[0].network
  direction               = "INGRESS"
  priority                = local.firewall_priority_allow
  source_ranges           = var.aerospike_ranges
  target_service_accounts = [google_service_account.connector.email]

  allow {
    protocol = "tcp"
    ports    = [tostring(local.connector_port)]
  }
}

resource "google_compute_firewall" "connector_health" {
  count = try(var.connector.firewall, false) ? 1 : 0

  project                 = data.google_compute_subnetwork.connector[0].project
  name                    = "${local.connector_name}-health"
  network                 = data.google_compute_subnetwork.connector[0].network
  direction               = "INGRESS"
  priority                = local.firewall_priority_allow
  source_ranges           = ["35.191.0.0/16", "130.211.0.0/22"] # Google's health checks
  target_service_accounts = [google_service_account.connector.email]

  allow {
    protocol = "tcp"
    ports    = [tostring(local.connector_manage_port)]
  }
}

# Whoever can open a connection can have a change acknowledged and published.
resource "google_compute_firewall" "connector_denied" {
  count = try(var.connector.firewall, false) ? 1 : 0

  project                 = data.google_compute_subnetwork.connector[0].project
  name                    = "${local.connector_name}-denied"
  network                 = data.google_compute_subnetwork.connector[0].network
  direction               = "INGRESS"
  priority                = local.firewall_priority_deny
  source_ranges           = ["0.0.0.0/0"]
  target_service_accounts = [google_service_account.connector.email]

  deny {
    protocol = "tcp"
    ports    = [tostring(local.connector_port), tostring(local.connector_manage_port)]
  }
}
