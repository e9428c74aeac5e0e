package native

import (
	"context"
	"fmt"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// image is the process's one copy of a library, known by the system loader's
// handle. It outlives its uses while the library stays mapped.
type image struct {
	handle uintptr
	refs   int // guarded by images

	mu          sync.Mutex // held while the library is brought up or down
	uses        int        // opened and not yet closed
	initialised bool       // init succeeded, so its threads may be running
	keep        bool       // some use did not ask for unload
	kept        bool       // we hold a reference of the system's loader for good
	config      Config     // of the first of the uses
	table       *hostvtable.Table
	turn        turn // nil when calls need no turn
	entry       entryPoints
	description abi.Description
	configAt    uintptr // of the text in description, for testers; nothing else reads it
	stopCalls   func()  // ends the answering of what the library asks; nil where it does not connect
}

// entryPoints are the addresses of the plugin's functions; 0 where one that
// may be missing is.
type entryPoints struct {
	abi, config, connect, init, invoke, batch, shutdown uintptr
}

func (e *entryPoints) generation() abi.Generation {
	switch {
	case e.invoke == 0:
		return abi.TypeBoxes
	case e.abi == 0 || e.init == 0 || e.shutdown == 0:
		return abi.InvokeOnly
	}
	return abi.FourSymbols
}

var images struct {
	sync.Mutex
	byHandle map[uintptr]*image
}

// openImage opens the library and brings it up if this is its first use. It tells which
// of the tables there are that the use asks for.
func openImage(ctx context.Context, config Config) (*image, []foundTable, func(), error) {
	// The lock joins the handle and its image: no other goroutine can close
	// the last reference between the two lines.
	images.Lock()
	handle, err := openLibrary(config.File)
	if err != nil {
		images.Unlock()
		return nil, nil, nil, &Error{File: config.File, Reason: ErrOpen, Detail: contract.Excerpt(err.Error()), Err: err}
	}
	im := images.byHandle[handle]
	if im == nil {
		im = &image{handle: handle}
		if images.byHandle == nil {
			images.byHandle = make(map[uintptr]*image)
		}
		images.byHandle[handle] = im
	}
	im.refs++
	images.Unlock()

	found := config.findTables(handle)
	detach, err := im.use(ctx, config, found != nil)
	if err != nil {
		return nil, nil, nil, err
	}
	return im, found, detach, nil
}

// drop gives back one reference of the system's loader.
func (im *image) drop() {
	images.Lock()
	defer images.Unlock()
	im.refs--
	if im.refs == 0 {
		delete(images.byHandle, im.handle)
	}
	closeLibrary(im.handle)
}

// use brings the plugin up if nobody uses it yet. On an error the reference that
// openImage took is given back.
func (im *image) use(ctx context.Context, config Config, hasTable bool) (detach func(), err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.uses > 0 {
		err := im.compatible(config)
		if err != nil {
			im.drop()
			return nil, err
		}
		im.uses++
		im.keep = im.keep || !config.Unload
		return im.table.Attach(config.Sink), nil
	}
	table, err := hostvtable.For(config.File, config.Track)
	if err != nil {
		im.drop()
		return nil, &Error{File: config.File, Reason: ErrOpen, Detail: err.Error(), Err: err}
	}
	detach = table.Attach(config.Sink)
	im.config, im.table, im.turn = config, table, nil
	im.keep, im.initialised = !config.Unload, false
	if err := im.start(ctx, hasTable); err != nil {
		im.disconnect()
		detach()
		im.stopTurn()
		im.letGo()
		im.config = Config{}
		return nil, err
	}
	im.uses = 1
	return detach, nil
}

// compatible refuses a further use that does not go with those that there are.
func (im *image) compatible(config Config) error {
	var detail string
	switch {
	case im.entry.connect != 0:
		detail = "another host of this process has it open, and a library that exports " + abi.SymbolConnect + " belongs to one host" + isolateIt
	case im.config.Exclusive || config.Exclusive:
		detail = "another host of this process has it open, and a library that is declared with async, uses or events belongs to one host" + isolateIt
	}
	if detail != "" {
		return &Error{File: config.File, Reason: ErrBusy, Detail: detail}
	}
	if err := im.configure(&config); err != nil {
		return err
	}
	switch {
	case config.Threads != im.config.Threads:
		detail = fmt.Sprintf("it is open with threads = %q, and %q was asked for; write the same in both files", im.config.Threads, config.Threads)
	case config.Track != im.config.Track:
		detail = "it is open with memory tracking set the other way; use the same option for all hosts"
	default:
		return nil
	}
	return &Error{File: config.File, Reason: ErrBusy, Detail: detail}
}

// isolateIt is what to do about a library that another host has.
const isolateIt = `; give this host a process for it: isolation = "process" in its nyash.toml`

// start runs abi and config, and then connect and init on the thread that the library asks
// for.
func (im *image) start(ctx context.Context, hasTable bool) error {
	if err := im.resolve(hasTable); err != nil {
		return err
	}
	if err := im.introduce(); err != nil {
		return err
	}
	if im.turn = newTurn(im.config.Threads); im.turn == nil {
		return im.bringUp()
	}
	var err error
	if turnErr := im.turn.do(ctx, func() { err = im.bringUp() }); turnErr != nil {
		return turnErr
	}
	return err
}

// entrySymbols are the names of entryPoints, in the order of its fields.
var (
	entryNames   = [...]string{abi.SymbolABI, abi.SymbolConfig, abi.SymbolConnect, abi.SymbolInit, abi.SymbolInvoke, abi.SymbolInvokeBatch, abi.SymbolShutdown}
	entrySymbols = newSymbols(entryNames[:])
)

// resolve finds the functions. A library that has a table may lack them all.
func (im *image) resolve(hasTable bool) error {
	var found [len(entryNames)]uintptr
	entrySymbols.find(im.handle, found[:])
	im.entry = entryPoints{found[0], found[1], found[2], found[3], found[4], found[5], found[6]}
	all := !im.config.InvokeOnly && !hasTable
	required := [...]bool{all, false, false, all, !hasTable, false, all}
	for i, name := range entryNames {
		if required[i] && found[i] == 0 {
			_, err := findSymbol(im.handle, name) // for the reason
			return im.config.missing(name, im.entry.invoke != 0, err)
		}
	}
	return nil
}

// introduce runs what comes before init: the library says which ABI it was built for,
// and what it is. That may decide which thread init is for.
func (im *image) introduce() error {
	im.description, im.configAt = abi.Description{}, 0
	if im.entry.abi != 0 {
		if v := callABI(im.entry.abi); v != abi.Version {
			return &Error{File: im.config.File, Reason: ErrVersion, Err: abi.ErrVersionMismatch,
				Detail: fmt.Sprintf("the plugin was built for version %d, this host speaks version %d", v, abi.Version)}
		}
	}
	if im.entry.config == 0 {
		return nil
	}
	text, at, err := config(im.entry.config)
	if err != nil {
		return &Error{File: im.config.File, Reason: ErrDescription, Detail: err.Error(), Err: err}
	}
	im.description.Config, im.configAt = &text, at
	return im.configure(&im.config)
}

// configure has a use of the library decide on its threads.
func (im *image) configure(c *Config) (err error) {
	if im.description.Config == nil || c.Configure == nil {
		return nil
	}
	c.Threads, err = c.Configure(*im.description.Config)
	return err
}

// bringUp runs connect and init.
func (im *image) bringUp() (err error) {
	im.around(func() {
		if err = im.connect(); err == nil {
			err = im.initialise()
		}
	})
	return err
}

// initialise runs init, and reads what that says.
func (im *image) initialise() error {
	if im.entry.init == 0 {
		im.initialised = true
		return nil
	}
	var info abi.PluginInfo
	if code := callInit(im.entry.init, im.table.Addr(), &info); code != abi.OK {
		return &Error{File: im.config.File, Reason: ErrInit, Err: code,
			Detail: "nyash_plugin_init returned " + code.Error()}
	}
	im.initialised = true
	d, err := describe(&info)
	if err != nil {
		// init succeeded, so the plugin is owed its shutdown.
		im.endPlugin()
		return &Error{File: im.config.File, Reason: ErrDescription, Detail: err.Error(), Err: err}
	}
	d.Config = im.description.Config
	im.description = d
	return nil
}

func (im *image) shutDown() { im.around(im.endPlugin) }

func (im *image) endPlugin() {
	if im.entry.shutdown != 0 {
		callShutdown(im.entry.shutdown)
	}
}

func (im *image) stopTurn() {
	if im.turn != nil {
		im.turn.stop()
		im.turn = nil
	}
}

// release ends one use, and with the last one the plugin's life.
func (im *image) release(detach func()) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.uses--
	if im.uses > 0 {
		detach()
		im.drop()
		return nil
	}
	var err error
	if im.turn == nil {
		im.shutDown()
	} else {
		err = im.turn.do(context.Background(), im.shutDown)
		im.stopTurn()
	}
	im.disconnect()
	detach()
	im.letGo()
	im.config = Config{} // which keeps its host from being garbage
	catchAgain()
	return err
}

// letGo gives back the last use's reference, unless the code must stay: a
// thread or exit handler of an initialised plugin may need it for as long as
// the process lives.
func (im *image) letGo() {
	if im.initialised && im.keep && !im.kept {
		im.kept = true
		return
	}
	im.drop()
}
