package plugintest

import (
	"debug/elf"
	"encoding/binary"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// lockers are functions that take a lock, and wait for it.
var lockers = []string{"pthread_mutex_lock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock", "pthread_spin_lock", "mtx_lock", "sem_wait"}

// heldLocks are the calls of a trace that take a lock when another has been taken before: where two threads
// take two in different orders, each waits for the other there.
func (c *code) heldLocks(trace []interleave.Step) map[uint32]bool {
	all := make(map[uint32]bool)
	first := true
	for i, s := range trace {
		if i+1 >= len(trace) || !trace[i+1].Returned || !slices.Contains(lockers, c.called(s.Address)) {
			continue
		}
		if !first {
			all[s.Address] = true
		}
		first = false
	}
	return all
}

// called is the name of the function of another library that an instruction calls; empty where it is not known.
func (c *code) called(pc uint32) string {
	if c == nil {
		return ""
	}
	at := uint64(pc)
	for range 2 { // through the linker's own table of jumps, mostly
		one, next, ok := c.instruction(at)
		if !ok || one.Op != x86asm.CALL && one.Op != x86asm.JMP {
			return ""
		}
		switch target := one.Args[0].(type) {
		case x86asm.Rel:
			at = next + uint64(int64(target))
		case x86asm.Mem:
			if target.Base != x86asm.RIP {
				return ""
			}
			return c.imported()[next+uint64(target.Disp)]
		default:
			return ""
		}
	}
	return ""
}

// landing is the instruction that marks where indirect jumps land.
var landing = []byte{0xf3, 0x0f, 0x1e, 0xfa}

// instruction is the one at an address, and the address of the next.
func (c *code) instruction(at uint64) (one x86asm.Inst, next uint64, ok bool) {
	for _, s := range c.file.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 || at < s.Addr || at >= s.Addr+s.Size {
			continue
		}
		data, err := s.Data()
		if err != nil || at-s.Addr >= uint64(len(data)) {
			return one, 0, false
		}
		data = data[at-s.Addr:]
		if len(data) > len(landing) && slices.Equal(data[:len(landing)], landing) {
			data, at = data[len(landing):], at+uint64(len(landing))
		}
		if data[0] == 0xf2 { // of a jump, which the decoder does not know
			data, at = data[1:], at+1
		}
		one, err = x86asm.Decode(data, 64)
		return one, at + uint64(one.Len), err == nil
	}
	return one, 0, false
}

// findImported finds the names of functions by the places that the linker writes their addresses to.
func (c *code) findImported() map[uint64]string {
	all := make(map[uint64]string)
	names, err := c.file.DynamicSymbols()
	if err != nil {
		return all
	}
	for _, name := range []string{".rela.plt", ".rela.dyn"} {
		s := c.file.Section(name)
		if s == nil {
			continue
		}
		data, err := s.Data()
		if err != nil {
			continue
		}
		for ; len(data) >= 24; data = data[24:] {
			info := binary.LittleEndian.Uint64(data[8:])
			symbol := info >> 32
			kind := elf.R_X86_64(uint32(info))
			if (kind == elf.R_X86_64_JMP_SLOT || kind == elf.R_X86_64_GLOB_DAT) && symbol > 0 && symbol <= uint64(len(names)) {
				all[binary.LittleEndian.Uint64(data)] = names[symbol-1].Name
			}
		}
	}
	return all
}
