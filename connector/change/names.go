package change

// Names keeps the strings that come again and again in a stream of changes, so
// that each is made once: namespaces, sets, bins. It belongs to one goroutine.
// The zero Names is ready.
type Names struct {
	known  map[string]string
	recent []string // by place
}

// Bounds on what a hostile peer can make Names keep. A namespace of the server
// has at most 65,535 bin names; the longest name is that of a set, of 63 bytes.
const (
	maxNames  = 1 << 16
	maxLength = 64
	maxPlaces = 256
)

// Of returns b as a string. Changes of one kind have the same names at the same
// places, such as the bins of a set: place makes finding them again fast, and any
// number will do.
func (n *Names) Of(b []byte, place int) string {
	if len(b) > maxLength {
		return string(b)
	}
	if place < len(n.recent) && n.recent[place] == string(b) {
		return n.recent[place]
	}
	s := n.find(b)
	for place >= len(n.recent) && place < maxPlaces {
		n.recent = append(n.recent, "")
	}
	if place < len(n.recent) {
		n.recent[place] = s
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
