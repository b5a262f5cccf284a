package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/aerosink/aerosink/connector/config"
)

// reloadOnHangup reads certificates and secrets again on SIGHUP, until the
// function that it returns is called. Sessions and requests go on.
func reloadOnHangup(ctx context.Context, c *config.Config, logger *slog.Logger) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-hangup:
				reload(c, logger)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-ended
	}
}

func reload(c *config.Config, logger *slog.Logger) {
	if err := c.Reload(); err != nil {
		logger.Error("certificates and secrets stay as they were where they cannot be read", "error", err)
		return
	}
	logger.Info("certificates and secrets read again")
}
