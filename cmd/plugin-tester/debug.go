package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// debugFlags are those of tlv-debug.
type debugFlags struct{ message, hex, method string }

// debugUses are the flags of all commands that tlv-debug uses, where it calls a method.
var debugUses = []string{"config", "worker", "timeout", "only", "skip", "json", "junit", "sarif", "html"}

func newDebug(s *settings) *cobra.Command {
	f := &debugFlags{}
	cmd := &cobra.Command{
		Use:   "tlv-debug [LIBRARY] [ARGUMENT…]",
		Short: "explain a message byte by byte, and a method's answer to it",
		Long: `Explain a message byte by byte. With a library and --method, a new instance is called with it, and the answer is explained too.

Arguments are written as type:value with the types of nyash.toml (i64:5, f32:1.5, bytes:00ff, handle:6/1, string:5), or as a
value: 5 is an i64, 1.5 an f64, true a bool, anything else a string.`,
		Example: `  plugin-tester tlv-debug --hex 0100010006000200 6869
  plugin-tester tlv-debug --message 'i32:7, hello'
  plugin-tester tlv-debug libfilebox.so --method FileBox.open data.txt w`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(s, cmd, args) },
	}
	cmd.Flags().StringVar(&f.message, "message", "", "the message's arguments, with commas between them")
	cmd.Flags().StringVar(&f.hex, "hex", "", "the message in hexadecimal; it may be malformed")
	cmd.Flags().StringVar(&f.method, "method", "", "[BOX.]METHOD to call, by name or number")
	cmd.MarkFlagsMutuallyExclusive("message", "hex")
	usesOf(cmd, debugUses...)
	return cmd
}

func (f *debugFlags) run(s *settings, cmd *cobra.Command, args []string) error {
	how, uses := "", debugUses
	if f.method == "" {
		how, uses = " without --method", []string{"json"}
	}
	if err := refuseOthers(cmd, "", debugUses...); err != nil {
		return err
	}
	if err := refuseOthers(cmd, how, uses...); err != nil {
		return err
	}
	library := ""
	if f.method != "" {
		if len(args) == 0 {
			return fmt.Errorf("%w: --method needs a library", plugintest.ErrCannotRun)
		}
		library, args = args[0], args[1:]
	}
	if library == "" && len(args) == 0 && !cmd.Flags().Changed("message") && !cmd.Flags().Changed("hex") {
		return command.Usagef("name a message: its arguments, --message or --hex; --message '' is the one without arguments")
	}
	message, err := f.bytes(args)
	if err != nil {
		return err
	}
	out := &debugged{Version: debugVersion, Message: describeMessage(message), message: message}
	if library == "" {
		if err := s.show(cmd, out); err != nil {
			return err
		}
		if out.Message.Error != "" {
			return errFindings
		}
		return nil
	}
	config, err := s.testerConfig(cmd, library)
	if err != nil {
		return err
	}
	t, err := plugintest.New(config)
	if err != nil {
		return err
	}
	box, method, ok := strings.Cut(f.method, ".")
	if !ok {
		box, method = "", f.method
	}
	if !s.json { // before what the run finds
		if err := s.show(cmd, out); err != nil {
			return err
		}
	}
	report, answer, err := t.Debug(cmd.Context(), box, method, message)
	if err != nil {
		return err
	}
	out.Answer, out.Findings = describeAnswer(answer), report.Findings
	switch {
	case s.json:
		err = out.write(cmd.OutOrStdout())
	case answer != nil:
		answered(s.output(cmd), answer)
		err = s.cannotWrite()
	}
	return errors.Join(err, s.write([]*plugintest.Report{report}))
}

// bytes is the message that the flags and arguments describe.
func (f *debugFlags) bytes(args []string) ([]byte, error) {
	if f.hex != "" {
		data, err := plugintest.ParseHex(f.hex + strings.Join(args, ""))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", plugintest.ErrCannotRun, err)
		}
		return data, nil
	}
	if f.message != "" {
		args = append(strings.Split(f.message, ","), args...)
	}
	values := make([]tlv.Value, len(args))
	for i, arg := range args {
		v, err := plugintest.ParseArg(strings.TrimSpace(arg))
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	message, err := tlv.Encode(values...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", plugintest.ErrCannotRun, err)
	}
	return message, nil
}

func explain(w io.Writer, title string, message []byte) {
	fmt.Fprintf(w, "%s\n", title)
	for _, line := range plugintest.Annotate(message) {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

func answered(w io.Writer, out *plugintest.DebugResult) {
	fmt.Fprintf(w, "%s.%s on instance %d answered %d (%v), *result_len = %d\n", out.Box, out.Method, out.Instance, int32(out.Code), codeText(out.Code), out.Length)
	switch {
	case len(out.Result) == 4 && out.Method == abi.NameBirth:
		fmt.Fprintf(w, "      0  %-34x the instance's id\n", out.Result)
	case len(out.Result) > 0:
		explain(w, fmt.Sprintf("result, %d bytes", len(out.Result)), out.Result)
	}
}

func codeText(c abi.Code) string {
	if c == abi.OK {
		return "success"
	}
	return c.Name()
}
