# The connector's half: who it is, and what can be chosen of it.

variable "connector" {
  description = <<-EOT
    The connectors, on virtual machines of their own. Null makes none, for connectors
    elsewhere: on Kubernetes, beside each node of the database, or Aerospike's own.
    - size: how many; the database is told of each. Two of them have to carry the load of three.
    - zones: of the region, that they are spread over; null leaves the choice to Google. Others later mean all machines anew, at the same time, and a balancer has to be taken away before.
    - machine_type: of each, with x86 processors and Persistent Disk; a vCPU takes more than 100,000 small changes a second.
    - os_image: image or family of Container-Optimized OS that machines are made of.
    - rollout: on-command changes no machine that runs until the command in the output roll_connectors does, one after another; at-once has Google do it, all at the same time.
    - namespaces: of the database, for the output xdr_config_command.
    - config: a whole configuration in place of ours, without secrets: it is metadata of the machines. It has to listen on 8901, and on 8902 to be managed.
    - tls: XDR over TLS. Versions of secrets, projects/P/secrets/S/versions/V, of the certificate in PEM with its chain, of its key, and of the authority of the database's certificates (without it nodes need none); and the name in the certificate. A config of your own finds them as /run/aerosink/tls/certificate, …/key and …/authority.
    - metrics: whether figures go to Managed Service for Prometheus, which bills samples.
    - collector_image: what takes them there.
    - balancer: one address in front of all, for databases that cannot be told of several.
    - firewall: whether rules are made; without them, say in a Shared VPC, somebody else has to.
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
    error_message = "connector.size is a whole number from 1 to 32; three is one a zone."
  }

  validation {
    condition     = alltrue([for z in try(coalesce(var.connector.zones, []), []) : startswith(z, "${var.region}-")])
    error_message = "connector.zones are zones of the region, like ${var.region}-b."
  }

  validation {
    condition     = try(var.connector.zones, null) == null || try(length(var.connector.zones) >= 1 && length(distinct(var.connector.zones)) == length(var.connector.zones), false)
    error_message = "connector.zones names a zone twice, or none; leave it out and Google chooses three."
  }

  validation {
    condition     = var.connector == null || can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.connector.machine_type)) && !can(regex("^(t2a|[a-z]+4[a-z]?)-", var.connector.machine_type))
    error_message = "connector.machine_type is a type like e2-medium or n2-standard-4. Series like n4 and c4 have no Persistent Disk to start from, and t2a, n4a and c4a cannot run our image."
  }

  validation {
    condition     = var.connector == null || can(regex("^projects/[^/]+/global/images/(family/)?[^/]+$", var.connector.os_image))
    error_message = "connector.os_image is projects/P/global/images/family/F, or …/images/I, of Container-Optimized OS."
  }

  validation {
    condition     = var.connector == null || contains(["on-command", "at-once"], try(var.connector.rollout, ""))
    error_message = "connector.rollout is on-command or at-once."
  }

  validation {
    condition     = alltrue([for n in try(var.connector.namespaces, []) : can(regex("^[A-Za-z0-9_$-]{1,31}$", n))])
    error_message = "connector.namespaces are names of namespaces of the database: up to 31 letters, digits, _, - and $."
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
    error_message = "connector.config is YAML whose service listens on 8901, over TLS where connector.tls is given, and has manage on 8902 in clear text: no other port is open, and machines without health are made anew, for ever. Ask `connector check` about the rest."
  }

  validation {
    condition = alltrue([
      for use in ["certificate", "key", "authority"] : can(regex("^projects/[a-z0-9:.-]+/secrets/[A-Za-z0-9_-]+/versions/([0-9]+|latest)$", var.connector.tls[use]))
      if try(var.connector.tls[use], null) != null
    ])
    error_message = "connector.tls names versions of secrets: projects/P/secrets/S/versions/3, or …/versions/latest."
  }

  validation {
    condition     = try(var.connector.tls, null) == null || can(regex("^[A-Za-z0-9.-]+$", var.connector.tls.name))
    error_message = "connector.tls.name is the name in the certificate, which the database asks for."
  }

  validation {
    condition     = var.connector == null || can(regex("^[a-z0-9.-]+\\.[a-z]+/[a-z0-9/._-]+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", var.connector.collector_image))
    error_message = "connector.collector_image is an image with its registry and a tag or digest: HOST/PATH:TAG."
  }
}

resource "google_service_account" "connector" {
  project      = var.project
  account_id   = "${var.prefix}-connector"
  display_name = "Aerosink's connector: takes changes from the database to the function"
  depends_on   = [google_project_service.api]
}

locals {
  # What the connectors listen on; Aerospike's charts have the same numbers.
  connector_port        = 8901
  connector_manage_port = 8902

  connector_name = "${var.prefix}-connector"

  # Known before anything is there, and the same after a machine was made anew.
  connector_names = toset([for i in range(try(var.connector.size, 0)) : "${local.connector_name}-${i + 1}"])

  # Which there are must not depend on what they are: who makes a secret in the same
  # apply does not know its version yet.
  connector_secrets = try(var.connector.tls, null) == null ? {} : merge(
    { certificate = var.connector.tls.certificate, key = var.connector.tls.key },
    var.connector.tls.authority == null ? {} : { authority = var.connector.tls.authority },
  )
}

# The two roles have no smaller scope than the project.
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

# What is on a connector's machine: the connector's configuration, the units that run
# it, and what brings them there.

locals {
  connector_config = var.connector == null ? null : coalesce(var.connector.config, templatefile("${path.module}/templates/connector.yml.tftpl", {
    port        = local.connector_port
    manage_port = local.connector_manage_port
    url         = local.ingest_url
    audience    = local.audience
    tls         = var.connector.tls
    balancer    = var.connector.balancer
  }))

  connector_files = var.connector == null ? {} : merge(
    {
      "/etc/aerosink/connector.yml" = local.connector_config
      "/etc/aerosink/prepare"       = file("${path.module}/templates/prepare.sh")
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

  # Read at each start of the machine: on Container-Optimized OS nothing below /etc outlives one.
  connector_cloud_init = templatefile("${path.module}/templates/cloud-init.yaml.tftpl", {
    files = local.connector_files
    units = [for path in keys(local.connector_files) : basename(path) if endswith(path, ".service")]
  })
}

# What a person runs once the connectors are there, as outputs.

locals {
  # A balancer stands for all of them.
  connector_hosts = length(google_compute_address.connector_balancer) > 0 ? google_compute_address.connector_balancer[*].address : [
    for name in local.connector_names : google_compute_address.connector[name].address
  ]

  xdr_config_command = var.connector == null ? null : join(" ", concat(
    ["terraform -chdir=terraform output -raw connector_config | go run ./connector/cmd/connector xdr-config -config /dev/stdin"],
    [for host in local.connector_hosts : "-host ${host}"],
    var.connector.tls == null ? [] : ["-tls-name ${var.connector.tls.name}"],
    length(var.connector.namespaces) == 0 ? ["-namespace NAMESPACE"] : [for n in var.connector.namespaces : "-namespace '${n}'"],
  ))

  # A restart at least: what runs does not look again at the group's metadata. The rest
  # takes the stream meanwhile; the next one has to wait until it is back. In a shell of
  # its own, which may end where a person's should not.
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
