package xdrtest

import (
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// BinPolicy is the bin-policy of a data centre's namespace.
type BinPolicy int

// The bin policies that differ on the wire.
const (
	AllBins     BinPolicy = iota // the whole record
	OnlyChanged                  // bins that changed since the connector last had the record
	NoBins                       // only metadata
)

// Policy is how the configuration of a data centre says to ship changes. The zero Policy is
// the server's default, with the user key.
type Policy struct {
	Bins              BinPolicy
	BinLUTs           bool  // ship-bin-luts; with OnlyChanged
	SourceID          uint8 // src-id
	HideKeys          bool  // clients do not send the user key
	Compress          bool  // enable-compression
	SupervisorDeletes bool  // ship-nsup-deletes
}

// compressionThreshold is the server's default, in bytes of the message.
const compressionThreshold = 128

// message returns the message of c, a version of r.
func (p Policy) message(r *record, c change.Change, now time.Time) (xdr.Frame, error) {
	c.SourceID, c.Mode = p.SourceID, change.Replace
	if p.HideKeys {
		c.Key = change.Value{}
	}
	c.Bins = p.bins(r, &c)
	frame, err := xdr.AppendMessage(nil, &c, now)
	if err != nil || !p.Compress || len(frame) < compressionThreshold {
		return frame, err
	}
	return xdr.AppendCompressed(nil, frame)
}

// bins returns the bins of c to ship, and sets the fields of c that describe them.
func (p Policy) bins(r *record, c *change.Change) []change.Bin {
	bins := slices.Clone(c.Bins)
	switch p.Bins {
	case NoBins:
		return nil
	case OnlyChanged:
		c.BinLUTs = p.BinLUTs && !c.Op.IsDelete()
		if r.shared > 0 && r.shared < r.created && c.LUT >= r.created {
			// The connector has bins of the record that was deleted.
			bins = slices.DeleteFunc(bins, func(b change.Bin) bool { return b.Value.Kind() == change.KindNil })
			break
		}
		c.Mode = change.Update
		bins = slices.DeleteFunc(bins, func(b change.Bin) bool { return b.LUT <= r.shared })
	default:
		bins = slices.DeleteFunc(bins, func(b change.Bin) bool { return b.Value.Kind() == change.KindNil })
	}
	for i := range bins {
		bins[i].SourceID = p.SourceID
		if !c.BinLUTs || bins[i].LUT == c.LUT {
			bins[i].LUT, bins[i].SourceID = 0, 0
		}
	}
	return bins
}
