package devnode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// evaluation evaluates an expression for a record. A value is unknown if it depends on
// something that the record does not have.
type evaluation struct {
	*filter
	record *change.Change
	at     time.Time
	steps  int
}

// maxSteps bounds the nodes that are evaluated: a variable may stand for an expression with
// two variables, and so on.
const maxSteps = 1 << 16

// value returns the value of a node.
func (e *evaluation) value(i int) (v change.Value, known bool) {
	if e.steps++; e.steps > maxSteps {
		return change.Value{}, false
	}
	n := &e.nodes[i]
	switch n.op {
	case expUnknown:
		return change.Value{}, false
	case expValue:
		return n.value, true
	case expEQ, expNE, expGT, expGE, expLT, expLE:
		return e.compare(n.op, i+1)
	case expAnd:
		return e.logic(i, false)
	case expOr:
		return e.logic(i, true)
	case expNot:
		v, known = e.value(i + 1)
		return change.BoolValue(!v.Bool()), known && v.Kind() == change.KindBool
	case expCond:
		return e.cond(i)
	case expLet:
		at := i + 1
		for e.nodes[at].end < n.end {
			at = e.nodes[at].end
		}
		return e.value(at)
	case expVar:
		return e.value(int(n.value.Integer()))
	case expKey, expBin, expBinType:
		return e.content(n)
	case expSetName:
		return change.StringValue([]byte(e.record.Set)), true
	case expKeyExists:
		return change.BoolValue(e.record.Key.Kind() != change.KindNil), true
	case expIsTombstone:
		return change.BoolValue(e.record.Op.IsDelete()), true
	case expDigestMod, expDeviceSize, expLastUpdate, expSinceUpdate, expVoidTime, expTTL, expMemorySize, expRecordSize:
		return change.IntegerValue(e.metadata(n)), true
	}
	return e.compute(i)
}

// compare compares the nodes at i and behind it. Values of different kinds cannot be
// compared.
func (e *evaluation) compare(op int64, i int) (v change.Value, known bool) {
	a, known := e.value(i)
	b, ok := e.value(e.nodes[i].end)
	if !known || !ok || a.Kind() != b.Kind() {
		return change.Value{}, false
	}
	var order int
	switch a.Kind() {
	case change.KindInteger:
		order = cmp.Compare(a.Integer(), b.Integer())
	case change.KindBool:
		order = cmp.Compare(a.Unsigned(), b.Unsigned())
	case change.KindNil:
	case change.KindMap: // the server knows no order of most maps
		return change.Value{}, false
	case change.KindList:
		order = comparePacked(a.Packed(), b.Packed())
	case change.KindDouble:
		if math.IsNaN(a.Double()) || math.IsNaN(b.Double()) {
			return change.BoolValue(op == expNE), true
		}
		order = cmp.Compare(a.Double(), b.Double())
	default:
		order = bytes.Compare(a.Bytes(), b.Bytes())
	}
	is := [...]bool{expEQ: order == 0, expNE: order != 0, expGT: order > 0, expGE: order >= 0, expLT: order < 0, expLE: order <= 0}
	return change.BoolValue(is[op]), true
}

// logic returns decisive if an argument is, unknown if one is unknown, else the opposite.
func (e *evaluation) logic(i int, decisive bool) (v change.Value, known bool) {
	known = true
	for at := i + 1; at < e.nodes[i].end; at = e.nodes[at].end {
		v, ok := e.value(at)
		if ok && v.Kind() == change.KindBool && v.Bool() == decisive {
			return v, true
		}
		known = known && ok && v.Kind() == change.KindBool
	}
	return change.BoolValue(!decisive), known
}

// cond returns the value behind the first condition that is true, or the last value.
func (e *evaluation) cond(i int) (v change.Value, known bool) {
	at, end := i+1, e.nodes[i].end
	for e.nodes[at].end < end {
		is, ok := e.value(at)
		if !ok || is.Kind() != change.KindBool {
			return change.Value{}, false
		}
		value := e.nodes[at].end
		if is.Bool() {
			return e.value(value)
		}
		at = e.nodes[value].end
	}
	return e.value(at)
}

// content returns the user key, a bin or the type of a bin.
func (e *evaluation) content(n *node) (v change.Value, known bool) {
	v = e.record.Key
	if n.op != expKey {
		v = change.Value{}
		if at := findBin(e.record.Bins, n.bytes); at >= 0 {
			v = e.record.Bins[at].Value
		}
	}
	if n.op == expBinType {
		return change.IntegerValue(int64(v.Kind())), true
	}
	return v, v.Kind() == n.kind && v.Kind() != change.KindNil
}

