package ordered

import "github.com/aerosink/aerosink/function/sink"

// put is a Put that waits for its verdicts. The Sender's lock guards it, but for done. Once it
// is abandoned, or done is closed, nobody sets verdicts and panicked any more, and Put reads them.
type put struct {
	messages   int
	unfinished int
	verdicts   []error       // nil while all are
	abandoned  bool          // Put has returned, or is about to
	panicked   *sink.Panic   // of a call
	done       chan struct{} // closed when no message is unfinished
}

// setVerdict sets the verdict on a message, which may be nil.
func (p *put) setVerdict(message int, err error) {
	if p.abandoned || err == nil {
		return
	}
	if p.verdicts == nil {
		p.verdicts = make([]error, p.messages)
	}
	p.verdicts[message] = err
}

// messageDone notes that one more message is finished.
func (p *put) messageDone() {
	p.unfinished--
	if p.unfinished == 0 {
		close(p.done)
	}
}
