package plan

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Entry checks a method's result in place, without copying it. No bytes stand
// for Void.
func (p *Plan) Entry(msg []byte) (tlv.Entry, error) {
	e := tlv.Entry{Tag: tlv.TagVoid}
	if len(msg) > 0 {
		var err error
		if e, err = tlv.DecodeEntry(msg); err != nil {
			return e, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	if p.ReturnsResult && e.Tag == tlv.TagString {
		return e, &ResultMessage{Text: contract.Printable(string(e.Payload))}
	}
	if e.Tag == tlv.TagBlob && p.Returns.Tag == 0 {
		return e, &ResultError{Have: e.Tag}
	}
	if p.Returns.Tag != 0 && p.Returns.Tag != e.Tag {
		return e, &ResultError{Have: e.Tag, Want: p.Returns.Tag}
	}
	return e, nil
}

// Result is [Plan.Entry] with the value copied.
func (p *Plan) Result(msg []byte) (tlv.Value, error) {
	if v, ok := decodeScalar(msg); ok && (v.Tag() == p.Returns.Tag || p.Returns.Tag == 0) {
		return v, nil
	}
	e, err := p.Entry(msg)
	if err != nil {
		return tlv.Value{}, err
	}
	return e.Value(), nil
}
