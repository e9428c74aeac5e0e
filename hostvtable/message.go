package hostvtable

import (
	"fmt"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// MaxMessage is the longest log message that is read from a plugin, in bytes.
const MaxMessage = 64 << 10

// message copies a log message, whatever the plugin passed. What cannot be
// read is named in place of the text, because a line of a log is no place to
// fail.
func message(addr uintptr) string {
	if addr == 0 {
		return "(the plugin logged a NULL message)"
	}
	s, err := cmem.CString(addr, MaxMessage)
	if err != nil {
		return fmt.Sprintf("(the plugin logged a message that is unreadable: %v)", err)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
