// Command schema writes the schema of the resources of hashicorp/aws that terraform/aws uses,
// in the form of "terraform providers schema -json". What comes in are the classes that CDK
// Terrain generates from the provider, in the npm package @cdktn/provider-aws. What goes out,
// aws.json, lets Terraform check the files where no registry can be reached.
//
//	npm pack @cdktn/provider-aws@25.7.0
//	tar -xzf cdktn-provider-aws-25.7.0.tgz
//	go run ./terraform/tests/schema package >terraform/tests/schema/aws.json
//
// Each class has a comment for each argument and attribute, a getter, and an entry in the
// table that becomes HCL:
//
//	// vpc_config - computed: false, optional: true, required: false
//	_vpcConfig = new LambdaFunctionVpcConfigOutputReference(this, "vpc_config");
//	vpc_config: { value: …, isBlock: true, type: "list", storageClassType: "…" }
//
// Missing is what the classes do not have: deprecations, which arguments are secret or
// write-only, how often a block that may be repeated must be there, and for a set of numbers
// that it is no list. The provider itself has no arguments here, because no file configures it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// resources and data are the kinds that terraform/aws uses, without "aws_".
var (
	resources = []string{
		"api_gateway_deployment", "api_gateway_integration", "api_gateway_method", "api_gateway_resource", "api_gateway_rest_api", "api_gateway_stage",
		"apigatewayv2_api", "apigatewayv2_integration", "apigatewayv2_route", "apigatewayv2_stage",
		"cloudwatch_dashboard", "cloudwatch_log_group", "cloudwatch_metric_alarm", "iam_role", "iam_role_policy", "kinesis_stream",
		"kms_alias", "kms_key", "lambda_function", "lambda_permission", "lb_listener_rule", "lb_target_group", "lb_target_group_attachment",
		"s3_bucket", "s3_bucket_lifecycle_configuration", "s3_bucket_policy", "s3_bucket_public_access_block",
		"s3_bucket_server_side_encryption_configuration", "s3_bucket_versioning", "secretsmanager_secret", "sqs_queue", "sqs_queue_policy",
	}
	data = []string{"caller_identity"}
)

// Schema is the schema of a provider.
type Schema struct {
	Provider  Kind            `json:"provider"`
	Resources map[string]Kind `json:"resource_schemas"`
	Data      map[string]Kind `json:"data_source_schemas"`
}

// Kind is the schema of a kind of resource.
type Kind struct {
	Version int   `json:"version"`
	Block   Block `json:"block"`
}

// Block has the arguments and attributes of a resource or of a block in it.
type Block struct {
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	Blocks     map[string]Nested    `json:"block_types,omitempty"`
}

// Attribute is an argument, an attribute, or both.
type Attribute struct {
	Type     any  `json:"type"` // as cty writes it: "string", ["list", "string"], ["object", {…}]
	Required bool `json:"required,omitempty"`
	Optional bool `json:"optional,omitempty"`
	Computed bool `json:"computed,omitempty"`
}

