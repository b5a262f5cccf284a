package row

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/aerosink/aerosink/connector/plural"
)

// A Parquet file ends with a footer, the footer's length and a magic number. Between the
// last page and the footer, where no reader looks, we put a seal: sealMagic and the CRC32C
// of all other bytes. The Parquet library does not check the lengths and offsets in a file
// and may read beyond its buffers, so a file is read only if its checksum is right.

const (
	sealMagic = "aerosink"
	sealSize  = len(sealMagic) + crc32.Size
	tailSize  = 8 // the footer's length and the magic number
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealed returns the Parquet file with a seal.
func sealed(file []byte) []byte {
	footer := int(binary.LittleEndian.Uint32(file[len(file)-tailSize:]))
	seal := binary.BigEndian.AppendUint32([]byte(sealMagic), crc32.Checksum(file, castagnoli))
	return slices.Insert(file, len(file)-tailSize-footer, seal...)
}

// checkSeal checks that the file, of size bytes, is unchanged since it was written.
func checkSeal(file io.ReaderAt, size int64) error {
	var tail [tailSize]byte
	if size < int64(tailSize+sealSize) {
		return fmt.Errorf("%s, too few for a file", plural.Of(int(size), "byte"))
	}
	if _, err := file.ReadAt(tail[:], size-tailSize); err != nil {
		return err
	}
	at := size - tailSize - int64(binary.LittleEndian.Uint32(tail[:])) - int64(sealSize)
	if at < 0 {
		return errors.New("its footer is longer than the file")
	}
	seal := make([]byte, sealSize)
	if _, err := file.ReadAt(seal, at); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	for _, part := range []*io.SectionReader{
		io.NewSectionReader(file, 0, at), io.NewSectionReader(file, at+int64(sealSize), size-at-int64(sealSize)),
	} {
		if _, err := io.Copy(sum, part); err != nil {
			return err
		}
	}
	switch {
	case !bytes.HasPrefix(seal, []byte(sealMagic)):
		return errors.New("it has no checksum, so Aerosink has not written it, or it is damaged")
	case binary.BigEndian.Uint32(seal[len(sealMagic):]) != sum.Sum32():
		return errors.New("its checksum is wrong: it is damaged")
	}
	return nil
}
