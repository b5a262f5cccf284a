package devnode_test

import (
	"fmt"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/devnode"
)

// verdict asks the node whether an expression is true, false or unknown for a record.
func verdict(t interface{ Fatal(...any) }, client *as.Client, k *as.Key, exp *as.Expression) string {
	passes := func(exp *as.Expression) bool {
		policy := as.NewPolicy()
		policy.FilterExpression = exp
		_, err := client.GetHeader(policy, k)
		switch {
		case err == nil:
			return true
		case err.Matches(types.FILTERED_OUT):
			return false
		}
		t.Fatal(err)
		return false
	}
	switch {
	case passes(exp):
		return "true"
	case passes(as.ExpNot(exp)):
		return "false"
	}
	return "unknown"
}

func TestFilter_values(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{Now: fixedClock}))
	k := key(t, "joe")
	policy := as.NewWritePolicy(0, 100)
	policy.SendKey = true
	if err := client.Put(policy, k, as.BinMap{"i": 42, "d": 1.5, "s": "abc", "t": true, "b": []byte{1, 2}, "l": []any{1}}); err != nil {
		t.Fatal(err)
	}
	i, d, s := as.ExpIntBin("i"), as.ExpFloatBin("d"), as.ExpStringBin("s")
	n, f := as.ExpIntVal, as.ExpFloatVal
	unknown := as.ExpEq(as.ExpIntBin("no"), n(1))
	lut := start.UnixNano()
	for name, tt := range map[string]struct {
		exp  *as.Expression
		want string
	}{
		"equal":                         {as.ExpEq(i, n(42)), "true"},
		"not equal":                     {as.ExpNotEq(i, n(42)), "false"},
		"greater":                       {as.ExpGreater(i, n(42)), "false"},
		"greater or equal":              {as.ExpGreaterEq(i, n(42)), "true"},
		"less":                          {as.ExpLess(i, n(43)), "true"},
		"less or equal":                 {as.ExpLessEq(i, n(-1<<63)), "false"},
		"double":                        {as.ExpEq(d, f(1.5)), "true"},
		"string":                        {as.ExpLess(s, as.ExpStringVal("abd")), "true"},
		"blob":                          {as.ExpEq(as.ExpBlobBin("b"), as.ExpBlobVal([]byte{1, 2})), "true"},
		"bool":                          {as.ExpEq(as.ExpBoolBin("t"), as.ExpBoolVal(true)), "true"},
		"bool by itself":                {as.ExpBoolBin("t"), "true"},
		"absent bin":                    {unknown, "unknown"},
		"bin of another type":           {as.ExpEq(as.ExpIntBin("s"), n(1)), "unknown"},
		"unknown":                       {as.ExpUnknown(), "unknown"},
		"unknown or true":               {as.ExpOr(unknown, as.ExpBoolVal(true)), "true"},
		"unknown or false":              {as.ExpOr(unknown, as.ExpBoolVal(false)), "unknown"},
		"unknown and false":             {as.ExpAnd(unknown, as.ExpBoolVal(false)), "false"},
		"unknown and true":              {as.ExpAnd(as.ExpBoolVal(true), unknown), "unknown"},
		"exclusive":                     {as.ExpExclusive(as.ExpBoolVal(true), as.ExpBoolVal(false)), "true"},
		"exclusive, both":               {as.ExpExclusive(as.ExpBoolVal(true), as.ExpBoolVal(true)), "false"},
		"exclusive, two of three":       {as.ExpExclusive(as.ExpBoolVal(true), as.ExpBoolVal(true), unknown), "false"},
		"exclusive, unknown":            {as.ExpExclusive(as.ExpBoolVal(true), unknown), "unknown"},
		"bin exists":                    {as.ExpBinExists("i"), "true"},
		"bin does not exist":            {as.ExpBinExists("no"), "false"},
		"bin type":                      {as.ExpEq(as.ExpBinType("l"), n(20)), "true"},
		"last update":                   {as.ExpEq(as.ExpLastUpdate(), n(lut)), "true"},
		"since update":                  {as.ExpEq(as.ExpSinceUpdate(), n(0)), "true"},
		"void time":                     {as.ExpEq(as.ExpVoidTime(), n(lut+100e9)), "true"},
		"ttl":                           {as.ExpEq(as.ExpTTL(), n(100)), "true"},
		"set":                           {as.ExpEq(as.ExpSetName(), as.ExpStringVal("people")), "true"},
		"key exists":                    {as.ExpKeyExists(), "true"},
		"key":                           {as.ExpEq(as.ExpKey(as.ExpTypeSTRING), as.ExpStringVal("joe")), "true"},
		"key of another type":           {as.ExpEq(as.ExpKey(as.ExpTypeINT), n(1)), "unknown"},
		"tombstone":                     {as.ExpIsTombstone(), "false"},
		"device size":                   {as.ExpEq(as.ExpDeviceSize(), n(0)), "true"},
		"record size":                   {as.ExpGreater(as.ExpRecordSize(), n(10)), "true"},
		"memory size":                   {as.ExpGreater(as.ExpMemorySize(), n(10)), "true"},
		"digest modulo":                 {as.ExpLess(as.ExpDigestModulo(3), n(3)), "true"},
		"add":                           {as.ExpEq(as.ExpNumAdd(i, n(1), n(2)), n(45)), "true"},
		"subtract":                      {as.ExpEq(as.ExpNumSub(i, n(2)), n(40)), "true"},
		"negate":                        {as.ExpEq(as.ExpNumSub(i), n(-42)), "true"},
		"multiply doubles":              {as.ExpEq(as.ExpNumMul(d, f(2)), f(3)), "true"},
		"divide":                        {as.ExpEq(as.ExpNumDiv(i, n(5)), n(8)), "true"},
		"reciprocal":                    {as.ExpEq(as.ExpNumDiv(n(2)), n(0)), "true"},
		"list":                          {as.ExpEq(as.ExpListBin("l"), as.ExpListValueVal(1)), "true"},
		"list, less":                    {as.ExpLess(as.ExpListBin("l"), as.ExpListValueVal(1, 2)), "true"},
		"nil":                           {as.ExpEq(as.ExpNilValue(), as.ExpNilValue()), "true"},
		"divide by zero":                {as.ExpEq(as.ExpNumDiv(i, n(0)), n(8)), "unknown"},
		"remainder":                     {as.ExpEq(as.ExpNumMod(i, n(5)), n(2)), "true"},
		"remainder of zero":             {as.ExpEq(as.ExpNumMod(i, n(0)), n(2)), "unknown"},
		"absolute":                      {as.ExpEq(as.ExpNumAbs(n(-7)), n(7)), "true"},
		"floor":                         {as.ExpEq(as.ExpNumFloor(d), f(1)), "true"},
		"ceil":                          {as.ExpEq(as.ExpNumCeil(d), f(2)), "true"},
		"to integer":                    {as.ExpEq(as.ExpToInt(d), n(1)), "true"},
		"to double":                     {as.ExpEq(as.ExpToFloat(i), f(42)), "true"},
		"and":                           {as.ExpEq(as.ExpIntAnd(i, n(0xf)), n(10)), "true"},
		"or":                            {as.ExpEq(as.ExpIntOr(i, n(1)), n(43)), "true"},
		"exclusive or":                  {as.ExpEq(as.ExpIntXor(i, n(2)), n(40)), "true"},
		"not":                           {as.ExpEq(as.ExpIntNot(n(0)), n(-1)), "true"},
		"shift left":                    {as.ExpEq(as.ExpIntLShift(i, n(17)), n(42<<17)), "true"},
		"shift right":                   {as.ExpEq(as.ExpIntRShift(n(-1), n(60)), n(15)), "true"},
		"shift right, signed":           {as.ExpEq(as.ExpIntARShift(n(-8), n(1)), n(-4)), "true"},
		"shift by 64":                   {as.ExpEq(as.ExpIntLShift(i, n(64)), n(42)), "true"},
		"count bits":                    {as.ExpEq(as.ExpIntCount(i), n(3)), "true"},
		"minimum":                       {as.ExpEq(as.ExpMin(i, n(7), n(50)), n(7)), "true"},
		"maximum":                       {as.ExpEq(as.ExpMax(i, n(7), n(50)), n(50)), "true"},
		"condition":                     {as.ExpEq(as.ExpCond(as.ExpGreater(i, n(50)), n(1), as.ExpGreater(i, n(40)), n(2), n(3)), n(2)), "true"},
		"condition, default":            {as.ExpEq(as.ExpCond(as.ExpGreater(i, n(50)), n(1), n(3)), n(3)), "true"},
		"condition that is unknown":     {as.ExpEq(as.ExpCond(unknown, n(1), n(3)), n(3)), "unknown"},
		"condition with unknown values": {as.ExpEq(as.ExpCond(as.ExpBoolVal(false), as.ExpUnknown(), n(3)), n(3)), "true"},
		"variables": {as.ExpLet(as.ExpDef("x", as.ExpNumAdd(i, n(1))), as.ExpDef("y", as.ExpNumMul(as.ExpVar("x"), n(2))),
			as.ExpEq(as.ExpVar("y"), n(86))), "true"},
	} {
		if got := verdict(t, client, k, tt.exp); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// The order of versions by update time and generation, which wraps after 65535: the filter of
// a fence.
func TestFilter_versions(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	k := key(t, "state")
	write := func(lut, generation int) bool {
		t.Helper()
		l, g := as.ExpIntBin("l"), as.ExpIntBin("g")
		later := as.ExpIntAnd(as.ExpNumSub(as.ExpIntVal(int64(generation)), g), as.ExpIntVal(0xffff))
		policy := as.NewWritePolicy(0, 0)
		policy.FilterExpression = as.ExpOr(as.ExpLess(l, as.ExpIntVal(int64(lut))),
			as.ExpAnd(as.ExpEq(l, as.ExpIntVal(int64(lut))), as.ExpLess(as.ExpIntVal(0), later), as.ExpLess(later, as.ExpIntVal(0x8000))))
		err := client.Put(policy, k, as.BinMap{"l": lut, "g": generation})
		if err != nil && !err.Matches(types.FILTERED_OUT) {
			t.Fatal(err)
		}
		return err == nil
	}
	for _, tt := range []struct {
		lut, generation int
		want            bool
	}{
		{1000, 5, true}, {1000, 5, false}, {1000, 4, false}, {1000, 6, true}, {999, 7, false}, {1001, 1, true},
		{1002, 65535, true}, {1002, 1, true}, {1002, 65535, false}, {1002, 2, true}, {1003, 1, true},
	} {
		if got := write(tt.lut, tt.generation); got != tt.want {
			t.Errorf("update time %d, generation %d: written %t, want %t", tt.lut, tt.generation, got, tt.want)
		}
	}
}

// The logic with three values is that of Kleene: it does not depend on how a formula is
// nested.
func TestFilter_logic(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	k := key(t, "joe")
	if err := client.Put(nil, k, as.BinMap{"i": 1}); err != nil {
		t.Fatal(err)
	}
	leaves := []*as.Expression{as.ExpEq(as.ExpIntBin("i"), as.ExpIntVal(2)), as.ExpEq(as.ExpIntBin("no"), as.ExpIntVal(1)), as.ExpEq(as.ExpIntBin("i"), as.ExpIntVal(1))}
	names := []string{"false", "unknown", "true"}
	rapid.Check(t, func(t *rapid.T) {
		var formula func(depth int) (*as.Expression, int) // with its place in names
		formula = func(depth int) (*as.Expression, int) {
			kind := rapid.IntRange(0, 4).Draw(t, "kind")
			if depth == 0 || kind == 0 {
				i := rapid.IntRange(0, 2).Draw(t, "leaf")
				return leaves[i], i
			}
			a, va := formula(depth - 1)
			if kind == 1 {
				return as.ExpNot(a), 2 - va
			}
			b, vb := formula(depth - 1)
			switch kind {
			case 2:
				return as.ExpAnd(a, b), min(va, vb)
			case 3:
				return as.ExpOr(a, b), max(va, vb)
			}
			if va == 1 {
				return as.ExpCond(a, b, a), 1
			}
			return as.ExpCond(a, b, leaves[0]), []int{0, 1, vb}[va]
		}
		exp, want := formula(4)
		if got := verdict(t, client, k, exp); got != names[want] {
			t.Fatalf("%s, want %s", got, names[want])
		}
	})
}

// Operations with expressions read and write bins.
func TestFilter_operations(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	k := key(t, "joe")
	if err := client.Put(nil, k, as.BinMap{"i": 1}); err != nil {
		t.Fatal(err)
	}
	more := as.ExpNumAdd(as.ExpIntBin("i"), as.ExpIntVal(1))
	missing := as.ExpIntBin("no")
	for _, tt := range []struct {
		name string
		op   *as.Operation
		code types.ResultCode
		bins string
	}{
		{"write", as.ExpWriteOp("j", more, as.ExpWriteFlagDefault), 0, "map[i:1 j:2]"},
		{"create again", as.ExpWriteOp("j", more, as.ExpWriteFlagCreateOnly), types.BIN_EXISTS_ERROR, ""},
		{"create again, do not fail", as.ExpWriteOp("j", more, as.ExpWriteFlagCreateOnly|as.ExpWriteFlagPolicyNoFail), 0, "map[i:1 j:2]"},
		{"update absent", as.ExpWriteOp("k", more, as.ExpWriteFlagUpdateOnly), types.BIN_NOT_FOUND, ""},
		{"unknown", as.ExpWriteOp("j", missing, as.ExpWriteFlagDefault), types.OP_NOT_APPLICABLE, ""},
		{"unknown, do not fail", as.ExpWriteOp("j", missing, as.ExpWriteFlagEvalNoFail), 0, "map[i:1 j:2]"},
		{"delete", as.ExpWriteOp("j", as.ExpNilValue(), as.ExpWriteFlagAllowDelete), 0, "map[i:1]"},
		{"read", as.ExpReadOp("x", more, as.ExpReadFlagDefault), 0, "map[i:1]"},
		{"read unknown", as.ExpReadOp("x", missing, as.ExpReadFlagDefault), types.OP_NOT_APPLICABLE, ""},
		{"read unknown, do not fail", as.ExpReadOp("x", missing, as.ExpReadFlagEvalNoFail), 0, "map[i:1]"},
	} {
		_, err := client.Operate(nil, k, tt.op)
		if got := codeOf(t, err); got != tt.code {
			t.Errorf("%s: %v, want code %d", tt.name, err, tt.code)
			continue
		}
		if record, err := client.Get(nil, k); tt.code == 0 && (err != nil || fmt.Sprint(record.Bins) != tt.bins) {
			t.Errorf("%s: %v, %v, want %s", tt.name, record, err, tt.bins)
		}
	}
}
