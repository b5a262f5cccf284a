package devnode

import (
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// filter is an expression (aerospike-client-go, expression.go): MessagePack lists that begin
// with an operator. Its value for a record may be unknown, for instance if it needs a bin
// that the record does not have. The zero filter matches every record.
type filter struct {
	nodes []node // depth first
	names []variable
}

// node is an operator or a value of an expression.
type node struct {
	op    int64
	kind  change.Kind // of the value, unless that is unknown
	bytes []byte      // the name of a bin
	value change.Value
	end   int // index of the first node behind this one's arguments
}

// variable is a name that an expression has for another one.
type variable struct {
	name string
	node int // 0 while the other is read, in which the name must not be used
}

// The operators of expressions (expression.go, expOp*).
const (
	expUnknown     = 0
	expEQ          = 1
	expNE          = 2
	expGT          = 3
	expGE          = 4
	expLT          = 5
	expLE          = 6
	expAnd         = 16
	expOr          = 17
	expNot         = 18
	expExclusive   = 19
	expAdd         = 20
	expSub         = 21
	expMul         = 22
	expDiv         = 23
	expMod         = 26
	expAbs         = 27
	expFloor       = 28
	expCeil        = 29
	expToInteger   = 30
	expToDouble    = 31
	expIntAnd      = 32
	expIntOr       = 33
	expIntXor      = 34
	expIntNot      = 35
	expShiftLeft   = 36
	expShiftRight  = 37
	expShiftSigned = 38
	expBitCount    = 39
	expMin         = 50
	expMax         = 51
	expDigestMod   = 64
	expDeviceSize  = 65
	expLastUpdate  = 66
	expSinceUpdate = 67
	expVoidTime    = 68
	expTTL         = 69
	expSetName     = 70
	expKeyExists   = 71
	expIsTombstone = 72
	expMemorySize  = 73
	expRecordSize  = 74
	expKey         = 80
	expBin         = 81
	expBinType     = 82
	expCond        = 123
	expVar         = 124
	expLet         = 125
	expQuoted      = 126

	expValue = -1 // not an operator
)

// kindAny is the kind of expressions while none is read, and of an unknown value of a
// condition.
const kindAny = change.Kind(1 << 15)

// maxDepth bounds how deep expressions nest, and maxNodes how many operators and values they
// have.
const (
	maxDepth = 1000
	maxNodes = 1 << 16
)

// compile reads an expression; nil matches every record. The filter keeps b.
func (f *filter) compile(b []byte) Code {
	f.nodes, f.names = f.nodes[:0], f.names[:0]
	if b == nil {
		return OK
	}
	if !f.parse(b) || !is(f.nodes[0].kind, change.KindBool) {
		f.nodes = f.nodes[:0]
		return Parameter
	}
	return OK
}

// parse reads an expression of any kind.
func (f *filter) parse(b []byte) bool {
	f.nodes, f.names = f.nodes[:0], f.names[:0]
	u := unpacker{rest: b}
	_, ok := f.add(&u, 0)
	return ok && len(u.rest) == 0
}

// is reports whether a value of kind may be one of want.
func is(kind, want change.Kind) bool { return kind == want || kind == kindAny }

// add reads an expression and adds its nodes. It returns the kind of its value.
func (f *filter) add(u *unpacker, depth int) (kind change.Kind, ok bool) {
	if depth > maxDepth || len(f.nodes) >= maxNodes {
		return 0, false
	}
	at := len(f.nodes)
	before := u.rest
	v, length, ok := u.next()
	if !ok {
		return 0, false
	}
	if v.Kind() != change.KindList {
		u.rest = before
		return f.addValue(u)
	}
	op, _, ok := u.next()
	if !ok || length < 1 || op.Kind() != change.KindInteger {
		return 0, false
	}
	f.nodes = append(f.nodes, node{op: op.Integer()})
	if kind, ok = f.addOperator(u, at, length-1, depth); !ok {
		return 0, false
	}
	n := &f.nodes[at]
	n.kind, n.end = kind, len(f.nodes)
	return kind, true
}

// addValue reads a value that is not an operator.
func (f *filter) addValue(u *unpacker) (kind change.Kind, ok bool) {
	before := u.rest
	v, _, ok := u.next()
	switch v.Kind() {
	case change.KindList, change.KindMap:
		var r repacker
		if u.rest, kind, ok = r.value(before, 0); !ok {
			return 0, false
		}
		v = change.BytesValue(kind, r.out)
	case change.KindUnsigned:
		v = change.IntegerValue(int64(v.Unsigned()))
	}
	f.nodes = append(f.nodes, node{op: expValue, kind: v.Kind(), value: v, end: len(f.nodes) + 1})
	return v.Kind(), ok
}

// addOperator reads the arguments of the operator at a node.
func (f *filter) addOperator(u *unpacker, at, args, depth int) (kind change.Kind, ok bool) {
	switch op := f.nodes[at].op; op {
	case expUnknown:
		return change.KindBool, args == 0
	case expQuoted:
		f.nodes = f.nodes[:at]
		if len(u.rest) == 0 || args != 1 {
			return 0, false
		}
		kind, ok = f.addValue(u)
		return kind, ok && kind == change.KindList
	case expEQ, expNE, expGT, expGE, expLT, expLE:
		kind, ok = f.addSame(u, args, depth)
		return change.KindBool, ok && args == 2 && isComparable(kind)
	case expAnd, expOr, expExclusive:
		kind, ok = f.addSame(u, args, depth)
		return change.KindBool, ok && args > 1 && is(kind, change.KindBool)
	case expNot:
		kind, ok = f.addSame(u, args, depth)
		return change.KindBool, ok && args == 1 && is(kind, change.KindBool)
	case expAdd, expSub, expMul, expDiv, expMin, expMax:
		kind, ok = f.addSame(u, args, depth)
		return kind, ok && args > 0 && isNumber(kind)
	case expAbs:
		kind, ok = f.addSame(u, args, depth)
		return kind, ok && args == 1 && isNumber(kind)
	case expFloor, expCeil:
		kind, ok = f.addSame(u, args, depth)
		return change.KindDouble, ok && args == 1 && is(kind, change.KindDouble)
	case expToInteger:
		kind, ok = f.addSame(u, args, depth)
		return change.KindInteger, ok && args == 1 && is(kind, change.KindDouble)
	case expToDouble:
		kind, ok = f.addSame(u, args, depth)
		return change.KindDouble, ok && args == 1 && is(kind, change.KindInteger)
	case expMod, expShiftLeft, expShiftRight, expShiftSigned:
		kind, ok = f.addSame(u, args, depth)
		return change.KindInteger, ok && args == 2 && is(kind, change.KindInteger)
	case expIntAnd, expIntOr, expIntXor:
		kind, ok = f.addSame(u, args, depth)
		return change.KindInteger, ok && args > 0 && is(kind, change.KindInteger)
	case expIntNot, expBitCount:
		kind, ok = f.addSame(u, args, depth)
		return change.KindInteger, ok && args == 1 && is(kind, change.KindInteger)
	case expCond:
		return f.addCond(u, args, depth)
	case expLet:
		return f.addLet(u, args, depth)
	default:
		return f.addLeaf(u, at, args)
	}
}

// addSame reads n expressions of the same kind.
func (f *filter) addSame(u *unpacker, n, depth int) (kind change.Kind, ok bool) {
	kind = kindAny
	for range n {
		k, ok := f.add(u, depth+1)
		if !ok || kind != kindAny && !is(k, kind) {
			return 0, false
		}
		if k != kindAny {
			kind = k
		}
	}
	return kind, true
}

func isComparable(kind change.Kind) bool {
	switch kind {
	case change.KindGeoJSON, change.KindHLL:
		return false
	}
	return true
}

func isNumber(kind change.Kind) bool {
	return is(kind, change.KindInteger) || kind == change.KindDouble
}

// addCond reads pairs of a condition and a value, and then the default value.
func (f *filter) addCond(u *unpacker, args, depth int) (kind change.Kind, ok bool) {
	kind = kindAny
	for i := range args {
		at := len(f.nodes)
		k, ok := f.add(u, depth+1)
		if ok && f.nodes[at].op == expUnknown && (i%2 == 1 || i == args-1) {
			k = kindAny
		}
		switch {
		case !ok:
			return 0, false
		case i%2 == 0 && i < args-1:
			if !is(k, change.KindBool) {
				return 0, false
			}
		case kind != kindAny && !is(k, kind):
			return 0, false
		case k != kindAny:
			kind = k
		}
	}
	if kind == kindAny {
		kind = change.KindBool
	}
	return kind, args >= 3 && args%2 == 1
}

// addLet reads pairs of a name and an expression, and then an expression that uses the
// names.
func (f *filter) addLet(u *unpacker, args, depth int) (kind change.Kind, ok bool) {
	if args%2 == 0 || args < 3 {
		return 0, false
	}
	before := len(f.names)
	for range args / 2 {
		name, ok := u.raw()
		if !ok || f.variable(name) != nil {
			return 0, false
		}
		f.names = append(f.names, variable{name: string(name)})
		at, defined := len(f.nodes), len(f.names)
		if _, ok = f.add(u, depth+1); !ok {
			return 0, false
		}
		f.names = f.names[:defined]
		f.names[defined-1].node = at
	}
	kind, ok = f.add(u, depth+1)
	f.names = f.names[:before]
	return kind, ok
}

// addLeaf reads the arguments of an operator that are not expressions.
func (f *filter) addLeaf(u *unpacker, at, args int) (kind change.Kind, ok bool) {
	n := &f.nodes[at]
	switch n.op {
	case expDigestMod:
		v, _, ok := u.next()
		n.value = v
		return change.KindInteger, ok && args == 1 && v.Kind() == change.KindInteger && v.Integer() != 0
	case expDeviceSize, expLastUpdate, expSinceUpdate, expVoidTime, expTTL, expMemorySize, expRecordSize:
		return change.KindInteger, args == 0
	case expSetName:
		return change.KindString, args == 0
	case expKeyExists, expIsTombstone:
		return change.KindBool, args == 0
	case expKey:
		v, _, ok := u.next()
		kind, known := kindOfType(v)
		isKey := kind == change.KindInteger || kind == change.KindString || kind == change.KindBlob
		return kind, ok && args == 1 && known && isKey
	case expBin:
		v, _, ok := u.next()
		kind, known := kindOfType(v)
		if !ok || args != 2 || !known {
			return 0, false
		}
		n.bytes, ok = u.raw()
		return kind, ok && len(n.bytes) <= maxBinName
	case expBinType:
		n.bytes, ok = u.raw()
		return change.KindInteger, ok && args == 1 && len(n.bytes) <= maxBinName
	case expVar:
		return f.addVariable(u, n, args)
	}
	return 0, false
}

// addVariable makes n refer to the expression of a name.
func (f *filter) addVariable(u *unpacker, n *node, args int) (kind change.Kind, ok bool) {
	name, ok := u.raw()
	if !ok || args != 1 {
		return 0, false
	}
	v := f.variable(name)
	if v == nil || v.node == 0 {
		return 0, false
	}
	n.value = change.IntegerValue(int64(v.node))
	return f.nodes[v.node].kind, true
}

// variable returns the variable of a name, nil if there is none.
func (f *filter) variable(name []byte) *variable {
	for i := range f.names {
		if f.names[i].name == string(name) {
			return &f.names[i]
		}
	}
	return nil
}

// kindOfType returns the kind of a type in an expression (expression.go, ExpType*).
func kindOfType(v change.Value) (kind change.Kind, ok bool) {
	kinds := []change.Kind{change.KindNil, change.KindBool, change.KindInteger, change.KindString, change.KindList,
		change.KindMap, change.KindBlob, change.KindDouble, change.KindGeoJSON, change.KindHLL}
	if v.Kind() != change.KindInteger || v.Integer() < 0 || v.Integer() >= int64(len(kinds)) {
		return 0, false
	}
	return kinds[v.Integer()], true
}

// matches reports whether the filter is true for a record at a time. Unknown is not true.
func (f *filter) matches(c *change.Change, at time.Time) bool {
	if len(f.nodes) == 0 {
		return true
	}
	v, known := f.value(c, at)
	return known && v.Kind() == change.KindBool && v.Bool()
}

// value returns the value of the expression for a record at a time, or false if it is
// unknown.
func (f *filter) value(c *change.Change, at time.Time) (v change.Value, known bool) {
	e := evaluation{filter: f, record: c, at: at}
	return e.value(0)
}
