package scaffold

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Language is one that plugins can be written in.
type Language struct {
	ID    string // as in --lang
	Title string // for people

	source string            // of the plugin, for the README; %s is the box's name with underscores
	list   string            // what its list of methods is called there
	needs  string            // to build it
	manual string            // the file of the SDK that says what it offers
	flags  string            // plugin-tester's
	sdk    map[string]string // folders and files of plugins/sdk, and where they go
	header bool              // whether nyash_plugin.h goes to sdk/ as well
	tools  []tool
	wasm   *tool // for modules; nil where that needs nothing more
}

// tool is a program that building needs.
type tool struct {
	variable string // of the environment and of make, which names another one
	command  string
	install  string
	target   string // what rustc must have a library for; empty for other tools
}

const (
	installC   = "Debian, Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install"
	installCPP = "Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install"
)

var languages = []*Language{
	{
		ID: "c", Title: "C", source: "%s.c", list: "table", needs: "make and a C compiler", manual: "sdk/nyash.h",
		sdk: map[string]string{"c/nyash.h": "nyash.h", "c/nyash_use.h": "nyash_use.h"}, header: true,
		tools: []tool{{variable: "CC", command: "cc", install: installC}},
		wasm:  &tool{variable: "WASM_CC", command: "clang", install: "Debian, Ubuntu: apt install clang lld wasi-libc libclang-rt-dev-wasm32; or pip install ziglang"},
	},
	{
		ID: "cpp", Title: "C++", source: "%s.cpp", list: "table", needs: "make and a C++17 compiler", manual: "sdk/nyash.hpp",
		sdk: map[string]string{
			"c/nyash.h": "nyash.h", "c/nyash_use.h": "nyash_use.h", "cpp/nyash.hpp": "nyash.hpp", "cpp/nyash_use.hpp": "nyash_use.hpp",
			"nyash.map": "nyash.map",
		}, header: true,
		tools: []tool{{variable: "CXX", command: "c++", install: installCPP}},
	},
	{
		ID: "rust", Title: "Rust", source: "src/lib.rs", list: "macro", needs: "make, cargo and rustc 1.63 or later", manual: "sdk/src/lib.rs",
		sdk:   map[string]string{"rust/Cargo.toml": "Cargo.toml", "rust/README.md": "README.md", "rust/src": "src", "rust/examples": "examples"},
		tools: []tool{{variable: "CARGO", command: "cargo", install: "https://rustup.rs"}},
		wasm:  &tool{variable: "RUSTC", command: "rustc", install: "rustup target add wasm32-wasip1", target: "wasm32-wasip1"},
	},
	{
		ID: "go", Title: "Go", source: "main.go", list: "init function", needs: "make, Go 1.24 or later and a C compiler, for cgo", manual: "sdk/nyash/nyash.go",
		sdk:   map[string]string{"go/nyash": "nyash", "nyash.map": "nyash.map"},
		flags: "--no-memcheck --skip signal-handler,thread-left,memory-growth ",
		tools: []tool{{variable: "GO", command: "go", install: "https://go.dev/dl"}, {variable: "CC", command: "cc", install: installC}},
	},
	{
		ID: "zig", Title: "Zig", source: "%s.zig", list: "comptime block", needs: "make and Zig 0.15 or later (`pip install ziglang` counts)", manual: "sdk/nyash.zig",
		sdk:   map[string]string{"zig/nyash.zig": "nyash.zig"},
		tools: []tool{{variable: "ZIG", command: "zig", install: "pip install ziglang, or https://ziglang.org/download"}},
	},
}

// Languages returns the values of --lang.
func Languages() []string {
	all := make([]string, len(languages))
	for i, l := range languages {
		all[i] = l.ID
	}
	return all
}

// ParseLanguage finds a language by its ID.
func ParseLanguage(id string) (*Language, error) {
	for _, l := range languages {
		if strings.EqualFold(l.ID, id) {
			return l, nil
		}
	}
	all := Languages()
	choice := strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
	if id == "" {
		return nil, fmt.Errorf("a language is missing: add --lang with %s", choice)
	}
	if alias, ok := map[string]string{"c++": "cpp", "cxx": "cpp", "rs": "rust", "golang": "go"}[strings.ToLower(id)]; ok {
		return nil, fmt.Errorf("--lang %s: write --lang %s", id, alias)
	}
	return nil, fmt.Errorf("--lang %s: there is no template for it; write %s", id, choice)
}

// Missing says which of the tools that building needs are not there, and how to
// install them: a line for each.
func (p *Project) Missing() []string {
	tools := p.Language.tools
	if p.Wasm && p.Language.wasm != nil {
		tools = append(slices.Clone(tools), *p.Language.wasm)
	}
	var all []string
	for _, t := range tools {
		if text := t.missing(); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func (t *tool) missing() string {
	command := t.command
	if fields := strings.Fields(os.Getenv(t.variable)); len(fields) > 0 {
		command = fields[0]
	}
	_, err := exec.LookPath(command)
	switch {
	case err != nil && command == "zig" && exec.Command("python3", "-m", "ziglang", "version").Run() == nil:
		return ""
	case err != nil:
		return fmt.Sprintf("%s, which the build needs, is not in PATH; to install it: %s", command, t.install)
	case t.target == "":
		return ""
	}
	folder, err := exec.Command(command, "--print", "target-libdir", "--target", t.target).Output()
	if err == nil {
		_, err = os.Stat(strings.TrimSpace(string(folder)))
	}
	if err != nil {
		return fmt.Sprintf("%s has no library for %s, which make wasm needs; to install it: %s", command, t.target, t.install)
	}
	return ""
}
