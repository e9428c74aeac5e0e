package plugintest

import (
	"cmp"
	"debug/dwarf"
	"slices"
)

// sourceLines are the lines of a library's source, by the addresses of instructions.
type sourceLines struct {
	data  *dwarf.Data
	units map[dwarf.Offset][]lineRow
}

// lineRow is where the instructions of a line begin, or where there are none.
type lineRow struct {
	address uint64
	file    string // as the library has it; empty for none
	line    int
}

// maxRows is how many rows of a unit are read.
const maxRows = 1 << 22

// at is the place of an instruction; file is empty where it is not known.
func (l *sourceLines) at(pc uint64) (file string, line int) {
	unit, err := l.data.Reader().SeekPC(pc)
	if err != nil {
		return "", 0
	}
	rows, known := l.units[unit.Offset]
	if !known {
		rows = rowsOf(l.data, unit)
		if l.units == nil {
			l.units = make(map[dwarf.Offset][]lineRow)
		}
		l.units[unit.Offset] = rows
	}
	// The last of those that begin at or before it: the table may have its functions in any order, which
	// dwarf.LineReader.SeekPC does not expect.
	i, _ := slices.BinarySearchFunc(rows, pc, func(r lineRow, pc uint64) int {
		if r.address <= pc {
			return -1
		}
		return 1
	})
	if i == 0 {
		return "", 0
	}
	return rows[i-1].file, rows[i-1].line
}

func rowsOf(data *dwarf.Data, unit *dwarf.Entry) (rows []lineRow) {
	lines, err := data.LineReader(unit)
	if err != nil || lines == nil {
		return nil
	}
	var entry dwarf.LineEntry
	for len(rows) < maxRows && lines.Next(&entry) == nil {
		row := lineRow{address: entry.Address}
		if !entry.EndSequence && entry.File != nil {
			row.file, row.line = entry.File.Name, entry.Line
		}
		rows = append(rows, row)
	}
	// Where one function ends another may begin: what begins stays last.
	slices.SortStableFunc(rows, func(a, b lineRow) int {
		return cmp.Or(cmp.Compare(a.address, b.address), boolRank(a.file != "")-boolRank(b.file != ""))
	})
	return rows
}

// callerOf is the innermost place in no file of those that inlined code at an instruction was called at; file is
// empty where there is none.
func (l *sourceLines) callerOf(pc uint64, of func(file string) bool) (file string, line int) {
	r := l.data.Reader()
	unit, err := r.SeekPC(pc)
	if err != nil {
		return "", 0
	}
	lines, err := l.data.LineReader(unit)
	if err != nil || lines == nil {
		return "", 0
	}
	files := lines.Files()
	for {
		entry, err := r.Next()
		if err != nil || entry == nil || entry.Tag == dwarf.TagCompileUnit {
			return file, line
		}
		if !entry.Children {
			continue
		}
		switch entry.Tag {
		case dwarf.TagNamespace, dwarf.TagModule:
			continue
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine, dwarf.TagLexDwarfBlock:
			if l.covers(entry, pc) {
				break
			}
			r.SkipChildren()
			continue
		default:
			r.SkipChildren()
			continue
		}
		if entry.Tag != dwarf.TagInlinedSubroutine {
			continue
		}
		i, _ := entry.Val(dwarf.AttrCallFile).(int64)
		at, _ := entry.Val(dwarf.AttrCallLine).(int64)
		if i > 0 && i < int64(len(files)) && files[i] != nil && !of(files[i].Name) {
			file, line = files[i].Name, int(at) // what is nested in it follows
		}
	}
}

func (l *sourceLines) covers(entry *dwarf.Entry, pc uint64) bool {
	ranges, err := l.data.Ranges(entry)
	return err == nil && slices.ContainsFunc(ranges, func(r [2]uint64) bool { return r[0] <= pc && pc < r[1] })
}
