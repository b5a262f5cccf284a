package devnode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"strings"

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

const unknownCommand = "ERROR:4:unrecognized command"

// info returns the answer to an info request: each name, a tab and its value, on lines.
func (n *Node) info(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if name == "" && len(names) == 1 {
			for _, all := range []string{"node", "build", "edition", "version", "features", "partition-generation", "peers-generation", "namespaces"} {
				fmt.Fprintf(&b, "%s\t%s\n", all, n.infoValue(all))
			}
			break
		}
		fmt.Fprintf(&b, "%s\t%s\n", name, n.infoValue(name))
	}
	return b.String()
}

// infoValue returns the value of a name, or the result of a command.
func (n *Node) infoValue(name string) string {
	switch name {
	case "build":
		return build
	case "edition":
		return edition
	case "version":
		return version
	case "features":
		return features
	case "node":
		return n.id()
	case "partition-generation", "peers-generation", "rebalance-generation":
		return "0"
	case "peers-clear-std", "peers-clear-alt", "peers-tls-std", "peers-tls-alt", "alumni-clear-std", "alumni-tls-std":
		return "0,3000,[]"
	case "service-clear-std", "service-clear-alt", "service":
		return n.Addr()
	case "service-tls-std", "service-tls-alt":
		return ""
	case "cluster-name":
		return "null"
	case "namespaces":
		return strings.Join(n.config.Namespaces, ";")
	case "replicas":
		return n.replicas()
	case "status":
		return "ok"
	}
	if command, _, _ := strings.Cut(name, ":"); command == "set-config" || command == "get-config" || command == "get-stats" {
		return n.xdr.Do(name)
	}
	return unknownCommand
}

// id returns 16 hexadecimal digits that differ from node to node on this machine: the port
// is in them.
func (n *Node) id() string {
	port := n.listener.Addr().(*net.TCPAddr).Port
	return fmt.Sprintf("%04X02000000FC02", port)
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
