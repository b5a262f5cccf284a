package deliver

// job is what one request sends, from one lane or several. It holds the lanes until all its
// items have verdicts.
type job struct {
	lanes          []*lane
	parts          []*batch // of the lanes, until they are merged
	records, bytes int      // in all parts

	batches []*batch // to be sent in this order: one, or the remaining parts of one
}

// fits reports whether b may be sent together with the job, under limit.
func (j *job) fits(b *batch, limit *batchLimit) bool {
	if len(j.parts) == 0 {
		return true
	}
	s := j.parts[0].stream
	return b.stream == s && j.records+len(b.items) <= limit.of(s) && j.bytes+len(b.records) <= s.MaxBytes
}

func (j *job) isFull(limit *batchLimit) bool {
	if len(j.parts) == 0 {
		return false
	}
	s := j.parts[0].stream
	return j.records >= limit.of(s) || j.bytes >= s.MaxBytes
}

// add adds the first batch of a lane.
func (j *job) add(from *lane, b *batch) {
	j.lanes = append(j.lanes, from)
	j.parts = append(j.parts, b)
	j.records += len(b.items)
	j.bytes += len(b.records)
}

// merge merges the parts of a new job into one batch.
func (j *job) merge() {
	if len(j.parts) == 0 {
		return
	}
	whole, others := j.parts[0], j.parts[1:]
	whole.grow(j.records, j.bytes)
	for _, b := range others {
		whole.join(b)
		b.free()
	}
	j.parts, j.batches = nil, []*batch{whole}
}

// next removes and returns the batch to be sent next, or its first limit items if it has
// more.
func (j *job) next(limit int) *batch {
	b := j.batches[0]
	if len(b.items) > limit {
		return b.cut(limit)
	}
	j.batches = j.batches[1:]
	return b
}

// sweep removes the items that reason has an error for, and appends them to out.
func (j *job) sweep(out []rejection, reason rejectReason) []rejection {
	j.batches, out = sweep(j.batches, out, reason)
	return out
}
