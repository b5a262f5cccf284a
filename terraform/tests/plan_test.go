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

// plan is what Terraform makes of the expressions of the root module without asking
// anybody: variables with their defaults and validations, locals, and the names of
// resources that these refer to.
type plan struct {
	*configuration
	t        *testing.T
	settings map[string]string
}

// configuration is what is written in the root module.
type configuration struct {
	variables map[string]*hclsyntax.Body
	locals    map[string]hcl.Expression
	resources map[string]map[string]*hclsyntax.Body // by type and name
}

// newPlan returns a plan, whose locals a test may set. Settings are the variables that
// have a value, as they stand in HCL.
func newPlan(t *testing.T, settings map[string]string) *plan {
	t.Helper()
	c, err := rootConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	own := *c
	own.locals = maps.Clone(c.locals)
	return &plan{&own, t, settings}
}

// rootConfiguration reads the root module.
var rootConfiguration = sync.OnceValues(func() (*configuration, error) {
	c := &configuration{map[string]*hclsyntax.Body{}, map[string]hcl.Expression{}, map[string]map[string]*hclsyntax.Body{}}
	paths, err := filepath.Glob("*.tf")
	if err != nil {
		return nil, err
	}
	parser := hclparse.NewParser()
	for _, path := range paths {
		file, faults := parser.ParseHCLFile(path)
		if faults.HasErrors() {
			return nil, faults
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil, fmt.Errorf("%s: a body of another syntax", path)
		}
		c.add(body)
	}
	return c, nil
})

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
		}
	}
}

func (p *plan) must(faults hcl.Diagnostics) {
	p.t.Helper()
	if faults.HasErrors() {
		p.t.Fatal(faults)
	}
}

// variable returns a variable's value, of its type and with the defaults that the
// type has.
func (p *plan) variable(name string) cty.Value {
	p.t.Helper()
	attributes := p.variables[name].Attributes
	kind, defaults, faults := typeexpr.TypeConstraintWithDefaults(attributes["type"].Expr)
	p.must(faults)
	var given hcl.Expression
	switch text := p.settings[name]; {
	case text != "":
		given, faults = hclsyntax.ParseExpression([]byte(text), name, hcl.InitialPos)
		p.must(faults)
	case attributes["default"] != nil:
		given = attributes["default"].Expr
	default:
		p.t.Fatalf("variable %s has no value", name)
	}
	v, faults := given.Value(nil)
	p.must(faults)
	if defaults != nil && !v.IsNull() {
		v = defaults.Apply(v)
	}
	v, err := convert.Convert(v, kind)
	if err != nil {
		p.t.Fatalf("variable %s: %v", name, err)
	}
	return v
}

// refusals returns what the validations say of a variable's value.
func (p *plan) refusals(name string) (messages []string) {
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

// eval returns the value of an expression, and so of what it refers to.
func (p *plan) eval(e hcl.Expression) cty.Value {
	p.t.Helper()
	scope := map[string]map[string]cty.Value{}
	for _, to := range e.Variables() {
		if len(to) == 1 {
			continue // of a for expression
		}
		member, ok := to[1].(hcl.TraverseAttr)
		if kind := to.RootName(); ok && (kind == "var" || kind == "local" || p.resources[kind] != nil) {
			if scope[kind] == nil {
				scope[kind] = map[string]cty.Value{}
			}
			scope[kind][member.Name] = p.named(kind, member.Name)
		}
	}
	all := map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(".")})}
	for kind, members := range scope {
		all[kind] = cty.ObjectVal(members)
	}
	v, faults := e.Value(&hcl.EvalContext{Variables: all, Functions: expressions})
	p.must(faults)
	return v
}

// named returns the value of what has a name of a kind.
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

// resource returns a resource that has its name and nothing else, or as many as its
// count says.
func (p *plan) resource(kind, name string) cty.Value {
	p.t.Helper()
	attributes := p.resources[kind][name].Attributes
	one := cty.ObjectVal(map[string]cty.Value{"name": p.eval(attributes["name"].Expr)})
	switch {
	case attributes["count"] == nil:
		return one
	case p.eval(attributes["count"].Expr).RawEquals(cty.NumberIntVal(0)):
		return cty.EmptyTupleVal
	}
	return cty.TupleVal([]cty.Value{one})
}
