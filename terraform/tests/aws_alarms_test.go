package tests

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/aerosink/aerosink/function/lambda/emf"
)

// awsMetrics are AWS's own metrics that alarms and dashboards use, with their dimensions, by
// namespace and name:
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
// https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
var awsMetrics = map[string]string{
	"AWS/Lambda Invocations":                           "FunctionName",
	"AWS/Lambda Errors":                                "FunctionName",
	"AWS/Lambda Throttles":                             "FunctionName",
	"AWS/Lambda Duration":                              "FunctionName",
	"AWS/Lambda ConcurrentExecutions":                  "FunctionName",
	"AWS/SQS ApproximateAgeOfOldestMessage":            "QueueName",
	"AWS/SQS ApproximateNumberOfMessagesVisible":       "QueueName",
	"AWS/SQS ApproximateNumberOfMessagesNotVisible":    "QueueName",
	"AWS/SQS NumberOfMessagesSent":                     "QueueName",
	"AWS/SQS NumberOfMessagesDeleted":                  "QueueName",
	"AWS/Kinesis IncomingRecords":                      "StreamName",
	"AWS/Kinesis WriteProvisionedThroughputExceeded":   "StreamName",
	"AWS/Kinesis GetRecords.IteratorAgeMilliseconds":   "StreamName",
	"AWS/ApiGateway Count http-api":                    "ApiId",
	"AWS/ApiGateway 5xx http-api":                      "ApiId",
	"AWS/ApiGateway Count rest-proxy":                  "ApiName Stage",
	"AWS/ApiGateway 5XXError rest-proxy":               "ApiName Stage",
	"AWS/ApplicationELB RequestCount alb":              "LoadBalancer TargetGroup",
	"AWS/ApplicationELB HTTPCode_Target_5XX_Count alb": "LoadBalancer TargetGroup",
}

// awsFronts are settings of the module for AWS with each front, and with all alarms.
func awsFronts() map[string]map[string]string {
	all := map[string]map[string]string{}
	for front, balancer := range map[string]string{"http-api": "null", "rest-proxy": "null", "alb": awsBalancer} {
		all[front] = everything("front", `"`+front+`"`, "alb", balancer, "queue", "{ attempts = 5 }")
	}
	return all
}

// checkMetric reports an error if a metric does not exist, or has other dimensions.
func checkMetric(t *testing.T, where, front, namespace, name string, dimensions []string) {
	t.Helper()
	slices.Sort(dimensions)
	if namespace == emf.Namespace {
		known := slices.ContainsFunc(emf.Metrics(), func(m emf.Metric) bool { return m.Name == name })
		if !known || !slices.Equal(dimensions, []string{"FunctionName"}) {
			t.Errorf("%s: the function has no metric %s with the dimensions %v", where, name, dimensions)
		}
		return
	}
	want, ok := awsMetrics[namespace+" "+name]
	if !ok {
		want, ok = awsMetrics[namespace+" "+name+" "+front]
	}
	if got := strings.Join(dimensions, " "); !ok || got != want {
		t.Errorf("%s: %s %s with the dimensions %q, want %q", where, namespace, name, got, want)
	}
}

// awsAlarm is an alarm in the local alarms.
type awsAlarm struct {
	Title  string
	Metric struct {
		Namespace, Name string
		Dimensions      map[string]string
	}
	Per string
}

func awsAlarms(t *testing.T, settings map[string]string) map[string]awsAlarm {
	t.Helper()
	value := newAWSPlan(t, settings).local("alarms")
	text, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]awsAlarm{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Alarms use metrics that exist: of the function's own, those that its code writes.
func TestAWSAlarms_metrics(t *testing.T) {
	for front, settings := range awsFronts() {
		for name, a := range awsAlarms(t, settings) {
			dimensions := slices.Collect(maps.Keys(a.Metric.Dimensions))
			checkMetric(t, name, front, a.Metric.Namespace, a.Metric.Name, dimensions)
			if a.Per != "" {
				checkMetric(t, name, front, a.Metric.Namespace, a.Per, dimensions)
			}
		}
	}
}

// The charts of the dashboard do, too.
func TestAWSDashboard_metrics(t *testing.T) {
	for front, settings := range awsFronts() {
		value, checked := newAWSPlan(t, settings).local("charts"), 0
		text, err := ctyjson.Marshal(value, value.Type())
		if err != nil {
			t.Fatal(err)
		}
		var charts []struct {
			Title, Label, Stat string
			Metrics            [][]string
		}
		if err := json.Unmarshal(text, &charts); err != nil {
			t.Fatal(err)
		}
		for _, c := range charts {
			if c.Label == "" || c.Stat == "" {
				t.Errorf("%s has no label or no statistic", c.Title)
			}
			for _, m := range c.Metrics {
				var dimensions []string
				for i := 2; i < len(m); i += 2 {
					dimensions = append(dimensions, m[i])
				}
				checkMetric(t, c.Title, front, m[0], m[1], dimensions)
				checked++
			}
		}
		if checked < 25 {
			t.Errorf("%s: %d metrics were checked", front, checked)
		}
	}
}

// Every alarm has a runbook with its title and three sections, and the README's table has it.
func TestAWSRunbooks_alarms(t *testing.T) {
	all := awsAlarms(t, awsFronts()["http-api"])
	paths, err := filepath.Glob("aws/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var books []string
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		books = append(books, name)
		text, title := read(t, path), all[name].Title
		if title == "" {
			continue // no alarm, which the comparison below says
		}
		at := 0
		for _, heading := range []string{"# " + strings.ToUpper(title[:1]) + title[1:] + "\n", "## What it means\n", "## What to look at\n", "## What to do\n"} {
			i := strings.Index(text[at:], heading)
			if i < 0 {
				t.Errorf("%s: %q is missing or out of order", path, heading)
				continue
			}
			at += i
		}
	}
	names := slices.Sorted(maps.Keys(all))
	if diff := cmp.Diff(names, books); diff != "" {
		t.Errorf("(-alarms +runbooks)\n%s", diff)
	}
	_, table, _ := strings.Cut(read(t, "aws/README.md"), "| alarm | condition |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []string
	for row := range strings.Lines(table) {
		for _, m := range regexp.MustCompile(`\[([a-z-]+)\]\(runbooks/`).FindAllStringSubmatch(row, -1) {
			listed = append(listed, m[1])
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(names, listed); diff != "" {
		t.Errorf("the table in the README (-alarms +README)\n%s", diff)
	}
}
