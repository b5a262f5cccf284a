package devnode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// The info values that tell clients what they may ask a node. Clients go by the build, and
// some versions by the features. A build from 8.1 on would bring info commands and requests
// that the node does not know.
const (
	build    = "8.0.0.0"
	edition  = "Aerosink development node"
	version  = "Aerosink development node, in memory, not an Aerospike server"
	features = "batch-any;batch-index;blob-bits;cdt-index;cdt-list;cdt-map;cluster-stable;float;geo;sindex-exists;peers;pipelining;" +
		"pquery;pscans;query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;truncate-namespace;udf"
)

const (
	unknownCommand = "ERROR:4:unrecognized command"
	unknownContext = "ERROR:4:invalid context"
	enterpriseOnly = "ERROR:25:enterprise only"
	noNamespace    = "ERROR:20:namespace not found on node"
)

// info returns the answer to an info request: each name, a tab and its value, on lines. The
// client has reached the node at address.
func (n *Node) info(names []string, address string) string {
	var b strings.Builder
	for _, name := range names {
		if name == "" && len(names) == 1 {
			for _, all := range []string{"node", "build", "edition", "version", "features", "partition-generation", "peers-generation", "namespaces"} {
				fmt.Fprintf(&b, "%s\t%s\n", all, n.infoValue(all, address))
			}
			break
		}
		fmt.Fprintf(&b, "%s\t%s\n", name, n.infoValue(name, address))
	}
	return b.String()
}

// infoValue returns the value of a name, or the result of a command.
func (n *Node) infoValue(name, address string) string {
	switch name {
	case "build":
		return build
	case "edition":
		return edition
	case "version":
		return version
	case "features":
		return features
	case "node", "name":
		return n.id()
	case "partition-generation", "peers-generation":
		return "0"
	case "rebalance-generation":
		return "1"
	case "peers-clear-std", "peers-clear-alt", "alumni-clear-std",
		"peers-tls-std", "peers-tls-alt", "alumni-tls-std": // the Enterprise Edition's, for TLS in front of the node
		return "0,3000,[]"
	case "service-clear-std", "service":
		return address // that of the listener may be 0.0.0.0, where clients elsewhere find themselves
	case "rack-ids":
		return enterpriseOnly
	case "service-clear-alt", "service-tls-std", "service-tls-alt", "sindex-list:", "udf-list", "health-outliers":
		return "" // there are none
	case "cluster-name":
		return "null"
	case "namespaces":
		return strings.Join(n.config.Namespaces, ";")
	case "replicas":
		return n.replicas()
	case "statistics":
		return n.statistics()
	case "status":
		return "ok"
	}
	return n.command(name)
}

// command carries out a command: a name and arguments behind a colon or a slash.
func (n *Node) command(command string) string {
	at := strings.IndexAny(command, ":/")
	if at < 0 {
		return unknownCommand
	}
	name, text := command[:at], command[at+1:]
	switch name {
	case "set-config", "get-config", "get-stats":
		args := arguments(text)
		switch context := args["context"]; {
		case context == "xdr" && name == "set-config" && args["namespace"] != "" && !n.hasNamespace([]byte(args["namespace"])):
			return noNamespace
		case context == "xdr":
			return n.xdr.Do(command)
		case context == "namespace" && name == "get-config":
			return n.getConfig(args)
		}
		return unknownContext
	case "namespace":
		return n.namespaceInfo(text)
	case "sets":
		return n.sets(text)
	case "truncate", "truncate-namespace":
		return n.truncate(name, arguments(text))
	case "racks", "roster", "roster-set":
		return enterpriseOnly
	}
	return unknownCommand
}

// arguments returns the values of "name=value;name=value".
func arguments(text string) map[string]string {
	args := map[string]string{}
	for pair := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(pair, "=")
		args[name] = value
	}
	return args
}

// getConfig returns the configuration of a namespace as far as the node has one. Its name is
// called "id" or, by newer tools, "namespace".
func (n *Node) getConfig(args map[string]string) string {
	name := args["namespace"]
	if name == "" {
		name = args["id"]
	}
	if !n.hasNamespace([]byte(name)) {
		return noNamespace
	}
	return namespaceConfig
}

const namespaceConfig = "default-ttl=0;nsup-period=1;replication-factor=1;storage-engine=memory;max-record-size=1048576"

// namespaceInfo returns the statistics of a namespace.
func (n *Node) namespaceInfo(name string) string {
	if !n.hasNamespace([]byte(name)) {
		return "type=unknown"
	}
	records, tombstones := 0, 0
	for _, s := range n.source.Sets(name) {
		records, tombstones = records+s.Records, tombstones+s.Tombstones
	}
	return fmt.Sprintf("ns_cluster_size=1;objects=%d;master_objects=%d;tombstones=%d;stop_writes=false;%s", records, records, tombstones, namespaceConfig)
}

// sets returns the statistics of the sets of a namespace, NAMESPACE, or of one of them,
// NAMESPACE/SET.
func (n *Node) sets(text string) string {
	name, set, one := strings.Cut(text, "/")
	if !n.hasNamespace([]byte(name)) {
		return "ns_type=unknown"
	}
	var b strings.Builder
	for _, s := range n.source.Sets(name) {
		counts := fmt.Sprintf("objects=%d:tombstones=%d;", s.Records, s.Tombstones)
		switch {
		case one && s.Set == set:
			return counts
		case !one && s.Set != "":
			fmt.Fprintf(&b, "ns=%s:set=%s:%s", name, s.Set, counts)
		}
	}
	return b.String()
}

// statistics returns the statistics of the node.
func (n *Node) statistics() string {
	records := 0
	for _, name := range n.config.Namespaces {
		for _, s := range n.source.Sets(name) {
			records += s.Records
		}
	}
	return fmt.Sprintf("cluster_size=1;objects=%d;client_connections=%d;uptime=%d", records, n.clientCount(), int(n.now().Sub(n.started).Seconds()))
}

// truncate removes the records of a set or namespace that were updated before a time: now, or
// "lut" in nanoseconds since 1970. Like the server, it does not mind a namespace that is not
// there.
func (n *Node) truncate(command string, args map[string]string) string {
	set := args["set"]
	switch {
	case args["namespace"] == "":
		return "ERROR:20:missing 'namespace'"
	case command == "truncate" && set == "":
		return "ERROR:4:missing 'set'"
	case command != "truncate" && set != "":
		return "ERROR:4:unexpected set name"
	}
	lut := int64(math.MaxInt64)
	if text := args["lut"]; text != "" && text != "now" {
		ns, err := strconv.ParseInt(text, 10, 64)
		if err != nil || ns < 0 {
			return "ERROR:4:lut is not a number of nanoseconds"
		}
		lut = ns / int64(time.Millisecond)
	}
	if namespace := args["namespace"]; n.hasNamespace([]byte(namespace)) {
		n.source.Truncate(namespace, set, lut)
	}
	return "ok"
}

// id returns 16 hexadecimal digits that differ from node to node on this machine: the port
// is in them.
func (n *Node) id() string {
	return fmt.Sprintf("%04X02000000FC02", netip.MustParseAddrPort(n.Addr()).Port())
}

// replicas returns that the node is the master of all partitions: for each namespace its
// regime, the number of bitmaps, and the bitmaps.
func (n *Node) replicas() string {
	all := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, change.Partitions/8))
	var parts []string
	for _, name := range n.config.Namespaces {
		parts = append(parts, name+":0,1,"+all)
	}
	return strings.Join(parts, ";")
}
