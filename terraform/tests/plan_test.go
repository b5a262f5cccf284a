package tests

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// plan evaluates expressions of a module as Terraform does, as far as that needs no provider:
// variables with their defaults and validations, locals, and the names of the resources that
// these refer to. In the module for AWS, resources also have what its mocks say.
type plan struct {
	*configuration
	t        *testing.T
	settings map[string]string
}

// configuration holds the variables, locals and resources of a module.
type configuration struct {
	dir       string
	variables map[string]*hclsyntax.Body
	locals    map[string]hcl.Expression
	resources map[string]map[string]*hclsyntax.Body // by type and name
	mocks     map[string]cty.Value                  // attributes by type
}

// newPlan returns a plan of the module for Google Cloud with the given values of variables, in
// HCL. The caller may replace its locals.
func newPlan(t *testing.T, settings map[string]string) *plan {
	t.Helper()
	return planOf(t, rootConfiguration, settings)
}

// newAWSPlan is newPlan of the module for AWS.
func newAWSPlan(t *testing.T, settings map[string]string) *plan {
	t.Helper()
	return planOf(t, awsConfiguration, settings)
}

func planOf(t *testing.T, read func() (*configuration, error), settings map[string]string) *plan {
	t.Helper()
	c, err := read()
	if err != nil {
		t.Fatal(err)
	}
	own := *c
	own.locals = maps.Clone(c.locals)
	return &plan{&own, t, settings}
}

// rootConfiguration and awsConfiguration parse the module for a cloud, once.
var (
	rootConfiguration = sync.OnceValues(func() (*configuration, error) { return readConfiguration(".") })
	awsConfiguration  = sync.OnceValues(func() (*configuration, error) { return readConfiguration("aws") })
)

func readConfiguration(dir string) (*configuration, error) {
	c := &configuration{dir, map[string]*hclsyntax.Body{}, map[string]hcl.Expression{}, map[string]map[string]*hclsyntax.Body{}, map[string]cty.Value{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, err
	}
	if dir == "aws" {
		paths = append(paths, awsMocks)
	}
	parser := hclparse.NewParser()
	for _, path := range paths {
		file, diags := parser.ParseHCLFile(path)
		if diags.HasErrors() {
			return nil, diags
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil, fmt.Errorf("%s: unexpected body type %T", path, file.Body)
		}
		c.add(body)
	}
	return c, nil
}

func (c *configuration) add(body *hclsyntax.Body) {
	for _, b := range body.Blocks {
		switch b.Type {
		case "variable":
			c.variables[b.Labels[0]] = b.Body
		case "locals":
			for name, a := range b.Body.Attributes {
				c.locals[name] = a.Expr
			}
		case "resource":
			kind, name := b.Labels[0], b.Labels[1]
			if c.resources[kind] == nil {
				c.resources[kind] = map[string]*hclsyntax.Body{}
			}
			c.resources[kind][name] = b.Body
		case "mock_resource":
			if value, diags := b.Body.Attributes["defaults"].Expr.Value(nil); !diags.HasErrors() {
				c.mocks[b.Labels[0]] = value
			}
		}
	}
}

func (p *plan) must(diags hcl.Diagnostics) {
	p.t.Helper()
	if diags.HasErrors() {
		p.t.Fatal(diags)
	}
}

// variable returns the value of a variable, converted to its type, with the defaults of
// optional attributes.
func (p *plan) variable(name string) cty.Value {
	p.t.Helper()
	attributes := p.variables[name].Attributes
	kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(attributes["type"].Expr)
	p.must(diags)
	var given hcl.Expression
	switch text := p.settings[name]; {
	case text != "":
		given, diags = hclsyntax.ParseExpression([]byte(text), name, hcl.InitialPos)
		p.must(diags)
	case attributes["default"] != nil:
		given = attributes["default"].Expr
	default:
		p.t.Fatalf("variable %s has no value", name)
	}
	v, diags := given.Value(nil)
	p.must(diags)
	if defaults != nil && !v.IsNull() {
		v = defaults.Apply(v)
	}
	v, err := convert.Convert(v, kind)
	if err != nil {
		p.t.Fatalf("variable %s: %v", name, err)
	}
	return v
}

// violations returns the messages of the validations that the variable's value fails.
func (p *plan) violations(name string) (messages []string) {
	p.t.Helper()
	for _, b := range p.variables[name].Blocks {
		if p.eval(b.Body.Attributes["condition"].Expr).False() {
			messages = append(messages, p.eval(b.Body.Attributes["error_message"].Expr).AsString())
		}
	}
	return messages
}

// local returns the value of a local.
func (p *plan) local(name string) cty.Value {
	p.t.Helper()
	return p.eval(p.locals[name])
}

// eval returns the value of an expression. It evaluates what the expression refers to first.
func (p *plan) eval(e hcl.Expression) cty.Value {
	p.t.Helper()
	scope := map[string]map[string]cty.Value{}
	for _, to := range e.Variables() {
		if len(to) == 1 {
			continue // the variable of a for expression
		}
		member, ok := to[1].(hcl.TraverseAttr)
		if kind := to.RootName(); ok && (kind == "var" || kind == "local" || p.resources[kind] != nil) {
			if scope[kind] == nil {
				scope[kind] = map[string]cty.Value{}
			}
			scope[kind][member.Name] = p.named(kind, member.Name)
		}
	}
	all := map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(p.dir)})}
	for kind, members := range scope {
		all[kind] = cty.ObjectVal(members)
	}
	v, diags := e.Value(&hcl.EvalContext{Variables: all, Functions: expressions})
	p.must(diags)
	return v
}

// named returns the value of the variable, local or resource kind.name.
func (p *plan) named(kind, name string) cty.Value {
	p.t.Helper()
	switch kind {
	case "var":
		return p.variable(name)
	case "local":
		return p.local(name)
	}
	return p.resource(kind, name)
}

// resource returns an object that has only the name of the resource, and what is mocked, or,
// for a resource with a count, a tuple of such objects.
func (p *plan) resource(kind, name string) cty.Value {
	p.t.Helper()
	attributes := p.resources[kind][name].Attributes
	members := map[string]cty.Value{}
	if mocked, ok := p.mocks[kind]; ok {
		members = mocked.AsValueMap()
	}
	for _, called := range []string{"name", "bucket"} {
		if a := attributes[called]; a != nil {
			members[called] = p.eval(a.Expr)
		}
	}
	one := cty.ObjectVal(members)
	switch {
	case attributes["count"] == nil:
		return one
	case p.eval(attributes["count"].Expr).RawEquals(cty.NumberIntVal(0)):
		return cty.EmptyTupleVal
	}
	return cty.TupleVal([]cty.Value{one})
}
