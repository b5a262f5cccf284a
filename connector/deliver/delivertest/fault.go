package delivertest

import (
	"net"
	"net/http"
	"time"
)

// Fault is a way in which a destination fails a request. With any fault except Half, no
// change of the request is accepted.
type Fault int

// The faults. None accepts all changes.
const (
	None      Fault = iota
	Status500       // an error of the server
	Busy            // 429 with Retry-After
	Timeout         // 408
	Hang            // no response until the client cancels the request
	Reset           // the request's stream is reset; over HTTP/1.1 its connection
	GoAway          // 503, and the connection takes no more requests
	Dribble         // 503, and an endless body of one byte every 10 ms
	Close           // the connection is closed, with all its requests
	Half            // every other change is accepted, and a report lists the rest
)

// Mixed returns a function that gives every n-th request one of the faults, in turn.
func Mixed(n int, faults ...Fault) func(request int) Fault {
	return func(request int) Fault {
		if request%n != 0 {
			return None
		}
		return faults[request/n%len(faults)]
	}
}

// apply fails a request with the fault. It returns false if changes of the request are to
// be accepted.
func (f Fault) apply(w http.ResponseWriter, r *http.Request) (refused bool) {
	switch f {
	case None, Half:
		return false
	case Status500:
		w.WriteHeader(http.StatusInternalServerError)
	case Busy:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case Timeout:
		w.WriteHeader(http.StatusRequestTimeout)
	case Hang:
		<-r.Context().Done()
	case Reset:
		panic(http.ErrAbortHandler)
	case GoAway:
		w.Header().Set("Connection", "close") // net/http sends this as GOAWAY
		w.WriteHeader(http.StatusServiceUnavailable)
	case Dribble:
		dribble(w, r)
	case Close:
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			_ = conn.Close()
		}
	}
	return true
}

// dribble responds with 503 and an endless body.
func dribble(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
	drop := time.NewTicker(10 * time.Millisecond)
	defer drop.Stop()
	for out := http.NewResponseController(w); ; {
		select {
		case <-drop.C:
		case <-r.Context().Done():
			return
		}
		if _, err := w.Write([]byte{'.'}); err != nil || out.Flush() != nil {
			return
		}
	}
}
