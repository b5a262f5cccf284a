// Package route picks what happens to a change by its namespace and set: a
// configuration says it at its root, of a namespace, and of a set in a namespace,
// and the nearest that says it counts. Of bytes and HTTP it knows nothing.
package route

// Rule says where a change goes. The zero Rule skips it.
type Rule struct {
	// Destinations are the names of all destinations that must have the change
	// before it counts as delivered. With none, the change is skipped: it counts
	// as delivered and goes nowhere.
	Destinations []string
}

// Levels holds a T for every change. What belongs to a level is whole: a
// namespace or set that says something of its own has all of its T, not a part.
type Levels[T any] struct {
	Root       T
	Namespaces map[string]Namespace[T]
}

// Namespace is one namespace's level.
type Namespace[T any] struct {
	Value T
	Sets  map[string]T
}

// Of returns what counts for a change of the set, or of no set when it is empty.
func (l Levels[T]) Of(namespace, set string) T {
	ns, ok := l.Namespaces[namespace]
	if !ok {
		return l.Root
	}
	if v, ok := ns.Sets[set]; ok {
		return v
	}
	return ns.Value
}

// Map returns l with f applied to what each level holds.
func Map[T, U any](l Levels[T], f func(T) U) Levels[U] {
	mapped := Levels[U]{Root: f(l.Root), Namespaces: make(map[string]Namespace[U], len(l.Namespaces))}
	for name, ns := range l.Namespaces {
		sets := make(map[string]U, len(ns.Sets))
		for set, v := range ns.Sets {
			sets[set] = f(v)
		}
		mapped.Namespaces[name] = Namespace[U]{Value: f(ns.Value), Sets: sets}
	}
	return mapped
}
