package hostbox

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/nyash-plugins/nyash-go/abi"
)

// checkBoxName refuses what scripts and `uses` in nyash.toml could not write.
func checkBoxName(name string) error {
	for i, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return fmt.Errorf("the name %q is not an identifier: letters, digits and _, and no digit first", name)
		}
	}
	if name == "" {
		return fmt.Errorf("the name of the box is empty")
	}
	return nil
}

// methodName is how a Go method is called in a box: the capitals that it begins with
// become small, but for one that begins another word. Open is open, ReadLine readLine,
// ID id, HTTPGet httpGet, UTF8 utf8.
func methodName(goName string) string {
	runes := []rune(goName)
	n := 0
	for n < len(runes) && unicode.IsUpper(runes[n]) {
		n++
	}
	if n > 1 && n < len(runes) && unicode.IsLower(runes[n]) {
		n--
	}
	return strings.ToLower(string(runes[:n])) + string(runes[n:])
}

// reserved tells why no method can have a name.
func reserved(name string) string {
	switch name {
	case abi.NameBirth, abi.NameFini:
		return fmt.Sprintf("%s is every box's own: give the method another name", name)
	}
	return ""
}

// goOwn are methods by which Go types serve Go, with their signatures: they are no methods
// of a box. What Close is for, fini does.
var goOwn = map[string][]reflect.Type{
	"Close":           {reflect.TypeFor[func()](), reflect.TypeFor[func() error]()},
	"String":          {reflect.TypeFor[func() string]()},
	"GoString":        {reflect.TypeFor[func() string]()},
	"Error":           {reflect.TypeFor[func() string]()},
	"Format":          {reflect.TypeFor[func(fmt.State, rune)]()},
	"LogValue":        {reflect.TypeFor[func() slog.Value]()},
	"MarshalJSON":     {reflect.TypeFor[func() ([]byte, error)]()},
	"UnmarshalJSON":   {reflect.TypeFor[func([]byte) error]()},
	"MarshalText":     {reflect.TypeFor[func() ([]byte, error)]()},
	"UnmarshalText":   {reflect.TypeFor[func([]byte) error]()},
	"AppendText":      {reflect.TypeFor[func([]byte) ([]byte, error)]()},
	"MarshalBinary":   {reflect.TypeFor[func() ([]byte, error)]()},
	"UnmarshalBinary": {reflect.TypeFor[func([]byte) error]()},
	"AppendBinary":    {reflect.TypeFor[func([]byte) ([]byte, error)]()},
	"GobEncode":       {reflect.TypeFor[func() ([]byte, error)]()},
	"GobDecode":       {reflect.TypeFor[func([]byte) error]()},
}

// locks are types whose methods an embedding type has without meaning to offer them.
var locks = []reflect.Type{reflect.TypeFor[*sync.Mutex](), reflect.TypeFor[*sync.RWMutex]()}

// isGoOwn reports whether a method of t is no method of a box. signature is without the
// receiver.
func isGoOwn(t reflect.Type, name string, signature reflect.Type) bool {
	return slices.Contains(goOwn[name], signature) || ofLock(t, name, signature, nil)
}

// ofLock reports whether t has a method because it, or a type that it embeds, embeds a
// lock. outer are the types that embed t, which may embed itself.
func ofLock(t reflect.Type, name string, signature reflect.Type, outer []reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(outer, t) {
		return false
	}
	outer = append(outer, t)
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous {
			continue
		}
		for _, lock := range locks {
			if (f.Type == lock || f.Type == lock.Elem()) && hasMethod(lock, name, signature) {
				return true
			}
		}
		if ofLock(f.Type, name, signature, outer) {
			return true
		}
	}
	return false
}

func hasMethod(t reflect.Type, name string, signature reflect.Type) bool {
	m, ok := t.MethodByName(name)
	return ok && signatureOf(t, m) == signature
}

// signatureOf is the type of a method without its receiver.
func signatureOf(t reflect.Type, m reflect.Method) reflect.Type {
	if t.Kind() == reflect.Interface {
		return m.Type
	}
	return reflect.Zero(t).Method(m.Index).Type()
}
