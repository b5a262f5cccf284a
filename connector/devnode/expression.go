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

	expWriteFlags = expFlagCreateOnly | expFlagUpdateOnly | expFlagAllowDelete | expFlagPolicyNoFail | expFlagEvalNoFail
	expReadFlags  = expFlagEvalNoFail
)

// evaluate returns the value of the expression of an operation: a list of the expression and
// flags. It is nil if the value is unknown and the flags allow that.
func (c *connection) evaluate(op *operation, now *change.Change, at time.Time) (change.Value, Code) {
	var f filter
	flags, ok := f.parseOperation(op.value, expReadFlags)
	if !ok {
		return change.Value{}, Parameter
	}
	v, known := f.value(now, at)
	if !known {
		return change.Value{}, codeIf(flags&expFlagEvalNoFail == 0, OpNotApplicable)
	}
	return v, OK
}

// parseOperation reads the value of an operation: a list of an expression and flags, which may
// be missing or nil. Other flags than those allowed are an error.
func (f *filter) parseOperation(b []byte, allowed int64) (flags int64, ok bool) {
	u := unpacker{rest: b}
	list, n, ok := u.next()
	if !ok || list.Kind() != change.KindList || n < 1 || n > 2 {
		return 0, false
	}
	f.nodes, f.names = f.nodes[:0], f.names[:0]
	if _, ok = f.add(&u, 0); ok && n == 2 {
		var v change.Value
		v, _, ok = u.next()
		flags = v.Integer() // 0 if it is nil
		ok = ok && (v.Kind() == change.KindInteger || v.Kind() == change.KindNil)
	}
	return flags, ok && len(u.rest) == 0 && flags&^allowed == 0
}

// writeExpression returns the value that an expression gives a bin.
func (w *writer) writeExpression(old change.Value, op *operation) (change.Value, Code) {
	var f filter
	flags, ok := f.parseOperation(w.keep(op.value), expWriteFlags) // the bin may be a part of it
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
	case v.Kind() == change.KindNil && exists && flags&expFlagAllowDelete == 0:
		return old, codeIf(flags == 0, OpNotApplicable) // the server takes any flag for "do not fail"
	}
	return v, OK
}
