package objfile_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/objfile"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// section is a section of an ELF file; those of size are sparse.
type section struct {
	kind elf.SectionType
	link uint32
	data []byte
	size uint64
}

// elfFile writes an ELF file of 64 bits whose sections follow the one without a name.
func elfFile(t *testing.T, sections ...section) string {
	t.Helper()
	const header, entry = 64, 64
	head := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1}, Type: uint16(elf.ET_DYN),
		Machine: uint16(elf.EM_X86_64), Shoff: header, Shentsize: entry, Shnum: uint16(len(sections) + 1),
	}
	var b, contents bytes.Buffer
	put := func(w *bytes.Buffer, v any) { require.NoError(t, binary.Write(w, binary.LittleEndian, v)) }
	put(&b, head)
	put(&b, elf.Section64{})
	at := uint64(header + entry*(len(sections)+1))
	size := at
	for _, s := range sections {
		length := max(s.size, uint64(len(s.data)))
		put(&b, elf.Section64{Type: uint32(s.kind), Link: s.link, Off: at + uint64(contents.Len()), Size: length})
		contents.Write(s.data)
		size = max(size, at+uint64(contents.Len())-uint64(len(s.data))+length)
	}
	file := write(t, append(b.Bytes(), contents.Bytes()...))
	require.NoError(t, os.Truncate(file, int64(size)))
	return file
}

// repeated is a table of count entries that are alike.
func repeated(t *testing.T, count int, entry any) []byte {
	t.Helper()
	var one bytes.Buffer
	require.NoError(t, binary.Write(&one, binary.LittleEndian, entry))
	return bytes.Repeat(one.Bytes(), count)
}

// A file of whatever size and contents costs little time and memory.
func TestRead_Hostile(t *testing.T) {
	long := append(bytes.Repeat([]byte("n"), 4<<20), 0)
	ours := append(bytes.Repeat([]byte("nyash_"), 1<<20), 0)
	symbol := elf.Sym64{Info: byte(elf.STB_GLOBAL) << 4, Shndx: 1}
	weak := elf.Sym64{Info: byte(elf.STB_WEAK) << 4, Shndx: 1}
	for name, tt := range map[string]struct {
		file           string
		needs, exports int
		err            string
	}{
		"ELF, a sparse table":       {elfFile(t, section{kind: elf.SHT_DYNSYM, link: 2, size: 600 << 20}, section{kind: elf.SHT_STRTAB}), 0, 0, "its tables have more than the 32 MiB that are read"},
		"ELF, sparse names":         {elfFile(t, section{kind: elf.SHT_DYNSYM, link: 2}, section{kind: elf.SHT_STRTAB, size: 600 << 20}), 0, 0, "its tables have more than the 32 MiB that are read"},
		"ELF, one name":             {elfFile(t, section{kind: elf.SHT_DYNSYM, link: 2, data: repeated(t, 1<<20, symbol)}, section{kind: elf.SHT_STRTAB, data: long}), 0, 1 << 16, ""},
		"ELF, one name of ours":     {elfFile(t, section{kind: elf.SHT_DYNSYM, link: 2, data: repeated(t, 1<<20, weak)}, section{kind: elf.SHT_STRTAB, data: ours}), 0, 1 << 16, ""},
		"ELF, one library":          {elfFile(t, section{kind: elf.SHT_DYNAMIC, link: 2, data: repeated(t, 1<<20, elf.Dyn64{Tag: int64(elf.DT_NEEDED)})}, section{kind: elf.SHT_STRTAB, data: long}), 1 << 16, 0, ""},
		"ELF, names past their end": {elfFile(t, section{kind: elf.SHT_DYNSYM, link: 2, data: repeated(t, 2, elf.Sym64{Name: 1 << 31, Info: 16, Shndx: 1})}, section{kind: elf.SHT_STRTAB, data: long}), 0, 2, ""},
		"ELF, no section of names":  {elfFile(t, section{kind: elf.SHT_DYNSYM, link: 9}), 0, 0, "section 1 has its names in section 9 of 2"},
		"PE, one name":              {write(t, portable(sameName(1<<16))), 0, 1 << 16, ""},
		"PE, more names":            {write(t, portable(sameName(1<<16+1))), 0, 0, "65537 names"},
		"Mach-O, one name":          {write(t, machO(1<<20, long)), 0, 1 << 16, ""},
		"Mach-O, many commands":     {write(t, append(machO(0, nil), bytes.Repeat([]byte{2, 0, 0, 0, 24, 0, 0, 0}, 3)...)), 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := objfile.Read(tt.file)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(80<<20))
			require.NotNil(t, f)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			assert.Len(t, f.Needs, tt.needs)
			assert.Equal(t, tt.exports, len(f.Exports)+len(f.Weak))
			for _, names := range [][]string{f.Needs, f.Exports, f.Weak} {
				assert.False(t, slices.ContainsFunc(names, func(name string) bool { return len(name) > 1<<10 }))
			}
		})
	}
}

