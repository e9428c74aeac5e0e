package report

import (
	"io"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// SchemaVersion is that of the JSON, which docs/tester.md describes. It changes
// when a field changes its meaning or goes.
const SchemaVersion = 2

// document is the whole of the JSON.
type document struct {
	Version int                  `json:"version"`
	Clean   bool                 `json:"clean"`
	Reports []*plugintest.Report `json:"reports"`
}

// JSON writes reports as one object.
func JSON(w io.Writer, reports []*plugintest.Report) error {
	d := document{Version: SchemaVersion, Clean: true, Reports: reports}
	for _, r := range reports {
		d.Clean = d.Clean && len(r.Findings) == 0
	}
	return contract.WriteJSON(w, d, "  ")
}
