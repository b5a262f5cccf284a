package change

import "fmt"

// EndOfTime is the last millisecond of the year 9999, in Unix milliseconds. SQL and JSON
// have no date after it.
const EndOfTime = 253402300799999

// CheckLUT returns an error if a last update time cannot be written as a date. Zero, which is
// unknown, can.
func CheckLUT(ms int64) error {
	if ms < 0 || ms > EndOfTime {
		return fmt.Errorf("the last update time %d ms is outside the years 1970 to 9999", ms)
	}
	return nil
}

// CheckTimes returns an error if the last update time or the expiry of c cannot be written as
// a date.
func (c *Change) CheckTimes() error {
	if c.Expiry < ExpiryUnknown || c.Expiry > EndOfTime/1000 {
		return fmt.Errorf("the expiry %d s is outside the years 1970 to 9999", c.Expiry)
	}
	return CheckLUT(c.LUT)
}
