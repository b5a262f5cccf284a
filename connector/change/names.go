package change

// Names interns the names in a stream of changes: namespaces, sets, bins. It is not safe for
// concurrent use. The zero value is ready to use.
type Names struct {
	known  map[string]string
	recent []string // by slot
}

// Bounds, against hostile peers. A namespace has at most 65,535 bin names. The longest name,
// of a set, has 63 bytes.
const (
	maxNames  = 1 << 16
	maxLength = 64
	maxSlots  = 256
)

// Of returns b as a string. Slot is a hint, and may be any number: changes of a set have the
// same names in the same slots, so Of compares b with the last name of the slot first.
func (n *Names) Of(b []byte, slot int) string {
	if len(b) > maxLength {
		return string(b)
	}
	if slot < len(n.recent) && n.recent[slot] == string(b) {
		return n.recent[slot]
	}
	s := n.find(b)
	for slot >= len(n.recent) && slot < maxSlots {
		n.recent = append(n.recent, "")
	}
	if slot < len(n.recent) {
		n.recent[slot] = s
	}
	return s
}

func (n *Names) find(b []byte) string {
	if s, ok := n.known[string(b)]; ok {
		return s
	}
	s := string(b)
	if n.known == nil {
		n.known = map[string]string{}
	}
	if len(n.known) < maxNames {
		n.known[s] = s
	}
	return s
}
