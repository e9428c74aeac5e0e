package wasm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// stub is a module with the same interface, memory and data, and functions that do nothing but
// trap. The engine decodes and checks a module before it looks for its code, which for a large one
// takes longer than all else; what it looks for is named by the bytes of the module. So the
// code is kept under the name of the stub, and the engine is given that: it must never compile
// one (see [keptOnly]). A stub names the module that it is of, because two modules may differ in
// nothing but their functions.
//
// The module is one that the engine has compiled.
func stub(module []byte) ([]byte, error) {
	const head = 8 // magic number and version
	if len(module) < head {
		return nil, errNoStub
	}
	of := sha256.Sum256(module)
	out := bytes.Clone(module[:head])
	out = appendSection(out, customSection, append([]byte("\x08nyash.of"), of[:]...))
	for rest := module[head:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, errNoStub
		}
		body := rest[1+n:][:size]
		if id != codeSection {
			out = append(out, rest[:1+n+int(size)]...)
		} else {
			count, n := binary.Uvarint(body)
			if n <= 0 || count > size {
				return nil, errNoStub
			}
			body = binary.AppendUvarint(nil, count)
			out = appendSection(out, codeSection, append(body, bytes.Repeat([]byte(trapBody), int(count))...))
		}
		rest = rest[1+n+int(size):]
	}
	return out, nil
}

const (
	customSection = 0
	codeSection   = 10
	trapBody      = "\x03\x00\x00\x0b" // 3 bytes: no locals, unreachable, end
)

var errNoStub = errors.New("a module without sections")

func appendSection(to []byte, id byte, body []byte) []byte {
	return append(binary.AppendUvarint(append(to, id), uint64(len(body))), body...)
}
