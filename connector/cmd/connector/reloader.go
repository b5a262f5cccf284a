package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aerosink/aerosink/connector/config"
)

// reloader reads certificates and keys again when their files change, and secrets and the
// log file too on SIGHUP. Sessions and requests are not interrupted.
type reloader struct {
	config *config.Config
	log    *log
	failed string // the error of the last check that was logged; "" after a success
}

// checkInterval is how often the files of certificates and keys are checked for changes.
const checkInterval = 10 * time.Second

// startReloading runs a reloader until ctx ends or the returned function is called.
func startReloading(ctx context.Context, c *config.Config, l *log) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := reloader{config: c, log: l}
		r.run(ctx, hangup)
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-done
	}
}

func (r *reloader) run(ctx context.Context, hangup <-chan os.Signal) {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-hangup:
			r.reload()
		case <-ticker.C:
			r.refresh()
		case <-ctx.Done():
			return
		}
	}
}

// reload reads everything again.
func (r *reloader) reload() {
	r.log.reopen()
	if err := r.config.Reload(); err != nil {
		r.log.Error("cannot reload some certificates or secrets; these keep their old values", "error", err)
		return
	}
	r.failed = ""
	r.log.Info("certificates and secrets reloaded")
}

// refresh reads the files that have changed. It logs an error once.
func (r *reloader) refresh() {
	sections, err := r.config.Refresh()
	if len(sections) > 0 {
		r.log.Info("certificates reloaded, since their files changed", "sections", strings.Join(sections, ", "))
	}
	switch {
	case err == nil:
		r.failed = ""
	case err.Error() != r.failed:
		r.failed = err.Error()
		r.log.Error("cannot reload some certificates, whose files changed; these keep their old values", "error", err)
	}
}
