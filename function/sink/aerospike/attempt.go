package aerospike

import (
	"context"
	"errors"
	"fmt"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
)

// attempt takes rows of different records through the steps that records describes. A row
// ends with a verdict, or among those that begin anew.
type attempt struct {
	*records
	put   *put
	ctx   context.Context
	again []*row
}

// run takes the steps.
func (a *attempt) run(rows []*row) {
	if a.versions == "" {
		a.write(rows)
		return
	}
	rows = a.readTargets(rows)
	rows = a.writeStates(rows)
	a.readCreated(a.write(rows))
}

// Bins of step 1, with values that the server computes.
const (
	binLastUpdate  = "l"
	binSinceUpdate = "s"
)

// headOps read when a record was last updated: in nanoseconds since 1970, and in
// milliseconds until now, both in whole milliseconds of the server's clock.
var headOps = []*as.Operation{
	as.ExpReadOp(binLastUpdate, as.ExpLastUpdate(), as.ExpReadFlagDefault),
	as.ExpReadOp(binSinceUpdate, as.ExpSinceUpdate(), as.ExpReadFlagDefault),
}

// newSameFilter returns the filter that is true if a record was last updated at a time in
// nanoseconds since 1970.
func newSameFilter() *template {
	return newTemplate(1, func(i []*as.Expression) *as.Expression { return as.ExpEq(as.ExpLastUpdate(), i[0]) })
}

// readTargets is step 1. It returns the rows that can go on.
func (a *attempt) readTargets(rows []*row) (ready []*row) {
	commands := make([]as.BatchRecordIfc, len(rows))
	for n, r := range rows {
		commands[n] = as.NewBatchReadOps(nil, r.target, headOps...)
	}
	errs := a.client.Batch(a.ctx, commands)
	for n, r := range rows {
		switch err := errAt(errs, n); code(err) {
		case types.KEY_NOT_FOUND_ERROR:
			r.present = false
			ready = append(ready, r)
		case types.OK:
			head := commands[n].BatchRec().Record
			lut, ok := head.Bins[binLastUpdate].(int)
			since, okSince := head.Bins[binSinceUpdate].(int)
			if !ok || !okSince {
				a.put.fail(r.index, errors.New("the server does not tell when the record was last updated"))
				continue
			}
			if since <= 0 {
				a.again = append(a.again, r) // see records
				continue
			}
			r.present, r.generation, r.lut = true, head.Generation, int64(lut)
			ready = append(ready, r)
		default:
			a.put.fail(r.index, err)
		}
	}
	return ready
}

// writeStates is step 2. It returns the rows whose changes are to be applied.
func (a *attempt) writeStates(rows []*row) (passed []*row) {
	var whole, updates []*row
	for _, r := range rows {
		if r.action == update {
			updates = append(updates, r)
		} else {
			whole = append(whole, r)
		}
	}
	return append(a.replaceStates(whole), a.mergeStates(updates)...)
}

// replaceStates is step 2 for changes of a whole record: one command each, which the server
// carries out only if no newer version is stored.
func (a *attempt) replaceStates(rows []*row) (passed []*row) {
	commands := make([]as.BatchRecordIfc, len(rows))
	for n, r := range rows {
		r.latest = r.state
		policy := &as.BatchWritePolicy{FilterExpression: a.filter.of(r.state), RecordExistsAction: as.REPLACE, Expiration: a.versionsTTL}
		commands[n] = as.NewBatchWrite(policy, r.states, as.PutOp(as.NewBin(binNewest, int64(r.state))))
	}
	passed, refused := a.carryOut(rows, commands)
	var obsolete []*row
	for _, r := range a.readApplied(refused) {
		switch {
		case r.applied.base.covers(r.state):
			obsolete = append(obsolete, r)
		case r.applied.newest.covers(r.state):
			a.put.fail(r.index, change.Permanent(errors.New("the change is older than an update of some bins that was applied already, and cannot be merged with it")))
		default:
			a.again = append(a.again, r) // the stored version has changed since
		}
	}
	a.drop(obsolete)
	return passed
}

