package hostbox

import (
	"context"
	"io"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// OfBuiltin makes the box that a [builtin.Box] describes.
func OfBuiltin(box *builtin.Box) *Box {
	b := &Box{Name: box.Name, Birth: box.Birth}
	calls := make([]call, len(box.Methods))
	for i := range box.Methods {
		m := &box.Methods[i]
		b.Methods = append(b.Methods, Method{Name: m.Name, Signature: m.Signature, context: true})
		calls[i] = func(ctx context.Context, self unsafe.Pointer, args, result []byte) ([]byte, error) {
			values, err := decodeValues(args)
			if err != nil {
				return nil, err
			}
			if len(values) != len(m.Args) {
				return nil, invalidArgs("%s takes %d, got %d", m.Name, len(m.Args), len(values))
			}
			v, err := m.Func(ctx, *(*any)(self), values)
			if err != nil {
				return nil, err
			}
			return tlv.AppendValue(appendHeader(result), v)
		}
	}
	b.birth = func(_ context.Context, args []byte) (*instance, error) {
		values, err := decodeValues(args)
		if err != nil {
			return nil, err
		}
		state, err := box.New(values)
		if err != nil {
			return nil, err
		}
		in := &instance{self: unsafe.Pointer(&state), calls: calls}
		if c, ok := state.(io.Closer); ok {
			in.close = c.Close
		}
		return in, nil
	}
	return b
}

func decodeValues(args []byte) ([]tlv.Value, error) {
	values, err := tlv.Decode(args)
	if err != nil {
		return nil, malformed(err)
	}
	return values, nil
}
