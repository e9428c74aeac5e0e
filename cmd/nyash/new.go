package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/tools/scaffold"
)

func newNew() *cobra.Command {
	lang, typeBox, wasm := "", false, false
	cmd := &cobra.Command{
		Use:   "new NAME --lang LANGUAGE [DIR]",
		Short: "Make the folder of a new plugin",
		Long: `Make the folder of a new plugin: a counter, whose box is called NAME, with what
builds, runs and tests it, and a copy of the SDK. Nothing is downloaded, and it
needs no copy of nyash's own repository.

Without DIR the folder is called as the box: my-box for MyBox. A folder that is
there already must be empty.`,
		Example: "  nyash new MyBox --lang c\n  nyash new MyBox --lang rust path/to/folder",
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return fmt.Errorf("a name for the box is missing; for example: nyash new MyBox --lang c")
			case 1, 2:
				return nil
			}
			return fmt.Errorf("%d arguments, not NAME and DIR; a folder whose name has spaces needs quotes", len(args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			language, err := scaffold.ParseLanguage(lang)
			if err != nil {
				return &command.UsageError{Err: err}
			}
			project := &scaffold.Project{Name: args[0], Language: language, Version: release(), TypeBox: typeBox, Wasm: wasm}
			files, err := project.Files()
			if err != nil {
				return &command.UsageError{Err: err}
			}
			dir := scaffold.Folder(project.Name)
			if len(args) == 2 {
				dir = args[1]
			}
			err = scaffold.Write(dir, files)
			if folder := (*scaffold.FolderError)(nil); errors.As(err, &folder) {
				return &command.UsageError{Err: err}
			}
			if err != nil {
				return err
			}
			next(cmd.OutOrStdout(), project, dir)
			for _, line := range project.Missing() {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", line)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&lang, "lang", "l", "", "the language: "+strings.Join(scaffold.Languages(), ", "))
	command.Flags(cmd, map[string]command.Completion{"lang": command.Words(scaffold.Languages)})
	cmd.Flags().BoolVar(&typeBox, "typebox", false, "export a TypeBox table as well, for hosts that look for one (c, cpp, rust)")
	cmd.Flags().BoolVar(&wasm, "wasm", false, "make a WebAssembly module as well, with make wasm (c, rust, zig)")
	return cmd
}

// next says what to type after `nyash new`.
func next(w io.Writer, p *scaffold.Project, dir string) {
	fmt.Fprintf(w, "%s: a plugin in %s, with the box %s. Next:\n\n", dir, p.Language.Title, p.Name)
	if found, err := exec.LookPath("nyash"); err != nil || found == "" {
		if self, err := os.Executable(); err == nil {
			fmt.Fprintf(w, "  export PATH=\"$PATH\":%s\n", quote(filepath.Dir(self)))
		}
	}
	if dir != "." {
		fmt.Fprintf(w, "  cd %s\n", quote(dir))
	}
	fmt.Fprint(w, `  make        # builds the plugin
  make run    # runs a script with it
  make test   # looks for faults in it
`)
	if p.Wasm {
		fmt.Fprint(w, `  make wasm        # builds it as a WebAssembly module
  make wasm-test   # looks for faults in that
`)
	}
	fmt.Fprint(w, "\nREADME.md says how to go on.\n")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./+:@%,][A-Za-z0-9_./+:@%,-]*$`)

// quote writes a word for the shell.
func quote(word string) string {
	switch {
	case plain.MatchString(word):
		return word
	case strings.HasPrefix(word, "-"):
		word = "./" + word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var versioned = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)

// release is the version that this program was installed as, or "" if it was
// built from a working copy.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok && versioned.MatchString(info.Main.Version) {
		return info.Main.Version
	}
	return ""
}