// mergeStates is step 2 for updates. Dropping one that comes late would lose its bins, so the
// state has the version of each bin that was updated since all of them were written. It is
// read, merged with the change, and written if it is still as it was.
func (a *attempt) mergeStates(rows []*row) (passed []*row) {
	var merged, obsolete []*row
	var commands []as.BatchRecordIfc
	for _, r := range a.readApplied(rows) {
		if r.written, r.newest = r.applied.update(r.state, r.change.Bins); len(r.written) == 0 && !r.newest {
			obsolete = append(obsolete, r)
			continue
		}
		if r.isTouch() && !r.present {
			a.put.fail(r.index, errTouch)
			continue
		}
		r.latest = r.applied.newest
		policy := &as.BatchWritePolicy{RecordExistsAction: as.CREATE_ONLY, Expiration: a.versionsTTL}
		if r.appliedGeneration > 0 {
			policy.RecordExistsAction, policy.GenerationPolicy, policy.Generation = as.REPLACE_ONLY, as.EXPECT_GEN_EQUAL, r.appliedGeneration
		}
		merged = append(merged, r)
		commands = append(commands, as.NewBatchWrite(policy, r.states, r.applied.ops()...))
	}
	a.drop(obsolete)
	passed, _ = a.carryOut(merged, commands)
	return passed
}

// carryOut carries out a command for each row, and returns the rows whose command succeeded,
// and those that a filter refused. Rows that another writer was at begin anew.
func (a *attempt) carryOut(rows []*row, commands []as.BatchRecordIfc) (succeeded, refused []*row) {
	errs := a.client.Batch(a.ctx, commands)
	for n, r := range rows {
		switch err := errAt(errs, n); code(err) {
		case types.OK:
			succeeded = append(succeeded, r)
		case types.FILTERED_OUT:
			refused = append(refused, r)
		case types.KEY_NOT_FOUND_ERROR, types.GENERATION_ERROR, types.KEY_EXISTS_ERROR, types.KEY_BUSY:
			a.again = append(a.again, r)
		default:
			a.fail(r, err)
		}
	}
	return succeeded, refused
}

// fail sets the verdict on a row. The server has code 1 for lists and maps that it does not
// take as they are, such as an ordered one that is not in order.
func (a *attempt) fail(r *row, err error) {
	if e := (*resultError)(nil); errors.As(err, &e) && e.code == types.SERVER_ERROR && !e.inDoubt && r.hasCollection() {
		err = change.Permanent(fmt.Errorf("the server refuses a list or map of the change: %w", err))
	}
	a.put.fail(r.index, err)
}

// readApplied reads what was applied to the records of the rows. It returns those that it
// could read.
func (a *attempt) readApplied(rows []*row) (read []*row) {
	commands := make([]as.BatchRecordIfc, len(rows))
	for n, r := range rows {
		commands[n] = as.NewBatchRead(nil, r.states, nil)
	}
	errs := a.client.Batch(a.ctx, commands)
	for n, r := range rows {
		err := errAt(errs, n)
		record := commands[n].BatchRec().Record
		if code(err) == types.KEY_NOT_FOUND_ERROR {
			err, record = nil, nil
		}
		if err == nil {
			r.applied, err = appliedIn(record, a.versions)
		}
		if err != nil {
			a.put.fail(r.index, err)
			continue
		}
		if r.appliedGeneration = 0; record != nil {
			r.appliedGeneration = record.Generation
		}
		read = append(read, r)
	}
	return read
}

// drop ends rows that are stale. A target that is there though the newest change of it is a
// delete was left by an older one: see records.
func (a *attempt) drop(rows []*row) {
	var left []*row
	var commands []as.BatchRecordIfc
	for _, r := range rows {
		if !r.present || r.applied.newest&stateDelete == 0 {
			a.put.done(r.index, stale)
			continue
		}
		left = append(left, r)
		commands = append(commands, as.NewBatchDelete(a.deletion(r, false), r.target))
	}
	errs := a.client.Batch(a.ctx, commands)
	for n, r := range left {
		switch err := errAt(errs, n); code(err) {
		case types.OK, types.KEY_NOT_FOUND_ERROR, types.GENERATION_ERROR, types.FILTERED_OUT:
			a.put.done(r.index, stale) // it is gone, or a newer change was there since
		default:
			a.put.fail(r.index, err)
		}
	}
}

