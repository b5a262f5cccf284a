package newest

// CompactAt sets the least number of entries that are compacted, until restore is called.
func CompactAt(n int) (restore func()) {
	before := compactAt
	compactAt = n
	return func() { compactAt = before }
}
