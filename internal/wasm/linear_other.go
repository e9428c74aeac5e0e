//go:build !unix

package wasm

import "context"

// withLinearMemory leaves memory to the engine, which copies it when it grows.
func withLinearMemory(ctx context.Context) context.Context { return ctx }
