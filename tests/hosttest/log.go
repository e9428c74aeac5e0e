package hosttest

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/loader"
)

// Log is a slog.Handler that keeps every record, whatever its level. Make one with
// [NewLog]; it is safe for concurrent use.
type Log struct {
	kept  *records
	attrs []slog.Attr // that With added
}

type records struct {
	mu  sync.Mutex
	all []Record
}

// Record is a line of a log.
type Record struct {
	Level   slog.Level
	Message string
	Attrs   map[string]slog.Value
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{kept: new(records)} }

// Option has a host write to the log.
func (l *Log) Option() loader.Option { return loader.WithLogger(slog.New(l)) }

// Records are what was logged, in order.
func (l *Log) Records() []Record {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	return slices.Clone(l.kept.all)
}

// Messages are the messages of [Log.Records].
func (l *Log) Messages() []string {
	var messages []string
	for _, r := range l.Records() {
		messages = append(messages, r.Message)
	}
	return messages
}

// Reset empties the log.
func (l *Log) Reset() {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	l.kept.all = nil
}

// Enabled implements slog.Handler.
func (l *Log) Enabled(context.Context, slog.Level) bool { return true }

// WithGroup implements slog.Handler. Hosts make no groups.
func (l *Log) WithGroup(string) slog.Handler { return l }

// WithAttrs implements slog.Handler.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Log{l.kept, slices.Concat(l.attrs, attrs)}
}

// Handle implements slog.Handler.
func (l *Log) Handle(_ context.Context, r slog.Record) error {
	record := Record{Level: r.Level, Message: r.Message, Attrs: make(map[string]slog.Value)}
	for _, a := range l.attrs {
		record.Attrs[a.Key] = a.Value
	}
	r.Attrs(func(a slog.Attr) bool {
		record.Attrs[a.Key] = a.Value
		return true
	})
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	l.kept.all = append(l.kept.all, record)
	return nil
}
