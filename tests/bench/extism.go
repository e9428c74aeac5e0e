package main

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
)

// addExtism measures plugin/extism.c through Extism's SDK for Go, as it is by default and with
// a limit of time, which is what makes a module interruptible there.
func addExtism(t *table, dir, _ string) (end func(), err error) {
	var plugins []*extism.Plugin
	end = func() {
		for _, p := range plugins {
			exitOn(p.Close(ctx))
		}
	}
	for _, way := range []struct {
		via     string
		timeout uint64 // in milliseconds; 0 is none
	}{{viaExtism, 0}, {viaExtismTimed, 10_000}} {
		manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmFile{Path: filepath.Join(dir, "extism.wasm")}}, Timeout: way.timeout}
		// Each row has a plugin of its own: its memory, which each call clears, stays as large as
		// the largest message has made it.
		open := func() func(name string, input []byte) ([]byte, error) {
			p, err := extism.NewPlugin(ctx, manifest, extism.PluginConfig{RuntimeConfig: wazero.NewRuntimeConfig()}, nil)
			exitOn(err)
			plugins = append(plugins, p)
			return func(name string, input []byte) ([]byte, error) {
				code, output, err := p.Call(name, input)
				if err == nil && code != 0 {
					err = fmt.Errorf("the plugin returned %d", code)
				}
				return output, err
			}
		}
		add := open()
		t.add(workAdd, way.via, func(b *testing.B) {
			args := make([]byte, 16)
			for b.Loop() {
				binary.LittleEndian.PutUint64(args, 1000)
				binary.LittleEndian.PutUint64(args[8:], 2000)
				output, err := add("add", args)
				if err != nil || len(output) != 8 {
					b.Fatal(len(output), err)
				}
				check(b, int64(binary.LittleEndian.Uint64(output)), 3000)
			}
		})
		for work, size := range echoes {
			echo := open()
			t.add(work, way.via, func(b *testing.B) {
				data := make([]byte, size)
				for b.Loop() {
					if output, err := echo("echo", data); err != nil || len(output) != size {
						b.Fatal(len(output), err)
					}
				}
			})
		}
	}
	return end, nil
}
