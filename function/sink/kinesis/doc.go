// Package kinesis puts changes as records into a stream of Kinesis Data Streams. A batch
// comes in, a verdict on each change goes back; a nil verdict means that Kinesis has given the
// record a sequence number.
//
// A batch takes these steps:
//
//  1. [Parse] reads the URL of a stream; the sink it opens is a streamSink.
//  2. streamSink.Put has a recordWriter encode the batch as records, in the form in which
//     they stand in a call. Changes that cannot be a record get their verdict at once.
//  3. An [ordered.Sender] queues them, fills calls, and sends failed ones again.
//  4. stream.send makes a call with PutRecords, and gives each record its result. If Kinesis
//     refuses the whole call, stream.send halves it until the refused records stand alone.
//
// The client is that of AWS's SDK, which finds the endpoint and signs. putProtocol replaces its
// encoding of PutRecords, so that a call needs no second copy of its records and a record no
// object.
//
// # Order
//
// PutRecords promises no order, neither within a call nor when a record of it fails: the others
// are stored all the same. So a record's versions are never in one call, and a later one is sent
// once Kinesis has the earlier one. Package ordered does that. A stream keeps the order of
// records with the same partition key in the sequence numbers of a shard, so each record of
// Aerospike always has the same key.
//
// A record may be stored twice, if an answer was lost or came too late. The first copies are in
// order.
//
// # What is refused for good
//
// A change that the format of data= cannot express, and one whose record is larger than 10 MiB
// or than the stream allows. That limit is asked for (DescribeStreamSummary) when a record of
// more than 1 MiB comes, which every stream takes. If asking is not permitted, Kinesis has
// to refuse the record itself. What it refuses otherwise is refused for good under the rules of
// package ordered, unless it is a packed record. Those have 1 MiB at most.
//
// # Parameters of the URL
//
//	key           shard, the partition modulo ordering, or digest: the partition key
//	ordering      256: how many different keys there are with key=shard, 1 to 4096
//	data          json, flat-json, message-pack, xdr, avro: changes in another format are
//	              re-encoded; as-received: they are not
//	envelope      none, or json: an object with the attributes and the data
//	mode          single, or packed: all changes of a Put with the same key in one record
//	packed        what that record holds: ndjson, or avro, a container file of rows
//	compression   of packed records: zstd, gzip or none
//	endpoint      a URL, in place of AWS's endpoint for the account and region
//	pause         2s: how long a failed change holds back others of its record
//	max-messages  100000: records of the stream that may be queued or in flight
//	max-bytes     128MiB
package kinesis
