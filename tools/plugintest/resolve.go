package plugintest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// noMethod is how the names begin that tables are asked for, and that are none of theirs.
const noMethod = "no_such_method_of_plugin_tester"

// noMethods are names that a box with these methods does not have. All but the first begin
// as a method does.
func noMethods(methods []string) []string {
	all := []string{noMethod}
	for _, name := range methods {
		all = append(all, name+"_"+noMethod)
	}
	return all
}

// resolves are the boxes whose tables are asked for ids: all of them, or one, or none.
type resolves struct {
	some bool
	box  string
}

// asks tells whether a table is asked.
func (r resolves) asks(box string) bool { return !r.some || r.box == box }

// checkResolves reports what tables answered for names that do not exist, and returns the
// description without that.
func (p *plugin) checkResolves(d abi.Description) abi.Description {
	d.Tables = slices.Clone(d.Tables)
	for i := range d.Tables {
		t := &d.Tables[i]
		var known []abi.Method
		for _, m := range t.Methods {
			if !strings.HasSuffix(m.Name, noMethod) {
				known = append(known, m)
				continue
			}
			p.faults = append(p.faults, Finding{Code: codeResolve, Box: t.Box, Method: nameResolve, Message: fmt.Sprintf("it answers %d for %q", m.ID, m.Name)})
		}
		t.Methods = known
	}
	return d
}

// nameResolve is the place of what a table's resolve does wrong.
const nameResolve = "resolve"

// endsInResolve finds the box whose table's resolve ended the process, or did not return;
// empty where it is not that.
func (w *worker) endsInResolve(err error) string {
	if w.options.quiet || !errors.Is(err, transport.ErrCrashed) && !errors.Is(err, transport.ErrTimeout) && !errors.Is(err, errLoadTimeout) {
		return ""
	}
	requests := slices.DeleteFunc(w.tableRequests(), func(r native.TableRequest) bool {
		return !slices.Contains(w.plugin.exports, abi.SymbolTypeBoxPrefix+r.Box)
	})
	if len(requests) == 0 || !w.starts(resolves{some: true}) {
		return ""
	}
	for _, r := range requests {
		if !w.starts(resolves{some: true, box: r.Box}) {
			return r.Box
		}
	}
	return ""
}

// starts tells whether a worker starts where these tables are asked.
func (w *worker) starts(r resolves) bool {
	again := w.startQuiet(workerOptions{unload: w.options.unload, resolves: r})
	if again == nil {
		return false
	}
	again.close()
	return true
}
