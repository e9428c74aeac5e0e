package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Plan is a method that is ready to be called.
type Plan struct {
	Box  string
	Name string
	ID   uint32
	sig.Signature
	Leaf *Leaf // of a leaf method that is called as such; else nil

	// fixed is the number of arguments that [Plan.EncodeFixed] takes; -1 where the
	// signature has arguments that are not for it. entryHeaders are the headers of
	// their entries.
	fixed        int
	entryHeaders []uint32
	twoInts      bool
	// data is whether [Plan.EncodeFixed] takes one argument of bytes.
	data bool
	// resultHeader is how the message of an I64 or F64 result begins; 0, which no
	// message begins with, for other results.
	resultHeader uint64
}

// New prepares the calls of a method.
func New(box, name string, id uint32, s sig.Signature) *Plan {
	p := &Plan{Box: box, Name: name, ID: id, Signature: s}
	switch s.Returns.Tag {
	case tlv.TagInt64:
		p.resultHeader = uint64(headerInt64)<<32 | oneEntry
	case tlv.TagFloat64:
		p.resultHeader = uint64(headerFloat64)<<32 | oneEntry
	}
	p.data = len(s.Args) == 1 && s.Args[0].To == tlv.TagBytes && s.Args[0].From.Takes(sig.Bytes)
	for _, a := range s.Args {
		if a.To != tlv.TagInt64 && (a.To != tlv.TagFloat64 || a.From == sig.Integer) {
			p.fixed = -1
			return p
		}
		p.entryHeaders = append(p.entryHeaders, 8<<16|uint32(a.To))
	}
	p.fixed = len(p.entryHeaders)
	p.twoInts = p.fixed == 2 && p.entryHeaders[0] == headerInt64 && p.entryHeaders[1] == headerInt64
	return p
}

// Plain reports whether the signature is declared and has neither boxes nor blobs: the two
// messages are then all that a call lends and is given.
func (p *Plan) Plain() bool {
	plain := func(t tlv.Tag) bool { return t != 0 && t != tlv.TagHandle && t != tlv.TagBlob }
	return p.ArgsDeclared && !p.Variadic && plain(p.Returns.Tag) &&
		!slices.ContainsFunc(p.Args, func(a sig.Arg) bool { return !plain(a.To) })
}

// CheckCount checks the number of arguments. The error is an [*ArgError].
func (p *Plan) CheckCount(n int) error {
	if !p.ArgsDeclared || n == len(p.Args) || n < len(p.Args) && n >= p.Required() || n > len(p.Args) && p.Variadic {
		return nil
	}
	return p.wrongCount(n)
}

func (p *Plan) wrongCount(n int) error {
	want := "no arguments"
	if len(p.Args) > 0 {
		names := make([]string, len(p.Args))
		for i, a := range p.Args {
			names[i] = a.Name
		}
		want = fmt.Sprintf("%d (%s)", len(names), strings.Join(names, ", "))
	}
	switch least := p.Required(); {
	case p.Variadic:
		want = fmt.Sprintf("at least %d", least)
	case least < len(p.Args):
		want = fmt.Sprintf("%d to ", least) + want
	}
	return &ArgError{Index: -1, Msg: fmt.Sprintf("it takes %s, and got %d", want, n)}
}
