package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// boxInfo is a box as `nyash list --json` prints it.
type boxInfo struct {
	Box       string       `json:"box"`
	Builtin   bool         `json:"builtin"`
	Library   string       `json:"library,omitempty"`
	File      string       `json:"file,omitempty"`
	TypeID    uint32       `json:"type_id"`
	Singleton bool         `json:"singleton"`
	Threads   string       `json:"threads,omitempty"`
	Methods   []methodInfo `json:"methods"`
	Error     string       `json:"error,omitempty"`
}

type methodInfo struct {
	Method        string    `json:"method"`
	MethodID      uint32    `json:"method_id"`
	ArgsDeclared  bool      `json:"args_declared"`
	Args          []argInfo `json:"args"`
	Returns       string    `json:"returns,omitempty"`
	ReturnsResult bool      `json:"returns_result,omitempty"`
	signature     string
}

type argInfo struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to,omitempty"`
}

func newList(s *settings) *cobra.Command {
	asJSON, live := false, false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the boxes with their libraries, ids and methods",
		Long: `List the boxes of nyash.toml and the built-in ones, with library, type id,
methods, method ids and types. Each library is loaded, so that what the list says
is what a program gets; where that fails the error is listed, and the exit status
is 1.

With --live, load the libraries and then show how they are: state, process,
restarts, calls, memory and processor time of those with isolation = "process",
a line at every change, until interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if live {
				return showLive(s, cmd)
			}
			return s.withHost(cmd, func(host *loader.Host) error {
				boxes, err := describe(cmd.Context(), host)
				write := writeTable
				if asJSON {
					write = writeJSON
				}
				return errors.Join(write(cmd.OutOrStdout(), boxes), err)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&live, "live", false, "show how the libraries are, until interrupted")
	cmd.MarkFlagsMutuallyExclusive("json", "live")
	return cmd
}

// describe asks for every box. The error counts the boxes that failed; what
// failed is in their entries.
func describe(ctx context.Context, host *loader.Host) ([]boxInfo, error) {
	var all []boxInfo
	failed := 0
	for _, name := range host.Boxes() {
		info := boxInfo{Box: name, Builtin: true, Methods: []methodInfo{}}
		if box, ok := host.Config().Box(name); ok {
			info.Builtin = false
			info.Library = box.Library.Name
			info.TypeID = box.TypeID
			info.Threads = box.Library.Threads.String()
			info.File, _ = host.Config().Find(box.Library)
		}
		t, err := host.Type(ctx, name)
		if err != nil {
			failed++
			info.Error = err.Error()
		} else {
			info.TypeID, info.Singleton = t.ID, t.Singleton
			for _, p := range t.Methods {
				info.Methods = append(info.Methods, describeMethod(p))
			}
		}
		all = append(all, info)
	}
	if failed > 0 {
		return all, fmt.Errorf("%d of %d boxes cannot be used", failed, len(all))
	}
	return all, nil
}

func describeMethod(p registry.Method) methodInfo {
	m := methodInfo{
		Method: p.Name, MethodID: p.ID, ArgsDeclared: p.ArgsDeclared, Args: []argInfo{},
		Returns: p.Returns.String(), ReturnsResult: p.ReturnsResult, signature: p.Signature.String(),
	}
	for _, a := range p.Args {
		arg := argInfo{Name: a.Name, From: a.From.String()}
		if a.To != 0 {
			arg.To = a.To.String()
		}
		m.Args = append(m.Args, arg)
	}
	return m
}

func writeJSON(w io.Writer, boxes []boxInfo) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(boxes)
}

func writeTable(w io.Writer, boxes []boxInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BOX\tTYPE ID\tLIBRARY\tMETHOD\tID\tSIGNATURE")
	for _, b := range boxes {
		library := b.Library
		if b.Builtin {
			library = "(built in)"
		}
		id := fmt.Sprint(b.TypeID)
		if b.TypeID == 0 {
			id = "?" // only the library knows, and it cannot be asked
		}
		first := fmt.Sprintf("%s\t%s\t%s", b.Box, id, library)
		for _, m := range b.Methods {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", first, m.Method, m.MethodID, m.signature)
			first = "\t\t"
		}
		if len(b.Methods) == 0 {
			fmt.Fprintf(t, "%s\t\t\t\n", first)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, b := range boxes {
		if b.Error != "" {
			fmt.Fprintf(w, "\n%s: %s\n", b.Box, b.Error)
		}
	}
	return nil
}
