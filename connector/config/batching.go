package config

import (
	"math"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// Defaults of a batching section. ESP has no limits by default, but Cloud Run refuses
// bodies over 32 MiB. The default interval is 0, where ESP waits 8 s: a lane batches the
// changes that queue behind its request, and need not wait.
const (
	defaultMaxBatchRecords = 500
	defaultMaxBatchBytes   = 4 << 20
)

type batching struct {
	records, bytes int
	interval       time.Duration
}

// ownBatching is the batching that a level itself sets.
type ownBatching struct {
	batching
	at *section // that sets it; nil if batching is disabled
}

func readBatching(s *section) *ownBatching {
	defer s.End()
	b := batching{
		records:  s.Int("max-records", defaultMaxBatchRecords, 1, math.MaxInt32),
		bytes:    s.Size("max-bytes", defaultMaxBatchBytes, 1, math.MaxInt64),
		interval: s.Duration("batch-interval", 0, 0, time.Hour, time.Millisecond),
	}
	if !s.Bool("enabled", true) {
		return &ownBatching{batching: batching{records: 1, bytes: math.MaxInt}}
	}
	if b.interval >= Budget {
		s.Error("batch-interval", "%s, but the connector gives up %s after a change came, and XDR after %s; leave the key out", b.interval, Budget, patience)
		b.interval = 0
	}
	return &ownBatching{b, s}
}

// checkDestination warns about batches that do not go together with a destination.
func (b *ownBatching) checkDestination(d deliver.Config) {
	if b.interval > 0 && b.interval+d.CallTimeout > Budget {
		b.at.Warn("batch-interval", "%s, and then destination %s may take %s (call-timeout), but the connector gives up %s after a change came, and XDR after %s; lower one of them",
			b.interval, d.Name, d.CallTimeout, Budget, patience)
	}
	wait := ""
	if b.interval > 0 {
		wait = ", so that a request waits for the whole batch-interval or max-bytes"
	}
	if queue := d.Queue * len(d.URLs); b.records > queue {
		b.at.Warn("max-records", "%d, but destination %s queues only %d changes%s; lower it, or raise max-request-queued-per-endpoint", b.records, d.Name, queue, wait)
	}
	if b.records > 1 && slices.ContainsFunc(d.Headers, func(h post.Header) bool { return h.Of == post.FactDigest }) {
		b.at.Warn("max-records", "%d, but destination %s has a header with the digest, which only requests of one change have; with enabled: false all are", b.records, d.Name)
	}
}

// checkBounds warns about batches that exceed the limits of the connector as a whole.
func (b *ownBatching) checkBounds(limits Service) {
	if most := limits.MaxRecords; b.records > most {
		b.at.Warn("max-records", "%d, but only %d changes are in flight at once; lower it, or raise service.max-concurrent-records", b.records, most)
	}
	if most := limits.MaxBytes; b.bytes > most {
		b.at.Warn("max-bytes", "%d, but only %d bytes are in flight at once; lower it, or raise service.max-concurrent-bytes", b.bytes, most)
	}
	if b.records == 1 && b.interval > 0 {
		b.at.Warn("batch-interval", "has no effect with max-records: 1; a full request does not wait")
	}
}
