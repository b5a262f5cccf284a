package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
)

// Secret parses the ARN of a secret in AWS Secrets Manager
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html),
// and returns a function that reads its current version. That function may be called by
// several goroutines at once. Its errors say what to do, and hold nothing of the secret.
func Secret(arn string) (read func(context.Context) ([]byte, error), err error) {
	parts := strings.Split(arn, ":") // arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "secretsmanager" || parts[3] == "" || parts[5] != "secret" || parts[6] == "" {
		return nil, errors.New("not the ARN of a secret; want arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME") // it may be a token
	}
	s := &secret{arn: arn, region: parts[3]}
	return s.read, nil
}

// secret is a secret of AWS Secrets Manager. Its client is made when it is first read.
type secret struct {
	arn, region string

	mu     sync.Mutex
	client *secretsmanager.Client
}

func (s *secret) read(ctx context.Context) ([]byte, error) {
	client, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn})
	switch {
	case err != nil:
		return nil, s.explain(err)
	case out.SecretString != nil:
		return []byte(*out.SecretString), nil
	}
	return out.SecretBinary, nil
}

func (s *secret) open(ctx context.Context) (*secretsmanager.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		c, err := awsconfig.Load(ctx, s.region)
		if err != nil {
			return nil, err
		}
		s.client = secretsmanager.NewFromConfig(c)
	}
	return s.client, nil
}

// explain returns an error that says what to do about err. It leaves out what differs from one
// attempt to the next, such as the ID of the request.
func (s *secret) explain(err error) error {
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return fmt.Errorf("read secret %s: %w; a function in a VPC needs a route to Secrets Manager, such as an interface endpoint", s.arn, err)
	}
	hint := ""
	switch {
	case errors.As(err, new(*types.ResourceNotFoundException)):
		hint = "; check the ARN, and that the secret has a value"
	case errors.As(err, new(*types.DecryptionFailure)):
		hint = "; grant the role of the function kms:Decrypt on the key of the secret"
	case answer.ErrorCode() == "AccessDeniedException":
		hint = "; grant the role of the function secretsmanager:GetSecretValue on it, and kms:Decrypt if the secret has a key of its own"
	}
	return fmt.Errorf("read secret %s: %s: %s%s", s.arn, answer.ErrorCode(), answer.ErrorMessage(), hint)
}
