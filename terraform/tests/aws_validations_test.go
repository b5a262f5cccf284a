package tests

// awsVariables returns values of the four required variables of the module for AWS, and those
// in pairs of name and value.
func awsVariables(pairs ...string) map[string]string {
	all := map[string]string{"account": `"123456789012"`, "region": `"eu-west-1"`, "package": `"aws/tests/package.zip"`, "connectors": `["10.0.0.5", "10.0.0.6"]`}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

const (
	awsKey      = `"arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"`
	awsListener = `"arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/0123456789abcdef/fedcba9876543210"`
	awsSecret   = `"arn:aws:secretsmanager:eu-west-1:123456789012:secret:tokens-AbCdEf"`
	awsBalancer = `{ listener = ` + awsListener + `, url = "https://ingest.shop.example" }`
)

var awsInvalidValues = []invalidValue{
	{"account", `"shop"`, "account must be"},
	{"account", `"1234567890123"`, "account must be"},
	{"region", `"eu-west-1a"`, "region must be"},
	{"region", `"Ireland"`, "region must be"},
	{"package", `"versions.tf"`, "package must be"},
	{"package", `"aws/tests/missing.zip"`, "package must be"},
	{"connectors", `[]`, "connectors must be"},
	{"connectors", `["10.0.0.5:8901"]`, "connectors must be"},
	{"connectors", `["10.0.0.0/24"]`, "connectors must be"},
	{"prefix", `"a"`, "prefix must have"},
	{"prefix", `"Shop"`, "prefix must have"},
	{"prefix", `"a-prefix-of-17-si"`, "prefix must have"},
	{"tags", `{ "aws:x" = "y" }`, "tags must be"},
	{"tags", `{ "a;b" = "y" }`, "tags must be"},
	{"namespaces", `["a b"]`, "namespaces must be"},
	{"namespaces", `[""]`, "namespaces must be"},
	{"function", `{ architecture = "amd64" }`, "function.architecture must be"},
	{"function", `{ memory = 64 }`, "function.memory must be"},
	{"function", `{ memory = 512.5 }`, "function.memory must be"},
	{"function", `{ timeout = 3 }`, "function.timeout must be"},
	{"function", `{ timeout = 900 }`, "function.timeout must be"},
	{"function", `{ concurrency = 0 }`, "function.concurrency must be"},
	{"function", `{ log_level = "info" }`, "function.log_level must be"},
	{"function", `{ log_days = 31 }`, "function.log_days must be"},
	{"function", `{ environment = { SINKS = "log:" } }`, "function.environment must have"},
	{"function", `{ environment = { AWS_REGION = "us-east-1" } }`, "function.environment must have"},
	{"function", `{ environment = { max_change = "4MiB" } }`, "function.environment must have"},
	{"front", `"function-url"`, "front must be"},
	{"queue", `{ ordering = 0 }`, "queue.ordering must be"},
	{"queue", `{ ordering = 4097 }`, "queue.ordering must be"},
	{"queue", `{ group = "set" }`, "queue.group must be"},
	{"queue", `{ group = "queue", ordering = 16 }`, "queue.ordering is for"},
	{"queue", `{ data = "yaml" }`, "queue.data must be"},
	{"queue", `{ data = "json", packed = {} }`, "queue.data is for"},
	{"queue", `{ packed = { format = "csv" } }`, "queue.packed must have"},
	{"queue", `{ packed = { compression = "lz4" } }`, "queue.packed must have"},
	{"queue", `{ retention_days = 15 }`, "queue.retention_days must be"},
	{"queue", `{ visibility_seconds = 43201 }`, "queue.visibility_seconds must be"},
	{"queue", `{ attempts = 1001 }`, "queue.attempts must be"},
	{"stream", `{ shards = 0 }`, "stream.shards must be"},
	{"stream", `{ ordering = 0 }`, "stream.ordering must be"},
	{"stream", `{ key = "random" }`, "stream.key must be"},
	{"stream", `{ data = "yaml" }`, "stream.data must be"},
	{"stream", `{ retention_hours = 12 }`, "stream.retention_hours must be"},
	{"stream", `{ max_record_kib = 20480 }`, "stream.max_record_kib must be"},
	{"archive", `{ format = "csv" }`, "archive.format must be"},
	{"archive", `{ format = "avro", compression = "gzip" }`, "archive.compression must fit"},
	{"archive", `{ prefix = "/changes" }`, "archive.prefix must be"},
	{"archive", `{ path = "set={SET}" }`, "archive.path must be"},
	{"archive", `{ transitions = { NEARLINE = 30 } }`, "archive.transitions must be"},
	{"archive", `{ transitions = { STANDARD_IA = 7 } }`, "archive.transitions must be"},
	{"archive", `{ expire_days = 0 }`, "archive.expire_days must be"},
	{"archive", `{ expire_days = 90, transitions = { GLACIER = 90 } }`, "archive.expire_days must be"},
	{"archive", `{ restore_days = -1 }`, "archive.restore_days must be"},
	{"dead_letters", `{ kind = "stream" }`, "dead_letters.kind must be"},
	{"dead_letters", `{ expire_days = 0 }`, "dead_letters.expire_days must be"},
	{"dead_letters", `{ restore_days = 0.5 }`, "dead_letters.restore_days must be"},
	{"encryption", `{ key = "alias/shop" }`, "encryption.key must be the ARN"},
	{"encryption", `{ key = "arn:aws:kms:us-east-1:123456789012:key/1" }`, "encryption.key must be in"},
	{"encryption", `{ readers = ["consumer"] }`, "encryption.administrators and readers must be"},
	{"encryption", `{ administrators = ["arn:aws:iam::123456789012:root"] }`, "encryption.administrators and readers must be"},
	{"encryption", `{ key = ` + awsKey + `, readers = ["arn:aws:iam::123456789012:role/consumer"] }`, "encryption.administrators and readers belong"},
	{"tokens", `{ secret = "aerosink-tokens" }`, "tokens.secret must be"},
	{"tokens", `{ secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tokens" }`, "tokens.secret must be"},
	{"tokens", `{ key = ` + awsKey + ` }`, "tokens.key must be"},
	{"tokens", `null`, "tokens cannot be null"},
	{"alb", awsBalancer, "alb must be set with"},
	{"alarms", `{ topics = ["operators"] }`, "alarms.topics must be"},
	{"alarms", `{ topics = ["arn:aws:sns:eu-west-1:123456789012:operators.fifo"] }`, "alarms.topics must be"},
	{"alarms", `{ error_ratio = 5 }`, "alarms.error_ratio and"},
	{"alarms", `{ duration_ratio = 1 }`, "alarms.error_ratio and"},
	{"alarms", `{ age_minutes = 0 }`, "alarms.age_minutes must be"},
}

var awsInvalidCombinations = []invalidCombination{
	{"alb", awsVariables("front", `"alb"`), "alb must be set with"},
	{"alb", awsVariables("front", `"alb"`, "alb", `{ listener = "shop", url = "https://ingest.shop.example" }`), "alb.listener must be"},
	{"alb", awsVariables("front", `"alb"`, "alb", `{ listener = `+awsListener+`, url = "https://ingest.shop.example/changes" }`), "alb.url must be"},
	{"alb", awsVariables("front", `"alb"`, "alb", `{ listener = `+awsListener+`, url = "http://ingest.internal" }`), "alb.url must begin"},
	{"alb", awsVariables("front", `"alb"`, "alb", `{ listener = `+awsListener+`, url = "https://ingest.shop.example", priority = 0 }`), "alb.priority must be"},
	{"tokens", awsVariables("front", `"rest-proxy"`, "tokens", `null`), "tokens cannot be null"},
}

var awsAcceptedValues = []map[string]string{
	awsVariables(),
	awsVariables("queue", "null", "stream", "{}", "archive", "{}", "encryption", "{}", "front", `"rest-proxy"`),
	awsVariables("queue", `{ group = "queue" }`),
	awsVariables("front", `"alb"`, "alb", `{ listener = `+awsListener+`, url = "http://ingest.internal:8080", priority = 50000 }`, "tokens", "null"),
	awsVariables("region", `"us-gov-west-1"`, "prefix", `"a-prefix-of-16-s"`, "tags", `{ team = "data" }`, "namespaces", `["shop", "bank_2"]`, "force_destroy", "true",
		"connectors", `["connector-1.shop.example"]`,
		"function", `{ architecture = "x86_64", memory = 10240, timeout = 60, concurrency = -1, log_level = "DEBUG", log_days = 3653, environment = { MAX_CHANGE = "4MiB", BASE_PATH = "/changes" } }`,
		"queue", `{ ordering = 4096, dedup = false, packed = { format = "avro", compression = "none" }, retention_days = 1, visibility_seconds = 43200, attempts = 1000 }`,
		"stream", `{ shards = 500, ordering = 1, key = "digest", data = "xdr", envelope = true, retention_hours = 8760, max_record_kib = 10240 }`,
		"archive", `{ format = "parquet", compression = "zstd", prefix = "shop/changes", path = "set={set}/shard={shard:16}", transitions = { STANDARD_IA = 30, DEEP_ARCHIVE = 365 }, expire_days = 3650, restore_days = 0 }`,
		"dead_letters", `{ kind = "queue", expire_days = 1, restore_days = 0 }`,
		"encryption", `{ administrators = ["arn:aws-us-gov:iam::123456789012:role/security"], readers = ["arn:aws-us-gov:iam::123456789012:user/a"] }`,
		"tokens", `{ secret = `+awsSecret+`, key = `+awsKey+` }`,
		"alarms", `{ topics = ["arn:aws-us-gov:sns:us-gov-west-1:123456789012:operators"], error_ratio = 0.9, duration_ratio = 0.99, age_minutes = 1 }`),
}
