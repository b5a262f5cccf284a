package sqs

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// traceHeader returns the system attribute AWSTraceHeader of a traceparent header (W3C Trace
// Context), nil if it is not one. X-Ray writes the first 8 digits of a trace ID apart from the
// others.
func traceHeader(traceParent string) map[string]types.MessageSystemAttributeValue {
	parts := strings.Split(traceParent, "-")
	if len(parts) < 4 || !isHex(parts[1], 32) || !isHex(parts[2], 16) || !isHex(parts[3], 2) {
		return nil
	}
	sampled := "0"
	if strings.Contains("13579bdf", parts[3][1:]) {
		sampled = "1"
	}
	header := "Root=1-" + parts[1][:8] + "-" + parts[1][8:] + ";Parent=" + parts[2] + ";Sampled=" + sampled
	return map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: &stringType, StringValue: &header}}
}

// isHex reports whether s is n hexadecimal digits in lower case.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