// sameName is an export directory of count entries with one name.
func sameName(count uint32) []byte {
	const address, size = 0x1000, 40
	b := make([]byte, size)
	binary.LittleEndian.PutUint32(b[24:], count)
	binary.LittleEndian.PutUint32(b[32:], address+size)
	for range count {
		b = binary.LittleEndian.AppendUint32(b, address+size+4*count)
	}
	return append(b, strings.Repeat("n", 1<<20)+"\x00"...)
}

// machO is a library of count symbols that all have the same names.
func machO(count uint32, text []byte) []byte {
	var b []byte
	const head = 32 + 24
	for _, v := range []uint32{0xfeedfacf, 0x01000007, 0, 6, 1, 24, 0, 0, 2, 24, head, count, head + 16*count, uint32(len(text))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, bytes.Repeat([]byte{0, 0, 0, 0, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, int(count))...)
	return append(b, text...)
}

// What compilers write is read as by debug/elf.
func TestRead_AsDebugELF(t *testing.T) {
	library := ccbuild.Source(t, "symbols", `
		#include <math.h>
		#include <stdio.h>
		int nyash_plugin_invoke(void) { return printf("%f", cos(1)); }
		__attribute__((weak)) int weak(void) { return 0; }
		__attribute__((visibility("protected"))) int protected(void) { return 0; }
		int data = 1; __thread int local; static int hidden; int *kept = &hidden;`)
	f, err := objfile.Read(library)
	require.NoError(t, err)
	want, err := elf.Open(library)
	require.NoError(t, err)
	defer want.Close()
	needs, err := want.ImportedLibraries()
	require.NoError(t, err)
	assert.Equal(t, needs, f.Needs)
	symbols, err := want.DynamicSymbols()
	require.NoError(t, err)
	var exports, weak []string
	for _, s := range symbols {
		switch {
		case s.Section == elf.SHN_UNDEF:
		case elf.ST_BIND(s.Info) == elf.STB_GLOBAL:
			exports = append(exports, s.Name)
		case elf.ST_BIND(s.Info) == elf.STB_WEAK:
			weak = append(weak, s.Name)
		}
	}
	assert.ElementsMatch(t, exports, f.Exports)
	assert.ElementsMatch(t, weak, f.Weak)
	assert.Contains(t, f.Exports, "protected")
}

func TestRead_NotRegular(t *testing.T) {
	_, err := objfile.Read(t.TempDir())
	require.ErrorIs(t, err, objfile.ErrFormat)
	_, err = objfile.Read(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzRead(f *testing.F) {
	f.Add(portable(exportTable(2, "nyash_plugin_invoke", "DllMain")))
	f.Add(machO(2, []byte("_nyash_plugin_invoke\x00")))
	if program, err := os.Executable(); err == nil {
		if data, err := os.ReadFile(program); err == nil {
			f.Add(data[:min(len(data), 1<<12)])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := objfile.ReadBytes(data)
		if file == nil {
			require.Error(t, err)
			return
		}
		assert.NotEmpty(t, file.Format)
		assert.LessOrEqual(t, len(file.Plugin())+len(file.Others()), 2<<17)
	})
}
