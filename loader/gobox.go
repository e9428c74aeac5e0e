package loader

import (
	"context"
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/hostbox"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// addGoBoxes adds the boxes that are written in Go: the program's own, and of the built-in
// ones those that neither they nor nyash.toml replace.
func (h *Host) addGoBoxes() error {
	// Type ids from the far end, which plugins do not use, so that these boxes can be
	// passed to them.
	typeID := uint32(1<<32 - 1)
	for _, b := range h.options.boxes {
		if other := h.boxTypes[b.Name]; other != nil {
			return fmt.Errorf("WithBox: %v has a box called %s too: give one of them another name", other.decl.Pos, b.Name)
		}
		h.add(newGoLibrary(h, typeID, b))
		typeID--
	}
	for _, b := range h.options.builtins {
		if _, replaced := h.boxTypes[b.Name]; !replaced {
			h.add(newGoLibrary(h, typeID, hostbox.OfBuiltin(b)))
			typeID--
		}
	}
	return nil
}

// goMethods are the names of the methods of boxes written in Go, by box.
func (o *options) goMethods() map[string][]string {
	all := builtin.Methods(o.builtins)
	for _, b := range o.boxes {
		all[b.Name] = nil
		for _, m := range b.Methods {
			all[b.Name] = append(all[b.Name], m.Name)
		}
	}
	return all
}

// goSource is a box written in Go, built in or the program's own, which is there from
// the beginning.
type goSource struct {
	of      *boxType
	typeID  uint32
	backend *goBackend
}

func newGoSource(of *boxType, typeID uint32, b *hostbox.Box) *goSource {
	return &goSource{of, typeID, &goBackend{b}}
}

func (s *goSource) open() ([]*boundType, error) {
	return []*boundType{goType(s.of, s.backend.box, s.typeID)}, nil
}

func (s *goSource) session(context.Context, bool) (backend, error) { return s.backend, nil }

func (s *goSource) memory() (Memory, bool) { return Memory{}, false }

func (s *goSource) status(*PluginStatus) bool { return false }

func (s *goSource) reset() {}

func (s *goSource) killable() bool { return false }

func (s *goSource) kill(error) {}

func (s *goSource) close() error { return nil }

// goBackend runs a box written in Go behind the same interface as a plugin, so that
// calls do not differ (docs/rationale.md, Built-in boxes go through TLV).
type goBackend struct {
	box *hostbox.Box
}

// Invoke returns errors as a plugin does: as a code and a message.
func (b *goBackend) Invoke(ctx context.Context, c *abi.Call) error {
	if b.box.TakesContext(c.Method) { // or else none need be made
		ctx = calls.Stable(ctx)
	}
	buf := c.ResultBuffer()
	answer, code := b.box.Call(ctx, c.Method, c.Instance, c.Message(), buf)
	if len(answer) > len(buf) {
		// Any single value fits, see contract.InitialResultSize: this is the message of
		// a fini, which nobody reads.
		answer = nil
	}
	c.Code, c.ResultLength = code, uintptr(len(answer))
	return nil
}

// InvokeBatch makes none: a crossing into Go costs nothing that could be saved.
func (b *goBackend) InvokeBatch(context.Context, []abi.Call) (made int, err error) {
	return 0, nil
}

// Lend refuses: the types of boxes written in Go have no blobs.
func (b *goBackend) Lend(context.Context, []byte) (uint64, error) {
	return 0, errors.New("boxes written in Go take no blobs")
}

// TakeBack does nothing.
func (b *goBackend) TakeBack(uint64, int) {}

// Lost reports false.
func (b *goBackend) Lost() bool { return false }

// Adopt refuses: what is written in Go returns no memory of the host table.
func (b *goBackend) Adopt(context.Context, uint64, uint64) ([]byte, func(), error) {
	return nil, nil, errors.New("boxes written in Go return no blobs")
}

// Discard does nothing.
func (b *goBackend) Discard(uint64, uint64) {}
