package native

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// TableRequest asks for the TypeBox table of a box, if the library has one
// (docs/abi.md, "TypeBox tables").
type TableRequest struct {
	Box     string
	Methods []string // whose ids the table's resolve is to tell
}

// tables are what a use of a library knows of its TypeBox tables.
type tables struct {
	found  []abi.Table // in the order of the requests
	invoke []uintptr   // invoke_id of each; 0 where the table cannot be used
	routes []route
	// fast has routes by the last bits of their type ids, of which those of one library
	// mostly follow each other: a call through it costs what one of invoke does
	// (BenchmarkTable and BenchmarkMethod of package loader, 80 ns).
	fast [4]route
}

// route leads the calls of a type id to a table.
type route struct {
	typeID uint32
	invoke uintptr
}

// foundTable is a table that the library exports, and who asked for it.
type foundTable struct {
	TableRequest
	addr uintptr
}

// findTables finds the tables that were asked for.
func (c *Config) findTables(handle uintptr) (found []foundTable) {
	for _, r := range c.Tables {
		if addr := findOptional(handle, abi.SymbolTypeBoxPrefix+r.Box); addr != 0 {
			if r.Methods == nil && c.MethodsOf != nil {
				r.Methods = c.MethodsOf(r.Box)
			}
			found = append(found, foundTable{r, addr})
		}
	}
	return found
}

// lacks is a function that a use of the library without a table needs and that the library
// does not export, or empty.
func (e *entryPoints) lacks(invokeOnly bool) string {
	switch {
	case e.invoke == 0:
		return abi.SymbolInvoke
	case invokeOnly:
		return ""
	case e.abi == 0:
		return abi.SymbolABI
	case e.init == 0:
		return abi.SymbolInit
	case e.shutdown == 0:
		return abi.SymbolShutdown
	}
	return ""
}

// missing is the error of a library that lacks a function and has no table either. invoke
// tells whether it exports nyash_plugin_invoke.
func (c *Config) missing(symbol string, invoke bool, cause error) error {
	detail := symbol + " is not exported"
	for _, r := range c.Tables {
		detail += ", nor " + abi.SymbolTypeBoxPrefix + contract.Excerpt(r.Box)
	}
	functions := "nyash_plugin_abi, _init, _invoke and _shutdown"
	if c.InvokeOnly {
		functions = abi.SymbolInvoke
	}
	detail += "; a plugin exports " + functions + ", or a table " + abi.SymbolTypeBoxPrefix + "… for each of its boxes (with C linkage and default visibility)"
	if invoke {
		detail += "; with nyash_plugin_invoke alone, a [libraries] entry does"
	}
	return &Error{File: c.File, Reason: ErrSymbol, Err: cause, Detail: detail}
}

// readTables reads tables. One that cannot be used says why.
func readTables(found []foundTable) (t tables) {
	for _, r := range found {
		table := abi.Table{Box: r.Box}
		box, err := readTypeBox(r.addr, r.Box)
		if err != nil {
			table.Err = fmt.Sprintf("%s%s: %v", abi.SymbolTypeBoxPrefix, r.Box, err)
		} else if box.Resolve != 0 {
			for _, name := range r.Methods {
				if id := callResolve(box.Resolve, name); id != 0 {
					table.Methods = append(table.Methods, abi.Method{ID: id, Name: name})
				}
			}
		}
		t.found = append(t.found, table)
		t.invoke = append(t.invoke, box.InvokeID)
	}
	return t
}

// smallestTypeBox is how much of a table there must be: all up to invoke_id.
const smallestTypeBox = unsafe.Offsetof(abi.TypeBox{}.InvokeID) + unsafe.Sizeof(abi.TypeBox{}.InvokeID)

// readTypeBox copies a table, as much of it as the library says there is, and checks it.
func readTypeBox(addr uintptr, name string) (abi.TypeBox, error) {
	var box abi.TypeBox
	if err := cmem.Copy(unsafe.Pointer(&box), addr, unsafe.Offsetof(box.Name)); err != nil {
		return abi.TypeBox{}, err
	}
	size := min(uintptr(box.StructSize), unsafe.Sizeof(box))
	switch {
	case box.Tag != abi.TypeBoxTag:
		return abi.TypeBox{}, fmt.Errorf("its abi_tag is %#08x, and a table's is %#08x", box.Tag, abi.TypeBoxTag)
	case box.Version != abi.TypeBoxVersion:
		return abi.TypeBox{}, fmt.Errorf("its version is %d, and this host reads version %d", box.Version, abi.TypeBoxVersion)
	case size < smallestTypeBox:
		return abi.TypeBox{}, fmt.Errorf("its struct_size is %d, which leaves out invoke_id: a table has at least %d bytes", box.StructSize, smallestTypeBox)
	}
	if err := cmem.Copy(unsafe.Pointer(&box), addr, size); err != nil {
		return abi.TypeBox{}, err
	}
	own, err := cmem.CString(box.Name, contract.MaxName+1)
	switch {
	case err != nil:
		return abi.TypeBox{}, fmt.Errorf("its name: %w", err)
	case own != name:
		return abi.TypeBox{}, fmt.Errorf(`its name is "%s", and its symbol says %s`, contract.Excerpt(own), contract.Excerpt(name))
	case box.InvokeID == 0:
		return abi.TypeBox{}, errors.New("its invoke_id is NULL")
	}
	return box, nil
}

// Route has the calls of a type id go through the library's table number i of its
// Description. It comes before the first call.
func (l *Library) Route(typeID uint32, i int) error {
	if i >= len(l.tables.invoke) || l.tables.invoke[i] == 0 {
		return fmt.Errorf("%s has no table number %d that can be used", l.file, i)
	}
	r := route{typeID, l.tables.invoke[i]}
	l.tables.routes = append(l.tables.routes, r)
	l.tables.fast[typeID%uint32(len(l.tables.fast))] = r
	return nil
}

// table is the invoke_id for a type id; 0 where nyash_plugin_invoke is for it. There are
// few tables, and so a map would be slower.
func (l *Library) table(typeID uint32) uintptr {
	for i := range l.tables.routes {
		if l.tables.routes[i].typeID == typeID {
			return l.tables.routes[i].invoke
		}
	}
	return 0
}
