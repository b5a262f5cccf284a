package replay

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// meter counts, and tells a person how it goes.
type meter struct {
	out      io.Writer
	terminal bool // the line of progress is rewritten

	begun   time.Time
	objects int   // to do
	total   int64 // bytes of them
	before  Summary

	mu         sync.Mutex
	sum        Summary
	reached    int64 // bytes of the object that is being read
	complaints int
	shown      bool // the line of progress is the last
}

// How often progress is shown.
const (
	onTerminal = 200 * time.Millisecond
	inLog      = 10 * time.Second
)

// mostComplaints is how many lines that could not be replayed are told one by one.
const mostComplaints = 100

// start shows progress until the function that it returns is called.
func (m *meter) start() (stop func()) {
	m.before = m.sum
	interval := inLog
	if m.terminal {
		interval = onTerminal
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.show()
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		m.mu.Lock()
		defer m.mu.Unlock()
		m.clear()
	}
}

// count adds what was done.
func (m *meter) count(s Summary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum = m.sum.plus(s)
	if s.Objects > 0 {
		m.reached = 0
	}
}

// reach notes how many bytes of the object were read.
func (m *meter) reach(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reached = bytes
}

// summary returns what was done so far.
func (m *meter) summary() Summary {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum
}

// tell writes a line.
func (m *meter) tell(line string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	_, _ = fmt.Fprintf(m.out, line+"\n", args...) // who does not listen need not hear
}

// complain is tell for what may come very often.
func (m *meter) complain(line string, args ...any) {
	m.mu.Lock()
	m.complaints++
	n := m.complaints
	m.mu.Unlock()
	switch {
	case n <= mostComplaints:
		m.tell(line, args...)
	case n == mostComplaints+1:
		m.tell("further ones are only counted")
	}
}

// clear makes room where the line of progress is.
func (m *meter) clear() {
	if m.shown {
		_, _ = io.WriteString(m.out, "\r\x1b[K")
		m.shown = false
	}
}

// show writes the line of progress.
func (m *meter) show() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	line := m.line(time.Since(m.begun))
	if m.terminal {
		m.shown = true
	} else {
		line += "\n"
	}
	_, _ = io.WriteString(m.out, line)
}

// line returns how it goes after the time that was taken.
func (m *meter) line(taken time.Duration) string {
	objects, changes := m.sum.Objects-m.before.Objects, m.sum.Changes-m.before.Changes
	bytes := m.sum.Bytes - m.before.Bytes + m.reached
	line := fmt.Sprintf("%d of %d objects, %d changes, %.0f/s", objects, m.objects, changes, float64(changes)/taken.Seconds())
	if bytes > 0 && bytes < m.total {
		left := time.Duration(float64(taken) * float64(m.total-bytes) / float64(bytes))
		line += ", " + left.Round(time.Second).String() + " left"
	}
	return line
}
