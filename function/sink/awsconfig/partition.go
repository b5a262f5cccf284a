package awsconfig

import "strings"

// partitions are AWS's partitions other than aws, by what the names of their regions begin with
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html, and partitions.json of
// the SDK).
var partitions = []struct{ region, partition string }{
	{"cn-", "aws-cn"},
	{"eusc-", "aws-eusc"},
	{"us-gov-", "aws-us-gov"},
	{"us-isob-", "aws-iso-b"},
	{"us-isof-", "aws-iso-f"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-iso-", "aws-iso"},
}

// Partition returns the partition of a region, which ARNs begin with: arn:PARTITION:.
func Partition(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			return p.partition
		}
	}
	return "aws"
}
