package registry

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Undeclared is a library without a nyash.toml: an entry for each box that its text
// or its init describes, or that it has a table for, as short forms would declare them, ready for [Box.Bind]. own
// is nil where the library has no text. A box that init describes and does not name is
// called after its type id, Box6 say.
func Undeclared(file string, own *Description, init abi.Description) (*Library, error) {
	var names []string
	if own != nil {
		names = own.boxNames()
	}
	switch {
	case init.TypeName != "" && !slices.Contains(names, init.TypeName):
		names = append(names, init.TypeName)
	case init.TypeName == "" && len(names) == 0 && (init.TypeID != 0 || len(init.Methods) > 0):
		names = append(names, fmt.Sprintf("Box%d", init.TypeID))
	}
	for _, t := range init.Tables {
		if !slices.Contains(names, t.Box) {
			names = append(names, t.Box)
		}
	}
	if len(names) == 0 {
		return &Library{Name: file, Process: defaultProcess()}, nil
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
