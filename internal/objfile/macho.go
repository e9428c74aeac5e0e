package objfile

import (
	"debug/macho"
	"encoding/binary"
	"strings"
)

// Load commands that name a library, beside macho.LoadCmdDylib: weak, exported again, and
// upward.
const (
	loadWeakDylib   = 0x80000018
	reexportDylib   = 0x8000001f
	loadUpwardDylib = 0x80000023
)

func readMachO(r *reader, format string) (*File, error) {
	magic, err := r.bytes(0, 4)
	if err != nil {
		return nil, ErrFormat
	}
	big, little := binary.BigEndian.Uint32(magic), binary.LittleEndian.Uint32(magic)
	switch {
	case big == macho.MagicFat && r.begin == 0:
		return readUniversal(r)
	case big&^1 == macho.Magic32:
		r.order = binary.BigEndian
	case little&^1 == macho.Magic32:
		r.order = binary.LittleEndian
	default:
		return nil, ErrFormat
	}
	header, symbol := uint64(28), uint64(12)
	if r.order.Uint32(magic) == macho.Magic64 {
		header, symbol = 32, 16
	}
	head, err := r.bytes(0, header)
	if err != nil {
		return nil, ErrFormat
	}
	of := &File{Format: format + " " + strings.TrimPrefix(macho.Cpu(r.order.Uint32(head[4:])).String(), "Cpu")}
	commands, err := r.bytes(header, uint64(r.order.Uint32(head[20:])))
	if err != nil {
		return of, err
	}
	for range r.order.Uint32(head[16:]) {
		if len(commands) < 8 {
			return of, damaged("its load commands end early")
		}
		kind, size := r.order.Uint32(commands), r.order.Uint32(commands[4:])
		if size < 8 || uint64(size) > uint64(len(commands)) {
			return of, damaged("a load command has %d bytes", size)
		}
		command := commands[:size]
		commands = commands[size:]
		switch {
		case kind == uint32(macho.LoadCmdSymtab) && size >= 24:
			if err := machoSymbols(r, of, command, symbol); err != nil {
				return of, err
			}
		case (kind == uint32(macho.LoadCmdDylib) || kind == loadWeakDylib || kind == reexportDylib || kind == loadUpwardDylib) && size >= 24:
			of.need(names(command).at(uint64(r.order.Uint32(command[8:]))))
		}
	}
	of.sort()
	return of, nil
}

// readUniversal reads the first of the files in a universal one: all export the same.
func readUniversal(r *reader) (*File, error) {
	head, err := r.bytes(4, 24)
	if err != nil || binary.BigEndian.Uint32(head) == 0 {
		return nil, ErrFormat
	}
	begin, size := uint64(binary.BigEndian.Uint32(head[12:])), uint64(binary.BigEndian.Uint32(head[16:]))
	if begin == 0 || begin > r.size || size > r.size-begin {
		return nil, ErrFormat
	}
	return readMachO(&reader{from: r.from, begin: begin, size: size, read: r.read}, "universal Mach-O")
}

func machoSymbols(r *reader, of *File, command []byte, size uint64) error {
	table, err := r.bytes(uint64(r.order.Uint32(command[8:])), size*uint64(r.order.Uint32(command[12:])))
	if err != nil {
		return err
	}
	data, err := r.bytes(uint64(r.order.Uint32(command[16:])), uint64(r.order.Uint32(command[20:])))
	if err != nil {
		return err
	}
	const (
		external, kind, private = 0x01, 0x0e, 0x10 // N_EXT, N_TYPE, N_PEXT
		weak                    = 0x80             // N_WEAK_DEF
	)
	text, found := names(data), exports{file: of}
	for ; uint64(len(table)) >= size; table = table[size:] {
		if what := table[4]; what&external == 0 || what&kind == 0 || what&private != 0 {
			continue
		}
		name := strings.TrimPrefix(text.at(uint64(r.order.Uint32(table))), "_")
		found.add(name, r.order.Uint16(table[6:])&weak != 0)
	}
	return nil
}
