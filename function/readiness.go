package function

import (
	"strings"
	"sync"
)

// readinessLog decides what to log about readiness. Probes come every few seconds, so each
// cause is logged once, until the function is ready. The zero value is ready to use.
type readinessLog struct {
	mu     sync.Mutex
	causes map[string]bool // that were logged
}

// maxCauses bounds the memory for causes. There are hardly more than a few.
const maxCauses = 100

// failed reports whether to log the cause. Its digits do not count, because errors of
// connections have port numbers that differ from one attempt to the next.
func (l *readinessLog) failed(cause string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	cause = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, cause)
	if l.causes[cause] {
		return false
	}
	if l.causes == nil || len(l.causes) == maxCauses {
		l.causes = map[string]bool{}
	}
	l.causes[cause] = true
	return true
}

// ready reports whether to log that the function is ready, because a cause was logged before.
func (l *readinessLog) ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	logged := l.causes != nil
	l.causes = nil
	return logged
}
