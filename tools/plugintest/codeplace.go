package plugintest

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"strings"
)

// codePlace is a place in the code of a process.
type codePlace struct {
	module   string // the file
	offset   uint64 // in it
	function string // empty where its symbols do not tell
	within   uint64 // bytes behind the function's start
	file     string // of the source; empty without debug information
	line     int
}

// String is the place as a frame of a stack.
func (p codePlace) String() string {
	switch {
	case p.line > 0:
		return fmt.Sprintf("%s at %s:%d", p.function, p.file, p.line)
	case p.function != "":
		return fmt.Sprintf("%s+%#x from %s", p.function, p.within, p.module)
	}
	return fmt.Sprintf("%s+%#x", filepath.Base(p.module), p.offset)
}

// fileAt is the file that a process has mapped at an address, and where in the file that is. maps
// is the text of its maps file.
func fileAt(maps string, addr uint64) (name string, offset uint64, ok bool) {
	for line := range strings.Lines(maps) {
		fields := strings.Fields(line)
		var from, to uint64
		if len(fields) < 6 || !strings.HasPrefix(fields[5], "/") {
			continue
		}
		if _, err := fmt.Sscanf(fields[0]+" "+fields[2], "%x-%x %x", &from, &to, &offset); err == nil && from <= addr && addr < to {
			return strings.Join(fields[5:], " "), offset + addr - from, true
		}
	}
	return "", 0, false
}

// placeOf finds an address in what a process has mapped.
func placeOf(maps string, addr uint64) (p codePlace, ok bool) {
	if p.module, p.offset, ok = fileAt(maps, addr); ok {
		p.lookUp()
	}
	return p, ok
}

// lookUp looks the place up in the module's symbols and debug information, as far as it has
// them.
func (p *codePlace) lookUp() {
	file, err := elf.Open(p.module)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	addr, ok := addressOf(file, p.offset)
	if !ok {
		return
	}
	symbols, _ := file.Symbols()
	if len(symbols) == 0 {
		symbols, _ = file.DynamicSymbols()
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Value <= addr && addr-s.Value < max(s.Size, 1) {
			p.function, p.within = s.Name, addr-s.Value
			break
		}
	}
	data, err := file.DWARF()
	if err != nil || p.function == "" {
		return
	}
	lines := &sourceLines{data: data}
	p.file, p.line = lines.at(addr)
	if notOfAuthor(p.file) {
		if file, line := lines.callerOf(addr, notOfAuthor); file != "" {
			p.file, p.line = file, line
		}
	}
	p.file = shownPath(p.file)
}

// addressOf is the address, as symbols have it, of an offset in a file.
func addressOf(file *elf.File, offset uint64) (uint64, bool) {
	for _, s := range file.Progs {
		if s.Type == elf.PT_LOAD && s.Off <= offset && offset-s.Off < s.Filesz {
			return s.Vaddr + offset - s.Off, true
		}
	}
	return 0, false
}
