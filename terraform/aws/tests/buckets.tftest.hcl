# The buckets of changes and of dead letters.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account    = "123456789012"
  region     = "eu-west-1"
  package    = "tests/package.zip"
  connectors = ["10.0.0.5", "10.0.0.6"]
}

run "dead_letters_by_default" {
  command = plan

  assert {
    condition     = local.dead_letters == "s3://aerosink-dead-letters-123456789012-eu-west-1/letters?region=eu-west-1" && length(aws_sqs_queue.dead_letters) == 0
    error_message = "Unexpected place of dead letters: ${local.dead_letters}"
  }

  assert {
    condition     = keys(local.buckets) == ["dead-letters"] && !aws_s3_bucket.dead_letters[0].force_destroy
    error_message = "There is another bucket, or a destroy deletes dead letters."
  }
}

run "dead_letters_in_a_queue" {
  command = plan

  variables {
    dead_letters = { kind = "queue" }
  }

  assert {
    condition     = local.dead_letters == "sqs://eu-west-1/123456789012/aerosink-dead-letters.fifo" && length(local.buckets) == 0
    error_message = "Unexpected place of dead letters: ${local.dead_letters}"
  }

  assert {
    condition     = local.written_queues == ["arn:aws:sqs:eu-west-1:123456789012:aerosink-changes.fifo", "arn:aws:sqs:eu-west-1:123456789012:aerosink-dead-letters.fifo"] && contains(keys(aws_sqs_queue_policy.tls), "dead-letters")
    error_message = "The function cannot write dead letters, or anybody can without TLS."
  }
}

run "archive" {
  command = plan

  variables {
    archive = {}
  }

  assert {
    condition     = local.archive_sinks == ["s3://aerosink-archive-123456789012-eu-west-1/changes?compression=gzip&format=ndjson&region=eu-west-1"]
    error_message = "Unexpected sinks: ${join(",", local.archive_sinks)}"
  }

  assert {
    condition     = alltrue([for b in aws_s3_bucket_public_access_block.all : b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets]) && keys(aws_s3_bucket_public_access_block.all) == ["archive", "dead-letters"]
    error_message = "A bucket can be made public."
  }

  assert {
    condition     = alltrue([for b in aws_s3_bucket_server_side_encryption_configuration.all : one(one(b.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"])
    error_message = "A bucket is not encrypted."
  }

  assert {
    condition     = alltrue([for b in aws_s3_bucket_versioning.all : b.versioning_configuration[0].status == "Enabled"]) && keys(aws_s3_bucket_versioning.all) == ["archive", "dead-letters"]
    error_message = "Deleted files cannot be restored."
  }

  assert {
    condition = [for s in jsondecode(aws_s3_bucket_policy.all["archive"].policy).Statement : [s.Sid, s.Effect, s.Principal, s.Action]] == [
      ["OnlyTLS", "Deny", "*", "s3:*"], ["OnlyNewFiles", "Deny", "*", "s3:PutObject"],
    ]
    error_message = "The bucket's policy is not the two denials: ${aws_s3_bucket_policy.all["archive"].policy}"
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.all["archive"].policy).Statement[1].Condition == {
      Null = { "s3:if-none-match" = "true" }, Bool = { "s3:ObjectCreationOperation" = "true" }
    }
    error_message = "Files in the archive can be overwritten."
  }

  assert {
    condition = one([for s in local.function_statements : s if s.Sid == "Objects"]).Resource == [
      "arn:aws:s3:::aerosink-archive-123456789012-eu-west-1/changes/*", "arn:aws:s3:::aerosink-dead-letters-123456789012-eu-west-1/letters/*",
    ]
    error_message = "The function may write elsewhere, or not where it has to."
  }
}

run "parquet_with_path_and_ages" {
  command = plan

  variables {
    force_destroy = true
    archive       = { format = "parquet", prefix = "shop/changes", path = "set={set}/dt={date}", transitions = { STANDARD_IA = 30, DEEP_ARCHIVE = 365 }, expire_days = 3650, restore_days = 0 }
    dead_letters  = { expire_days = 90 }
  }

  assert {
    condition     = local.archive_sinks == ["s3://aerosink-archive-123456789012-eu-west-1/shop/changes?format=parquet&path=set%3D%7Bset%7D%2Fdt%3D%7Bdate%7D&region=eu-west-1"]
    error_message = "Unexpected sinks: ${join(",", local.archive_sinks)}"
  }

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.all["archive"].rule : r.id] == ["unfinished", "expire", "transitions"] && [for r in aws_s3_bucket_lifecycle_configuration.all["dead-letters"].rule : r.id] == ["unfinished", "restore", "expire"]
    error_message = "The buckets have unexpected rules."
  }

  assert {
    condition     = toset([for t in aws_s3_bucket_lifecycle_configuration.all["archive"].rule[2].transition : "${t.storage_class} ${t.days}"]) == toset(["STANDARD_IA 30", "DEEP_ARCHIVE 365"])
    error_message = "Files do not move to the other classes."
  }

  assert {
    condition     = keys(aws_s3_bucket_versioning.all) == ["dead-letters"] && aws_s3_bucket.archive[0].force_destroy
    error_message = "The archive keeps versions, or a destroy fails for it."
  }
}
