package hostbox

import (
	"context"
	"log/slog"
	"testing"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

type benched struct{ n int64 }

func (b *benched) Add(x, y int64) int64                                { return x + y + b.n }
func (b *benched) AddCtx(_ context.Context, x, y int64) (int64, error) { return x + y + b.n, nil }
func (b *benched) AddSmall(x, y int32) int32                           { return x + y }
func (b *benched) Greet(s string) string                               { return s }

func BenchmarkCall(b *testing.B) {
	box, err := New("Bench", &benched{})
	if err != nil {
		b.Fatal(err)
	}
	box.Logger = slog.Default()
	empty, _ := tlv.Encode()
	res := make([]byte, 0, 100)
	if _, code := box.Call(context.Background(), abi.MethodBirth, 0, empty, res); code != 0 {
		b.Fatal(code)
	}
	for i, m := range box.Methods {
		var msg []byte
		switch m.Name {
		case "addSmall":
			msg, _ = tlv.Encode(tlv.Int32(1), tlv.Int32(2))
		case "greet":
			msg, _ = tlv.Encode(tlv.String("hello"))
		default:
			msg, _ = tlv.Encode(tlv.Int64(1), tlv.Int64(2))
		}
		b.Run(m.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, code := box.Call(context.Background(), uint32(i+1), 1, msg, res); code != 0 {
					b.Fatal(code)
				}
			}
		})
	}
}
