// Package pubsub publishes changes as messages of a Pub/Sub topic. A batch comes in, a
// verdict on each change goes back; a nil verdict means that Pub/Sub has given the
// message an ID.
//
// A batch takes these steps:
//
//  1. [Parse] reads the URL of a topic; the sink it opens is the publisher.
//  2. publisher.Put has a putWriter encode the batch as messages. They form one chunk
//     for each lane, together a pendingPut.
//  3. publisher.enqueue adds the chunks to their lanes. The admission refuses what is
//     over the limits or out of order.
//  4. publisher.next takes a publishRequest off the lane whose turn it is, and a worker
//     publishes it: publisher.publish, then bisection.publish, which finds the messages
//     that the topic refuses, then publisher.try, which retries, then topic.publish.
//  5. publisher.finish sets the verdicts and wakes the Puts.
//
// The publisher is our own. It uses Google's generated client to connect, authenticate
// and route, and encodes publish requests itself, so that a change costs no map and no
// message object.
//
// # Requests
//
// Without ordering all messages wait in one lane. With ordering=K each waits in one of K
// lanes: the partition of its record modulo K, which is also the message's ordering key.
// A request carries one key, and Pub/Sub takes 1 MB/s of each. A lane has one request in
// flight; what arrives meanwhile goes into the next one, up to 1,000 messages and 10 MB.
// An idle publisher sends at once. A busy one lets lanes wait for the linger, or until
// they are well filled, so that many lanes do not make tiny requests.
//
// A request is retried for as long as a Put waits for it and the error may pass. An
// attempt gets a third of the time of a Put, so that one without a response leaves time
// for others. No goroutine and no timer outlives the Puts that it works for.
//
// What is queued or in flight is bounded by max-messages and max-bytes. Changes over
// that are refused at once with [sink.ErrOverloaded]. The memory of the Puts themselves
// is not counted, since their changes are in memory already.
//
// # Order
//
// With ordering, changes of a record are published in the order in which they were put,
// within a batch and from one batch to the next. When a request fails for good, all that
// is queued behind it in its lane fails too, to be retried, and the lane keeps the IDs of
// the failed changes (failures.Retries). Until they come again, recognised by record and
// bytes, no other change of the same record is published: one that comes is refused, to
// be retried, and has to come after them. So nothing overtakes what failed before it. A
// change that was refused permanently, or for overload, does not hold back later ones.
//
// The lane stops waiting after the pause, 2 seconds by default: the database ships only
// the newest version of a record, which need not be the one that failed, and with several
// instances the retry may reach another one. If a sender retries later than that, an
// older version may be published after a newer one; readers tell them apart by the
// attributes lut and generation. The number of changes waited for is bounded as well: a
// lane that would exceed it takes nothing until its pause is over.
//
// Any message may be published twice, when a response was lost; the first copy is in
// order. Without ordering there is no order.
//
// # What is refused for good
//
// A change whose message does not fit into a request of its own, one that the format of
// data= cannot express, and one whose message Pub/Sub calls an invalid argument. A
// request that is refused as such is halved until the refused messages stand alone
// (bisection). Each of those is held back, and what comes after it of its record. Once the
// topic has taken another message, sent later, it is tried again, and if it is refused again
// it is so for good. If the topic takes nothing behind it, the message is to be retried; it
// is refused for good once that has happened three times, and the topic has taken others in
// between (failures.Refusals). So a topic that refuses everything for a while, as one with another
// schema does, makes no dead letters.
//
// An attribute whose value is not UTF-8 or longer than 1,024 bytes is left out, because
// Pub/Sub would refuse the whole request. The data of the message still has it.
//
// # Parameters of the URL
//
//	ordering      number of shards of ordering keys, 1 to 4096; 0, the default, is none
//	data          as-received, or json, flat-json, message-pack, xdr, avro: changes in
//	              another format are re-encoded; avro by AVRO_SCHEMA, else as a row;
//	              bigquery: for a subscription that keeps a table of the records
//	mode          single, or packed: all changes of a Put, or of a lane, in one message
//	packed        what that message holds: ndjson, or avro, a container file of rows
//	compression   of packed messages: zstd, gzip or none
//	endpoint      a region, or HOST:PORT, in place of the nearest
//	linger        10ms: how long a lane waits for more when many are busy
//	pause         2s: how long a failed change holds back others of its record
//	max-messages  100000
//	max-bytes     128MiB
//
// [sink.ErrOverloaded]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink#ErrOverloaded
package pubsub
