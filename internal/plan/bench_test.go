package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tlv"
)

func BenchmarkEncodeFixed(b *testing.B) {
	const (
		ints   = `args = [ { name = "a", to = "i64" }, { name = "b", to = "i64" } ]`
		floats = `args = [ { name = "a", to = "f64" }, { name = "b", to = "f64" } ]`
	)
	for _, tt := range []struct {
		name, keys string
		args       []any
	}{{"int int", ints, []any{1000, 2000}}, {"int64 int64", ints, []any{int64(1000), int64(2000)}}, {"float64 float64", floats, []any{0.5, 1.5}},
		{"bytes", arg("bytes", "bytes"), []any{[]byte("twenty bytes of data")}}} {
		b.Run(tt.name, func(b *testing.B) {
			p, dst := planOf(b, tt.keys), make([]byte, 256)
			for b.Loop() {
				if p.EncodeFixed(dst, tt.args) == 0 {
					b.Fatal()
				}
			}
		})
	}
}

func BenchmarkAppendArg(b *testing.B) {
	for _, tt := range []struct {
		name, to string
		arg      any
	}{{"string", "string", "twenty bytes of text"}, {"string to bytes", "bytes", "twenty bytes of text"}, {"bytes", "bytes", []byte("twenty bytes of data")}, {"i32", "i32", 1000}} {
		b.Run(tt.name, func(b *testing.B) {
			p, dst := planOf(b, arg("any", tt.to)), make([]byte, 0, 256)
			for b.Loop() {
				if _, err := p.AppendArg(dst, 0, tt.arg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResult(b *testing.B) {
	for _, v := range []tlv.Value{tlv.Int64(3000), tlv.Int32(1000), tlv.Bool(true), tlv.Void(), tlv.String("twenty bytes of text")} {
		msg, err := tlv.Encode(v)
		require.NoError(b, err)
		name := v.Tag().String()
		p := planOf(b, `returns = "`+name+`"`)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Result(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" in place", func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Entry(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
		if _, ok := p.DecodeFixed(msg); !ok {
			continue
		}
		b.Run(name+" fixed", func(b *testing.B) {
			for b.Loop() {
				if _, ok := p.DecodeFixed(msg); !ok {
					b.Fatal()
				}
			}
		})
	}
}
