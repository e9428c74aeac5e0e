package loader

import (
	"context"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Method is a method of one box, found by name once. It is safe for concurrent
// use; goroutines that call a great deal are served best by a Method each. It
// keeps its box from being finalised by the runtime, and ends with the box.
type Method struct {
	box  *Box
	plan *plan.Plan
	hint hint
}

// Method finds a method. The error matches ErrNoMethod.
func (b *Box) Method(name string) (*Method, error) {
	plan, err := b.in.typ.method(name)
	if err != nil {
		return nil, &CallError{Box: b.in.typ.Name, Method: name, Err: err}
	}
	return &Method{box: b, plan: plan}, nil
}

// Call is [Box.Call] without the looking up of the name. Where the result is a
// number or nothing it allocates nothing; see [Method.AppendBytes] for strings
// and bytes.
func (m *Method) Call(ctx context.Context, args ...any) (Result, error) {
	return m.box.call(ctx, m.plan, &m.hint, args)
}

// AppendBytes calls the method and appends its result, which must be a String,
// Bytes or a blob, to dst: the one copy from the plugin's answer, and no
// allocation where dst has room. A blob is released then. On an error dst is
// returned as it was.
func (m *Method) AppendBytes(ctx context.Context, dst []byte, args ...any) ([]byte, error) {
	in := m.box.in
	f, err := in.run(ctx, m.plan, &m.hint, args)
	if err != nil {
		return dst, err
	}
	dst, err = in.appendAnswer(ctx, dst, m.plan, f.answer())
	in.host.frames.release(f)
	runtime.KeepAlive(m)
	return dst, err
}

func (in *instance) appendAnswer(ctx context.Context, dst []byte, plan *plan.Plan, answer []byte) ([]byte, error) {
	e, err := plan.Entry(answer)
	if err != nil {
		return dst, in.failed(plan, err)
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
	return dst, in.failed(plan, fmt.Errorf("the result is %v, and AppendBytes takes string, bytes or blob", e.Tag))
}

// Name is the method's name.
func (m *Method) Name() string { return m.plan.Name }

// ID is the method's id.
func (m *Method) ID() uint32 { return m.plan.ID }

// Signature tells the method's types.
func (m *Method) Signature() registry.Signature { return m.plan.Signature }
