package devnode

import (
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// The flags of an operation with an expression (aerospike-client-go, exp_read_flags.go and
// exp_write_flags.go).
const (
	expFlagCreateOnly   = 1
	expFlagUpdateOnly   = 2
	expFlagAllowDelete  = 4
	expFlagPolicyNoFail = 8
	expFlagEvalNoFail   = 16
)

// evaluate returns the value of the expression of an operation: a list of the expression and
// flags. It is nil if the value is unknown and the flags allow that.
func (c *connection) evaluate(op *operation, now *change.Change, at time.Time) (change.Value, Code) {
	var f filter
	flags, ok := f.parseOperation(op.value)
	if !ok {
		return change.Value{}, Parameter
	}
	v, known := f.value(now, at)
	if !known || v.Kind() == change.KindUnsigned {
		return change.Value{}, codeIf(flags&expFlagEvalNoFail == 0, OpNotApplicable)
	}
	return v, OK
}

// parseOperation reads the value of an operation. It may have no flags.
func (f *filter) parseOperation(b []byte) (flags int64, ok bool) {
	u := unpacker{rest: b}
	list, n, ok := u.next()
	if !ok || list.Kind() != change.KindList || n < 1 || n > 2 {
		return 0, false
	}
	if _, ok = f.add(&u, 0); !ok {
		return 0, false
	}
	flagsValue := change.IntegerValue(0)
	if n == 2 {
		flagsValue, _, ok = u.next()
	}
	return flagsValue.Integer(), ok && flagsValue.Kind() == change.KindInteger && len(u.rest) == 0
}

// writeExpression returns the value that an expression gives a bin.
func (w *writer) writeExpression(old change.Value, op *operation) (change.Value, Code) {
	var f filter
	flags, ok := f.parseOperation(op.value)
	exists := old.Kind() != change.KindNil
	failed := OK
	switch {
	case !ok:
		return old, Parameter
	case flags&expFlagCreateOnly != 0 && exists:
		failed = BinExists
	case flags&expFlagUpdateOnly != 0 && !exists:
		failed = BinNotFound
	}
	if failed != OK {
		return old, codeIf(flags&expFlagPolicyNoFail == 0, failed)
	}
	v, known := f.value(&w.next, w.at)
	switch {
	case !known:
		return old, codeIf(flags&expFlagEvalNoFail == 0, OpNotApplicable)
	case v.Kind() == change.KindNil && flags&expFlagAllowDelete == 0:
		return old, codeIf(flags&expFlagPolicyNoFail == 0, OpNotApplicable)
	case v.Kind() == change.KindUnsigned:
		return old, Parameter
	}
	return v, OK
}