// Nested is a block in a block.
type Nested struct {
	Mode     string `json:"nesting_mode"` // list, set or single
	Block    Block  `json:"block"`
	MinItems int    `json:"min_items,omitempty"`
	MaxItems int    `json:"max_items,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schema FOLDER, where FOLDER is the unpacked npm package @cdktn/provider-aws")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// write writes the schema, with a resource on each line.
func write(w io.Writer, folder string) error {
	s, err := convert(folder)
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	lines := regexp.MustCompile(`([{}],?)("aws_\w+":|"(?:resource|data_source)_schemas":)`).ReplaceAll(text, []byte("$1\n$2"))
	_, err = w.Write(append(lines, '\n'))
	return err
}

// convert reads the classes in a folder.
func convert(folder string) (Schema, error) {
	s := Schema{Resources: map[string]Kind{}, Data: map[string]Kind{}}
	read := func(name string) (Kind, error) {
		path := filepath.Join(folder, "lib", name, "index.js")
		text, err := os.ReadFile(path) //nolint:gosec // who runs the command names the folder
		if err != nil {
			return Kind{}, err
		}
		block, err := newClasses(string(text)).root()
		if err != nil {
			return Kind{}, fmt.Errorf("%s: %w", path, err)
		}
		return Kind{Block: block}, nil
	}
	var err error
	for _, of := range []struct {
		kinds  []string
		into   map[string]Kind
		prefix string
	}{{resources, s.Resources, ""}, {data, s.Data, "data-aws-"}} {
		for _, kind := range of.kinds {
			if of.into["aws_"+kind], err = read(of.prefix + strings.ReplaceAll(kind, "_", "-")); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// classes are the classes in a file, by name, and the tables that become HCL, by the class
// that they belong to, in lower case.
type classes struct {
	bodies, tables map[string]string
	main           string // the class of the resource
}

var (
	classHeader = regexp.MustCompile(`(?m)^class (\w+) extends cdktn\.(\w+)`)
	tableHeader = regexp.MustCompile(`(?m)^function (\w+)ToHclTerraform\(`)
	comment     = regexp.MustCompile(`(?m)^    // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$`)
	entry       = regexp.MustCompile(`(?m)^ +(\w+): \{\s+value: .*\s+isBlock: (true|false),\s+type: "(\w+)",\s+storageClassType: "(\w+)",`)
	nestedClass = regexp.MustCompile(`= new (\w+?)(List|Map|OutputReference)\(this, "\w+"(?:, (true|false))?\)`)
	getter      = regexp.MustCompile(`get(String|Number|Boolean|List|NumberList|StringMap|BooleanMap|NumberMap|AnyMap)Attribute\(`)
)

func newClasses(text string) classes {
	c := classes{map[string]string{}, map[string]string{}, ""}
	for _, at := range classHeader.FindAllStringSubmatchIndex(text, -1) {
		name, base := text[at[2]:at[3]], text[at[4]:at[5]]
		c.bodies[name] = until(text[at[1]:], "\n}")
		if strings.HasPrefix(base, "Terraform") {
			c.main = name
			_, table, _ := strings.Cut(c.bodies[name], "synthesizeHclAttributes() {")
			c.tables[strings.ToLower(name)] = table
		}
	}
	for _, at := range tableHeader.FindAllStringSubmatchIndex(text, -1) {
		c.tables[strings.ToLower(text[at[2]:at[3]])] = until(text[at[1]:], "\n}")
	}
	return c
}

func until(text, end string) string {
	before, _, _ := strings.Cut(text, end)
	return before
}

func (c classes) root() (Block, error) {
	if c.main == "" {
		return Block{}, errors.New("there is no class of a resource")
	}
	return c.block(c.main, c.main)
}

// block returns the schema of a class, whose table has a name of its own.
func (c classes) block(class, table string) (Block, error) {
	b := Block{Attributes: map[string]Attribute{}, Blocks: map[string]Nested{}}
	body, ok := c.bodies[class]
	if !ok {
		return b, fmt.Errorf("there is no class %s", class)
	}
	entries := map[string][]string{}
	for _, e := range entry.FindAllStringSubmatch(c.tables[strings.ToLower(table)], -1) {
		entries[e[1]] = e
	}
	found := comment.FindAllStringSubmatchIndex(body, -1)
	for i, at := range found {
		name, end := body[at[2]:at[3]], len(body)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		a := Attribute{Computed: body[at[4]:at[5]] == "true", Optional: body[at[6]:at[7]] == "true", Required: body[at[8]:at[9]] == "true"}
		e, code := entries[name], body[at[1]:end]
		inner := nestedClass.FindStringSubmatch(code)
		if inner == nil {
			kind, err := simple(code, e)
			if err != nil {
				return b, fmt.Errorf("%s.%s: %w", class, name, err)
			}
			a.Type = kind
			b.Attributes[name] = a
			continue
		}
		of, err := c.block(inner[1]+"OutputReference", inner[1])
		if err != nil {
			return b, fmt.Errorf("%s.%s: %w", class, name, err)
		}
		if e != nil && e[2] == "true" {
			b.Blocks[name] = nested(name, inner, of, a)
			continue
		}
		a.Type = container(inner, of)
		b.Attributes[name] = a
	}
	return b, nil
}

// simple returns the type of an attribute without attributes of its own.
func simple(code string, e []string) (any, error) {
	get := getter.FindStringSubmatch(code)
	if get == nil {
		return nil, errors.New("no getter that is known")
	}
	element := "string"
	switch {
	case strings.HasPrefix(get[1], "Number") || e != nil && strings.HasPrefix(e[4], "number"):
		element = "number"
	case strings.HasPrefix(get[1], "Boolean"):
		element = "bool"
	}
	switch {
	case strings.HasSuffix(get[1], "Map"):
		return []any{"map", element}, nil
	case strings.HasSuffix(get[1], "List") && strings.Contains(code, "Fn.tolist"):
		return []any{"set", element}, nil
	case strings.HasSuffix(get[1], "List"):
		return []any{"list", element}, nil
	}
	return element, nil
}

// nested returns the schema of a block in a block.
func nested(name string, inner []string, of Block, a Attribute) Nested {
	n := Nested{Mode: "list", Block: of}
	switch {
	case name == "timeouts":
		return Nested{Mode: "single", Block: of}
	case inner[3] == "true":
		n.Mode = "set"
	case inner[2] == "OutputReference":
		n.MaxItems = 1
	}
	if a.Required {
		n.MinItems = 1
	}
	return n
}

// container returns the type of an attribute that consists of objects.
func container(inner []string, of Block) any {
	members := map[string]any{}
	for name, a := range of.Attributes {
		members[name] = a.Type
	}
	object := []any{"object", members}
	switch {
	case inner[2] == "Map":
		return []any{"map", object}
	case inner[3] == "true":
		return []any{"set", object}
	}
	return []any{"list", object}
}
