package objfile

import "bytes"

// ReadBytes is Read for a file that is in memory.
func ReadBytes(data []byte) (*File, error) {
	return (&reader{from: bytes.NewReader(data), size: uint64(len(data))}).file()
}
