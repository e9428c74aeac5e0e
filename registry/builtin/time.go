package builtin

import (
	"context"
	"time"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Time makes TimeBox: now() in milliseconds since 1970 in UTC, elapsed() in
// milliseconds since the box was born, format(ms, layout) with a layout of Go's
// package time, in UTC, and sleep(ms), which ends early with an error when the
// caller's context is done.
func Time() *Box {
	ms := registry.Arg{Name: "ms", From: registry.ArgInteger, To: tlv.TagInt64}
	layout := registry.Arg{Name: "layout", From: registry.ArgString, To: tlv.TagString}
	return &Box{
		Name:  "TimeBox",
		New:   func([]tlv.Value) (any, error) { return time.Now(), nil },
		Birth: signature(0),
		Methods: []Method{
			{"now", signature(tlv.TagInt64), timeNow},
			{"elapsed", signature(tlv.TagInt64), timeElapsed},
			{"format", signature(tlv.TagString, ms, layout), timeFormat},
			{"sleep", signature(tlv.TagVoid, ms), timeSleep},
		},
	}
}

func timeNow(context.Context, any, []tlv.Value) (tlv.Value, error) {
	return tlv.Int64(time.Now().UnixMilli()), nil
}

func timeElapsed(_ context.Context, self any, _ []tlv.Value) (tlv.Value, error) {
	return tlv.Int64(time.Since(self.(time.Time)).Milliseconds()), nil
}

func timeFormat(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
	ms, err := args[0].Int()
	if err != nil {
		return tlv.Void(), err
	}
	layout, err := args[1].Text()
	if err != nil {
		return tlv.Void(), err
	}
	return tlv.String(time.UnixMilli(ms).UTC().Format(layout)), nil
}

func timeSleep(ctx context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
	ms, err := args[0].Int()
	if err != nil {
		return tlv.Void(), err
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return tlv.Void(), nil
	case <-ctx.Done():
		return tlv.Void(), context.Cause(ctx)
	}
}
