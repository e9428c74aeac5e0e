package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

	"github.com/nyash-plugins/nyash-go/abi/include"
	sdk "github.com/nyash-plugins/nyash-go/plugins/sdk"
)

//go:embed templates
var templates embed.FS

// Project is a plugin to be made.
type Project struct {
	Name     string // of its box; see [CheckName]
	Language *Language
	Version  string // of this module, that the project's CI installs; "" is the latest
	// TypeBox has the library export a TypeBox table (docs/abi.md, "TypeBox tables")
	// beside the four functions, in languages whose SDK can.
	TypeBox bool
	// Wasm has the build file make a WebAssembly module, too, in languages whose SDK can
	// (docs/wasm.md).
	Wasm bool
}

// File is a file of a project.
type File struct {
	Path string // relative, with slashes
	Data []byte
}

var (
	typeBoxLanguages = []string{"c", "cpp", "rust"}
	wasmLanguages    = []string{"c", "rust", "zig"}
)

// Library is the name of the plugin's library, as nyash.toml has it.
func (p *Project) Library() string { return Folder(p.Name) + "-plugin" }

// words are what templates are filled with.
func (p *Project) words() map[string]string {
	l := p.Language
	file := strings.ReplaceAll(p.Library(), "-", "_")
	version := p.Version
	if version == "" {
		version = "latest"
	}
	source := l.source
	if strings.Contains(source, "%s") {
		source = fmt.Sprintf(source, p.stem())
	}
	typeBox := ""
	if p.TypeBox {
		typeBox = "yes"
	}
	wasm := ""
	if p.Wasm {
		wasm = "yes"
	}
	return map[string]string{
		"TypeBox": typeBox, "Wasm": wasm,
		"Name": p.Name, "Library": p.Library(), "File": file, "Source": source,
		"Lang": l.ID, "Language": l.Title, "Needs": l.needs, "List": l.list, "TesterFlags": l.flags,
		"Manual": fmt.Sprintf("[%s](%s)", l.manual, l.manual), "Version": version,
		"Built": "`build/lib" + file + ".so` (.dylib on macOS)", "BuiltName": p.Library(),
	}
}

// noWasm is why.
var noWasm = map[string]string{
	"cpp": " (it throws exceptions, which a module cannot; nyash_plugin.h can be used from C++ without them)",
	"go":  " (Go's compiler makes them without cgo, which it is written with)",
}

// stem is the name of the source file, without its extension.
func (p *Project) stem() string { return strings.ReplaceAll(Folder(p.Name), "-", "_") }

// Files makes the files of a project, sorted by path.
func (p *Project) Files() ([]File, error) {
	if err := CheckName(p.Name); err != nil {
		return nil, err
	}
	if p.TypeBox && !slices.Contains(typeBoxLanguages, p.Language.ID) {
		return nil, fmt.Errorf("the SDK for %s exports no TypeBox tables; --typebox goes with --lang %s", p.Language.Title, strings.Join(typeBoxLanguages, ", "))
	}
	if p.Wasm && !slices.Contains(wasmLanguages, p.Language.ID) {
		return nil, fmt.Errorf("the SDK for %s makes no WebAssembly modules%s; --wasm goes with --lang %s", p.Language.Title, noWasm[p.Language.ID], strings.Join(wasmLanguages, ", "))
	}
	var files []File
	for _, dir := range []string{"templates/all", "templates/" + p.Language.ID} {
		err := walk(templates, dir, func(name string, text []byte) error {
			data, err := p.fill(name, string(text))
			files = append(files, File{p.place(name), data})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for from, to := range p.Language.sdk {
		err := walk(sdk.Files(), from, func(name string, data []byte) error {
			files = append(files, File{path.Join("sdk", to, name), data})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if p.Language.header {
		files = append(files, File{"sdk/" + include.Name, []byte(include.Header())})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// walk visits the files below root, or root itself, which then has the name "".
func walk(from fs.FS, root string, visit func(name string, data []byte) error) error {
	return fs.WalkDir(from, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		return visit(strings.TrimPrefix(strings.TrimPrefix(name, root), "/"), data)
	})
}

// place is where the file of a template goes.
func (p *Project) place(name string) string {
	parts := strings.Split(strings.TrimSuffix(name, ".tmpl"), "/")
	for i, part := range parts {
		if rest, ok := strings.CutPrefix(part, "dot_"); ok {
			parts[i] = "." + rest
		}
		if rest, ok := strings.CutPrefix(part, "source."); ok {
			parts[i] = p.stem() + "." + rest
		}
	}
	return path.Join(parts...)
}

// fill fills a template in; targets.mk.tmpl has the parts that several share.
func (p *Project) fill(name, text string) ([]byte, error) {
	t, err := template.New("targets").Delims("[[", "]]").ParseFS(templates, "templates/targets.mk.tmpl")
	if err != nil {
		return nil, err
	}
	if t, err = t.New(name).Option("missingkey=error").Parse(text); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, p.words())
	return b.Bytes(), err
}
