package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func newCall(s *settings) *cobra.Command {
	var birth []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:                   "call [flags] BOX.METHOD [ARG…]",
		DisableFlagsInUseLine: true,
		Short:                 "Call one method of a new instance, and print its result",
		Long: `Call one method of a new instance of a box, and print its result. Arguments are read
as the types that are declared: numbers, true or false, text. Bytes are the text
itself, or @FILE for what is in a file, @- for standard input. Where no type is
declared, what looks like a number or a bool is one, and the rest is text. Flags stand
before BOX.METHOD; what follows it are arguments, also behind --.

Bytes and blobs are printed as they are. With --json the result is an object with its
type and its value, bytes in base64.`,
		Example: "  nyash call TimeBox.now\n  nyash call MathBox.add 2 3\n  nyash call MathBox.add -- -5 3\n  nyash call --birth shop LogAnalyzerBox.report",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return s.methodNames(cmd.Context(), text), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || !strings.Contains(args[0], ".") {
				return usagef("name a method as BOX.METHOD: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			box, method, _ := strings.Cut(args[0], ".")
			return s.withHost(cmd, func(host *loader.Host) error {
				r, err := callOnce(cmd, host, box, method, birth, argsOf(cmd, args))
				if err != nil {
					return err
				}
				return printResult(cmd.OutOrStdout(), r, asJSON)
			})
		},
	}
	cmd.Flags().StringArrayVar(&birth, "birth", nil, "an argument of the box's birth; once for each")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().SetInterspersed(false) // -1 may be an argument
	return cmd
}

// argsOf are the method's arguments. A -- in front of them ends the flags, which have ended at the
// method anyway, unless one has done so before.
func argsOf(cmd *cobra.Command, words []string) []string {
	args := words[1:]
	if len(args) > 0 && args[0] == "--" && cmd.ArgsLenAtDash() < 0 {
		return args[1:]
	}
	return args
}

