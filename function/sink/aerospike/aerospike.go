// Package aerospike stores changes in an Aerospike database. A batch comes in, a verdict on
// each change goes back; a nil verdict means that the database has answered that it has the
// change, or a newer one.
//
// There are three modes. In mode=raw the sink keeps the newest notification of each record as
// it came, for later use. In mode=records it applies each change to the record that has the
// same set and digest in another namespace or cluster. In mode=fence the URL is not a sink but
// a sink.Fence: it remembers which version of each record was published (fence.go).
//
// A batch takes these steps:
//
//  1. [Parse] reads the URL, [ParseCluster] the part of it that says where the cluster is.
//     Opening connects ([Cluster.Dial]), and refuses a target that must not be written to:
//     a namespace that XDR ships to a connector, which would be a loop.
//  2. Put fails what can be refused without the database, and skips what is not meant for the
//     sink (put). The rest waits for the rate, and goes in batches of different records
//     (batches), several at once.
//  3. raw.store and records.store carry out a batch: with [Client.Batch], which gives every
//     command a result of its own. Rows that another writer was at are tried again, all else
//     is left to the sender.
//  4. Errors say what to do, and are permanent if a retry cannot help (result.go).
//
// The type records describes why no older version replaces a newer one, in whatever order
// changes come and however many processes write.
//
// # Parameters of the URL
//
//	aerospike://HOST:PORT[,HOST:PORT]/NAMESPACE/SET?mode=raw
//	aerospike://HOST:PORT[,HOST:PORT]/NAMESPACE?mode=records
//	aerospike://HOST:PORT[,HOST:PORT]/NAMESPACE/SET?mode=fence
//
//	from            the source's namespace; changes of others are skipped. By default it is
//	                NAMESPACE, and others are refused
//	ttl             default (the namespace's), never, a duration, remaining (as the record
//	                has at the source) or absolute (as it had at its last update)
//	rate            most changes a second; 0 is unlimited
//	loop            refuse, or allow: a target that XDR ships to a connector
//
//	write           of mode=records: replace or update, for formats that do not say which
//	durable-delete  auto (as at the source), always, never
//	versions        set of the versions that were applied; none applies changes as they come
//	versions-ttl    never, default or a duration
//
//	on-unavailable  of mode=fence: retry, or pass, which publishes without it
//	timeout         of mode=fence: for a read, and again for a write
//
//	tls, tls-name, ca-file, cert-file, key-file
//	user, password-file, auth     internal, external or pki
//	cluster-name, services        standard or alternate addresses of the nodes
//	connections                   to each node
package aerospike
