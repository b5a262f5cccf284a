package xdrtest

import (
	"fmt"
	"time"
)

// Stats counts what a node's get-stats counts, and what only a Source does.
type Stats struct {
	InQueue    int
	InProgress int

	Success        int
	RetryDest      int // answered with a code that asks for it
	RetryConnReset int // without an answer when the connection broke
	Abandoned      int // answered with a code that makes a node drop the change
	NotFound       int // gone before it was shipped
	HotKeys        int // put off, because the record was shipped only just before
	Recoveries     int
	BytesShipped   int

	Lag time.Duration // since the oldest change that is not shipped; 0 when all are

	Injected int // messages answered that are no changes
	Stale    int // versions shipped after newer ones
}

// String returns the counts as a node answers get-stats. The lag is in seconds.
func (s Stats) String() string {
	return fmt.Sprintf("lag=%d;in_queue=%d;in_progress=%d;success=%d;abandoned=%d;not_found=%d;filtered_out=0;retry_no_node=0;"+
		"retry_conn_reset=%d;retry_dest=%d;recoveries=%d;recoveries_pending=0;hot_keys=%d;bytes_shipped=%d",
		int(s.Lag.Seconds()), s.InQueue, s.InProgress, s.Success, s.Abandoned, s.NotFound,
		s.RetryConnReset, s.RetryDest, s.Recoveries, s.HotKeys, s.BytesShipped)
}
