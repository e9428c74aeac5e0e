package plan

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// ErrMalformed: a result is no TLV message of one entry.
var ErrMalformed = errors.New("the result is malformed")

// ArgError is an argument, or a number of arguments, that a method does not
// take. It matches [abi.ErrInvalidArgs].
type ArgError struct {
	Index int    // from 0; -1 where the number of arguments is wrong
	Name  string // of the argument, or empty
	Msg   string
	Err   error // the cause, or nil
}

func (e *ArgError) Error() string {
	switch {
	case e.Index < 0:
		return e.Msg
	case e.Name == "":
		return fmt.Sprintf("argument %d: %s", e.Index+1, e.Msg)
	}
	return fmt.Sprintf("argument %d (%s): %s", e.Index+1, e.Name, e.Msg)
}

// Is makes the error match the code that a plugin would answer.
func (e *ArgError) Is(target error) bool { return target == abi.ErrInvalidArgs }

// Unwrap returns the cause.
func (e *ArgError) Unwrap() error { return e.Err }

// ResultError is a result of another type than is declared, in nyash.toml or by what comes
// with the library, or than the caller asks for.
type ResultError struct {
	Have tlv.Tag
	Want tlv.Tag // what is declared; 0 for a blob that is not declared, or with Type
	// Type is what the caller asks for; nil where the result is not what is declared.
	Type reflect.Type
	// Number is a result that is out of Type's range, as text, or empty.
	Number string
}

func (e *ResultError) Error() string {
	switch {
	case e.Number != "":
		return fmt.Sprintf("the result, %v %s, does not fit %v", e.Have, e.Number, e.Type)
	case e.Type != nil:
		return fmt.Sprintf("the result is %v, and the caller asks for %v", e.Have, e.Type)
	case e.Want == 0:
		return fmt.Sprintf("the result is a %v, and nothing declares that this method returns one", e.Have)
	}
	return fmt.Sprintf("the result is %v, and is declared as %v", e.Have, e.Want)
}

// ResultMessage is the error message that a method with returns_result returned.
type ResultMessage struct{ Text string }

func (e *ResultMessage) Error() string {
	if e.Text == "" {
		return "it failed, and its message is empty"
	}
	return e.Text
}

//go:noinline
func (p *Plan) argError(i int, msg string, cause error) error {
	e := &ArgError{Index: i, Msg: msg, Err: cause}
	if cause != nil && msg != cause.Error() {
		e.Msg = msg + ": " + cause.Error()
	}
	if errors.Is(cause, tlv.ErrTooLarge) {
		e.Msg += `; data of that length goes by reference: declare the argument with to = "blob" in nyash.toml, if the plugin takes blobs`
	}
	if i < len(p.Args) {
		e.Name = p.Args[i].Name
	}
	return e
}
