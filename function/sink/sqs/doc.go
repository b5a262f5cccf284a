// Package sqs sends changes as messages to a FIFO queue of Amazon SQS. A batch comes in, a
// verdict on each change goes back; a nil verdict means that the queue has the message.
//
// A batch takes these steps:
//
//  1. [Parse] reads the URL of a queue; the sink it opens is the queue.
//  2. queue.Put has an encoder make a message of each change, or packed ones of several. A
//     change whose message the queue cannot take gets its verdict.
//  3. An [ordered.Sender] decides which messages go into which call, and which go again.
//  4. client.send makes a call, SendMessageBatch, and says what became of each message.
//  5. queue.Put turns the verdicts on messages into those on changes.
//
// # Messages
//
// The body is the change as it came, or in the format of data=. Where that is not text that
// SQS takes, the body is Base64 and the attribute encoding is base64. The body has to be
// checked before: AWS's client would write what is not UTF-8 as U+FFFD, and the queue would
// store it.
//
// A message has at most ten attributes, which is what SQS allows: those of
// [payload.AppendAttributes] and encoding. One whose value is empty or has characters that SQS
// refuses is left out; the body has it. The trace of the request is the system attribute
// AWSTraceHeader.
//
// A packed message has the attributes of [payload.Config.AppendSummary]. Its encoding lists
// what was done to it in order, as in zstd,base64. It has 256 KiB at most.
//
// # Order
//
// The group of a message is the partition of its record modulo ordering. SQS keeps the
// messages of a group in order, and hands out no more of a group while some are in flight, so
// the number of groups is that of consumers which can work at once. The sender keeps the
// versions of a record in order (package ordered). With group=queue there is one group, and
// one call at a time.
//
// # Duplicates
//
// SQS drops a message if it took one with the same deduplication ID less than 5 minutes ago,
// and says that it has it. The ID of a change is made of its namespace, digest, last update
// time, generation and operation, that of a packed message of those of all its changes. So
// what another instance sends again is dropped, too. Where last update time or generation are
// unknown, two changes could have the same ID, so it is random: then only repetitions within a
// Put are dropped. With dedup=off all IDs are random.
//
// The IDs of dead letters are random as well. Otherwise a change that is repaired, sent again
// and refused again would be lost: SQS remembers IDs after a consumer has deleted the message.
//
// # What is refused for good
//
// A change whose message is larger than the queue takes, one that the format of data= cannot
// express, and one whose message SQS refuses for what it holds, with the evidence that package
// ordered asks for. A queue that is missing, forbidden or throttled makes no dead letters, and
// neither does the refusal of a message with several changes.
//
// # Parameters of the URL
//
//	ordering      256: number of groups, 1 to 4096; 16 with mode=packed
//	group         shard, or queue: all messages in one group
//	dedup         on, or off
//	data          as-received, or json, flat-json, message-pack, xdr, avro: changes in
//	              another format are re-encoded; avro by AVRO_SCHEMA, else as a row
//	mode          single, or packed: all changes of a Put and a group in one message
//	packed        what that message holds: ndjson, or avro, a container file of rows
//	compression   of packed messages: zstd, gzip or none
//	endpoint      https://HOST, in place of the region's
//	pause         2s: how long a failed change holds back others of its record
//	max-messages  100000
//	max-bytes     128MiB
package sqs
