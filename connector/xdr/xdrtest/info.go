package xdrtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Info responds to the info commands that configure and monitor XDR, as a node does on its
// service port: set-config, get-config and get-stats with context=xdr. It keeps the data
// centres that were created. They have no effect on the Source, except for a rewind, and for
// the namespaces of DC.
type Info struct {
	Source *Source // get-stats returns its counts

	// DC is a data centre that exists from the beginning: the connectors of Source, with
	// Namespaces, which are shipped. Namespaces that are added or removed later are shipped
	// or no longer shipped. If DC is empty, there is none.
	DC         string
	Namespaces []string

	mu      sync.Mutex
	centres map[string]*centre
}

// centre is the configuration of a data centre, as far as a connector needs it.
type centre struct {
	connector  bool
	addresses  []string
	namespaces map[string]map[string]string // with their settings
}

// An info request is a proto header of its own type, and a command on each line. The
// response has a line with command, tab and result for each (aerospike-server,
// proto.h, PROTO_TYPE_INFO).
const (
	infoHeader = 2<<56 | 1<<48
	infoLimit  = 1 << 20 // bytes of a request
)

// Serve serves connections of l until l is closed, which is not an error, or fails.
func (i *Info) Serve(l net.Listener) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept info connections on %s: %w", l.Addr(), err)
		}
		serving.Go(func() {
			defer func() { _ = conn.Close() }() // all was written, or the peer is gone
			for i.answer(conn) == nil {
			}
		})
	}
}

// answer answers one request.
func (i *Info) answer(conn io.ReadWriter) error {
	var header [8]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint64(header[:]) - infoHeader
	if size > infoLimit {
		return fmt.Errorf("info request % x: not of the info protocol, or larger than %d bytes", header, infoLimit)
	}
	request := make([]byte, size)
	if _, err := io.ReadFull(conn, request); err != nil {
		return err
	}
	var results strings.Builder
	for command := range strings.Lines(string(request)) {
		command = strings.TrimSpace(command)
		fmt.Fprintf(&results, "%s\t%s\n", command, i.Do(command))
	}
	out := binary.BigEndian.AppendUint64(nil, infoHeader|uint64(results.Len()))
	_, err := conn.Write(append(out, results.String()...))
	return err
}

// Do carries out one command, and returns its result.
func (i *Info) Do(command string) string {
	name, text, _ := strings.Cut(command, ":")
	args := map[string]string{}
	for pair := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(pair, "=")
		args[key] = value
	}
	if args["context"] != "xdr" {
		return "ERROR:4:context is not xdr"
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.begin()
	switch name {
	case "set-config":
		return i.set(args)
	case "get-config":
		return i.get(args)
	case "get-stats":
		return i.stats(args)
	}
	return "ERROR:4:unrecognized command"
}

// begin creates DC at the first command.
func (i *Info) begin() {
	if i.centres != nil {
		return
	}
	i.centres = map[string]*centre{}
	if i.DC == "" {
		return
	}
	c := &centre{connector: true, addresses: append([]string{i.Source.Address}, i.Source.Others...), namespaces: map[string]map[string]string{}}
	for _, n := range i.Namespaces {
		c.namespaces[n] = map[string]string{}
	}
	i.centres[i.DC] = c
}

func (i *Info) set(args map[string]string) string {
	dc := args["dc"]
	c := i.centres[dc]
	switch {
	case i.DC != "" && (dc != i.DC || args["namespace"] == ""):
		return "ERROR:4:this node ships to the connectors that it was started with, as the DC " + i.DC + ", and to no others"
	case args["action"] == "create":
		if c != nil || !validName(dc) {
			return "ERROR:4:DC exists, or its name is not valid"
		}
		i.centres[dc] = &centre{namespaces: map[string]map[string]string{}}
		return "ok"
	case c == nil:
		return "ERROR:4:no such DC"
	case args["namespace"] != "":
		return i.setNamespace(c, args)
	case args["node-address-port"] != "" && args["action"] == "add":
		c.addresses = append(c.addresses, args["node-address-port"])
		return "ok"
	case args["connector"] == "true":
		c.connector = true
		return "ok"
	case args["action"] == "delete":
		delete(i.centres, dc)
		return "ok"
	}
	return "ERROR:4:unknown parameter"
}

// setNamespace adds or removes a namespace or changes its settings, and ships its records
// again if that is asked for.
func (i *Info) setNamespace(c *centre, args map[string]string) string {
	namespace := args["namespace"]
	since, ok := i.since(args["rewind"])
	if !ok {
		return "ERROR:4:rewind is neither all nor a number of seconds"
	}
	switch args["action"] {
	case "", "add":
		c.setNamespace(args)
	case "remove":
		delete(c.namespaces, namespace)
	default:
		return "ERROR:4:action is neither add nor remove"
	}
	if i.DC != "" && args["dc"] == i.DC && args["action"] != "" {
		i.Source.Ship(slices.Collect(maps.Keys(c.namespaces))...)
	}
	if args["rewind"] != "" {
		i.Source.Recover(namespace, since)
	}
	return "ok"
}

// since returns the update time, in Unix milliseconds, after which records are shipped again.
func (i *Info) since(rewind string) (lut int64, ok bool) {
	if rewind == "" || rewind == "all" {
		return 0, true
	}
	seconds, err := strconv.ParseUint(rewind, 10, 32)
	return i.Source.clock().Add(-time.Duration(seconds) * time.Second).UnixMilli(), err == nil
}

// setNamespace adds a namespace or changes its settings.
func (c *centre) setNamespace(args map[string]string) {
	settings := c.namespaces[args["namespace"]]
	if settings == nil {
		settings = map[string]string{}
		c.namespaces[args["namespace"]] = settings
	}
	for key, value := range args {
		if !slices.Contains([]string{"context", "dc", "namespace", "action"}, key) {
			settings[key] = value
		}
	}
}

func (i *Info) get(args map[string]string) string {
	c := i.centres[args["dc"]]
	switch {
	case args["dc"] == "":
		return "dcs=" + strings.Join(slices.Sorted(maps.Keys(i.centres)), ",")
	case c == nil:
		return "ERROR:4:no such DC"
	case args["namespace"] == "":
		return fmt.Sprintf("connector=%t;node-address-port=%s;namespaces=%s", c.connector, strings.Join(c.addresses, ","), strings.Join(slices.Sorted(maps.Keys(c.namespaces)), ","))
	}
	settings := c.namespaces[args["namespace"]]
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		pairs = append(pairs, key+"="+settings[key])
	}
	return strings.Join(pairs, ";")
}

func (i *Info) stats(args map[string]string) string {
	if c := i.centres[args["dc"]]; c == nil || args["namespace"] != "" && c.namespaces[args["namespace"]] == nil {
		return "ERROR:4:no such DC or namespace"
	}
	return i.Source.Stats().String()
}

// validName reports whether a data centre may be called so.
func validName(name string) bool {
	const most = 31
	odd := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_$-", r)
	})
	return name != "" && len(name) <= most && odd < 0
}
