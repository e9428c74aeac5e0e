package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/permit"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

// jsonVersion is of what the commands print as JSON. It grows when a field that there was means
// something else.
const jsonVersion = 1

// boxInfo is a box as `nyash list --json` prints it.
type boxInfo struct {
	Box        string           `json:"box"`
	Builtin    bool             `json:"builtin"`
	Library    string           `json:"library,omitempty"`
	File       string           `json:"file,omitempty"`
	Generation string           `json:"generation,omitempty"`
	TypeID     uint32           `json:"type_id"`
	Doc        string           `json:"doc,omitempty"`
	Singleton  bool             `json:"singleton"`
	Threads    string           `json:"threads,omitempty"`
	Uses       []string         `json:"uses,omitempty"`   // what the library may call
	Asks       []string         `json:"asks,omitempty"`   // what it asks to use and Uses lacks
	Module     *moduleInfo      `json:"module,omitempty"` // of a WebAssembly module
	Birth      *inspect.Method  `json:"birth,omitempty"`
	Methods    []inspect.Method `json:"methods"`
	Error      string           `json:"error,omitempty"`

	knownID bool // else only the library knows it, and it cannot be asked
}

// moduleInfo is what nyash.toml gives the modules of a library.
type moduleInfo struct {
	Instances int      `json:"instances"`
	Memory    uint64   `json:"memory"` // bytes that each may have; 0 where nyash.toml does not say
	Read      []string `json:"read"`   // folders, as nyash.toml has them
	Write     []string `json:"write"`
}

func describeModule(l *registry.Library) *moduleInfo {
	m := &moduleInfo{Instances: l.Instances, Read: []string{}, Write: []string{}}
	if limit := l.Process.Limits.Memory; limit != nil {
		m.Memory = *limit
	}
	if p := l.Permissions; p != nil {
		m.Read, m.Write = append(m.Read, p.Grants[permit.Read]...), append(m.Write, p.Grants[permit.Write]...)
	}
	return m
}

// line says what a module has, in the words of nyash.toml.
func (m *moduleInfo) line() string {
	memory := "1 GiB unless limits.memory says otherwise"
	if m.Memory > 0 {
		memory = fmt.Sprintf("%d KiB", m.Memory>>10)
	}
	text := fmt.Sprintf("is a WebAssembly module: instances %d, memory %s", m.Instances, memory)
	for _, p := range []struct {
		name    string
		folders []string
	}{{"read", m.Read}, {"write", m.Write}} {
		if len(p.folders) > 0 {
			text += fmt.Sprintf(", %s %s", p.name, strings.Join(p.folders, " "))
		}
	}
	return contract.Printable(text)
}