// callOnce makes a box, calls it and closes it.
func callOnce(cmd *cobra.Command, host *loader.Host, box, method string, birth, args []string) (result any, err error) {
	ctx := cmd.Context()
	t, err := host.Type(ctx, box)
	if errors.Is(err, loader.ErrNoBox) {
		return nil, &command.UsageError{Err: err}
	}
	if err != nil {
		return nil, err
	}
	birthArgs, err := parseArgs(cmd, box, t.Birth, birth)
	if err != nil {
		return nil, err
	}
	i := indexOf(t, method)
	if i < 0 {
		return nil, usagef("%s has no method %s%s", box, method, suggest.DidYouMean(method, methodsOf(t)))
	}
	values, err := parseArgs(cmd, box+"."+method, t.Methods[i].Signature, args)
	if err != nil {
		return nil, err
	}
	b, err := host.New(ctx, box, birthArgs...)
	if arg := (*loader.ArgError)(nil); errors.As(err, &arg) {
		return nil, usagef("%w: what birth takes is given with --birth ARG, once for each, before %s.%s", err, box, method)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	r, err := b.Call(ctx, method, values...)
	if isFlag := func(word string) bool { return cmd.Flags().Lookup(flagName(word)) != nil }; err != nil && slices.ContainsFunc(args, isFlag) {
		return nil, refused(fmt.Errorf("%w (flags stand before %s.%s)", err, box, method))
	}
	if err != nil {
		return nil, refused(err)
	}
	return kept(r)
}

// flagName is the name of a flag that a word is; empty for none.
func flagName(word string) string {
	name, ok := strings.CutPrefix(word, "--")
	name, _, _ = strings.Cut(name, "=")
	if !ok {
		return ""
	}
	return name
}

// refused makes arguments that do not fit a mistake in the command line.
func refused(err error) error {
	if arg := (*loader.ArgError)(nil); errors.As(err, &arg) {
		return &command.UsageError{Err: err}
	}
	return err
}

func indexOf(t *registry.Type, method string) int {
	for i := range t.Methods {
		if t.Methods[i].Name == method {
			return i
		}
	}
	return -1
}

func methodsOf(t *registry.Type) []string {
	names := make([]string, len(t.Methods))
	for i := range t.Methods {
		names[i] = t.Methods[i].Name
	}
	return names
}

// methodNames are the names BOX.METHOD that begin with text. A library that does not load has none.
func (s *settings) methodNames(ctx context.Context, text string) (names []string) {
	box, _, dot := strings.Cut(text, ".")
	config, err := registry.Load(s.config)
	if err != nil {
		return nil
	}
	host, err := loader.OpenConfig(config, loader.WithUnresolvedUses())
	if err != nil {
		return nil
	}
	defer host.Close()
	for _, name := range host.Boxes() {
		switch {
		case !dot && strings.HasPrefix(name, text):
			names = append(names, name+".")
		case dot && name == box:
			t, err := host.Type(ctx, name)
			if err != nil {
				return nil
			}
			for _, method := range methodsOf(t) {
				names = append(names, name+"."+method)
			}
		}
	}
	return names
}

// kept is a result as a Go value that outlives its box.
func kept(r loader.Result) (any, error) {
	switch r.Tag() {
	case tlv.TagBlob:
		blob, err := r.Blob()
		if err != nil {
			return nil, err
		}
		defer blob.Release()
		return append([]byte{}, blob.Bytes()...), nil
	case tlv.TagHandle:
		box, err := r.Box()
		if err != nil {
			return nil, err
		}
		return boxResult(box.String()), box.Close()
	}
	return r.Any(), nil
}

// boxResult is the name of a box that a call answered.
type boxResult string

func printResult(w io.Writer, result any, asJSON bool) error {
	if asJSON {
		return writeResult(w, result)
	}
	var err error
	switch v := result.(type) {
	case nil:
	case []byte:
		_, err = w.Write(v)
	case string:
		_, err = fmt.Fprintln(w, contract.PrintableLines(v))
	default:
		_, err = fmt.Fprintln(w, v)
	}
	return err
}

func writeResult(w io.Writer, result any) error {
	out := struct {
		Version int    `json:"version"`
		Type    string `json:"type"`
		Value   any    `json:"value"`
	}{Version: jsonVersion, Value: result}
	switch v := result.(type) {
	case nil:
		out.Type = "void"
	case bool:
		out.Type = "bool"
	case int32, int64:
		out.Type = "integer"
	case float32, float64:
		out.Type = "float"
	case string:
		out.Type = "string"
	case []byte:
		out.Type, out.Value = "bytes", base64.StdEncoding.EncodeToString(v)
	case boxResult:
		out.Type = "box"
	}
	return contract.WriteJSON(w, out, "")
}

// parseArgs reads arguments of the command line as what is declared of them.
func parseArgs(cmd *cobra.Command, callee string, s registry.Signature, words []string) ([]any, error) {
	values := make([]any, len(words))
	for i, word := range words {
		kind, name := sig.Any, strconv.Itoa(i+1)
		if s.ArgsDeclared && i < len(s.Args) {
			kind, name = kindOf(s.Args[i]), s.Args[i].Name
		}
		v, err := parseArg(cmd, kind, word)
		if err != nil {
			return nil, usagef("%s: argument %s: %w", callee, name, err)
		}
		values[i] = v
	}
	return values, nil
}

// kindOf is what an argument is given as, where that is known.
func kindOf(a registry.Arg) sig.Kind {
	if a.From != sig.Any {
		return a.From
	}
	switch a.To {
	case tlv.TagInt32, tlv.TagInt64:
		return sig.Integer
	case tlv.TagFloat32, tlv.TagFloat64:
		return sig.Float
	case tlv.TagBool:
		return sig.Bool
	case tlv.TagString:
		return sig.String
	case tlv.TagBytes, tlv.TagBlob:
		return sig.Bytes
	case tlv.TagHandle:
		return sig.Box
	}
	return sig.Any
}

func parseArg(cmd *cobra.Command, kind sig.Kind, word string) (any, error) {
	switch kind {
	case sig.Integer:
		n, err := strconv.ParseInt(word, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no integer of 64 bits", word)
		}
		return n, nil
	case sig.Float:
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", word)
		}
		return f, nil
	case sig.Bool:
		b, err := strconv.ParseBool(word)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", word)
		}
		return b, nil
	case sig.Bytes:
		return parseBytes(cmd, word)
	case sig.Box:
		return nil, errors.New("it is a box, which nyash call cannot make; use nyash run -e")
	case sig.Any:
		return guess(word), nil
	}
	return word, nil
}

// maxArgument is the largest file that is an argument, in bytes.
const maxArgument = 256 << 20

func parseBytes(cmd *cobra.Command, word string) ([]byte, error) {
	file, ok := strings.CutPrefix(word, "@")
	switch {
	case !ok:
		return []byte(word), nil
	case file == "-":
		return io.ReadAll(cmd.InOrStdin())
	}
	return files.Read(file, maxArgument)
}

// guess is a word as what it looks like.
func guess(word string) any {
	if n, err := strconv.ParseInt(word, 0, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return f
	}
	switch word {
	case "true":
		return true
	case "false":
		return false
	}
	return word
}
