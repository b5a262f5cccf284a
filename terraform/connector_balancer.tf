# One address in front of all connectors, for a database that cannot list each.

resource "google_compute_address" "connector_balancer" {
  count = try(var.connector.balancer, false) ? 1 : 0

  project         = var.project
  name            = "${local.connector_name}-balancer"
  address_type    = "INTERNAL"
  purpose         = "GCE_ENDPOINT"
  subnetwork      = local.subnetwork
  region          = var.region
  labels          = local.labels
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

# Whether a connector takes connections; one that is about to stop does not.
resource "google_compute_region_health_check" "connector_ready" {
  count = try(var.connector.balancer, false) ? 1 : 0

  project             = var.project
  name                = "${local.connector_name}-ready"
  region              = var.region
  check_interval_sec  = 5
  timeout_sec         = 2
  healthy_threshold   = 2
  unhealthy_threshold = 2
  depends_on          = [google_project_service.api]

  http_health_check {
    port         = local.connector_manage_port
    request_path = "/readyz"
  }
}

resource "google_compute_region_backend_service" "connector" {
  count = try(var.connector.balancer, false) ? 1 : 0

  project                         = var.project
  name                            = local.connector_name
  region                          = var.region
  load_balancing_scheme           = "INTERNAL"
  protocol                        = "TCP"
  health_checks                   = [google_compute_region_health_check.connector_ready[0].id]
  connection_draining_timeout_sec = 30

  backend {
    group          = google_compute_region_instance_group_manager.connector[0].instance_group
    balancing_mode = "CONNECTION"
  }

  # By default a connection stays with an unhealthy connector, and the database would
  # wait for it until TCP gives up.
  connection_tracking_policy {
    tracking_mode                                = "PER_CONNECTION"
    connection_persistence_on_unhealthy_backends = "NEVER_PERSIST"
  }

  # Google does not delete a group that a backend service uses.
  lifecycle {
    replace_triggered_by = [google_compute_region_instance_group_manager.connector[0].id]
  }
}

# Regional: connectors are near the database, since XDR across an ocean is slow.
resource "google_compute_forwarding_rule" "connector" {
  count = try(var.connector.balancer, false) ? 1 : 0

  project               = var.project
  name                  = local.connector_name
  region                = var.region
  labels                = local.labels
  load_balancing_scheme = "INTERNAL"
  ip_protocol           = "TCP"
  ip_address            = google_compute_address.connector_balancer[0].address
  ports                 = [tostring(local.connector_port)]
  network               = data.google_compute_subnetwork.connector[0].network
  subnetwork            = local.subnetwork
  backend_service       = google_compute_region_backend_service.connector[0].id
  allow_global_access   = false
  deletion_policy       = local.deletion_policy

  # Nor a backend service or an address that a rule uses.
  lifecycle {
    replace_triggered_by = [
      google_compute_region_backend_service.connector[0].id,
      google_compute_address.connector_balancer[0].id,
    ]
  }
}
