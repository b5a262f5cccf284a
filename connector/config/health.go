package config

import (
	"math"
	"time"

	"github.com/aerosink/aerosink/connector/deliver"
)

// Defaults of a health check in ESP. That of unhealthy-threshold is not documented.
const (
	defaultHealthInterval  = 5 * time.Second
	defaultHealthTimeout   = time.Second
	defaultHealthThreshold = 3
)

// health reads a destination's health check. It returns nil if the check is disabled; the
// default is enabled.
func health(s *section) *deliver.HealthConfig {
	h := s.Sub("health-check")
	defer h.End()
	c := &deliver.HealthConfig{
		Interval:           h.Seconds("interval-seconds", defaultHealthInterval, time.Second, 24*time.Hour),
		CallTimeout:        h.Timeout("call-timeout", defaultHealthTimeout, time.Millisecond, time.Hour, 20*time.Millisecond),
		HealthyThreshold:   h.Int("healthy-threshold", defaultHealthThreshold, 1, math.MaxInt32),
		UnhealthyThreshold: h.Int("unhealthy-threshold", defaultHealthThreshold, 1, math.MaxInt32),
	}
	if !h.Bool("enabled", true) {
		return nil
	}
	if c.CallTimeout > c.Interval && h.Valid("call-timeout", "interval-seconds") {
		h.Note("call-timeout", "%s is longer than the %s between checks, so that a check without an answer delays the next", c.CallTimeout, c.Interval)
	}
	return c
}
