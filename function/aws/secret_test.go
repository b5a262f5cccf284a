package aws

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

func TestSecret_arn(t *testing.T) {
	for arn, ok := range map[string]bool{
		fake.SecretARN("tokens"): true,
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/b-X": true,
		"":       false,
		"tokens": false,
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:":                 false,
		"arn:aws:secretsmanager::123456789012:secret:tokens":                    false,
		"arn:aws:ssm:eu-west-1:123456789012:parameter/tokens":                   false,
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:t:key:AWSCURRENT": false, // as ECS has them
	} {
		read, err := Secret(arn)
		if (err == nil) != ok || (read != nil) != ok || err != nil && !strings.Contains(err.Error(), "want arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME") {
			t.Errorf("%q: error %v, want ok %t", arn, err, ok)
		}
	}
}

// A value is read anew each time, whether it was stored as text or as bytes.
func TestSecret_value(t *testing.T) {
	cloud := awstest.Start(t)
	read, err := Secret(fake.SecretARN("tokens"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first\nsecond\n", "rotated"} {
		cloud.Secrets.SetText("tokens", want)
		if got, err := read(t.Context()); err != nil || string(got) != want {
			t.Errorf("%q, error %v, want %q", got, err, want)
		}
	}
	cloud.Secrets.SetBinary("tokens", []byte("bytes"))
	if got, err := read(t.Context()); err != nil || string(got) != "bytes" {
		t.Errorf("%q, error %v", got, err)
	}
	if n := cloud.Secrets.Reads(); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// An error says what to do, and is the same each time, so that it is logged once.
func TestSecret_failures(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Secrets.SetText("tokens", "a-token-nobody-may-see")
	read, err := Secret(fake.SecretARN("tokens"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		call fake.Call
		want string
	}{
		{"denied", fake.Call{Error: "AccessDeniedException", Message: "not authorized"}, "AccessDeniedException: not authorized; grant the role of the function secretsmanager:GetSecretValue on it"},
		{"not there", fake.Call{Error: "ResourceNotFoundException"}, "; check the ARN, and that the secret has a value"},
		{"key denied", fake.Call{Error: "DecryptionFailure"}, "; grant the role of the function kms:Decrypt on the key of the secret"},
		{"throttled", fake.Call{Error: "ThrottlingException", Message: "Rate exceeded"}, ": ThrottlingException: Rate exceeded"},
		{"internal", fake.Call{Error: "InternalServiceError"}, "InternalServiceError"},
		{"a proxy", fake.Call{Status: 502}, "502"},
		{"connection lost", fake.Call{LoseAnswer: true}, "a function in a VPC needs a route to Secrets Manager"},
		{"no connection", fake.Call{DropConnection: true}, "a function in a VPC needs a route to Secrets Manager"},
	} {
		cloud.Secrets.Fail(func(c *fake.SecretsCall) {
			operation := c.Operation
			c.Call = tt.call
			c.Operation = operation
		})
		before := cloud.Secrets.Reads()
		got, err := read(t.Context())
		if err == nil || got != nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), fake.SecretARN("tokens")) || strings.Contains(err.Error(), "nobody") {
			t.Errorf("%s: %q, error %v, want %q", tt.name, got, err, tt.want)
		}
		if n := cloud.Secrets.Reads() - before; n != 1 {
			t.Errorf("%s: %d calls, want 1: the caller decides what is repeated", tt.name, n)
		}
	}

	// A service that does not answer costs the caller's time, and no more.
	cloud.Secrets.Fail(func(c *fake.SecretsCall) { c.Hang = make(chan struct{}) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := read(ctx); err == nil || !strings.Contains(err.Error(), "context deadline exceeded") {
		t.Errorf("hangs: error %v", err)
	}
}
