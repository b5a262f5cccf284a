package tests

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// callActions are the actions that the function's calls need, by service and operation of the
// SDK (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
var callActions = map[string][]string{
	"sqs.SendMessageBatch":          {"sqs:SendMessage"},
	"sqs.GetQueueAttributes":        {"sqs:GetQueueAttributes"},
	"kinesis.PutRecords":            {"kinesis:PutRecords"},
	"kinesis.DescribeStreamSummary": {"kinesis:DescribeStreamSummary"},
	"s3.PutObject":                  {"s3:PutObject"},
	"secretsmanager.GetSecretValue": {"secretsmanager:GetSecretValue"},
}

// readerCalls are calls of the commands, which people run, such as replay, or only on demand:
// the function's role does not need them.
var readerCalls = map[string]string{
	"s3.GetObject":     "AVRO_SCHEMA in a bucket, and replay",
	"s3.HeadObject":    "replay",
	"s3.ListObjectsV2": "replay",
	"s3.HeadBucket":    "check -connect",
}

// withoutCalls are actions that no call of ours needs, and why the function has them.
var withoutCalls = map[string]string{
	"logs:CreateLogStream": "Lambda writes the log with the function's role",
	"logs:PutLogEvents":    "Lambda writes the log with the function's role",
	"kms:Decrypt":          "SQS and Secrets Manager, with a key of one's own",
	"kms:GenerateDataKey":  "SQS, Kinesis and S3, with a key of one's own",
}

// sdkCalls returns the operations that the code in a folder calls: those whose input it makes.
func sdkCalls(t *testing.T, folder string) map[string]bool {
	t.Helper()
	calls := map[string]bool{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasSuffix(d.Name(), "test") || d.Name() == "testdata"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, path), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for operation := range inputs(file) {
			calls[operation] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// inputs returns the operations of services of AWS whose inputs a file makes: sqs.SendMessage
// for sqs.SendMessageInput{…}.
func inputs(file *ast.File) map[string]bool {
	services := map[string]string{}
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		if service, ok := strings.CutPrefix(path, "github.com/aws/aws-sdk-go-v2/service/"); ok && !strings.Contains(service, "/") {
			name := service
			if i.Name != nil {
				name = i.Name.Name
			}
			services[name] = service
		}
	}
	found := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		of, isName := s.X.(*ast.Ident)
		operation, isInput := strings.CutSuffix(s.Sel.Name, "Input")
		if isName && isInput && services[of.Name] != "" {
			found[services[of.Name]+"."+operation] = true
		}
		return true
	})
	return found
}

