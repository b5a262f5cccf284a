package audit

// Kind says what is wrong with a record.
type Kind string

// The kinds of findings.
const (
	// Missing: the database has the record, the archive has nothing of it.
	Missing Kind = "missing"

	// Stale: the database has a newer version than the archive. The newest in the archive
	// may be a delete.
	Stale Kind = "stale"

	// Unexpected: the archive has the record, the database does not, and no delete of it
	// came. It expired or was evicted or truncated, or was deleted while nothing shipped it.
	Unexpected Kind = "unexpected"

	// Revived: the archive has the delete of the record, the database has it in a version
	// from before the delete. A delete without a tombstone does so after a cold start.
	Revived Kind = "revived"

	// Older: the database has an older version than the archive. It lost writes.
	Older Kind = "older"

	// Expiry: both have the same version, which expires at different times.
	Expiry Kind = "expiry"
)

// Kinds are the kinds of findings, the most serious ones first, and what they mean.
var Kinds = []struct {
	Kind    Kind
	Meaning string
}{
	{Missing, "in the database, not in the archive"},
	{Stale, "newer in the database than in the archive"},
	{Unexpected, "alive in the archive, not in the database"},
	{Revived, "deleted in the archive, alive in the database in a version from before the delete"},
	{Older, "older in the database than in the archive"},
	{Expiry, "the same version, with another expiry"},
}

// repairable reports whether XDR, rewound to before the last update of the record, ships it
// so that the archive is right again.
func (k Kind) repairable() bool { return k == Missing || k == Stale }
