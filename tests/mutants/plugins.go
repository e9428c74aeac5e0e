package mutants

// plugin is a plugin without a fault that is written in C.
type plugin struct {
	name string
	root string // a folder of the module
	// files are the plugin's own sources, below root: what is compiled, and then the headers
	// that are the plugin's and not an SDK's.
	files []string
	flags []string // for the compiler
	toml  string   // its nyash.toml, below root, or that of the module; empty for none
	box   string   // the box in that file whose library it is
}

const faulty = "tests/faulty/testdata"

// plugins are all of them, in the order in which they are tried.
var plugins = []plugin{
	{name: "filebox", root: "plugins/filebox", files: []string{"filebox.c", "file.h"}, toml: "../../nyash.toml", box: "FileBox"},
	{name: "mathbox", root: "plugins/mathbox", files: []string{"mathbox.c"}, toml: "../../nyash.toml", box: "MathBox"},
	{name: "store", root: faulty, files: []string{"good/store.c", "store.h", "reply.h"}},
	{name: "texts", root: faulty, files: []string{"good/texts.c", "texts.h", "reply.h"}},
	{name: "good", root: faulty, files: []string{"good.c", "counter.h", "reply.h"}, flags: []string{"-DCONFIG=BOX_TEXT METHODS_TEXT"}},
	{name: "atomics", root: faulty, files: []string{"good/atomics.c"}},
	{name: "rwlock", root: faulty, files: []string{"good/rwlock.c", "store.h", "reply.h"}},
	{name: "once", root: faulty, files: []string{"good/once.c", "store.h", "reply.h"}},
	{name: "leaf", root: faulty, files: []string{"good/leaf.c"}},
	{name: "host", root: faulty, files: []string{"good/host.c"}, flags: []string{"-DTOML"}, toml: "good/host.toml", box: "UserBox"},
	{name: "text", root: "tests/wild/testdata", files: []string{"text/text.c", "wild.h"}, toml: "text/four.toml", box: "TextBox"},
}
