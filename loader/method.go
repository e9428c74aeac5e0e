package loader

import (
	"context"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Method is a method of one box, found by name once. It is safe for concurrent
// use; goroutines that call a great deal are served best by a Method each. It
// keeps its box from being finalised by the runtime, and ends with the box.
type Method struct {
	box  *Box
	plan *registry.Plan
	hint hint
}

// Method finds a method. The error matches registry.ErrNoMethod.
func (b *Box) Method(name string) (*Method, error) {
	plan, err := b.in.typ.Method(name)
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

// AppendBytes calls the method and appends its result, which must be a String
// or Bytes, to dst: the one copy from the plugin's answer, and no allocation
// where dst has room. On an error dst is returned as it was.
func (m *Method) AppendBytes(ctx context.Context, dst []byte, args ...any) ([]byte, error) {
	in := m.box.in
	f, err := in.run(ctx, m.plan, &m.hint, args)
	if err != nil {
		return dst, err
	}
	e, err := m.plan.Entry(f.answer())
	switch {
	case err != nil:
	case e.Tag == tlv.TagString || e.Tag == tlv.TagBytes:
		dst = append(dst, e.Payload...)
	default:
		err = fmt.Errorf("the result is %v, and AppendBytes takes string or bytes", e.Tag)
	}
	f.end(in.host)
	runtime.KeepAlive(m)
	if err != nil {
		return dst, in.failed(m.plan, err)
	}
	return dst, nil
}

// Name is the method's name.
func (m *Method) Name() string { return m.plan.Name }

// Plan tells the method's ids and types.
func (m *Method) Plan() *registry.Plan { return m.plan }
