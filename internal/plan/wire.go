package plan

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// IsFixed reports whether a message that a plugin sends has as many entries as are declared,
// all of them i64 or f64 as declared. It is false for all other messages, which are for
// [Plan.CheckWire] to judge.
func (p *Plan) IsFixed(msg []byte) bool {
	if !p.ArgsDeclared || p.fixed < 0 || len(msg) != tlv.HeaderSize+p.fixed*entrySize || le.Uint32(msg) != uint32(p.fixed)<<16|tlv.Version {
		return false
	}
	for i, header := range p.entryHeaders {
		if le.Uint32(msg[tlv.HeaderSize+i*entrySize:]) != header {
			return false
		}
	}
	return true
}

// CheckWire checks entry i of a message that a plugin sends against what is declared.
// Nothing is converted (docs/abi.md, "Calling the host"). The error is an [*ArgError].
func (p *Plan) CheckWire(i int, e tlv.Entry) error {
	if i >= len(p.Args) || p.Args[i].To == 0 {
		if e.Tag == tlv.TagBlob {
			return p.argError(i, "a blob where none is declared", nil)
		}
		return nil
	}
	if want := p.Args[i].To; e.Tag != want {
		return p.argError(i, fmt.Sprintf("it must be %v on the wire, and this is %v", want, e.Tag), nil)
	}
	return nil
}
