# The connector: its variable, service account, roles, configuration and commands.

variable "connector" {
  description = <<-EOT
    The connectors, on virtual machines of their own. Null creates none, for connectors
    elsewhere: on Kubernetes, beside each node of the database, or Aerospike's own.
    - `size`: number of connectors; the database lists each of them. Two of them must be able to carry the load of three.
    - `zones`: zones of the region to spread them over; null lets Google choose. Changing them later recreates all machines at the same time.
    - `machine_type`: with x86 processors and Persistent Disk; one vCPU takes more than 100,000 small changes a second. The connector may use all of its memory but 768 MiB, or half of a smaller one.
    - `os_image`: image or image family of Container-Optimized OS.
    - `rollout`: on-command leaves running machines alone until you run the command in the output roll_connectors, which replaces them one by one; at-once has Google replace all at the same time.
    - `namespaces`: namespaces of the database, for the output xdr_config.
    - `config`: a complete configuration to use instead of ours. It becomes metadata of the machines, so it must not contain secrets. It must listen on 8901, and have manage on 8902.
    - `tls`: XDR over TLS. Secret versions, projects/P/secrets/S/versions/V, of the certificate in PEM with its chain, of its key, and of the authority that signed the database's certificates (without it nodes need no certificate); and the name in the certificate. A config of your own finds the files at /run/aerosink/tls/certificate, …/key and …/authority.
    - `metrics`: whether metrics go to Managed Service for Prometheus, which bills by sample.
    - `collector_image`: image of the collector that sends them.
    - `balancer`: one address in front of all connectors, for databases that cannot list several.
    - `firewall`: whether firewall rules are created. If not, for example in a Shared VPC, somebody else must create them.
  EOT
  type = object({
    size         = optional(number, 3)
    zones        = optional(list(string))
    machine_type = optional(string, "e2-medium")
    os_image     = optional(string, "projects/cos-cloud/global/images/family/cos-stable")
    rollout      = optional(string, "on-command")
    namespaces   = optional(list(string), [])
    config       = optional(string)
    tls = optional(object({
      certificate = string
      key         = string
      authority   = optional(string)
      name        = string
    }))
    metrics         = optional(bool, true)
    collector_image = optional(string, "us-docker.pkg.dev/cloud-ops-agents-artifacts/google-cloud-opentelemetry-collector/otelcol-google:0.156.1")
    balancer        = optional(bool, false)
    firewall        = optional(bool, true)
  })
  default = {}

  validation {
    condition     = var.connector == null || try(var.connector.size >= 1 && var.connector.size <= 32 && floor(var.connector.size) == var.connector.size, false)
    error_message = "connector.size must be an integer from 1 to 32; three is one per zone."
  }

  validation {
    condition     = alltrue([for z in try(coalesce(var.connector.zones, []), []) : startswith(z, "${var.region}-")])
    error_message = "connector.zones must be zones of the region, such as ${var.region}-b."
  }

  validation {
    condition     = try(var.connector.zones, null) == null || try(length(var.connector.zones) >= 1 && length(distinct(var.connector.zones)) == length(var.connector.zones), false)
    error_message = "connector.zones must list at least one zone, and none twice; leave it out to let Google choose three."
  }

  validation {
    condition     = var.connector == null || can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.connector.machine_type)) && !can(regex("^(t2a|[a-z]+4[a-z]?)-", var.connector.machine_type))
    error_message = "connector.machine_type must be a type such as e2-medium or n2-standard-4. Series such as n4 and c4 cannot boot from a Persistent Disk, and t2a, n4a and c4a cannot run our image."
  }

  validation {
    condition     = var.connector == null || can(regex("^projects/[^/]+/global/images/(family/)?[^/]+$", var.connector.os_image))
    error_message = "connector.os_image must be projects/P/global/images/family/F, or …/images/I, of Container-Optimized OS."
  }

  validation {
    condition     = var.connector == null || contains(["on-command", "at-once"], try(var.connector.rollout, ""))
    error_message = "connector.rollout must be on-command or at-once."
  }

  validation {
    condition     = alltrue([for n in try(var.connector.namespaces, []) : can(regex("^[A-Za-z0-9_$-]{1,31}$", n))])
    error_message = "connector.namespaces must be names of Aerospike namespaces: up to 31 letters, digits, _, - and $."
  }

  validation {
    condition = try(var.connector.config, null) == null || try(alltrue([
      can(yamldecode(var.connector.config).service.manage),
      contains(flatten([
        try(yamldecode(var.connector.config).service.manage.port, can(yamldecode(var.connector.config).service.manage.tls) ? [] : [8902]),
      ]), 8902),
      contains(flatten([
        try(yamldecode(var.connector.config).service.tls.port, []),
        try(yamldecode(var.connector.config).service.port, can(yamldecode(var.connector.config).service.tls) ? [] : [8901]),
      ]), 8901),
      var.connector.tls == null || can(yamldecode(var.connector.config).service.tls),
    ]), false)
    error_message = "connector.config must be YAML whose service listens on 8901, with TLS if connector.tls is set, and whose manage section listens on 8902 without TLS: no other port is open, and a machine whose health check fails is recreated again and again. Run `connector check` for the rest."
  }

  validation {
    condition = alltrue([
      for use in ["certificate", "key", "authority"] : can(regex("^projects/[a-z0-9:.-]+/secrets/[A-Za-z0-9_-]+/versions/([0-9]+|latest)$", var.connector.tls[use]))
      if try(var.connector.tls[use], null) != null
    ])
    error_message = "connector.tls must name secret versions: projects/P/secrets/S/versions/3, or …/versions/latest."
  }

  validation {
    condition     = try(var.connector.tls, null) == null || can(regex("^[A-Za-z0-9.-]+$", var.connector.tls.name))
    error_message = "connector.tls.name must be the DNS name in the certificate, which the database verifies."
  }

  validation {
    condition     = var.connector == null || can(regex("^[a-z0-9.-]+\\.[a-z]+/[a-z0-9/._-]+(:[A-Za-z0-9_.-]+(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$", var.connector.collector_image))
    error_message = "connector.collector_image must be an image with its registry and a tag or digest: HOST/PATH:TAG."
  }
}

