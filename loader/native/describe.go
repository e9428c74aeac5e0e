package native

import (
	"fmt"
	"unicode/utf8"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	maxMethods = 1 << 16 // more than any plugin has, few enough to read
	maxName    = 1 << 10 // bytes
)

// describe copies what init filled in. All of it comes from the plugin and is
// checked: the count, the pointers, the names.
func describe(info *abi.PluginInfo) (abi.Description, error) {
	d := abi.Description{TypeID: info.TypeID}
	var err error
	if info.TypeName != 0 {
		if d.TypeName, err = name(info.TypeName); err != nil {
			return d, fmt.Errorf("type_name: %w", err)
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
	return d, nil
}

func methodTable(info *abi.PluginInfo) (methods []abi.MethodInfo, err error) {
	count := info.MethodCount
	switch {
	case count == 0:
		return nil, nil
	case count > maxMethods:
		return nil, fmt.Errorf("method_count is %d, more than the %d that are read", count, maxMethods)
	case info.Methods == 0:
		return nil, fmt.Errorf("method_count is %d but methods is NULL", count)
	}
	defer abi.Guard(info.Methods, &err)()
	methods = make([]abi.MethodInfo, count)
	copy(methods, unsafe.Slice((*abi.MethodInfo)(abi.Pointer(info.Methods)), count))
	return methods, nil
}

func name(addr uintptr) (string, error) {
	s, err := abi.CString(addr, maxName)
	if err != nil {
		return "", err
	}
	if s == "" {
		return "", fmt.Errorf("it is empty")
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not UTF-8: %w", s, abi.ErrInvalidUTF8)
	}
	return s, nil
}