// write is step 3, and all there is to do without versions. It returns the rows that have
// created their record; the others that succeeded are done.
func (a *attempt) write(rows []*row) (created []*row) {
	var written []*row
	var commands []as.BatchRecordIfc
	for _, r := range rows {
		command := a.command(r)
		if command == nil {
			a.put.done(r.index, r.result())
			continue
		}
		written = append(written, r)
		commands = append(commands, command)
	}
	if a.versions == "" {
		a.finish(written, commands)
		return nil
	}
	succeeded, refused := a.carryOut(written, commands)
	a.again = append(a.again, refused...) // the filter is that the target is the same
	for _, r := range succeeded {
		if r.present {
			a.put.done(r.index, r.result())
		} else {
			created = append(created, r)
		}
	}
	return created
}

// finish carries out the commands without versions.
func (a *attempt) finish(rows []*row, commands []as.BatchRecordIfc) {
	errs := a.client.Batch(a.ctx, commands)
	for n, r := range rows {
		switch err := errAt(errs, n); {
		case err == nil, code(err) == types.KEY_NOT_FOUND_ERROR && r.action != replace && !r.isTouch():
			a.put.done(r.index, r.result()) // an absent record has no bin to delete either
		case code(err) == types.KEY_BUSY:
			a.again = append(a.again, r)
		case code(err) == types.KEY_NOT_FOUND_ERROR && r.isTouch():
			a.put.fail(r.index, errTouch)
		default:
			a.fail(r, err)
		}
	}
}

// errTouch is the verdict on a touch of an absent record.
var errTouch = change.Permanent(errors.New("the change only extends the life of its record, which is not in the target"))

// command returns the command that applies a change, nil if there is nothing to do.
func (a *attempt) command(r *row) as.BatchRecordIfc {
	ordered := a.versions != ""
	if r.action == remove {
		if ordered && !r.present {
			return nil
		}
		return as.NewBatchDelete(a.deletion(r, r.change.Op == change.DurableDelete), r.target)
	}
	policy := &as.BatchWritePolicy{RecordExistsAction: as.REPLACE, Expiration: r.ttl, SendKey: r.change.Key.Kind() != change.KindNil}
	switch {
	case !ordered && r.action == update:
		policy.RecordExistsAction = as.UPDATE
	case !ordered:
	case !r.present:
		policy.RecordExistsAction = as.CREATE_ONLY
	default:
		if policy.RecordExistsAction = as.REPLACE_ONLY; r.action == update {
			policy.RecordExistsAction = as.UPDATE_ONLY
		}
		policy.GenerationPolicy, policy.Generation, policy.FilterExpression = as.EXPECT_GEN_EQUAL, r.generation, a.same.with(r.lut)
	}
	ops := r.writeOps(ordered)
	if r.action == update && ordered && !r.newest {
		policy.Expiration = as.TTLDontUpdate // a newer change has said when the record expires
	}
	if len(ops) == 0 {
		return nil
	}
	return as.NewBatchWrite(policy, r.target, ops...)
}

// deletion returns the policy that deletes the target of a row.
func (a *attempt) deletion(r *row, durable bool) *as.BatchDeletePolicy {
	policy := &as.BatchDeletePolicy{DurableDelete: durable && a.durable == durableAuto || a.durable == durableAlways}
	if a.versions != "" {
		policy.GenerationPolicy, policy.Generation, policy.FilterExpression = as.EXPECT_GEN_EQUAL, r.generation, a.same.with(r.lut)
	}
	return policy
}

// readCreated is step 4.
func (a *attempt) readCreated(rows []*row) {
	for _, r := range a.readApplied(rows) {
		if r.applied.newest != r.latest {
			a.again = append(a.again, r)
			continue
		}
		a.put.done(r.index, r.result())
	}
}
