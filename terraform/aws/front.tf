# The front: what receives HTTP and invokes the function.

variable "front" {
  description = "What receives requests: http-api, an HTTP API of API Gateway (the default); alb, a listener of your Application Load Balancer; or rest-proxy, a REST API of API Gateway."
  type        = string
  default     = "http-api"
  nullable    = false

  validation {
    condition     = contains(["http-api", "alb", "rest-proxy"], var.front)
    error_message = "front must be http-api, alb or rest-proxy."
  }
}

variable "alb" {
  description = <<-EOT
    With front alb, the listener that gets a rule for the function. Null with another front.
    - `listener`: ARN of the listener, of HTTPS if tokens are sent.
    - `url`: URL that connectors use, such as `https://ingest.shop.example`. Requests to this host go to the function.
    - `priority`: of the rule, 1 to 50000; each can be used once in a listener.
    - `health_check`: whether the balancer asks the function every 35 seconds; each is an invocation that is billed. Connectors ask by themselves.
  EOT
  type = object({
    listener     = string
    url          = string
    priority     = optional(number, 100)
    health_check = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.alb == null ? true : can(regex("^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/[^/]+/[^/]+/[^/]+$", var.alb.listener))
    error_message = "alb.listener must be the ARN of a listener of an Application Load Balancer, arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/ID/ID."
  }

  validation {
    condition     = var.alb == null ? true : can(regex("^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?$", var.alb.url))
    error_message = "alb.url must be a URL such as https://ingest.shop.example, without a path or a slash at its end."
  }

  validation {
    condition     = var.alb == null ? true : startswith(var.alb.url, "https://") || var.tokens == null
    error_message = "alb.url must begin with https://, because tokens would be sent in clear text; or set tokens = null."
  }

  validation {
    condition     = var.alb == null ? true : var.alb.priority >= 1 && var.alb.priority <= 50000 && floor(var.alb.priority) == var.alb.priority
    error_message = "alb.priority must be 1 to 50000."
  }

  validation {
    condition     = (var.alb != null) == (var.front == "alb")
    error_message = "alb must be set with front = \"alb\", and with no other front."
  }
}

# An HTTP API. Its stage $default has no name in paths.

resource "aws_apigatewayv2_api" "this" {
  count = var.front == "http-api" ? 1 : 0

  region        = var.region
  name          = var.prefix
  description   = "Aerosink: takes changes of an Aerospike database."
  protocol_type = "HTTP"
  tags          = local.tags
}

resource "aws_apigatewayv2_integration" "this" {
  count = length(aws_apigatewayv2_api.this)

  region                 = var.region
  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.this.arn
  payload_format_version = "2.0"
  timeout_milliseconds   = min(var.function.timeout * 1000, 30000)
}

# Changes, and the health checks of connectors. Other paths are answered 404 by API Gateway.
resource "aws_apigatewayv2_route" "this" {
  for_each = toset(var.front == "http-api" ? ["POST /", "GET /", "GET /{proxy+}"] : [])

  region    = var.region
  api_id    = aws_apigatewayv2_api.this[0].id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[0].id}"
}

resource "aws_apigatewayv2_stage" "this" {
  count = length(aws_apigatewayv2_api.this)

  region      = var.region
  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true
  tags        = local.tags
}

# A rule of a listener. The function sees headers that come twice as two values.

resource "aws_lb_target_group" "this" {
  count = var.front == "alb" ? 1 : 0

  region                             = var.region
  name                               = var.prefix
  target_type                        = "lambda"
  lambda_multi_value_headers_enabled = true
  tags                               = local.tags

  health_check {
    enabled  = try(var.alb.health_check, false)
    path     = "/"
    interval = 35
    timeout  = 30
  }
}

resource "aws_lb_target_group_attachment" "this" {
  count = length(aws_lb_target_group.this)

  region           = var.region
  target_group_arn = aws_lb_target_group.this[0].arn
  target_id        = aws_lambda_function.this.arn

  depends_on = [aws_lambda_permission.front]
}

