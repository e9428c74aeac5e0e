package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// debugVersion is that of the JSON of tlv-debug, which docs/tester.md describes. It changes when a
// field changes its meaning or goes.
const debugVersion = 1

// debugged is what tlv-debug says, as JSON.
type debugged struct {
	Version  int                  `json:"version"`
	Message  *messageInfo         `json:"message"`
	Answer   *answerInfo          `json:"answer,omitempty"` // where a method was called, and returned
	Findings []plugintest.Finding `json:"findings,omitempty"`

	message []byte
}

// messageInfo is a message and what it says.
type messageInfo struct {
	Size   int         `json:"size"`
	Hex    string      `json:"hex"`
	Values []valueInfo `json:"values"`
	Error  string      `json:"error,omitempty"` // why the rest cannot be read
}

// valueInfo is a value: bytes are in hexadecimal, a handle is type/instance, and a float that JSON
// has no number for is text.
type valueInfo struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// answerInfo is what a method answered.
type answerInfo struct {
	Box       string       `json:"box"`
	Method    string       `json:"method"`
	Instance  uint32       `json:"instance"`
	Code      int32        `json:"code"`
	CodeName  string       `json:"code_name"`
	ResultLen uint64       `json:"result_len"`
	Result    *messageInfo `json:"result,omitempty"` // where something was written
}

func describeMessage(message []byte) *messageInfo {
	m := &messageInfo{Size: len(message), Hex: hex.EncodeToString(message), Values: []valueInfo{}}
	d := tlv.NewDecoder(message)
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		m.Values = append(m.Values, describeValue(e.Value()))
	}
	if err := d.Err(); err != nil {
		m.Error = err.Error()
	}
	return m
}

func describeValue(v tlv.Value) valueInfo {
	info := valueInfo{Type: v.Tag().String()}
	switch v.Tag() {
	case tlv.TagVoid:
	case tlv.TagBool:
		info.Value, _ = v.Bool() // the tag says that it is one
	case tlv.TagInt32, tlv.TagInt64:
		info.Value, _ = v.Int()
	case tlv.TagFloat32, tlv.TagFloat64:
		f, _ := v.Float()
		info.Value = f
		if math.IsNaN(f) || math.IsInf(f, 0) {
			info.Value = fmt.Sprint(f)
		}
	case tlv.TagString:
		info.Value, _ = v.Text()
	case tlv.TagBytes:
		data, _ := v.Bytes()
		info.Value = hex.EncodeToString(data)
	case tlv.TagHandle:
		h, _ := v.Handle()
		info.Value = fmt.Sprintf("%d/%d", h.Type, h.Instance)
	default:
		info.Value = v.String()
	}
	return info
}

func describeAnswer(out *plugintest.DebugResult) *answerInfo {
	if out == nil {
		return nil
	}
	a := &answerInfo{
		Box: out.Box, Method: out.Method, Instance: out.Instance,
		Code: int32(out.Code), CodeName: codeText(out.Code), ResultLen: out.Length,
	}
	if len(out.Result) > 0 {
		a.Result = describeMessage(out.Result)
	}
	return a
}

func (d *debugged) write(w io.Writer) error {
	return contract.WriteJSON(w, d, "  ")
}

// show writes a message alone.
func (s *settings) show(cmd *cobra.Command, d *debugged) error {
	if s.json {
		return d.write(cmd.OutOrStdout())
	}
	explain(s.output(cmd), fmt.Sprintf("message, %d bytes", len(d.message)), d.message)
	return s.cannotWrite()
}
