// Package pubsub publishes changes as messages of a topic: a batch comes in, a verdict
// on each change goes back, and nil means that the message has its id.
//
// The publisher is our own. It has Google's generated client connect, authenticate
// and route, and writes the bytes of publish requests itself, past the client's
// encoder: a change costs no map and no message in memory.
//
// # Requests
//
// Without ordering all messages wait in one queue. With ordering=K each waits in one
// of K lanes, that of its record's partition modulo K, which is the message's ordering
// key: a request carries one key, and Pub/Sub takes 1 MB/s of each. A lane has one
// request under way; what arrives meanwhile is the next, of up to 1,000 messages and
// 10 MB. An idle publisher sends at once. A busy one lets lanes wait for the linger, or
// until they are well filled, so that many lanes do not make for tiny requests.
//
// A request is tried again for as long as a Put waits for it and the answer is one
// that may pass. An attempt has a third of the time that Put has, so that one without
// answer leaves room for others. No goroutine and no timer outlives the Puts that it
// is for.
//
// What waits or is under way is bounded by max-messages and max-bytes. Beyond, changes
// are refused at once with [sink.ErrOverloaded]. What the Puts themselves hold is not
// counted, for their changes are in memory already.
//
// # Order
//
// With ordering, changes of a record are published in the order in which they were
// put, within a batch and from one to the next. When a request fails for good, all
// that waits behind it in its lane fails too, with the verdict to try again, and the
// lane owes the changes that failed. Until they come again, recognised by record and
// bytes, no other change of the same record is published; one that comes is refused,
// to be tried again, and is owed behind them. So nothing overtakes what failed before
// it. A change that found no room, or that is refused for good, is not owed.
//
// A debt is forgotten when the pause is over, 2 seconds by default: the database ships
// the newest version of a record only, which need not be the one that failed, and with
// several instances the repeat may come to another. A sender that repeats later than
// that may see an older version published behind a newer one; who reads tells them
// apart by the attributes lut and generation. Debts are bounded as well: a lane for
// which there is no more room takes nothing until its pause is over.
//
// Any message may be published twice, when an answer was lost; its first time is in
// order. Without ordering there is none.
//
// # What is refused for good
//
// A change whose message alone is more than a request has room for, one that the
// format of data= cannot express, and one whose message Pub/Sub calls an invalid
// argument. A request that is refused as such is halved until the guilty messages
// stand alone. They are believed to be guilty only if the topic takes others: where it
// refuses one after the other, as a topic does whose schema is another, the changes
// are to be tried again.
//
// An attribute whose value is not UTF-8 or longer than 1,024 bytes is left out, for
// Pub/Sub would refuse the whole request. The bytes of the change have it.
//
// # Parameters of the URL
//
//	ordering      shards of ordering keys, 1 to 4096; 0, the default, is none
//	data          as-received, or json, flat-json, message-pack, xdr, avro: what came in
//	              another format is written anew; avro by AVRO_SCHEMA, else as a row;
//	              bigquery: for a subscription that keeps a table of the records
//	mode          single, or packed: all changes of a Put, or of a lane, in one message
//	packed        what that message holds: ndjson, or avro, a container file of rows
//	compression   of packed messages: zstd, gzip or none
//	endpoint      a region, or HOST:PORT, in place of the nearest
//	linger        10ms: how long a lane waits for more where many are busy
//	pause         2s: how long a failed change holds up others of its record
//	max-messages  100000
//	max-bytes     128MiB
//
// [sink.ErrOverloaded]: https://pkg.go.dev/github.com/aerosink/aerosink/function/sink#ErrOverloaded
package pubsub
