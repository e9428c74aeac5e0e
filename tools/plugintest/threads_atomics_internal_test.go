package plugintest

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

func TestLockedIn(t *testing.T) {
	tests := map[string]struct {
		code []byte
		want []uint64
	}{
		"nothing":                            {nil, nil},
		"xadd":                               {[]byte{0x90, 0xf0, 0x48, 0x0f, 0xc1, 0x03}, []uint64{1}},
		"an offset that looks like a prefix": {[]byte{0x48, 0x8b, 0x45, 0xf0, 0x48, 0x83, 0xe8, 0x01}, nil},
		"behind an unknown instruction":      {[]byte{0xc5, 0xf1, 0xef, 0xc0, 0xf0, 0xff, 0x00, 0xc3}, []uint64{4}},
		"cut":                                {[]byte{0xf0}, []uint64{0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, lockedIn(tt.code, 0)) })
	}
}

// TestSourceLines: functions of several sections, whose lines no order of addresses has.
func TestSourceLines(t *testing.T) {
	const source = `
__attribute__((section(".text.z"))) int first(int n) { return n + 1; }
__attribute__((section(".text.a"))) int second(int n) { return first(n) * n; }
__attribute__((cold)) int third(int n) { return n - 3; }
int fourth(int n) { return n < 0 ? third(n) : n; }
`
	file, err := elf.Open(ccbuild.Source(t, "lines", source))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	data, err := file.DWARF()
	require.NoError(t, err)
	symbols, err := file.Symbols()
	require.NoError(t, err)
	lines, found := &sourceLines{data: data}, 0
	for _, s := range symbols {
		want := map[string]int{"first": 2, "second": 3, "third": 4, "fourth": 5}[s.Name]
		if want == 0 {
			continue
		}
		found++
		for at := s.Value; at < s.Value+s.Size; at++ {
			_, line := lines.at(at)
			assert.Equal(t, want, line, fmt.Sprintf("%s+%d", s.Name, at-s.Value))
		}
	}
	assert.Equal(t, 4, found)
	name, line := lines.at(0)
	assert.Empty(t, name)
	assert.Zero(t, line)
}

// TestCallerOf: inlined code of a header has the place of its call.
func TestCallerOf(t *testing.T) {
	const source = `
# 10 "nyash.h"
static inline __attribute__((always_inline)) int sdk(volatile int *p) { return *p * 3; }
static inline __attribute__((always_inline)) int sdkMore(volatile int *p) { return sdk(p) + 1; }
# 20 "box.c"
int author(volatile int *p) {
	return
		sdkMore(p);
}
`
	file, err := elf.Open(ccbuild.Source(t, "inlined", source))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	data, err := file.DWARF()
	require.NoError(t, err)
	symbols, err := file.Symbols()
	require.NoError(t, err)
	lines, inSDK := &sourceLines{data: data}, 0
	for _, s := range symbols {
		for at := s.Value; s.Name == "author" && at < s.Value+s.Size; at++ {
			if name, _ := lines.at(at); !ofSDK(name) {
				continue
			}
			inSDK++
			name, line := lines.callerOf(at, ofSDK)
			assert.Equal(t, "box.c", filepath.Base(name))
			assert.Equal(t, 22, line)
		}
	}
	assert.Positive(t, inSDK)
	name, _ := lines.callerOf(0, ofSDK)
	assert.Empty(t, name)
}
