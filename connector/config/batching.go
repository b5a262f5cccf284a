package config

import (
	"math"
	"time"
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