func TestSDKCalls_inputs(t *testing.T) {
	const text = `package a
import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	storage "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"example.com/input"
)
var _ = []any{&sqs.SendMessageBatchInput{}, storage.PutObjectInput{}, types.MessageInput{}, input.OtherInput{}}`
	file, err := parser.ParseFile(token.NewFileSet(), "a.go", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s3.PutObject", "sqs.SendMessageBatch"}, slices.Sorted(maps.Keys(inputs(file)))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// statement is a statement of a policy.
type statement struct {
	Sid, Effect      string
	Action, Resource []string
}

// statements returns the statements of a local.
func (p *plan) statements(t *testing.T, local string) []statement {
	t.Helper()
	value := p.local(local)
	text, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		t.Fatal(err)
	}
	var all []statement
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return all
}

// everything are settings of the module for AWS with which the function has all its rights.
func everything(pairs ...string) map[string]string {
	return awsVariables(append([]string{"stream", "{}", "archive", "{}", "encryption", "{}", "tokens", `{ secret = ` + awsSecret + `, key = ` + awsKey + ` }`}, pairs...)...)
}

// The function's rights are those that its calls need, each for what is its own.
func TestPolicies_functionHasWhatItCalls(t *testing.T) {
	have := map[string]bool{}
	for _, s := range newAWSPlan(t, everything()).statements(t, "function_statements") {
		for _, resource := range s.Resource {
			if s.Effect != "Allow" || !regexp.MustCompile(`^arn:aws:(logs|sqs|kinesis|s3|secretsmanager|kms):.*(aerosink|key/1|secret:tokens).*$`).MatchString(resource) {
				t.Errorf("%s: %s %s, which is not the function's own", s.Sid, s.Effect, resource)
			}
		}
		for _, action := range s.Action {
			have[action] = true
		}
	}
	need := maps.Clone(withoutCalls)
	for call := range sdkCalls(t, filepath.Join(top, "function")) {
		if _, ok := readerCalls[call]; ok {
			continue
		}
		actions, ok := callActions[call]
		if !ok {
			t.Errorf("the function calls %s; add the actions that this needs to the table, and to the role", call)
		}
		for _, action := range actions {
			need[action] = call
		}
	}
	for action := range have {
		if need[action] == "" {
			t.Errorf("the function may %s, and calls nothing that needs it", action)
		}
	}
	for action, because := range need {
		if !have[action] {
			t.Errorf("the function may not %s, which %s needs", action, because)
		}
	}
}

// The function has no right to what it does not use.
func TestPolicies_followSinks(t *testing.T) {
	for _, tt := range []struct {
		settings map[string]string
		want     []string
	}{
		{awsVariables(), []string{"Log", "Queues", "Objects", "Tokens"}},
		{awsVariables("queue", "null", "stream", "{}", "dead_letters", `{ kind = "queue" }`), []string{"Log", "Queues", "Stream", "Tokens"}},
		{awsVariables("front", `"alb"`, "alb", awsBalancer, "tokens", "null"), []string{"Log", "Queues", "Objects"}},
		{everything(), []string{"Log", "Queues", "Stream", "Objects", "Tokens", "Key", "TokensKey"}},
	} {
		var got []string
		for _, s := range newAWSPlan(t, tt.settings).statements(t, "function_statements") {
			got = append(got, s.Sid)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got)\n%s", tt.settings, diff)
		}
	}
}

// Who manages the key cannot use it, and who uses it cannot manage it. In the policy of a key
// the resource * is the key.
func TestPolicies_keySeparatesRights(t *testing.T) {
	p := newAWSPlan(t, awsVariables("encryption", `{ administrators = ["arn:aws:iam::123456789012:role/security"], readers = ["arn:aws:iam::123456789012:role/consumer"] }`))
	value := p.local("key_statements")
	text, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Sid       string
		Action    []string
		Principal map[string]any
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	use := regexp.MustCompile(`^kms:(Decrypt|Encrypt|GenerateDataKey|ReEncrypt|CreateGrant)`)
	for _, s := range all {
		for _, action := range s.Action {
			if action != "kms:DescribeKey" && use.MatchString(action) == (s.Sid == "Administrators") {
				t.Errorf("%s may %s", s.Sid, action)
			}
		}
		if s.Sid == "Readers" && fmt.Sprint(s.Action, s.Principal) != "[kms:Decrypt] map[AWS:[arn:aws:iam::123456789012:role/consumer]]" {
			t.Errorf("readers: %v %v", s.Action, s.Principal)
		}
	}
}

// Who deploys with a key of the module has what AWS asks of them, through the service that asks
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html,
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html): a secret
// is created only if its creator may decrypt, and the environment of a function is hidden from
// those who may not, so that each plan would change it. They cannot read the secret by that.
func TestPolicies_deployersUseTheKey(t *testing.T) {
	value := newAWSPlan(t, awsVariables("encryption", `{}`)).local("key_statements")
	text, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Sid       string
		Action    []string
		Condition map[string]map[string]any
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, s := range all {
		equals := s.Condition["StringEquals"]
		via, _ := equals["kms:ViaService"].(string)
		if check, ok := equals["kms:EncryptionContext:SecretVersionId"]; ok {
			via += fmt.Sprint(" ", check)
		}
		if via != "" {
			got[via] = append(got[via], s.Action...)
		}
	}
	want := map[string][]string{
		"lambda.eu-west-1.amazonaws.com":                                    {"kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"},
		"secretsmanager.eu-west-1.amazonaws.com":                            {"kms:Encrypt", "kms:GenerateDataKey"},
		"secretsmanager.eu-west-1.amazonaws.com RequestToValidateKeyAccess": {"kms:Decrypt"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
