package wasm

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// interruptible rewrites a module so that it calls [Module.look] after each bounded amount of
// work, and refuses one that is malformed or out of bounds. It tells what the module imports and
// exports; of one that is refused, what comes before its fault.
func interruptible(text []byte) ([]byte, *meter.Interface, error) {
	read := &meter.Interface{}
	text, err := meter.Rewrite(text, meter.Options{MaxFile: maxFile, Interface: read})
	return text, read, err
}

// exportTick offers what a rewritten module calls.
func exportTick(ctx context.Context, runtime wazero.Runtime) error {
	_, err := runtime.NewHostModuleBuilder(meter.DefaultModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) { ctx.(*moduleContext).module.look() }), nil, nil).
		Export(meter.DefaultName).Instantiate(ctx)
	return err
}
