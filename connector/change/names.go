package change

// Names interns the names in a stream of changes: namespaces, sets, bins. It is not safe for
// concurrent use. The zero value is ready to use.
type Names struct {
	known    map[string]string
	recent   []string // by slot
	distinct int      // the recent names from SlotBins to before this slot all differ
	seen     map[string]struct{}
}

// Slots for the strings of a change. The first bin has SlotBins, the next ones the slots
// after it.
const (
	SlotNamespace = iota
	SlotSet
	SlotBins
)

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
	if slot < len(n.recent) && n.recent[slot] == string(b) {
		return n.recent[slot]
	}
	s := n.find(b)
	n.distinct = min(n.distinct, slot)
	for slot >= len(n.recent) && slot < maxSlots {
		n.recent = append(n.recent, "")
	}
	if slot < len(n.recent) {
		n.recent[slot] = s
	}
	return s
}

func (n *Names) find(b []byte) string {
	if len(b) > maxLength {
		return string(b)
	}
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

// DuplicateBin returns the index of the first bin that has the name of one before it, -1 if
// there is none. The names must be those that Of returned last for their slots. While a
// stream has the same names in the same slots, they are compared only once.
func (n *Names) DuplicateBin(bins []Bin) int {
	end := SlotBins + len(bins)
	if end <= n.distinct {
		return -1
	}
	if i := n.findDuplicate(bins); i >= 0 {
		return i
	}
	if end <= len(n.recent) {
		n.distinct = end
	}
	return -1
}

// Up to fewBins names are compared with each other, more are looked up. The memory for that
// is kept up to mostKept names.
const (
	fewBins  = 32
	mostKept = 1024
)

func (n *Names) findDuplicate(bins []Bin) int {
	if len(bins) > fewBins {
		return n.lookUpDuplicate(bins)
	}
	for i := range bins {
		for j := range i {
			if bins[j].Name == bins[i].Name {
				return i
			}
		}
	}
	return -1
}

func (n *Names) lookUpDuplicate(bins []Bin) int {
	seen := n.seen
	if seen == nil || len(bins) > mostKept {
		seen = make(map[string]struct{}, len(bins))
	}
	if len(bins) <= mostKept {
		clear(seen)
		n.seen = seen
	}
	for i := range bins {
		seen[bins[i].Name] = struct{}{}
		if len(seen) == i {
			return i
		}
	}
	return -1
}
