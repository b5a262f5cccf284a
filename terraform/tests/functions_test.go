package tests

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"go.yaml.in/yaml/v4"
)

// functions are the Terraform functions that templates may call.
var functions = map[string]function.Function{
	"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "jsonencode": stdlib.JSONEncodeFunc,
	"length": stdlib.LengthFunc, "replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc, "trimspace": stdlib.TrimSpaceFunc,
}

// expressions are the Terraform functions that expressions of the module call.
var expressions = map[string]function.Function{
	"can": tryfunc.CanFunc, "coalesce": stdlib.CoalesceFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "flatten": stdlib.FlattenFunc,
	"floor": stdlib.FloorFunc, "join": stdlib.JoinFunc, "keys": stdlib.KeysFunc, "lookup": stdlib.LookupFunc, "regex": stdlib.RegexFunc,
	"distinct": stdlib.DistinctFunc, "merge": stdlib.MergeFunc, "replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc, "try": tryfunc.TryFunc, "values": stdlib.ValuesFunc,
	"jsondecode": stdlib.JSONDecodeFunc, "max": stdlib.MaxFunc, "setsubtract": stdlib.SetSubtractFunc,
	"basename": baseName, "cidrhost": cidrHost, "endswith": endsWith, "file": fileText, "fileexists": fileExists, "startswith": startsWith,
	"templatefile": templateText, "yamldecode": yamlValue,
	"jsonencode": stdlib.JSONEncodeFunc, "min": stdlib.MinFunc,
	"one": unaryOf(func(v cty.Value) cty.Value {
		if v.LengthInt() == 0 {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		return v.Index(cty.NumberIntVal(0))
	}),
	"alltrue": unary(cty.Bool, func(v cty.Value) cty.Value {
		return cty.BoolVal(!slices.ContainsFunc(v.AsValueSlice(), cty.Value.False))
	}),
	"anytrue": unary(cty.Bool, func(v cty.Value) cty.Value {
		return cty.BoolVal(slices.ContainsFunc(v.AsValueSlice(), cty.Value.True))
	}),
	"length": unary(cty.Number, func(v cty.Value) cty.Value {
		if v.Type() == cty.String {
			return cty.NumberIntVal(int64(len(v.AsString())))
		}
		return v.Length()
	}),
	"urlencode": unary(cty.String, func(v cty.Value) cty.Value { return cty.StringVal(url.QueryEscape(v.AsString())) }),
}

// unary makes a function with one argument of any type.
func unary(result cty.Type, of func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(result),
		Impl:   func(arguments []cty.Value, _ cty.Type) (cty.Value, error) { return of(arguments[0]), nil },
	})
}

// unaryOf makes a function with one argument of any type, and a result of any type.
func unaryOf(of func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type:   func(arguments []cty.Value) (cty.Type, error) { return of(arguments[0]).Type(), nil },
		Impl:   func(arguments []cty.Value, _ cty.Type) (cty.Value, error) { return of(arguments[0]), nil },
	})
}

// Functions on strings and files.
var (
	baseName = stringFunc(func(a ...string) (cty.Value, error) { return cty.StringVal(filepath.Base(a[0])), nil }, cty.String, "path")

	endsWith   = stringFunc(func(a ...string) (cty.Value, error) { return cty.BoolVal(strings.HasSuffix(a[0], a[1])), nil }, cty.Bool, "text", "suffix")
	startsWith = stringFunc(func(a ...string) (cty.Value, error) { return cty.BoolVal(strings.HasPrefix(a[0], a[1])), nil }, cty.Bool, "text", "prefix")

	fileText = stringFunc(func(a ...string) (cty.Value, error) {
		text, err := os.ReadFile(a[0])
		return cty.StringVal(string(text)), err
	}, cty.String, "path")

	fileExists = stringFunc(func(a ...string) (cty.Value, error) {
		info, err := os.Stat(a[0])
		return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
	}, cty.Bool, "path")

	// cidrHost returns the first address of a range, whatever the host number.
	cidrHost = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "range", Type: cty.String}, {Name: "host", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(arguments []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := netip.ParsePrefix(arguments[0].AsString())
			return cty.StringVal(prefix.Masked().Addr().String()), err
		},
	})

	yamlValue = stringFunc(func(a ...string) (cty.Value, error) {
		var read any
		if err := yaml.Unmarshal([]byte(a[0]), &read); err != nil {
			return cty.NilVal, err
		}
		text, err := json.Marshal(read)
		if err != nil {
			return cty.NilVal, err
		}
		var v ctyjson.SimpleJSONValue
		err = v.UnmarshalJSON(text)
		return v.Value, err
	}, cty.DynamicPseudoType, "text")

	templateText = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "variables", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(arguments []cty.Value, _ cty.Type) (cty.Value, error) {
			return templateFile(arguments[0].AsString(), arguments[1].AsValueMap())
		},
	})
)

// stringFunc makes a function whose parameters are strings.
func stringFunc(of func(...string) (cty.Value, error), result cty.Type, names ...string) function.Function {
	spec := &function.Spec{
		Type: function.StaticReturnType(result),
		Impl: func(arguments []cty.Value, _ cty.Type) (cty.Value, error) {
			given := make([]string, len(arguments))
			for i, a := range arguments {
				given[i] = a.AsString()
			}
			return of(given...)
		},
	}
	for _, name := range names {
		spec.Params = append(spec.Params, function.Parameter{Name: name, Type: cty.String})
	}
	return function.New(spec)
}