resource "aws_lb_listener_rule" "this" {
  count = length(aws_lb_target_group.this)

  region       = var.region
  listener_arn = var.alb.listener
  priority     = var.alb.priority
  tags         = local.tags

  condition {
    host_header {
      values = [regex("^https?://([^:]+)", var.alb.url)[0]]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[0].arn
  }

  # The balancer takes a function only as the target of a group that exists.
  depends_on = [aws_lb_target_group_attachment.this]
}

# A REST API. Every body is binary to it: what it takes for text it would force into UTF-8,
# and destroy. It comes as Base64 for that.

resource "aws_api_gateway_rest_api" "this" {
  count = var.front == "rest-proxy" ? 1 : 0

  region             = var.region
  name               = var.prefix
  description        = "Aerosink: takes changes of an Aerospike database."
  binary_media_types = ["*/*"]
  tags               = local.tags

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "proxy" {
  count = length(aws_api_gateway_rest_api.this)

  region      = var.region
  rest_api_id = aws_api_gateway_rest_api.this[0].id
  parent_id   = aws_api_gateway_rest_api.this[0].root_resource_id
  path_part   = "{proxy+}"
}

# The deployment is created before the old one is destroyed, and so is all that it depends
# on. Hence nothing here refers to the function, whose name is taken until it is destroyed.
locals {
  rest_methods = var.front != "rest-proxy" ? {} : {
    post  = { resource = aws_api_gateway_rest_api.this[0].root_resource_id, method = "POST" }
    get   = { resource = aws_api_gateway_rest_api.this[0].root_resource_id, method = "GET" }
    proxy = { resource = aws_api_gateway_resource.proxy[0].id, method = "GET" }
  }
}

resource "aws_api_gateway_method" "this" {
  for_each = local.rest_methods

  region        = var.region
  rest_api_id   = aws_api_gateway_rest_api.this[0].id
  resource_id   = each.value.resource
  http_method   = each.value.method
  authorization = "NONE" # the function checks the token
}

resource "aws_api_gateway_integration" "this" {
  for_each = local.rest_methods

  region                  = var.region
  rest_api_id             = aws_api_gateway_rest_api.this[0].id
  resource_id             = each.value.resource
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = "arn:${local.partition}:apigateway:${var.region}:lambda:path/2015-03-31/functions/${local.function_arn}/invocations"
  timeout_milliseconds    = min(var.function.timeout * 1000, 29000)
}

resource "aws_api_gateway_deployment" "this" {
  count = length(aws_api_gateway_rest_api.this)

  region      = var.region
  rest_api_id = aws_api_gateway_rest_api.this[0].id

  # A deployment is a copy of the API, so each change of it needs another.
  triggers = {
    api = sha256(jsonencode([local.rest_methods, aws_api_gateway_integration.this]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  count = length(aws_api_gateway_rest_api.this)

  region        = var.region
  rest_api_id   = aws_api_gateway_rest_api.this[0].id
  deployment_id = aws_api_gateway_deployment.this[0].id
  stage_name    = "changes"
  tags          = local.tags
}

# Who may invoke the function: this front only.

resource "aws_lambda_permission" "front" {
  region        = var.region
  statement_id  = var.front
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = local.front.principal
  source_arn    = local.front.source
}

locals {
  fronts = {
    "http-api" = {
      principal = "apigateway.amazonaws.com"
      source    = "${try(aws_apigatewayv2_api.this[0].execution_arn, "")}/*"
      url       = "${try(aws_apigatewayv2_api.this[0].api_endpoint, "")}/"
      metric    = { namespace = "AWS/ApiGateway", errors = "5xx", requests = "Count", dimensions = { ApiId = try(aws_apigatewayv2_api.this[0].id, "") } }
    }
    "alb" = {
      principal = "elasticloadbalancing.amazonaws.com"
      source    = try(aws_lb_target_group.this[0].arn, "")
      url       = "${try(var.alb.url, "")}/"
      metric = { namespace = "AWS/ApplicationELB", errors = "HTTPCode_Target_5XX_Count", requests = "RequestCount", dimensions = {
        LoadBalancer = try(regex("listener/(app/[^/]+/[^/]+)/", var.alb.listener)[0], "")
        TargetGroup  = try(aws_lb_target_group.this[0].arn_suffix, "")
      } }
    }
    "rest-proxy" = {
      principal = "apigateway.amazonaws.com"
      source    = "${try(aws_api_gateway_rest_api.this[0].execution_arn, "")}/*"
      url       = "${try(aws_api_gateway_stage.this[0].invoke_url, "")}/"
      metric    = { namespace = "AWS/ApiGateway", errors = "5XXError", requests = "Count", dimensions = { ApiName = var.prefix, Stage = "changes" } }
    }
  }

  front = local.fronts[var.front]

  # The most bytes of changes in a request. Lambda takes 6 MB with Base64, which makes 4 of 3
  # bytes; a balancer takes 1 MB without it.
  max_bytes = var.front == "alb" ? 921600 : 4194304
}
