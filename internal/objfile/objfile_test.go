package objfile_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/objfile"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// write is a file with these contents.
func write(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "library")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	return file
}

func TestRead_Native(t *testing.T) {
	library := ccbuild.Source(t, "exports", `
		int nyash_plugin_invoke(void) { return 0; }
		__attribute__((weak)) int nyash_plugin_config(void) { return 0; }
		__attribute__((weak)) int templates(void) { return 0; }
		__attribute__((visibility("hidden"))) int hidden(void) { return 0; }
		const int nyash_typebox_MapBox = 1;
		int helper(void) { return hidden(); }`)
	f, err := objfile.Read(library)
	require.NoError(t, err)
	assert.NotEmpty(t, f.Format)
	assert.Equal(t, []string{"nyash_plugin_config", "nyash_plugin_invoke", "nyash_typebox_MapBox"}, f.Plugin())
	assert.Equal(t, []string{"helper"}, f.Others())
}

// TestRead_VersionScript: the names of versions are symbols of the file, and no exports.
func TestRead_VersionScript(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("symbols have versions in ELF files")
	}
	script := filepath.Join(t.TempDir(), "v.map")
	require.NoError(t, os.WriteFile(script, []byte("RECIPE_1.0 { global: nyash_*; local: *; };\nRECIPE_1.1 { global: helper; RECIPE_LIKE; } RECIPE_1.0;\n"), 0o644))
	source := filepath.Join(t.TempDir(), "box.c")
	require.NoError(t, os.WriteFile(source, []byte("int nyash_plugin_invoke(void) { return 0; }\nint helper(void) { return 1; }\nint RECIPE_LIKE = 1;\nint other(void) { return 2; }\n"), 0o644))
	f, err := objfile.Read(ccbuild.Library(t, source, "-Wl,--version-script="+script))
	require.NoError(t, err)
	assert.Equal(t, []string{"nyash_plugin_invoke"}, f.Plugin())
	assert.Equal(t, []string{"RECIPE_LIKE", "helper"}, f.Others())
}

// portable is a DLL of one section, which lies in memory as in the file but for an
// offset, with these bytes in the place of the export directory.
func portable(exports []byte) []byte {
	const headers, address = 0x200, 0x1000
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer takes all
		}
	}
	put([2]byte{'M', 'Z'}, [58]byte{}, uint32(64), [4]byte{'P', 'E'})
	put(uint16(0x8664), uint16(1), [12]byte{}, uint16(240), uint16(0x2000))                         // file header
	put(uint16(0x20b), [106]byte{}, uint32(16), uint32(address), uint32(len(exports)), [120]byte{}) // optional header
	put([8]byte{'.', 'e'}, uint32(len(exports)), uint32(address), uint32(len(exports)), uint32(headers), [16]byte{})
	put(make([]byte, headers-b.Len()), exports)
	return b.Bytes()
}

// exportTable is an export directory that names symbols.
func exportTable(count uint32, names ...string) []byte {
	const address, size = 0x1000, 40
	b := make([]byte, size)
	binary.LittleEndian.PutUint32(b[24:], count)
	binary.LittleEndian.PutUint32(b[32:], address+size)
	at := uint32(address + size + 4*len(names))
	for _, name := range names {
		b = binary.LittleEndian.AppendUint32(b, at)
		at += uint32(len(name)) + 1
	}
	for _, name := range names {
		b = append(append(b, name...), 0)
	}
	return b
}

func TestRead_PE(t *testing.T) {
	tests := map[string]struct {
		exports []byte
		want    []string
		err     string
	}{
		"two":                 {exportTable(2, "nyash_plugin_invoke", "DllMain"), []string{"DllMain", "nyash_plugin_invoke"}, ""},
		"none":                {exportTable(0), nil, ""},
		"more than there are": {exportTable(9, "a"), nil, "its table of exports is damaged: 9 names"},
		"more than are read":  {exportTable(1<<31, "a"), nil, "damaged"},
		"cut short":           {exportTable(1, "a")[:20], nil, "damaged"},
		"a name without end":  {bytes.TrimRight(exportTable(1, "a"), "\x00"), nil, "name 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := objfile.Read(write(t, portable(tt.exports)))
			require.NotNil(t, f)
			assert.Equal(t, "PE AMD64", f.Format)
			assert.Equal(t, tt.want, f.Exports)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
		})
	}
}

func TestRead_MachO(t *testing.T) {
	symbols := []struct {
		name string
		kind uint8
		desc uint16
	}{{"_nyash_plugin_init", 0x0f, 0}, {"_nyash_plugin_abi", 0x0f, 0x80}, {"_hidden", 0x1f, 0}, {"_local", 0x0e, 0}, {"_elsewhere", 0x01, 0}}
	var b, table bytes.Buffer
	put := func(w *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(w, binary.LittleEndian, v) // a Buffer takes all
		}
	}
	text := []byte{0}
	for _, s := range symbols {
		put(&table, uint32(len(text)), s.kind, uint8(0), s.desc, uint64(0))
		text = append(append(text, s.name...), 0)
	}
	const head = 32 + 24
	put(&b, uint32(0xfeedfacf), uint32(0x0100000c), uint32(0), uint32(6), uint32(1), uint32(24), uint32(0), uint32(0))
	put(&b, uint32(2), uint32(24), uint32(head), uint32(len(symbols)), uint32(head+table.Len()), uint32(len(text)))
	f, err := objfile.Read(write(t, append(append(b.Bytes(), table.Bytes()...), text...)))
	require.NoError(t, err)
	assert.Equal(t, &objfile.File{Format: "Mach-O Arm64", Exports: []string{"nyash_plugin_init"}, Weak: []string{"nyash_plugin_abi"}}, f)
}

func TestRead_Other(t *testing.T) {
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("#!/bin/sh\n"), "magic": []byte("\x7fELF"), "MZ": []byte("MZ")} {
		_, err := objfile.Read(write(t, data))
		require.ErrorIs(t, err, objfile.ErrFormat, name)
	}
}
