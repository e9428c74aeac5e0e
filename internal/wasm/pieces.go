package wasm

import (
	"crypto/rand"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// What a module has the host move is as long as its memory, once or as often as it asks for in one
// call. So it is moved in pieces, and before each the module is looked at: there a call ends whose
// time is over. The collector of the host waits no longer than a piece takes.
const (
	maxPiece  = 1 << 20  // bytes that are read or written at once
	maxRandom = 64 << 10 // bytes of random numbers, which cannot be interrupted
	maxNames  = 1024     // of a folder
)

// inPieces has do read or write buf; with less than it was given it has come to its end.
func inPieces(look func(), buf []byte, do func(piece []byte, at int) (int, error)) (n int, err error) {
	for {
		look()
		piece := buf[n:min(len(buf), n+maxPiece)]
		var moved int
		moved, err = do(piece, n)
		n += moved
		if err != nil || moved < len(piece) || n == len(buf) {
			return n, err
		}
	}
}

// random is where a module's random numbers come from.
type random struct{ look func() }

// Read fills what is asked for, up to a piece.
func (r *random) Read(buf []byte) (int, error) {
	r.look()
	return rand.Read(buf[:min(len(buf), maxRandom)])
}

// maxOpenFiles is how many files and folders a module may have open.
const maxOpenFiles = 256

// descriptors counts what a module has open.
type descriptors struct{ open, most int }

// take counts a file that is to be opened.
func (d *descriptors) take() bool {
	if d.open >= d.most {
		return false
	}
	d.open++
	return true
}

// counted is a file that counts until it is closed.
type counted struct {
	sys.File
	of *descriptors
}

// Close implements [sys.File].
func (c *counted) Close() sys.Errno {
	if c.of != nil {
		c.of.open--
		c.of = nil
	}
	return c.File.Close()
}
