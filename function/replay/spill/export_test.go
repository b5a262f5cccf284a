package spill

import "os"

// CreateTemp makes create create the temporary files, until restore is called.
func CreateTemp(create func() (file *os.File, remove func(), err error)) (restore func()) {
	before := createTemp
	createTemp = create
	return func() { createTemp = before }
}
