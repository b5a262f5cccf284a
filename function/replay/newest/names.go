package newest

// name is the namespace and set of a record.
type name struct{ namespace, set string }

// names numbers the names in an archive.
type names struct {
	numbers map[name]uint32
	list    []name
	last    uint32 // number of the name that was asked for last
}

// number returns the number of a name.
func (n *names) number(namespace, set string) uint32 {
	wanted := name{namespace, set}
	if len(n.list) > 0 && n.list[n.last] == wanted {
		return n.last
	}
	number, ok := n.numbers[wanted]
	if !ok {
		if n.numbers == nil {
			n.numbers = map[name]uint32{}
		}
		number = uint32(len(n.list))
		n.numbers[wanted] = number
		n.list = append(n.list, wanted)
	}
	n.last = number
	return number
}
