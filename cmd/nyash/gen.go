package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tools/generate"
)

// generation is one run of `nyash gen`.
type generation struct {
	*settings
	language string
	out      string
	boxes    []string
	check    bool
	pkg      string // of Go
}

func newGen(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gen",
		Short: "Generate typed code for boxes: Go for hosts; C, C++ and Rust for plugins",
		Long: `Generate code from nyash.toml: typed Go for programs that use boxes, and for the
plugins that provide them ids, prototypes and tables in C, C++ and Rust.

The file is generated as a whole and never by halves; what is not generated is
never written over. With --check nothing is written: the exit status is 1 where
the file is not what it would be.`,
	}
	for _, l := range []struct{ name, short, long string }{
		{"go", "Generate typed Go for programs that use the boxes", `Generate a Go type for each box of nyash.toml, with a method for each of its
methods. Libraries are loaded to read what they say of themselves: each in a
process of its own, unless --isolation says otherwise.`},
		{"c", "Generate a table and prototypes for a plugin in C", `Generate a header for the C SDK from nyash.toml alone: ids, prototypes of the
functions that you write, and the table.`},
		{"cpp", "Generate a table and an abstract class for a plugin in C++", `Generate a header for the C++ layer of the SDK from nyash.toml alone: ids, an
abstract class that yours derives from, and the table.`},
		{"rust", "Generate a trait and a list for a plugin in Rust", `Generate a module for the Rust SDK from nyash.toml alone: ids, a trait that you
implement, and the plugin's list.`},
	} {
		cmd.AddCommand(newGenLanguage(&generation{settings: s, language: l.name}, l.short, l.long))
	}
	return cmd
}

func newGenLanguage(g *generation, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     g.language + " [nyash.toml]",
		Short:   short,
		Long:    long,
		Example: "  nyash gen " + g.language + " --out " + map[string]string{"go": "boxes.gen.go", "c": "boxes.gen.h", "cpp": "boxes.gen.hpp", "rust": "src/boxes.rs"}[g.language],
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("name one nyash.toml, not %d: %s", len(args), cmd.UseLine())
			}
			return nil
		},
		ValidArgsFunction: command.First(command.Files("toml")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				g.config = args[0]
			}
			return g.run(cmd)
		},
	}
	cmd.Flags().StringVar(&g.out, "out", "-", "the file to write; - for standard output")
	cmd.Flags().StringSliceVar(&g.boxes, "box", nil, "a box to generate, or several with commas between them; all of nyash.toml without it")
	command.Flags(cmd, map[string]command.Completion{"box": command.WordList(g.boxNames)})
	cmd.Flags().BoolVar(&g.check, "check", false, "write nothing, and fail where the file is not up to date")
	if g.language == "go" {
		cmd.Flags().StringVar(&g.pkg, "package", "", "the package of the file; without it that of go generate, of the file to write, of those beside it, or the name of their folder")
	}
	return cmd
}

func (g *generation) run(cmd *cobra.Command) error {
	if g.check && g.out == "-" {
		return usagef("--check compares a file: name it with --out")
	}
	text, err := g.text(cmd)
	switch {
	case errors.Is(err, loader.ErrNoBox): // --box named it
		return &command.UsageError{Err: err}
	case err != nil:
		return err
	}
	switch {
	case g.check:
		err := generate.Check(g.out, g.language, text)
		if errors.Is(err, generate.ErrStale) {
			return fmt.Errorf("%w; renew it: %s", err, g.command())
		}
		return err
	case g.out == "-":
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	return generate.Write(g.out, g.language, text)
}

func (g *generation) text(cmd *cobra.Command) (text []byte, err error) {
	if g.language == "go" {
		return g.goText(cmd)
	}
	config, err := registry.Load(g.config)
	if err != nil {
		return nil, &configurationError{err}
	}
	boxes, err := generate.PluginBoxes(config, g.boxes)
	if err != nil {
		return nil, err
	}
	switch g.language {
	case "c":
		return generate.C(boxes)
	case "cpp":
		return generate.CPlusPlus(boxes)
	default:
		return generate.Rust(boxes)
	}
}

func (g *generation) goText(cmd *cobra.Command) (text []byte, err error) {
	var opts []loader.Option
	if g.isolation == "" {
		opts = append(opts, loader.WithIsolation(loader.IsolationProcess))
	}
	err = g.withHost(cmd, func(host *loader.Host) error {
		progress := newProgress(cmd)
		progress.show("loading the libraries of %s", g.config)
		types, warnings, err := generate.HostBoxes(cmd.Context(), host, g.boxes)
		progress.clear()
		for _, w := range warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "nyash: warning: %s\n", contract.PrintableLines(w))
		}
		if err != nil {
			return err
		}
		text, err = generate.Go(g.packageName(), types)
		return err
	}, opts...)
	return text, err
}

// packageName is the package of the file to write, unless another is asked for. In its
// own folder, go generate says what it runs for.
func (g *generation) packageName() string {
	if g.pkg != "" {
		return g.pkg
	}
	toFile := g.out != "-"
	if name := os.Getenv("GOPACKAGE"); name != "" && (!toFile || filepath.Dir(g.out) == ".") {
		return name
	}
	if toFile {
		if name := generate.Package(g.out); name != "" {
			return name
		}
	}
	return "plugins"
}

// command writes the file that --check found stale.
func (g *generation) command() string {
	words := []string{"nyash", "gen", g.language}
	if g.language == "go" {
		words = append(words, "--package", g.packageName())
	}
	if g.isolation != "" {
		words = append(words, "--isolation", g.isolation)
	}
	if len(g.boxes) > 0 {
		words = append(words, "--box", strings.Join(g.boxes, ","))
	}
	words = append(words, "--out", g.out, g.config)
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:=+@%", r)
	}
	if word != "" && strings.TrimLeftFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
