package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// builtinSource is a box written in Go, which is there from the beginning.
type builtinSource struct {
	of      *boxType
	backend *builtinBackend
}

func newBuiltinSource(of *boxType, typeID uint32, b *builtin.Box) *builtinSource {
	return &builtinSource{of, &builtinBackend{typeID: typeID, builtin: b, instances: make(map[uint32]any)}}
}

func (s *builtinSource) open() ([]*boundType, error) {
	return []*boundType{builtinType(s.of, s.backend.builtin, s.backend.typeID)}, nil
}

func (s *builtinSource) session(context.Context) (backend, error) { return s.backend, nil }

func (s *builtinSource) memory() (Memory, bool) { return Memory{}, false }

func (s *builtinSource) status(*PluginStatus) bool { return false }

func (s *builtinSource) reset() {}

func (s *builtinSource) killable() bool { return false }

func (s *builtinSource) kill(error) {}

func (s *builtinSource) close() error { return nil }

// builtinBackend runs a box written in Go behind the same interface as a plugin, so
// that calls do not differ (docs/rationale.md, Built-in boxes go through TLV).
type builtinBackend struct {
	typeID  uint32
	builtin *builtin.Box

	mu        sync.Mutex
	last      uint32         // instance id given last
	instances map[uint32]any // their states
}

// Invoke returns errors as a plugin does: as a code and a message.
func (b *builtinBackend) Invoke(ctx context.Context, c *abi.Call) error {
	v, err := b.run(ctx, c)
	c.Code = abi.OK
	if err != nil {
		c.Code = abi.ErrPlugin
		errors.As(err, &c.Code)
		v = tlv.String(strings.ToValidUTF8(err.Error(), "\uFFFD"))
	}
	msg, err := tlv.Encode(v)
	if err != nil {
		c.Code, c.ResultLength = abi.ErrPlugin, 0
		return nil
	}
	// Any single value fits, see contract.InitialResultSize.
	c.ResultLength = uintptr(copy(c.ResultBuffer(), msg))
	return nil
}

// InvokeBatch makes none: a crossing into Go costs nothing that could be saved.
func (b *builtinBackend) InvokeBatch(context.Context, []abi.Call) (made int, err error) {
	return 0, nil
}

// Lend refuses: the types of built-in boxes have no blobs.
func (b *builtinBackend) Lend(context.Context, []byte) (uint64, error) {
	return 0, errors.New("built-in boxes take no blobs")
}

// TakeBack does nothing.
func (b *builtinBackend) TakeBack(uint64, int) {}

// Lost reports false.
func (b *builtinBackend) Lost() bool { return false }

// Adopt refuses: what is written in Go returns no memory of the host table.
func (b *builtinBackend) Adopt(context.Context, uint64, uint64) ([]byte, func(), error) {
	return nil, nil, errors.New("built-in boxes return no blobs")
}

// Discard does nothing.
func (b *builtinBackend) Discard(uint64, uint64) {}

// run makes a call. birth returns a handle, as it may (docs/abi.md, invoke).
func (b *builtinBackend) run(ctx context.Context, c *abi.Call) (v tlv.Value, err error) {
	// A panic must not skip the release of the call's slot.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	args, err := tlv.Decode(c.Message())
	if err != nil {
		return tlv.Void(), fmt.Errorf("%w: %w", abi.ErrInvalidArgs, err)
	}
	switch c.Method {
	case abi.MethodBirth:
		return b.birth(args)
	case abi.MethodFini:
		return tlv.Void(), b.fini(c.Instance)
	}
	b.mu.Lock()
	self, ok := b.instances[c.Instance]
	b.mu.Unlock()
	if !ok {
		return tlv.Void(), abi.ErrInvalidHandle
	}
	return b.call(ctx, c.Method, self, args)
}

// call runs a method by the number that [builtinType] gave it.
func (b *builtinBackend) call(ctx context.Context, method uint32, self any, args []tlv.Value) (tlv.Value, error) {
	if method > uint32(len(b.builtin.Methods)) { // 0 is birth's
		return tlv.Void(), abi.ErrInvalidMethod
	}
	m := &b.builtin.Methods[method-1]
	if len(args) != len(m.Args) {
		return tlv.Void(), fmt.Errorf("%w: %s takes %d, got %d", abi.ErrInvalidArgs, m.Name, len(m.Args), len(args))
	}
	return m.Func(calls.Stable(ctx), self, args)
}

func (b *builtinBackend) birth(args []tlv.Value) (tlv.Value, error) {
	self, err := b.builtin.New(args)
	if err != nil {
		return tlv.Void(), err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	b.instances[b.last] = self
	return tlv.HandleValue(tlv.Handle{Type: b.typeID, Instance: b.last}), nil
}

func (b *builtinBackend) fini(instance uint32) error {
	b.mu.Lock()
	self := b.instances[instance]
	delete(b.instances, instance)
	b.mu.Unlock()
	if c, ok := self.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
