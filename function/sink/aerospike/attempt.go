package aerospike

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

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
	records, errs := a.client.Read(a.ctx, targets(rows), headOps...)
	for n, r := range rows {
		if err := errAt(errs, n); err != nil {
			a.put.fail(r.index, err)
			continue
		}
		if r.present = records[n] != nil; !r.present {
			ready = append(ready, r)
			continue
		}
		lut, ok := records[n].Bins[binLastUpdate].(int)
		since, okSince := records[n].Bins[binSinceUpdate].(int)
		switch {
		case !ok || !okSince:
			a.put.fail(r.index, errors.New("the server does not tell when the record was last updated"))
		case since <= 0:
			a.again = append(a.again, r) // see records
		default:
			r.generation, r.lut = records[n].Generation, int64(lut)
			ready = append(ready, r)
		}
	}
	return ready
}

// targets returns the keys of the rows' targets.
func targets(rows []*row) []*as.Key {
	keys := make([]*as.Key, len(rows))
	for n, r := range rows {
		keys[n] = r.target
	}
	return keys
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
		r.late = false
		policy := &as.BatchWritePolicy{FilterExpression: a.filter.of(r.state), RecordExistsAction: as.REPLACE, Expiration: a.versionsTTL}
		commands[n] = as.NewBatchWrite(policy, r.states, as.PutOp(as.NewBin(binNewest, int64(r.state))))
	}
	passed, refused := a.storeStates(rows, commands)
	var obsolete, late []*row
	for _, r := range a.readApplied(refused) {
		switch {
		case r.applied.base.covers(r.state):
			obsolete = append(obsolete, r)
		case r.applied.newest.covers(r.state):
			late = append(late, r) // newer updates do not have all bins
		default:
			a.again = append(a.again, r) // the stored version has changed since
		}
	}
	a.drop(obsolete)
	return append(passed, a.mergeLate(late)...)
}

// mergeLate is step 2 for changes of a whole record that come after newer updates. Those have
// only some bins, so the change is merged with them: it becomes the base, and an update of
// the bins that have no newer value. Bins that neither has are deleted.
func (a *attempt) mergeLate(rows []*row) (passed []*row) {
	for _, r := range rows {
		r.late, r.newest = true, false
		r.written = r.applied.rebase(r.state, r.change.Bins)
	}
	return a.storeMerged(a.readBins(rows))
}

// storeMerged writes merged states, and returns the rows for which that has succeeded.
func (a *attempt) storeMerged(rows []*row) (passed []*row) {
	commands := make([]as.BatchRecordIfc, len(rows))
	for n, r := range rows {
		commands[n] = a.writeApplied(r)
	}
	passed, _ = a.storeStates(rows, commands)
	return passed
}

// writeApplied returns the command that stores what has been read and changed since, if it is
// still as it was read.
func (a *attempt) writeApplied(r *row) *as.BatchWrite {
	policy := &as.BatchWritePolicy{RecordExistsAction: as.CREATE_ONLY, Expiration: a.versionsTTL}
	if r.appliedGeneration > 0 {
		policy.RecordExistsAction, policy.GenerationPolicy, policy.Generation = as.REPLACE_ONLY, as.EXPECT_GEN_EQUAL, r.appliedGeneration
	}
	return as.NewBatchWrite(policy, r.states, r.applied.ops()...)
}

// mergeStates is step 2 for updates. Dropping one that comes late would lose its bins, so the
// state has the version of each bin that was updated since all of them were written. It is
// read, merged with the change, and written if it is still as it was.
func (a *attempt) mergeStates(rows []*row) (passed []*row) {
	var merged, deleting, obsolete []*row
	for _, r := range a.readApplied(rows) {
		r.written, r.newest = r.applied.update(r.state, r.change.Bins)
		switch {
		case len(r.written) == 0 && !r.newest:
			obsolete = append(obsolete, r)
		case r.isTouch() && !r.present:
			a.put.fail(r.index, errTouch)
		case !r.isTouch() && !r.hasValues():
			deleting = append(deleting, r)
		default:
			merged = append(merged, r)
		}
	}
	a.drop(obsolete)
	return a.storeMerged(append(merged, a.readBins(deleting)...))
}

// storeStates carries out the commands that write states. Step 4 compares the generation in
// their answers.
func (a *attempt) storeStates(rows []*row, commands []as.BatchRecordIfc) (succeeded, refused []*row) {
	for n, r := range rows {
		r.stateCommand = commands[n]
	}
	return a.carryOut(rows, commands)
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
	keys := make([]*as.Key, len(rows))
	for n, r := range rows {
		keys[n] = r.states
	}
	records, errs := a.client.Read(a.ctx, keys)
	for n, r := range rows {
		err := errAt(errs, n)
		if err == nil {
			r.applied, r.appliedGeneration, err = appliedIn(records[n], a.versions)
		}
		if err != nil {
			a.put.fail(r.index, err)
			continue
		}
		read = append(read, r)
	}
	return read
}

// drop ends rows that are stale. If nothing is left of the base, but the target has bins that
// no newer update has written, an older change has left them, and they are removed: see
// records.
func (a *attempt) drop(rows []*row) {
	var left, mixed []*row
	var commands []as.BatchRecordIfc
	for _, r := range rows {
		switch {
		case !r.present || !r.applied.hasNoBase():
			a.put.done(r.index, stale)
		case len(r.applied.bins) > 0:
			mixed = append(mixed, r)
		default:
			left = append(left, r)
			commands = append(commands, as.NewBatchDelete(a.deletion(r, false), r.target))
		}
	}
	for _, r := range a.readBins(mixed) {
		policy := a.guard(r)
		policy.RecordExistsAction, policy.Expiration = as.UPDATE_ONLY, as.TTLDontUpdate
		if ops := r.deleteOps(); len(ops) > 0 {
			left = append(left, r)
			commands = append(commands, as.NewBatchWrite(policy, r.target, ops...))
		} else {
			a.put.done(r.index, stale)
		}
	}
	errs := a.client.Batch(a.ctx, commands)
	for n, r := range left {
		switch err := errAt(errs, n); code(err) {
		case types.OK, types.KEY_NOT_FOUND_ERROR:
			a.put.done(r.index, stale)
		case types.GENERATION_ERROR, types.FILTERED_OUT, types.KEY_BUSY:
			a.again = append(a.again, r)
		default:
			a.put.fail(r.index, err)
		}
	}
}