// metadata returns an integer of the record's metadata. Times are in nanoseconds since 1970,
// ages and the ttl in milliseconds and seconds, sizes in bytes. A record that never expires
// has -1.
func (e *evaluation) metadata(n *node) int64 {
	c := e.record
	switch n.op {
	case expDigestMod:
		const last = 16
		return int64(binary.LittleEndian.Uint32(c.Digest[last:])) % n.value.Integer()
	case expLastUpdate:
		return c.LUT * int64(time.Millisecond)
	case expSinceUpdate:
		return max(e.at.UnixMilli()-c.LUT, 0)
	case expVoidTime:
		if c.Expiry == 0 {
			return -1
		}
		return c.Expiry * int64(time.Second)
	case expTTL:
		if c.Expiry == 0 {
			return -1
		}
		return max(c.Expiry-e.at.Unix(), 0)
	case expDeviceSize:
		return 0
	}
	return int64(sizeOf(c))
}

// compute returns the result of an arithmetic operator.
func (e *evaluation) compute(i int) (v change.Value, known bool) {
	n, first := &e.nodes[i], i+1
	v, known = e.value(first)
	if !known {
		return change.Value{}, false
	}
	if n.op == expExclusive {
		return e.exclusive(i)
	}
	second := e.nodes[first].end
	if second == n.end {
		return unary(n.op, v)
	}
	for at := second; at < n.end; at = e.nodes[at].end {
		other, ok := e.value(at)
		if !ok || other.Kind() != v.Kind() {
			return change.Value{}, false
		}
		if v, known = binaryOperation(n.op, v, other); !known {
			return change.Value{}, false
		}
	}
	return v, true
}

// exclusive reports whether exactly one argument is true. Those behind the second that is
// true do not matter.
func (e *evaluation) exclusive(i int) (v change.Value, known bool) {
	count := 0
	for at := i + 1; at < e.nodes[i].end; at = e.nodes[at].end {
		v, ok := e.value(at)
		if !ok || v.Kind() != change.KindBool {
			return change.Value{}, false
		}
		if v.Bool() {
			count++
		}
		if count == 2 {
			break
		}
	}
	return change.BoolValue(count == 1), true
}

// unary returns the result of an operator with one argument.
func unary(op int64, v change.Value) (result change.Value, known bool) {
	switch v.Kind() {
	case change.KindInteger:
		i := v.Integer()
		switch op {
		case expAbs:
			i = max(i, -i)
		case expSub:
			i = -i
		case expDiv:
			i, known = integerOperation(expDiv, 1, i)
			return change.IntegerValue(i), known
		case expIntNot:
			i = ^i
		case expBitCount:
			i = int64(bits.OnesCount64(uint64(i)))
		case expToDouble:
			return change.DoubleValue(float64(i)), true
		}
		return change.IntegerValue(i), true
	case change.KindDouble:
		d := v.Double()
		switch op {
		case expAbs:
			d = math.Abs(d)
		case expSub:
			d = -d
		case expDiv:
			d = 1 / d
		case expFloor:
			d = math.Floor(d)
		case expCeil:
			d = math.Ceil(d)
		case expToInteger:
			return change.IntegerValue(int64(d)), true
		}
		return change.DoubleValue(d), true
	}
	return change.Value{}, false
}

// binaryOperation returns the result of an operator for two values of the same kind.
func binaryOperation(op int64, a, b change.Value) (result change.Value, known bool) {
	switch a.Kind() {
	case change.KindInteger:
		i, known := integerOperation(op, a.Integer(), b.Integer())
		return change.IntegerValue(i), known
	case change.KindDouble:
		d, known := doubleOperation(op, a.Double(), b.Double())
		return change.DoubleValue(d), known
	}
	return change.Value{}, false
}

func integerOperation(op, a, b int64) (result int64, known bool) {
	switch op {
	case expAdd:
		return a + b, true
	case expSub:
		return a - b, true
	case expMul:
		return a * b, true
	case expDiv, expMod:
		if b == 0 || a == math.MinInt64 && b == -1 {
			return 0, false
		}
		if op == expDiv {
			return a / b, true
		}
		return a % b, true
	case expMin:
		return min(a, b), true
	case expMax:
		return max(a, b), true
	case expIntAnd:
		return a & b, true
	case expIntOr:
		return a | b, true
	case expIntXor:
		return a ^ b, true
	}
	shift := uint64(b) & 63 // as the processor does that the server runs on
	switch op {
	case expShiftLeft:
		return a << shift, true
	case expShiftRight:
		return int64(uint64(a) >> shift), true
	case expShiftSigned:
		return a >> shift, true
	}
	return 0, false
}

func doubleOperation(op int64, a, b float64) (result float64, known bool) {
	switch op {
	case expAdd:
		return a + b, true
	case expSub:
		return a - b, true
	case expMul:
		return a * b, true
	case expDiv:
		return a / b, true
	case expMin:
		return min(a, b), true
	case expMax:
		return max(a, b), true
	}
	return 0, false
}
