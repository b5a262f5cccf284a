package audit

import "github.com/aerosink/aerosink/connector/change"

// Record is what the database says of a record: its metadata.
type Record struct {
	Digest     change.Digest
	Set        string
	Generation uint32
	Expiry     int64 // void time in Unix seconds, 0 never; clients see it with an error of a second
	LUT        int64 // Unix milliseconds; 0 if it was not asked for, as in a scan
}

// version returns the version of the record. Its LUT must be known.
func (r *Record) version() change.Version {
	return change.Version{LUT: r.LUT, Generation: r.Generation, Op: change.Write}
}
