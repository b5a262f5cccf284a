package change

// Names keeps the strings that come again and again in a stream of changes, so
// that each is made once: namespaces, sets, bins. It belongs to one goroutine.
type Names map[string]string

// maxNames bounds what a hostile peer can make Names keep. A namespace of the
// server has at most 65,535 bin names.
const maxNames = 1 << 16

// Of returns b as a string.
func (n Names) Of(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n) < maxNames {
		n[s] = s
	}
	return s
}
