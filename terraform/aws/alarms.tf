# Alarms. Each has a runbook of the same name in runbooks.

variable "alarms" {
  description = <<-EOT
    Alarms, their thresholds and who gets them:
    - `enabled`: whether to create alarms.
    - `topics`: ARNs of SNS topics that get them. Without any, they appear only in the console.
    - `error_ratio`: share of requests that are answered with 5xx.
    - `duration_ratio`: share of the 9 seconds in which the function answers that an invocation takes.
    - `age_minutes`: age of the oldest message in the queue, and of the oldest record that a consumer of the stream reads.
  EOT
  type = object({
    enabled        = optional(bool, true)
    topics         = optional(list(string), [])
    error_ratio    = optional(number, 0.05)
    duration_ratio = optional(number, 0.8)
    age_minutes    = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arn in var.alarms.topics : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "alarms.topics must be ARNs of SNS topics, arn:aws:sns:REGION:ACCOUNT:NAME; a FIFO topic cannot get alarms."
  }

  validation {
    condition     = alltrue([for ratio in [var.alarms.error_ratio, var.alarms.duration_ratio] : ratio > 0 && ratio < 1])
    error_message = "alarms.error_ratio and duration_ratio must be between 0 and 1; 0.05 is 5 %."
  }

  validation {
    condition     = var.alarms.age_minutes >= 1
    error_message = "alarms.age_minutes must be 1 or more."
  }
}

locals {
  # Each alarm compares one metric, or a ratio of two, with a threshold. It goes off when
  # that was so in some of the last minutes. A metric without data is no alarm.
  function_alarms = {
    function-errors = {
      title   = "invocations of the function fail"
      metric  = { namespace = "AWS/Lambda", name = "Errors", statistic = "Sum", dimensions = { FunctionName = var.prefix } }
      above   = 0
      minutes = 1
      of      = 1
    }
    function-throttles = {
      title   = "invocations are throttled"
      metric  = { namespace = "AWS/Lambda", name = "Throttles", statistic = "Sum", dimensions = { FunctionName = var.prefix } }
      above   = 0
      minutes = 3
      of      = 5
    }
    function-duration = {
      title   = "invocations take nearly as long as they may"
      metric  = { namespace = "AWS/Lambda", name = "Duration", statistic = "Maximum", dimensions = { FunctionName = var.prefix } }
      above   = local.answer_seconds * 1000 * var.alarms.duration_ratio
      minutes = 3
      of      = 5
    }
    function-refused-events = {
      title   = "the front sends what is no request, or what it has broken"
      metric  = { namespace = "Aerosink", name = "EventsRefused", statistic = "Sum", dimensions = { FunctionName = var.prefix } }
      above   = 0
      minutes = 1
      of      = 1
    }
    function-dead-letters = {
      title   = "changes become dead letters"
      metric  = { namespace = "Aerosink", name = "DeadLetters", statistic = "Sum", dimensions = { FunctionName = var.prefix } }
      above   = 0
      minutes = 1
      of      = 1
    }
    front-errors = {
      title   = "requests are answered with 5xx"
      metric  = { namespace = local.front.metric.namespace, name = local.front.metric.errors, statistic = "Sum", dimensions = local.front.metric.dimensions }
      per     = local.front.metric.requests
      above   = var.alarms.error_ratio
      minutes = 10
      of      = 10
    }
  }

  queue_alarms = var.queue == null ? {} : {
    queue-age = {
      title   = "messages wait in the queue"
      metric  = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", statistic = "Maximum", dimensions = { QueueName = "${var.prefix}-changes.fifo" } }
      above   = var.alarms.age_minutes * 60
      minutes = 5
      of      = 5
    }
  }

  undelivered_alarms = length(aws_sqs_queue.undelivered) == 0 ? {} : {
    queue-undelivered = {
      title   = "consumers have given up on messages"
      metric  = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", dimensions = { QueueName = "${var.prefix}-undelivered.fifo" } }
      above   = 0
      minutes = 1
      of      = 1
    }
  }

  stream_alarms = var.stream == null ? {} : {
    stream-age = {
      title   = "records wait in the stream"
      metric  = { namespace = "AWS/Kinesis", name = "GetRecords.IteratorAgeMilliseconds", statistic = "Maximum", dimensions = { StreamName = "${var.prefix}-changes" } }
      above   = var.alarms.age_minutes * 60000
      minutes = 5
      of      = 5
    }
    stream-throttled = {
      title   = "the stream takes fewer records than are sent"
      metric  = { namespace = "AWS/Kinesis", name = "WriteProvisionedThroughputExceeded", statistic = "Sum", dimensions = { StreamName = "${var.prefix}-changes" } }
      above   = 0
      minutes = 5
      of      = 5
    }
  }

  alarms = { for name, alarm in merge(local.function_alarms, local.queue_alarms, local.undelivered_alarms, local.stream_alarms) : name => alarm if var.alarms.enabled }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  region              = var.region
  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "${each.value.title}: https://github.com/aerosink/aerosink/blob/main/terraform/aws/runbooks/${each.key}.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  evaluation_periods  = each.value.of
  datapoints_to_alarm = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topics
  ok_actions          = var.alarms.topics
  tags                = local.tags

  metric_query {
    id          = "metric"
    return_data = !can(each.value.per)

    metric {
      namespace   = each.value.metric.namespace
      metric_name = each.value.metric.name
      dimensions  = each.value.metric.dimensions
      stat        = each.value.metric.statistic
      period      = 60
    }
  }

  # A ratio: the metric divided by another.
  dynamic "metric_query" {
    for_each = can(each.value.per) ? [each.value.per] : []

    content {
      id = "per"

      metric {
        namespace   = each.value.metric.namespace
        metric_name = metric_query.value
        dimensions  = each.value.metric.dimensions
        stat        = "Sum"
        period      = 60
      }
    }
  }

  dynamic "metric_query" {
    for_each = can(each.value.per) ? [each.value.per] : []

    content {
      id          = "ratio"
      label       = each.value.title
      expression  = "metric / per"
      return_data = true
    }
  }
}
