package kinesis

import (
	"context"
	"slices"

	"github.com/aerosink/aerosink/function/sink/ordered"
)

// maxRefused is how many records may be refused alone when none of the same call is taken. If
// there are more, the cause is hardly the data.
const maxRefused = 8

// halving makes a call. If Kinesis refuses it as a whole, for what is in it, halving makes a
// call with each half. The order of the records does not matter: no two are of the same record
// of the database.
type halving struct {
	k       *streamSink
	records []record
	results []ordered.Result
	refused int // alone
}

// send makes a call with the records [from, to).
func (h *halving) send(ctx context.Context, from, to int) {
	results := h.results[from:to]
	bytes, err := h.k.put(ctx, h.records[from:to], results)
	h.k.metrics.CountCall(callCode(err, results), len(results), bytes)
	if err == nil {
		h.blame(from, to)
		return
	}
	result := h.k.resultOf(err)
	switch {
	case result.Status != ordered.Refused:
		fill(results, result)
	case len(results) == 1:
		results[0] = result
		h.blame(from, to)
		h.refused++
	default:
		middle := (from + to) / 2
		h.send(ctx, from, middle)
		if h.refused >= maxRefused && !h.someTaken(middle) {
			result.Status = ordered.Unavailable
			fill(h.results[middle:to], result)
			return
		}
		h.send(ctx, middle, to)
	}
}

// blame has refusals of packed records be those of the stream, so that they make no dead letters
// of all changes in them.
func (h *halving) blame(from, to int) {
	for i := from; i < to; i++ {
		if h.results[i].Status == ordered.Refused && h.records[i].changes > 1 {
			h.results[i].Status = ordered.Unavailable
		}
	}
}

// someTaken reports whether Kinesis has one of the records [0, to).
func (h *halving) someTaken(to int) bool {
	return slices.ContainsFunc(h.results[:to], func(r ordered.Result) bool { return r.Status == ordered.Taken })
}

func fill(results []ordered.Result, with ordered.Result) {
	for i := range results {
		results[i] = with
	}
}
