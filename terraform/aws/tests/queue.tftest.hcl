# The queue, the stream, and what the function writes there.

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

run "by_default" {
  command = plan

  assert {
    condition     = local.sinks == ["sqs://eu-west-1/123456789012/aerosink-changes.fifo?ordering=256"]
    error_message = "Unexpected sinks: ${join(",", local.sinks)}"
  }

  assert {
    condition = (aws_sqs_queue.changes[0].fifo_queue
      && aws_sqs_queue.changes[0].deduplication_scope == "messageGroup"
      && aws_sqs_queue.changes[0].fifo_throughput_limit == "perMessageGroupId"
      && aws_sqs_queue.changes[0].content_based_deduplication == null
      && aws_sqs_queue.changes[0].max_message_size == 1048576
    && aws_sqs_queue.changes[0].message_retention_seconds == 1209600)
    error_message = "The queue is not FIFO with high throughput, or does not take messages of 1 MiB for 14 days."
  }

  assert {
    condition     = aws_sqs_queue.changes[0].sqs_managed_sse_enabled && length(aws_sqs_queue.undelivered) == 0
    error_message = "The queue is not encrypted, or moves messages elsewhere."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.tls["changes"].policy).Statement[0].Resource == "arn:aws:sqs:eu-west-1:123456789012:aerosink-changes.fifo"
    error_message = "The queue takes requests without TLS."
  }

  assert {
    condition     = length(aws_kinesis_stream.changes) == 0 && length(aws_s3_bucket.archive) == 0
    error_message = "There is a stream or an archive."
  }
}

run "one_order_for_all" {
  command = plan

  variables {
    queue = { group = "queue", dedup = false, data = "as-received", retention_days = 4 }
  }

  assert {
    condition     = local.sinks == ["sqs://eu-west-1/123456789012/aerosink-changes.fifo?data=as-received&dedup=off&group=queue"]
    error_message = "Unexpected sinks: ${join(",", local.sinks)}"
  }
}

run "packed" {
  command = plan

  variables {
    queue = { ordering = 4096, packed = {} }
  }

  assert {
    condition     = local.sinks == ["sqs://eu-west-1/123456789012/aerosink-changes.fifo?compression=zstd&mode=packed&ordering=4096&packed=ndjson"]
    error_message = "Unexpected sinks: ${join(",", local.sinks)}"
  }
}

run "undelivered" {
  command = plan

  variables {
    queue = { attempts = 5 }
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.changes[0].redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:aerosink-undelivered.fifo", maxReceiveCount = 5 }
    error_message = "Messages do not go to the queue of undelivered ones after five deliveries: ${aws_sqs_queue.changes[0].redrive_policy}"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.undelivered[0].redrive_allow_policy).sourceQueueArns == ["arn:aws:sqs:eu-west-1:123456789012:aerosink-changes.fifo"] && contains(keys(aws_sqs_queue_policy.tls), "undelivered")
    error_message = "Other queues can use the queue of undelivered messages, or requests without TLS can."
  }

  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.alarm), "queue-undelivered")
    error_message = "Nobody is told of undelivered messages."
  }
}

run "stream_on_demand" {
  command = plan

  variables {
    queue  = null
    stream = {}
  }

  assert {
    condition     = local.sinks == ["kinesis://eu-west-1/123456789012/aerosink-changes?ordering=256"] && output.queue == null
    error_message = "Unexpected sinks: ${join(",", local.sinks)}"
  }

  assert {
    condition     = aws_kinesis_stream.changes[0].stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.changes[0].encryption_type == "KMS" && aws_kinesis_stream.changes[0].kms_key_id == "alias/aws/kinesis"
    error_message = "The stream is not on demand, or not encrypted."
  }

  assert {
    condition     = [for s in local.function_statements : s.Sid] == ["Log", "Stream", "Objects", "Tokens"]
    error_message = "Unexpected rights: ${join(", ", [for s in local.function_statements : s.Sid])}"
  }
}

run "stream_with_shards" {
  command = plan

  variables {
    stream = { shards = 4, key = "digest", data = "message-pack", envelope = true, retention_hours = 168, max_record_kib = 10240 }
  }

  assert {
    condition     = local.stream_sinks == ["kinesis://eu-west-1/123456789012/aerosink-changes?data=message-pack&envelope=json&key=digest"] && length(local.sinks) == 2
    error_message = "Unexpected sinks: ${join(",", local.sinks)}"
  }

  assert {
    condition = (aws_kinesis_stream.changes[0].stream_mode_details[0].stream_mode == "PROVISIONED"
      && aws_kinesis_stream.changes[0].shard_count == 4
      && aws_kinesis_stream.changes[0].retention_period == 168
    && aws_kinesis_stream.changes[0].max_record_size_in_kib == 10240)
    error_message = "The stream has unexpected settings."
  }
}

run "nowhere" {
  command = plan

  variables {
    queue = null
  }

  expect_failures = [aws_lambda_function.this]
}
