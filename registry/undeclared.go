package registry

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// Undeclared is a library without a nyash.toml: an entry for each box that its text
// or its init describes, or that it has a table for, as short forms would declare them, ready for [Box.Bind]. own
// is nil where the library has no text. A box that init describes and does not name is
// called after its type id, Box6 say. Boxes whose names no host takes are left out.
func Undeclared(file string, own *Description, init abi.Description) (*Library, error) {
	var names []string
	seen := make(map[string]bool)
	add := func(name string) {
		if !seen[name] && contract.CheckName(name) == nil { // what is wrong with others is said where they are read
			seen[name] = true
			names = append(names, name)
		}
	}
	if own != nil {
		for _, b := range own.Boxes {
			add(b.Name)
		}
	}
	switch {
	case init.TypeName != "":
		add(init.TypeName)
	case len(names) == 0 && (init.TypeID != 0 || len(init.Methods) > 0):
		add(fmt.Sprintf("Box%d", init.TypeID))
	}
	for _, t := range init.Tables {
		add(t.Box)
	}
	if len(names) == 0 {
		return &Library{Name: file, Process: defaultProcess(), Instances: 1}, nil
	}
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "plugins.%s = \"library\"\n", quoteKey(name))
	}
	c, err := Parse(filepath.Base(file), []byte(text.String()))
	if err != nil {
		return nil, err
	}
	l := c.Libraries[0]
	l.Name = file
	return l, nil
}