// readBins reads the names of the targets' bins. Rows whose target has changed since step 1
// begin anew; readBins returns the others.
func (a *attempt) readBins(rows []*row) (read []*row) {
	records, errs := a.client.Read(a.ctx, targets(rows))
	for n, r := range rows {
		r.bins = nil
		switch err := errAt(errs, n); {
		case err != nil:
			a.put.fail(r.index, err)
		case r.present != (records[n] != nil), r.present && records[n].Generation != r.generation:
			a.again = append(a.again, r)
		case r.present:
			r.bins = slices.Collect(maps.Keys(records[n].Bins))
			read = append(read, r)
		default:
			read = append(read, r)
		}
	}
	return read
}

// write is step 3, and all there is to do without versions. It returns the rows that have
// created their record; the others that succeeded are done.
func (a *attempt) write(rows []*row) (created []*row) {
	var written, absent []*row
	var commands []as.BatchRecordIfc
	for _, r := range rows {
		if command := a.command(r); command != nil {
			written = append(written, r)
			commands = append(commands, command)
		} else {
			absent = append(absent, r)
		}
	}
	if a.versions == "" {
		a.finish(written, commands)
		return nil
	}
	emptied := a.confirmAbsent(absent)
	succeeded, refused := a.carryOut(written, commands)
	a.again = append(a.again, refused...) // the filter is that the target is the same
	for _, r := range succeeded {
		switch {
		case !r.present:
			created = append(created, r)
		case r.empties():
			emptied = append(emptied, r)
		default:
			a.put.done(r.index, r.result())
		}
	}
	a.markEmptied(emptied)
	return created
}

// confirmAbsent is step 3 for rows that leave an absent target absent. It returns those whose
// target is.
func (a *attempt) confirmAbsent(rows []*row) (absent []*row) {
	records, errs := a.client.Read(a.ctx, targets(rows), headOps...)
	for n, r := range rows {
		switch err := errAt(errs, n); {
		case err != nil:
			a.put.fail(r.index, err)
		case records[n] != nil:
			a.again = append(a.again, r)
		default:
			absent = append(absent, r)
		}
	}
	return absent
}

// markEmptied ends rows after which the target is absent. If that is not because of a delete,
// but because no bin is left, the state gets to say so, as drop has to know. It must not have
// changed since step 2.
func (a *attempt) markEmptied(rows []*row) {
	var marked []*row
	var commands []as.BatchRecordIfc
	for _, r := range rows {
		if !r.empties() || r.applied.hasNoBase() {
			a.put.done(r.index, r.result())
			continue
		}
		r.applied.emptied = true
		r.appliedGeneration = r.stateCommand.BatchRec().Record.Generation
		marked = append(marked, r)
		commands = append(commands, a.writeApplied(r))
	}
	succeeded, _ := a.carryOut(marked, commands)
	for _, r := range succeeded {
		a.put.done(r.index, r.result())
	}
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

// command returns the command that applies a change, nil if the target is absent and stays
// so. A target that is there is written in any case, so that what others have read of it
// is no longer so.
func (a *attempt) command(r *row) as.BatchRecordIfc {
	ordered, updates := a.versions != "", r.action == update || r.late
	if r.action == remove && !r.late {
		if ordered && !r.present {
			return nil
		}
		return as.NewBatchDelete(a.deletion(r, r.change.Op == change.DurableDelete), r.target)
	}
	policy := a.guard(r)
	policy.Expiration, policy.SendKey = r.ttl, r.change.Key.Kind() != change.KindNil
	switch {
	case ordered && !r.present:
		policy.RecordExistsAction = as.CREATE_ONLY
	case ordered && updates:
		policy.RecordExistsAction = as.UPDATE_ONLY
	case ordered:
		policy.RecordExistsAction = as.REPLACE_ONLY
	case updates:
		policy.RecordExistsAction = as.UPDATE
	default:
		policy.RecordExistsAction = as.REPLACE
	}
	if ordered && updates && !r.newest && r.present {
		policy.Expiration = as.TTLDontUpdate // a newer change has said when the record expires
	}
	ops := r.writeOps(ordered)
	switch {
	case len(ops) > 0:
	case ordered && !r.present:
		return nil
	default:
		ops = append(ops, as.TouchOp())
	}
	return as.NewBatchWrite(policy, r.target, ops...)
}

// guard returns a policy for a write, which fails if the target has changed since step 1. If
// the target was absent, the write has to be one that creates it only.
func (a *attempt) guard(r *row) *as.BatchWritePolicy {
	policy := as.NewBatchWritePolicy()
	if a.versions != "" && r.present {
		policy.GenerationPolicy, policy.Generation, policy.FilterExpression = as.EXPECT_GEN_EQUAL, r.generation, a.same.with(r.lut)
	}
	return policy
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
		if r.appliedGeneration != r.stateCommand.BatchRec().Record.Generation {
			a.again = append(a.again, r)
			continue
		}
		a.put.done(r.index, r.result())
	}
}
