# Bearer tokens, for senders that cannot have Google's. The secret is the user's own.

locals {
  # A file holds one version, and a variable the other: two can be accepted while senders
  # go over from one to the next. Without a previous one the current is there twice.
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
