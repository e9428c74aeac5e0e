package loader

import (
	"context"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Method is a method of one box, found by name once. It is safe for concurrent
// use; goroutines that call a great deal do best with a Method each. It
// keeps its box from being garbage collected, and returns [ErrClosed] when that is
// closed.
type Method struct {
	box   *Box
	plan  *plan.Plan
	cache slotCache // its own, so that goroutines with a Method each do not share one
}

// Method finds a method by name. The error is a [*CallError] that matches
// [ErrNoMethod].
func (b *Box) Method(name string) (*Method, error) {
	plan, err := b.plan(name)
	if err != nil {
		return nil, err
	}
	m := &Method{box: b, plan: plan}
	if s := b.in.directSlot(plan); s != nil {
		m.cache.keep(s)
	}
	return m, nil
}

// Call is [Box.Call] without looking up the name, and [Invoke] is Call with the result as
// a Go value. Where the result is a number or void it allocates nothing; see
// [Method.AppendBytes] for strings and bytes.
func (m *Method) Call(ctx context.Context, args ...any) (Result, error) {
	return m.box.call(ctx, m.plan, &m.cache, args)
}

// AppendBytes calls the method and appends its result, which must be a String,
// Bytes or a blob, to dst: one copy, from the result buffer or the blob, and no
// allocation where dst has the capacity. The blob is then released. On an error dst is
// returned as it was. Errors are those of [Box.Call].
func (m *Method) AppendBytes(ctx context.Context, dst []byte, args ...any) ([]byte, error) {
	in := m.box.in
	if m.box.closed.Load() {
		return dst, errNotSent(m.plan, ErrClosed)
	}
	s, err := in.run(ctx, m.plan, &m.cache, args)
	if err != nil {
		return dst, err
	}
	dst, err = in.appendResult(ctx, dst, m.plan, s.resultBytes())
	in.host.slots.release(s)
	runtime.KeepAlive(m)
	return dst, err
}

func (in *instance) appendResult(ctx context.Context, dst []byte, plan *plan.Plan, msg []byte) ([]byte, error) {
	if data, ok := plan.Data(msg); ok {
		return append(dst, data...), nil
	}
	e, err := plan.Entry(msg)
	if err != nil {
		return dst, in.errHost(plan, err)
	}
	switch e.Tag {
	case tlv.TagString, tlv.TagBytes:
		return append(dst, e.Payload...), nil
	case tlv.TagBlob:
		addr, length := e.Blob()
		data, release, err := in.adoptBlob(ctx, plan, addr, length)
		if err != nil {
			return dst, err
		}
		defer release()
		return append(dst, data...), nil
	}
	return dst, in.errHost(plan, fmt.Errorf("the result is %v, and AppendBytes takes string, bytes or blob", e.Tag))
}

// Name is the method's name.
func (m *Method) Name() string { return m.plan.Name }

// String returns the method as nyash.toml declares it, such as
// "FileBox.write(data string→bytes) → i32".
func (m *Method) String() string { return m.plan.Box + "." + m.plan.Name + m.plan.Signature.String() }
