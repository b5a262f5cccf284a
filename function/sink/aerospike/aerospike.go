// Package aerospike stores changes in an Aerospike database. A batch comes in, a verdict on
// each change goes back; a nil verdict means that the database has answered that it has it.
package aerospike
