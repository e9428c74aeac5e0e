package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/internal/permit"
)

// moduleExtension is how the name of a WebAssembly module ends.
const moduleExtension = ".wasm"

// IsModule reports whether the library is a WebAssembly module: its name or path ends in .wasm.
func (l *Library) IsModule() bool {
	return strings.HasSuffix(l.Name, moduleExtension) || strings.HasSuffix(l.Path, moduleExtension)
}

// maxInstances is how many modules a library may have.
const maxInstances = 1024

// moduleGrace is how long a call of a module may go on when its context has ended, where
// nyash.toml does not say: a caller waits for it, which nobody does for a worker's.
const moduleGrace = 100 * time.Millisecond

// moduleFields are the keys of libraries that are modules, or are confined.
var moduleFields = []field[*Library]{
	{name: "instances", read: func(d *document, l *Library, k *key) {
		errs := len(d.errs)
		n := d.count(k, "4")
		if (n < 1 || n > maxInstances) && len(d.errs) == errs {
			d.fail(k.val.at, k.path(), fmt.Sprintf("invalid number of instances %d", n), fmt.Sprintf("write 1 to %d", maxInstances))
			n = 1
		}
		l.Instances = int(n)
	}},
	{name: "permissions", read: func(d *document, l *Library, k *key) {
		if d.want(k, unstable.InlineTable, `{ read = ["./photos"] }`) {
			l.Permissions = &permit.Permissions{Grants: make(map[permit.Key][]string)}
			l.PermissionsPos = d.position(k.at)
			read(d, k.val.table, l.Permissions, permissionFields, nil)
		}
	}},
}

var permissionFields = allPermissionFields()

func allPermissionFields() (all []field[*permit.Permissions]) {
	examples := map[permit.Key]string{
		permit.Read: "./photos", permit.Write: "./thumbs", permit.Connect: "api.example.com:443",
		permit.Listen: "127.0.0.1:8080", permit.Run: "/usr/bin/exiftool",
	}
	for _, name := range permit.Keys() {
		all = append(all, field[*permit.Permissions]{name: string(name), read: func(d *document, p *permit.Permissions, k *key) {
			p.Grants[name] = d.texts(k, examples[name])
			if name == permit.Read || name == permit.Write {
				for i, path := range p.Grants[name] {
					p.Grants[name][i] = expandHome(path)
				}
			}
			for i := range k.val.items {
				d.checkShown(k, &k.val.items[i])
			}
		}})
	}
	return all
}

// checkModule finds what a module cannot have, and what only a module can.
func (d *document) checkModule(k *key, l *Library) {
	if k.val.table == nil {
		return
	}
	permissions, instances := k.val.table.get("permissions"), k.val.table.get("instances")
	if l.IsModule() {
		if k.val.table.get("cancel_grace") == nil && l.Isolation != IsolationProcess {
			l.Process.CancelGrace = min(l.Process.CancelGrace, moduleGrace)
		}
		d.checkModuleSettings(k.val.table, l)
		if l.Permissions != nil && permissions != nil {
			d.checkModulePermissions(permissions, l.Permissions)
		}
		return
	}
	if instances != nil {
		d.failAt(instances, "only a WebAssembly module can have instances, and "+strconv.Quote(l.Name)+" is none", "remove it")
	}
	switch {
	case permissions == nil:
	case l.Isolation == IsolationProcess:
		d.failAt(permissions, "this release cannot hold a native plugin to permissions, in a process of its own either", "remove it, or build the plugin as a WebAssembly module (docs/wasm.md)")
	default:
		d.failAt(permissions, "a plugin in the host's own process can do what the host can: its permissions cannot be held", "remove it, or build the plugin as a WebAssembly module (docs/wasm.md)")
	}
}

// maxModuleMemory is how much memory a module can have, in bytes.
const maxModuleMemory = 4 << 30

// checkModuleSettings warns of settings of native libraries that say nothing of a module.
func (d *document) checkModuleSettings(t *table, l *Library) {
	if k := t.get("threads"); k != nil && l.Threads != ThreadsSerial {
		d.warn(k.at, k.path(), "it has no effect on a WebAssembly module, which serves one call at a time", "remove it; instances = 4 lets that many calls run at the same time, each in a module of its own")
	}
	if k := t.get("unload"); k != nil && l.Unload {
		d.warn(k.at, k.path(), "it has no effect on a WebAssembly module, of which nothing stays behind", "remove it")
	}
	if limits := t.get("limits"); limits != nil && limits.val.table != nil {
		if k := limits.val.table.get("memory"); k != nil && l.Process.Limits.Memory != nil && *l.Process.Limits.Memory > maxModuleMemory {
			d.warn(k.at, k.path(), "a WebAssembly module has 4 GiB at most", `write memory = "4GiB" or less`)
		}
	}
	l.instancesKey = t.get("instances")
}

// checkInstances warns of modules in which nothing would live.
func (d *document) checkInstances(libraries []*Library) {
	for _, l := range libraries {
		more := slices.ContainsFunc(l.Boxes, func(b *Box) bool { return !b.Singleton })
		if k := l.instancesKey; k != nil && l.Instances > 1 && !more {
			d.warn(k.at, k.path(), "it has no effect where all boxes are singletons, which live in the first module", "remove it")
		}
	}
}

// checkModulePermissions refuses what a module has no way to do.
func (d *document) checkModulePermissions(k *key, p *permit.Permissions) {
	for _, name := range []permit.Key{permit.Connect, permit.Listen, permit.Run} {
		if len(p.Grants[name]) > 0 {
			d.failAt(k.child(string(name)), "a WebAssembly module cannot be permitted to "+string(name)+": it has no way to", "remove it; a module calls other plugins for that (uses)")
		}
	}
	if i, write, ok := p.Nested(); ok {
		read := k.child(string(permit.Read))
		d.fail(read.val.items[i].at, read.path(), strconv.Quote(p.Grants[permit.Read][i])+" lies in "+strconv.Quote(write)+" of write, in which the module may change all",
			"remove it, or list under write only the folders beside it")
	}
}
