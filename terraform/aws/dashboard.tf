# A dashboard for operators.

locals {
  of_function      = ["FunctionName", var.prefix]
  front_dimensions = flatten([for name, value in local.front.metric.dimensions : [name, value]])

  # Each chart: a title, metrics with their dimensions, how the values of a minute become
  # one, and the unit of the axis.
  charts = concat(
    [
      { title = "Changes", stat = "Sum", label = "changes a minute", metrics = [for name in ["ChangesStored", "ChangesStale", "ChangesRetry", "ChangesRefused", "DeadLetters"] : concat(["Aerosink", name], local.of_function)] },
      { title = "Requests", stat = "Sum", label = "requests a minute", metrics = [for name in ["Requests", "Requests4xx", "Requests5xx", "EventsRefused"] : concat(["Aerosink", name], local.of_function)] },
      { title = "Bytes received", stat = "Sum", label = "bytes a minute", metrics = [concat(["Aerosink", "BodyBytes"], local.of_function)] },
      { title = "Front", stat = "Sum", label = "requests a minute", metrics = [for name in [local.front.metric.requests, local.front.metric.errors] : concat([local.front.metric.namespace, name], local.front_dimensions)] },
      { title = "Invocations", stat = "Sum", label = "invocations a minute", metrics = [for name in ["Invocations", "Errors", "Throttles"] : concat(["AWS/Lambda", name], local.of_function)] },
      { title = "Longest invocation", stat = "Maximum", label = "milliseconds", metrics = [concat(["AWS/Lambda", "Duration"], local.of_function)] },
      { title = "Environments", stat = "Maximum", label = "at once", metrics = [concat(["AWS/Lambda", "ConcurrentExecutions"], local.of_function)] },
    ],
    var.queue == null ? [] : [
      { title = "Queue: messages", stat = "Sum", label = "messages a minute", metrics = [for name in ["NumberOfMessagesSent", "NumberOfMessagesDeleted"] : ["AWS/SQS", name, "QueueName", "${var.prefix}-changes.fifo"]] },
      { title = "Queue: waiting", stat = "Maximum", label = "messages", metrics = [for name in ["ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"] : ["AWS/SQS", name, "QueueName", "${var.prefix}-changes.fifo"]] },
      { title = "Queue: age of the oldest message", stat = "Maximum", label = "seconds", metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "${var.prefix}-changes.fifo"]] },
    ],
    var.stream == null ? [] : [
      { title = "Stream: records", stat = "Sum", label = "records a minute", metrics = [for name in ["IncomingRecords", "WriteProvisionedThroughputExceeded"] : ["AWS/Kinesis", name, "StreamName", "${var.prefix}-changes"]] },
      { title = "Stream: age of what is read", stat = "Maximum", label = "milliseconds", metrics = [["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", "${var.prefix}-changes"]] },
    ],
    var.archive == null ? [] : [
      { title = "Archive: objects", stat = "Sum", label = "objects a minute", metrics = [for name in ["ObjectsWritten", "ObjectsFailed"] : concat(["Aerosink", name], local.of_function)] },
      { title = "Archive: bytes", stat = "Sum", label = "bytes a minute", metrics = [concat(["Aerosink", "ObjectBytes"], local.of_function)] },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  region         = var.region
  dashboard_name = "${var.prefix}-${var.region}" # dashboards are shared by all regions

  dashboard_body = jsonencode({
    widgets = [for i, chart in local.charts : {
      type   = "metric"
      width  = 8
      height = 6
      x      = i % 3 * 8
      y      = floor(i / 3) * 6
      properties = {
        title   = chart.title
        region  = var.region
        view    = "timeSeries"
        stat    = chart.stat
        period  = 60
        metrics = chart.metrics
        yAxis   = { left = { min = 0, label = chart.label, showUnits = false } }
      }
    }]
  })
}