func newList(s *settings) *cobra.Command {
	asJSON, docs, live := false, false, false
	cmd := &cobra.Command{
		Use:   "list [BOX…]",
		Short: "List the boxes with their libraries, ids and methods",
		Long: `List the boxes of nyash.toml and the built-in ones, with library, type id,
methods, method ids and types, what it may use, and what a WebAssembly module is
given: instances, memory and folders. With names, only these boxes are listed. Each
library is loaded, so that what the list says is what a program gets; where that fails
the error is listed, and the exit status is 1.

With --doc, show what nyash.toml and the libraries say of boxes, methods and
arguments. JSON always has it.

With --live, load the libraries and then show how they are: state, process,
restarts, calls, memory and processor time of those with isolation = "process",
a line at every change, until interrupted.`,
		ValidArgsFunction: command.Words(s.boxNames),
		RunE: func(cmd *cobra.Command, names []string) error {
			if live && len(names) > 0 {
				return usagef("--live shows all libraries: leave out %s", strings.Join(names, " "))
			}
			if live {
				return showLive(s, cmd)
			}
			return s.withHost(cmd, func(host *loader.Host) error {
				for _, name := range names {
					if !slices.Contains(host.Boxes(), name) {
						return usagef("there is no box %s in nyash.toml%s", name, suggest.DidYouMean(name, host.Boxes()))
					}
				}
				boxes, err := describe(cmd.Context(), host, names, newProgress(cmd))
				write := writeTable
				switch {
				case asJSON:
					write = writeJSON
				case docs:
					write = writeDocs
				}
				return errors.Join(write(cmd.OutOrStdout(), boxes), err)
			}, loader.WithUnresolvedUses())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&docs, "doc", false, "show what boxes and methods are for")
	cmd.Flags().BoolVar(&live, "live", false, "show how the libraries are, until interrupted")
	cmd.MarkFlagsMutuallyExclusive("json", "doc", "live")
	return cmd
}

// describe asks for the boxes of these names, or for every one where there are none. The error
// counts the boxes of nyash.toml that failed; what failed is in their entries.
func describe(ctx context.Context, host *loader.Host, names []string, progress *progress) ([]boxInfo, error) {
	defer progress.clear()
	var all []boxInfo
	failed, declared := 0, 0
	for _, name := range host.Boxes() {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		info := boxInfo{Box: name, Builtin: true, Methods: []inspect.Method{}}
		if box, ok := host.Config().Box(name); ok {
			info.Builtin = false
			declared++
			info.Library = box.Library.Name
			info.TypeID, info.knownID = box.TypeID, box.HasTypeID
			info.Threads = box.Library.Threads.String()
			if box.Library.IsModule() {
				info.Threads, info.Module = registry.ThreadsSerial.String(), describeModule(box.Library)
			}
			info.Uses = useNames(box.Library.Uses)
			info.File, _ = host.Config().Find(box.Library)
		}
		progress.show("loading %s", name)
		t, err := host.Type(ctx, name)
		if err != nil {
			failed++
			info.Error = err.Error()
		} else {
			b := inspect.Describe(t)
			info.knownID = true
			info.TypeID, info.Doc, info.Singleton, info.Birth, info.Methods = b.TypeID, b.Doc, b.Singleton, b.Birth, b.Methods
			info.Asks = useNames(t.Asks())
			if !info.Builtin {
				info.Generation = t.Generation.String()
			}
		}
		all = append(all, info)
	}
	if failed > 0 {
		return all, fmt.Errorf("%d of %d boxes cannot be used", failed, declared)
	}
	return all, nil
}

func useNames(uses []registry.Use) []string {
	var all []string
	for _, u := range uses {
		all = append(all, u.String())
	}
	return all
}

// failure is a box that cannot be used, and why.
func (b *boxInfo) failure() string {
	// Most errors name the box themselves.
	return contract.PrintableLines(b.Box + ": " + strings.TrimPrefix(b.Error, "box "+b.Box+": "))
}

// aboutLines say what a module has, what a plugin may call, and what it would like to.
func (b *boxInfo) aboutLines() []string {
	var all []string
	if b.Module != nil {
		all = append(all, b.Module.line())
	}
	if len(b.Uses) > 0 {
		all = append(all, "uses "+contract.Printable(strings.Join(b.Uses, ", ")))
	}
	if len(b.Asks) > 0 {
		all = append(all, contract.Excerpt("asks to use "+strings.Join(b.Asks, ", "))+" (not in uses)")
	}
	return all
}

func writeJSON(w io.Writer, boxes []boxInfo) error {
	return contract.WriteJSON(w, struct {
		Version int       `json:"version"`
		Boxes   []boxInfo `json:"boxes"`
	}{jsonVersion, boxes}, "  ")
}

func writeTable(w io.Writer, boxes []boxInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BOX\tTYPE ID\tLIBRARY\tGENERATION\tMETHOD\tID\tSIGNATURE")
	for _, b := range boxes {
		library := contract.Printable(b.Library)
		if b.Builtin {
			library = "(built in)"
		}
		id := "?"
		if b.knownID {
			id = fmt.Sprint(b.TypeID)
		}
		name := contract.Printable(b.Box)
		if b.Singleton {
			name += " (singleton)"
		}
		methods := b.Methods
		if b.Birth != nil && len(b.Birth.Args) > 0 {
			methods = append([]inspect.Method{*b.Birth}, methods...)
		}
		first := fmt.Sprintf("%s\t%s\t%s\t%s", name, id, library, b.Generation)
		for _, m := range methods {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", first, m.Method, m.MethodID, m.Signature)
			first = "\t\t\t"
		}
		if len(methods) == 0 {
			fmt.Fprintf(t, "%s\t\t\t\n", first)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	between := "\n"
	for i := range boxes {
		for _, line := range boxes[i].aboutLines() {
			fmt.Fprintf(w, "%s%s %s\n", between, boxes[i].Box, line)
			between = ""
		}
	}
	for _, b := range boxes {
		if b.Error != "" {
			fmt.Fprintf(w, "\n%s\n", b.failure())
		}
	}
	return nil
}

func writeDocs(w io.Writer, boxes []boxInfo) error {
	out := bufio.NewWriter(w)
	for i, b := range boxes {
		if i > 0 {
			fmt.Fprintln(out)
		}
		from := ", library " + contract.Printable(b.Library)
		switch {
		case b.Error != "":
			fmt.Fprintln(out, b.failure())
			continue
		case b.Builtin:
			from = ", built in"
		}
		from = strings.Join(append([]string{from}, b.aboutLines()...), "; ")
		inspect.WriteBox(out, &inspect.Box{Box: b.Box, TypeID: b.TypeID, Doc: b.Doc, Singleton: b.Singleton, Birth: b.Birth, Methods: b.Methods}, from)
	}
	return out.Flush()
}
