package config

import (
	"strconv"
	"strings"
	"time"
)

// duration reads a number of units, as ESP has it, or a text such as 1500ms.
func (s *section) duration(key string, absent, least, most, unit time.Duration) time.Duration {
	n, ok := s.scalar(key)
	if !ok {
		return absent
	}
	d, err := time.ParseDuration(n.Value)
	if i, notNumber := strconv.ParseInt(n.Value, 10, 64); notNumber == nil {
		d, err = time.Duration(i)*unit, nil
		if i > int64(most/unit) {
			d = most + 1
		}
	}
	switch {
	case err != nil:
		s.fault(key, "%q is no duration; write a number of %s or, for example, 1500ms", n.Value, unitName(unit))
		return absent
	case d < least || d > most:
		s.fault(key, "%s is not between %s and %s", n.Value, least, most)
		return absent
	}
	return d
}

func unitName(unit time.Duration) string {
	if unit == time.Second {
		return "seconds"
	}
	return "milliseconds"
}

// timeout is duration for waits that nobody means to be a few milliseconds. A bare
// number below floor is likely in the wrong unit.
func (s *section) timeout(key string, absent, least, most, floor time.Duration) time.Duration {
	d := s.duration(key, absent, least, most, time.Millisecond)
	if n, ok := s.scalar(key); ok && d > 0 && d < floor && strings.Trim(n.Value, "0123456789") == "" {
		s.warn(key, "%s is %s; if seconds are meant write %ss", n.Value, d, n.Value)
	}
	return d
}

// seconds reads a number of seconds. One that would be long is likely in the wrong
// unit.
func (s *section) seconds(key string, absent, least, most time.Duration) time.Duration {
	d := s.duration(key, absent, least, most, time.Second)
	if n, ok := s.scalar(key); ok && d >= 1000*time.Second && strings.Trim(n.Value, "0123456789") == "" {
		s.warn(key, "%s is %s; if milliseconds are meant write %sms", n.Value, d, n.Value)
	}
	return d
}
