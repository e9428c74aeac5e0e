package plugintest

import (
	"debug/dwarf"
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// plainAt tells whether the instructions at two addresses are certainly no atomic operations, as ordinary loads and
// stores can be. builtins: an atomic instruction was seen that is not of a known header.
func (c *code) plainAt(builtins bool, all ...uint32) bool {
	return c != nil && !builtins && c.shows() && !slices.ContainsFunc(all, func(pc uint32) bool { return c.at(pc).file == "" || c.inAtomicHeader(pc) })
}

// inAtomicHeader tells whether the line of an instruction is of a header that has atomic operations.
func (c *code) inAtomicHeader(pc uint32) bool { return c != nil && atomicHeader(c.at(pc).file) }

// atomicHeaders are the beginnings of the names of headers whose code has atomic operations: those of libstdc++, of
// libc++ and of the SDKs.
var atomicHeaders = []string{
	"atomic", "barrier", "condition_variable", "future", "gthr", "latch", "memory_resource", "mutex", "nyash", "semaphore",
	"shared_count", "shared_mutex", "shared_ptr", "std_mutex", "stop_token", "unique_lock",
}

func atomicHeader(file string) bool {
	name := filepath.Base(file)
	if !slices.Contains([]string{"", ".h", ".hpp"}, filepath.Ext(name)) {
		return false
	}
	return strings.Contains(filepath.Dir(file), "atomic") || slices.ContainsFunc(atomicHeaders, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

// languages are those of DWARF for C and C++.
var languages = []int64{0x01, 0x02, 0x0c, 0x1d, 0x2c, 0x04, 0x19, 0x1a, 0x21, 0x2a, 0x2b}

// showsAtomics tells whether the library's file shows which instructions may be atomic operations: all of them are
// of known headers, as far as its locked instructions tell, and it has no atomic type of C.
func (c *code) showsAtomics() bool {
	if c.lines == nil {
		return false
	}
	r := c.lines.data.Reader()
	units := 0
	for {
		entry, err := r.Next()
		if err != nil {
			return false
		}
		if entry == nil {
			break
		}
		switch entry.Tag {
		case dwarf.TagCompileUnit:
			if language, _ := entry.Val(dwarf.AttrLanguage).(int64); !slices.Contains(languages, language) {
				return false
			}
			units++
		case dwarf.TagAtomicType:
			return false
		}
	}
	return units > 0 && !slices.ContainsFunc(c.locked(), func(pc uint64) bool { return !c.inAtomicHeader(uint32(pc)) })
}

// locked are the addresses of the instructions with a lock prefix. Where an instruction is not known, what may be
// others behind it in its function count, by their bytes.
func (c *code) locked() (all []uint64) {
	for _, symbol := range c.symbols {
		section := int(symbol.Section)
		if elf.ST_TYPE(symbol.Info) != elf.STT_FUNC || section <= 0 || section >= len(c.file.Sections) {
			continue
		}
		s := c.file.Sections[section]
		data, err := s.Data()
		if err != nil || symbol.Value < s.Addr || symbol.Value-s.Addr > uint64(len(data)) {
			continue
		}
		data = data[symbol.Value-s.Addr:]
		all = append(all, lockedIn(data[:min(symbol.Size, uint64(len(data)))], symbol.Value)...)
	}
	return all
}

func lockedIn(data []byte, address uint64) (all []uint64) {
	for i := 0; i < len(data); {
		one, err := x86asm.Decode(data[i:], 64)
		if err != nil {
			return append(all, maybeLocked(data[i:], address+uint64(i))...)
		}
		if slices.ContainsFunc(one.Prefix[:], func(p x86asm.Prefix) bool { return p&0xff == lockPrefix }) {
			all = append(all, address+uint64(i))
		}
		i += one.Len
	}
	return all
}

func maybeLocked(data []byte, address uint64) (all []uint64) {
	for i, b := range data {
		if b == lockPrefix && canBeLocked(data[i+1:]) {
			all = append(all, address+uint64(i))
		}
	}
	return all
}

const lockPrefix = 0xf0

// canBeLocked tells whether an instruction can have a lock prefix.
func canBeLocked(at []byte) bool {
	if len(at) > 0 && (at[0]&0xf0 == 0x40 || at[0] == 0x66) { // another prefix
		at = at[1:]
	}
	if len(at) < 3 {
		return false
	}
	switch op := at[0]; {
	case op < 0x38:
		return op&7 < 2
	case op == 0x0f:
		return slices.Contains([]byte{0xab, 0xb0, 0xb1, 0xb3, 0xba, 0xbb, 0xc0, 0xc1, 0xc7}, at[1])
	default:
		return slices.Contains([]byte{0x80, 0x81, 0x83, 0xf6, 0xf7, 0xfe, 0xff}, op)
	}
}
