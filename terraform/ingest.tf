# The function: its variable, service account, environment and address. It runs as a Cloud
# Run service (service.tf), or as a function that Google builds (function.tf).

variable "ingest" {
  description = <<-EOT
    How the function receives changes:
    - `ingress`: where requests may come from: `internal` (the project's networks and the network of subnetwork), `internal-and-load-balancer`, or `all`. Callers still need permission.
    - `min_instances`, `max_instances`: number of instances. One publishes about 25,000 changes a second to Pub/Sub.
    - `concurrency`: concurrent requests in an instance.
    - `cpu`: processors of an instance: 1, 2, 4, 6 or 8.
    - `memory`: memory of an instance, in MiB.
    - `environment`: more environment variables of the function, such as `MAX_BODY` or `LOG_LEVEL`; `sink env` lists them.
    - `metrics`: whether a second container sends metrics to Managed Service for Prometheus. It needs the processor between requests, so instances are billed for as long as they run: about US$ 100 a month for one, instead of 10 for an idle one. Not available with `function_source`.
    - `collector`: that container's `image`, `cpu`, and `memory` in MiB.
    - `tokens`: bearer tokens instead of Google identities, for senders that cannot have one: a `secret`, and the numbers of one or two of its versions, `current` and `previous`. Null requires identities.
    - `function_source`: zip of the sources, from which Google builds a function instead of the service. Null runs the service.
  EOT
  type = object({
    ingress       = optional(string, "internal")
    min_instances = optional(number, 1)
    max_instances = optional(number, 20)
    concurrency   = optional(number, 80)
    cpu           = optional(number, 1)
    memory        = optional(number, 512)
    environment   = optional(map(string), {})
    metrics       = optional(bool, false)
    collector = optional(object({
      image  = optional(string, "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.9.2@sha256:ff1fc68871118f1032a3ce17e2b0abd703292e883989d220244330ebdf522fd1")
      cpu    = optional(number, 1)
      memory = optional(number, 512)
    }), {})
    tokens = optional(object({
      secret   = string
      current  = string
      previous = optional(string)
    }))
    function_source = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["internal", "internal-and-load-balancer", "all"], var.ingest.ingress)
    error_message = "ingest.ingress must be internal, internal-and-load-balancer or all."
  }

  validation {
    condition     = alltrue([for n in [var.ingest.min_instances, var.ingest.max_instances, var.ingest.concurrency, var.ingest.memory, var.ingest.collector.memory] : n == floor(n)])
    error_message = "ingest.min_instances, max_instances, concurrency, memory and collector.memory must be integers."
  }

  validation {
    condition     = var.ingest.min_instances >= 0 && var.ingest.max_instances >= max(1, var.ingest.min_instances)
    error_message = "ingest.max_instances must be at least 1 and at least ingest.min_instances, which must be 0 or more."
  }

  validation {
    condition     = var.ingest.concurrency >= 1 && var.ingest.concurrency <= 1000
    error_message = "ingest.concurrency must be 1 to 1000."
  }

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.ingest.cpu)
    error_message = "ingest.cpu must be 1, 2, 4, 6 or 8; with less than 1, Cloud Run admits one request at a time."
  }

  validation {
    condition     = var.ingest.memory >= (var.ingest.cpu < 4 ? 512 : var.ingest.cpu < 6 ? 2048 : 4096) && var.ingest.memory <= 4096 * var.ingest.cpu
    error_message = "ingest.memory must be at least 512 MiB, 2048 with a cpu of 4, 4096 with more, and at most 4096 for each of ingest.cpu."
  }

  validation {
    condition     = var.ingest.collector.cpu >= 0.08 && var.ingest.collector.cpu <= 1 && var.ingest.collector.memory >= 128 && var.ingest.collector.memory <= 4096
    error_message = "ingest.collector must have a cpu from 0.08 to 1, and a memory from 128 to 4096 MiB."
  }

  validation {
    condition     = can(regex("^[a-z0-9.-]+/.+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", var.ingest.collector.image)) && !endswith(var.ingest.collector.image, ":latest")
    error_message = "ingest.collector.image must be an image with its registry and a tag or digest; latest is refused, because it changes."
  }

  validation {
    condition     = alltrue([for name in keys(var.ingest.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "ingest.environment must have names of letters, digits and underscores."
  }

  validation {
    condition = !anytrue([for name in keys(var.ingest.environment) :
    can(regex("^(SINKS|DEAD_LETTERS|METRICS_PORT|PORT|K_.*|X_GOOGLE_.*|CLOUD_RUN_.*|FUNCTION_.*)$", name))])
    error_message = "ingest.environment must not set variables that are set already: SINKS and DEAD_LETTERS follow from changes, archive, bigquery and dead_letters, METRICS_PORT from ingest.metrics, and PORT, K_*, X_GOOGLE_*, CLOUD_RUN_* and FUNCTION_* are Cloud Run's own."
  }

  validation {
    condition     = !anytrue([for name in keys(var.ingest.environment) : startswith(name, "AUTH_TOKENS")])
    error_message = "ingest.environment must not contain tokens, because everyone who can view the service could read them. Put them into Secret Manager, and name the secret and its versions in ingest.tokens."
  }

  validation {
    condition     = !anytrue([for name in keys(var.ingest.environment) : endswith(name, "_EMULATOR_HOST")])
    error_message = "ingest.environment must not contain an emulator's address: changes would be acknowledged but not stored."
  }

  validation {
    condition = alltrue([for setting in [for name, value in var.ingest.environment : "${name}=${value}"] : anytrue([
      !can(regex("^(MAX_[A-Z_]+|([A-Z]+_)?TIMEOUT|LOG_LEVEL)=", setting)),
      can(regex("^MAX_(BODY|INFLATED|IN_FLIGHT|CHANGE|HEADER)=[1-9][0-9]*([KMG]iB)?$", setting)),
      can(regex("^MAX_(CHANGES|DEPTH)=[1-9][0-9]*$", setting)),
      can(regex("^((HEADER|BODY)_)?TIMEOUT=[1-9][0-9]*(ms|s|m)([1-9][0-9]*(ms|s))*$", setting)),
      can(regex("^LOG_LEVEL=(debug|info|warn|error)$", setting)),
    ])])
    error_message = "ingest.environment must have values that the function accepts: sizes such as 32MiB, durations such as 9s, numbers for MAX_CHANGES and MAX_DEPTH, and debug, info, warn or error for LOG_LEVEL."
  }

  validation {
    condition     = alltrue([for t in var.ingest.tokens[*] : can(regex("^(projects/[a-z0-9:.-]+/secrets/)?[A-Za-z0-9_-]{1,255}$", t.secret))])
    error_message = "ingest.tokens.secret must be the name of a secret, or projects/PROJECT/secrets/NAME; never a token itself."
  }

  validation {
    condition     = alltrue(flatten([for t in var.ingest.tokens[*] : [for v in [t.current, t.previous] : v == null || can(regex("^[1-9][0-9]*$", v))]]))
    error_message = "ingest.tokens.current and previous must be numbers of versions, for example 1 and 2; with latest, some instances would read it and others not."
  }

  validation {
    condition     = var.ingest.tokens == null || var.ingest.ingress != "all"
    error_message = "ingest.tokens cannot be used with ingest.ingress all: the whole internet could try tokens. Use internal, or put a load balancer in front."
  }

  validation {
    condition     = var.ingest.tokens == null || var.ingest.function_source == null
    error_message = "ingest.tokens needs the service: a function without identities would admit everybody. Leave out ingest.function_source."
  }

  validation {
    condition     = var.ingest.tokens == null || var.connector == null || try(var.connector.config, null) != null
    error_message = "ingest.tokens would turn away our connectors, which send identities: set connector to null, or give a connector.config with tokens."
  }

  validation {
    condition     = var.ingest.function_source == null || try(fileexists(var.ingest.function_source), false)
    error_message = "ingest.function_source is not a file. Create it at the top of the clone: mkdir -p bin && gcloud meta list-files-for-upload | zip -qX@ bin/function.zip"
  }
}

resource "google_service_account" "ingest" {
  project         = var.project
  account_id      = "${var.prefix}-ingest"
  display_name    = "Aerosink's function: receives and stores changes"
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

locals {
  is_function = var.ingest.function_source != null

  # The names differ, so that one can be created while the other still exists.
  ingest_service = local.is_function ? "${var.prefix}-function" : "${var.prefix}-ingest"

  ingest_url = one(concat(
    google_cloud_run_v2_service.ingest[*].uri,
    google_cloudfunctions2_function.ingest[*].service_config[0].uri,
  ))

  # A custom audience for identity tokens: known before the service exists, and the same
  # after it is recreated. A function cannot have one.
  custom_audience = "https://${var.prefix}.ingest"
  audience        = local.is_function ? local.ingest_url : local.custom_audience

  # The sinks of the function; each sink's file adds its own.
  sinks = concat(local.changes_sinks, local.archive_sinks, local.bigquery_sinks)

  # The Functions Framework has no second port.
  has_metrics = var.ingest.metrics && !local.is_function

  environment = merge(
    var.ingest.environment,
    {
      SINKS        = join(",", local.sinks)
      DEAD_LETTERS = local.dead_letters
    },
    local.has_metrics ? { METRICS_PORT = "9090" } : {},
    var.ingest.tokens == null ? {} : { AUTH_TOKENS_FILE = "/etc/aerosink/tokens" },
  )

  # Requests from a Shared VPC count as internal only if their target is in that network
  # itself; all others get a 404.
  shared_subnetworks = var.ingest.ingress == "all" || !startswith(var.subnetwork, "projects/") || startswith(var.subnetwork, "projects/${var.project}/") ? [] : [var.subnetwork]
}

# Cloud Run's service agent takes addresses of the shared subnetwork.
resource "google_compute_subnetwork_iam_member" "ingest" {
  for_each = toset(local.shared_subnetworks)

  project    = split("/", each.key)[1]
  region     = split("/", each.key)[3]
  subnetwork = split("/", each.key)[5]
  role       = "roles/compute.networkUser"
  member     = "serviceAccount:service-${local.project_number}@serverless-robot-prod.iam.gserviceaccount.com"
  depends_on = [google_project_service.api]
}

# Bearer tokens, for senders without a Google identity. The secret is the user's own.

locals {
  # A file holds one version and a variable the other, so that both are accepted while
  # senders change over. Without a previous one both hold the current.
  token_versions = [for t in var.ingest.tokens[*] : {
    secret   = t.secret
    file     = t.current
    variable = coalesce(t.previous, t.current)
  }]
}

resource "google_secret_manager_secret_iam_member" "tokens_ingest" {
  count = var.ingest.tokens == null ? 0 : 1

  project   = try(split("/", var.ingest.tokens.secret)[1], var.project)
  secret_id = var.ingest.tokens.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.ingest.member
}
