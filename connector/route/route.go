// Package route decides by namespace and set where a change goes and which bins it keeps. A
// configuration has a root level, a level for each namespace, and one for each set in it.
// The most specific level that has a setting counts. The package depends neither on wire
// formats nor on HTTP.
package route

// Rule says where a change goes. The zero Rule skips the change.
type Rule struct {
	// Destinations are the names of the destinations that must all have the change
	// before it is delivered. Without any, the change is skipped: it counts as delivered.
	Destinations []string
}

// Levels has a T for each level. Levels are not merged: the most specific T is used alone.
type Levels[T any] struct {
	Root       T
	Namespaces map[string]Namespace[T]
}

// Namespace is the level of a namespace, with those of its sets.
type Namespace[T any] struct {
	Value T
	Sets  map[string]T
}

// Of returns the T for changes of a set; of no set, if it is "".
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

// Map returns l with f applied to the T of each level.
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