resource "google_service_account" "connector" {
  project         = var.project
  account_id      = "${var.prefix}-connector"
  display_name    = "Aerosink's connector: sends changes from the database to the function"
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

locals {
  # The ports the connectors listen on, the same as in Aerospike's charts.
  connector_port        = 8901
  connector_manage_port = 8902

  connector_name = "${var.prefix}-connector"

  # Known before anything exists, and the same after a machine is recreated.
  connector_names = toset([for i in range(try(var.connector.size, 0)) : "${local.connector_name}-${i + 1}"])

  # The keys must not depend on the values: if a secret is created in the same apply, its
  # version is not known yet.
  connector_secrets = try(var.connector.tls, null) == null ? {} : merge(
    { certificate = var.connector.tls.certificate, key = var.connector.tls.key },
    var.connector.tls.authority == null ? {} : { authority = var.connector.tls.authority },
  )
}

# These two roles can only be granted on the project.
resource "google_project_iam_member" "connector_logs" {
  count = var.connector == null ? 0 : 1

  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.connector.member
}

resource "google_project_iam_member" "connector_metrics" {
  count = try(var.connector.metrics, false) ? 1 : 0

  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.connector.member
}

resource "google_secret_manager_secret_iam_member" "connector_tls" {
  for_each = local.connector_secrets

  project   = split("/", each.value)[1]
  secret_id = split("/", each.value)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.connector.member
}

# The connector's configuration, which is metadata of the machines' group.

locals {
  # Also without machines, for connectors elsewhere. Ours send identities, not tokens.
  connector_config = var.connector == null && var.ingest.tokens != null ? null : coalesce(try(var.connector.config, null), templatefile("${path.module}/templates/connector.yml.tftpl", {
    port        = local.connector_port
    manage_port = local.connector_manage_port
    url         = local.ingest_url
    audience    = local.audience
    tls         = try(var.connector.tls, null)
    balancer    = try(var.connector.balancer, false)
    allow       = var.connector == null ? [] : var.aerospike_ranges # elsewhere something else says who may connect
  }))
}

# What is on a connector's machine: the script that fetches image, configuration and
# secrets, the systemd units that run the connector, and the cloud-init that installs them.

locals {
  connector_files = var.connector == null ? {} : merge(
    {
      "/etc/aerosink/prepare" = file("${path.module}/templates/prepare.sh")
      "/etc/systemd/system/aerosink.service" = templatefile("${path.module}/templates/aerosink.service.tftpl", {
        ports   = [local.connector_port, local.connector_manage_port]
        secrets = [for use, version in local.connector_secrets : "${use}=${version}"]
      })
    },
    !var.connector.metrics ? {} : {
      "/etc/aerosink/collector.yaml" = templatefile("${path.module}/templates/collector.yaml.tftpl", {
        prefix = var.prefix
        port   = local.connector_manage_port
      })
      "/etc/systemd/system/aerosink-metrics.service" = templatefile("${path.module}/templates/aerosink-metrics.service.tftpl", {
        image = var.connector.collector_image
      })
    },
  )

  # Read at each boot: on Container-Optimized OS nothing below /etc survives one.
  connector_cloud_init = templatefile("${path.module}/templates/cloud-init.yaml.tftpl", {
    files = local.connector_files
    units = [for path in keys(local.connector_files) : basename(path) if endswith(path, ".service")]
  })
}

# What to do once the connectors exist. These are outputs.

locals {
  # With a balancer, only its address.
  connector_hosts = length(google_compute_address.connector_balancer) > 0 ? google_compute_address.connector_balancer[*].address : [
    for name in local.connector_names : google_compute_address.connector[name].address
  ]

  # As connector xdr-config prints it, but without Go and a clone. A test compares them.
  xdr_config = var.connector == null ? null : templatefile("${path.module}/templates/xdr.conf.tftpl", {
    hosts      = local.connector_hosts
    port       = local.connector_port
    tls_name   = try(var.connector.tls.name, null)
    namespaces = length(var.connector.namespaces) == 0 ? ["NAMESPACE"] : var.connector.namespaces
  })

  # Restarts at least, because a running machine does not read the group's metadata
  # again. The others take the stream meanwhile, and the next one waits until this one is
  # back. In a shell of its own, so that exit does not end the user's.
  roll_connectors = var.connector == null ? null : <<-EOT
    (
      set -e
      for instance in ${join(" ", local.connector_names)}; do
        gcloud compute instance-groups managed update-instances ${local.connector_name} --project=${var.project} --region=${var.region} --instances=$instance --minimal-action=restart
        gcloud compute instance-groups managed wait-until ${local.connector_name} --project=${var.project} --region=${var.region} --stable --timeout=900
      done
    )
  EOT
}
