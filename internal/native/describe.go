package native

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// describe copies what init filled in. All of it comes from the plugin and is
// checked: the count and the pointers on the way, the names when they are copied.
func describe(info *abi.PluginInfo) (abi.Description, error) {
	d := abi.Description{TypeID: info.TypeID}
	var err error
	if info.TypeName != 0 {
		if d.TypeName, err = name(info.TypeName); err != nil {
			return d, fmt.Errorf("type_name: %w", err)
		}
		if d.TypeName == "" {
			return d, errors.New("type_name: it is empty; NULL is for a library that gives none")
		}
	}
	methods, err := methodTable(info)
	if err != nil {
		return d, err
	}
	for i, m := range methods {
		if m.Name == 0 {
			return d, fmt.Errorf("method %d of %d (method_id %d): its name is NULL", i+1, len(methods), m.MethodID)
		}
		n, err := name(m.Name)
		if err != nil {
			return d, fmt.Errorf("method %d of %d (method_id %d): name: %w", i+1, len(methods), m.MethodID, err)
		}
		d.Methods = append(d.Methods, abi.Method{ID: m.MethodID, Name: n, Signature: m.Signature})
	}
	return d, contract.CheckDescription(d)
}

// config copies what nyash_plugin_config returns.
func config(entry uintptr) (text string, at uintptr, err error) {
	if at = callConfig(entry); at == 0 {
		return "", 0, fmt.Errorf("%s returned NULL; a library that has nothing to say does not export it", abi.SymbolConfig)
	}
	text, err = configAt(at)
	return text, at, err
}

// configAt copies the text at an address.
func configAt(at uintptr) (text string, err error) {
	// One byte more than is allowed tells a text that is too long from one that has no
	// end.
	if text, err = cmem.CString(at, contract.MaxConfig+2); err != nil {
		return "", fmt.Errorf("%s: %w", abi.SymbolConfig, err)
	}
	return text, contract.CheckConfig(text)
}

// AskConfig is for testers: it calls nyash_plugin_config once more, if there is one.
// No call may be under way.
func (l *Library) AskConfig() (text string, err error) {
	if l.image.entry.config == 0 {
		return "", nil
	}
	l.InTurn(func() { text, _, err = config(l.image.entry.config) })
	return text, err
}

// KeptConfig is for testers: it reads again what nyash_plugin_config returned when the
// library was loaded, which has to stay there until shutdown.
func (l *Library) KeptConfig() (text string, err error) {
	if l.image.configAt == 0 {
		return "", nil
	}
	return configAt(l.image.configAt)
}

func methodTable(info *abi.PluginInfo) ([]abi.MethodInfo, error) {
	count := info.MethodCount
	if count == 0 {
		return nil, nil
	}
	if err := contract.CheckMethodCount(uint64(count)); err != nil {
		return nil, err
	}
	if info.Methods == 0 {
		return nil, fmt.Errorf("method_count is %d but methods is NULL", count)
	}
	methods := make([]abi.MethodInfo, count)
	return methods, cmem.Copy(unsafe.Pointer(&methods[0]), info.Methods, count*unsafe.Sizeof(methods[0]))
}

// name copies a name, which ends in NUL.
func name(addr uintptr) (string, error) { return cmem.CString(addr, contract.MaxName+1) }
