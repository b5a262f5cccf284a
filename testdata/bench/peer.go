package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"time"

	peer "github.com/aerospike/backup-go/io/aerospike/xdr"
)

// openPeer starts backup-go's server, with what it received thrown away.
func openPeer() (address string, closeIt func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // it does not say which port it was given
	if err != nil {
		return "", nil, err
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	config, err := peerConfig(address)
	if err != nil {
		return "", nil, err
	}
	server := peer.NewTCPServer(config, slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError})))
	tokens, err := server.Start(context.Background())
	if err != nil {
		return "", nil, err
	}
	go func() {
		for range tokens {
		}
	}()
	return address, func() { _ = server.Stop() }, nil // the measurement is over
}

// peerConfig calls NewTCPConfig, whose last argument is of an internal type, must
// not be nil, and needs two functions.
func peerConfig(address string) (*peer.TCPConfig, error) {
	construct := reflect.ValueOf(peer.NewTCPConfig)
	collector := reflect.New(construct.Type().In(construct.Type().NumIn() - 1).Elem())
	collector.Elem().FieldByName("Increment").Set(reflect.ValueOf(func() {}))
	collector.Elem().FieldByName("Add").Set(reflect.ValueOf(func(uint64) {}))
	const timeout, queue, connections = time.Minute, 4096, 4096
	made := construct.Call([]reflect.Value{
		reflect.ValueOf(address), reflect.Zero(construct.Type().In(1)), reflect.ValueOf(timeout), reflect.ValueOf(timeout),
		reflect.ValueOf(queue), reflect.ValueOf(queue), reflect.ValueOf(connections), collector,
	})
	config, ok := made[0].Interface().(*peer.TCPConfig)
	if !ok {
		return nil, fmt.Errorf("backup-go's NewTCPConfig returns a %s", made[0].Type())
	}
	return config, nil
}
