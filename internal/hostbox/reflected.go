package hostbox

import (
	"context"
	"reflect"
	"unsafe"
)

// reflected is the call of a method with any supported signature. f is the method as a
// function whose first parameter is the receiver, a pointer.
func reflected(m *method, f reflect.Value) call {
	pointsTo := f.Type().In(0).Elem()
	invoke := f.Call
	return func(ctx context.Context, self unsafe.Pointer, args, result []byte) ([]byte, error) {
		receiver := reflect.NewAt(pointsTo, self)
		in, err := m.decode(ctx, &receiver, args)
		if err != nil {
			return nil, err
		}
		return m.encode(result, invoke(in))
	}
}
