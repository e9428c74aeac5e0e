package plan

import "hash/maphash"

// Table finds a box's plans by name. It is a hash table with open addressing and
// at least half of its places free.
type Table struct {
	places []*Plan // a power of two of them, or none
}

// seed makes the places of names differ from one process to the next: a library
// chooses its names, and must not choose where they collide.
var seed = maphash.MakeSeed()

// NewTable makes a table of plans, whose names differ.
func NewTable(plans []*Plan) Table {
	size := 8
	for size < 2*len(plans) {
		size *= 2
	}
	t := Table{places: make([]*Plan, size)}
	for _, p := range plans {
		i := place(p.Name) & (size - 1)
		for t.places[i] != nil {
			i = (i + 1) & (size - 1)
		}
		t.places[i] = p
	}
	return t
}

// Find returns the plan of that name, or nil.
func (t *Table) Find(name string) *Plan {
	mask := len(t.places) - 1
	if mask < 0 {
		return nil
	}
	for i := place(name) & mask; t.places[i] != nil; i = (i + 1) & mask {
		if t.places[i].Name == name {
			return t.places[i]
		}
	}
	return nil
}

// place is where a name is looked for first, before the table's mask.
func place(name string) int { return int(maphash.String(seed, name)) }
