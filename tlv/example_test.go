package tlv_test

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Arguments are appended one by one; the header gets their number at the end.
func ExampleAppendHeader() {
	msg := tlv.AppendHeader(nil)
	msg = tlv.AppendInt32(msg, 42)
	msg, err := tlv.AppendString(msg, "hi")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := tlv.PatchArgc(msg, 2); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("% x\n", msg)
	// Output: 01 00 02 00 02 00 04 00 2a 00 00 00 06 00 02 00 68 69
}

// A decoder walks a message in place.
func ExampleDecoder() {
	msg, _ := tlv.Encode(tlv.Int32(42), tlv.String("hi"))
	d := tlv.NewDecoder(msg)
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		fmt.Println(e.Offset, e.Tag, e.Value())
	}
	fmt.Println(d.Err())
	// Output:
	// 4 i32 42
	// 12 string "hi"
	// <nil>
}

// A rejection says what was wrong, and where.
func ExampleDecode() {
	_, err := tlv.Decode([]byte{1, 0, 1, 0, 3, 0, 4, 0, 1, 2, 3, 4})
	fmt.Println(err)
	// Output: decode TLV: byte 6: i64 has size 4, it must have 8
}

// Accessors check the type.
func ExampleValue() {
	v := tlv.Int32(42)
	n, err := v.Int()
	fmt.Println(n, err)
	_, err = v.Text()
	fmt.Println(err)
	// Output:
	// 42 <nil>
	// the value is i32, not a string
}
