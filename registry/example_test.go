package registry_test

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

const fileBox = `
[plugins.FileBox]
library = "nyash-filebox-plugin"
type_id = 6

[plugins.FileBox.methods]
open  = { method_id = 1, args = [ { name = "path", from = "string", to = "string" }, { name = "mode", from = "string", to = "string" } ] }
write = { method_id = 3, args = [ { name = "data", from = "string", to = "bytes" } ], returns = "i32" }
`

// A file's boxes and methods, with ids and types.
func ExampleParse() {
	config, err := registry.Parse("nyash.toml", []byte(fileBox))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, box := range config.Boxes {
		for _, m := range box.Methods {
			fmt.Printf("%s.%s %d %s\n", box.Name, m.Name, m.ID, m.Signature)
		}
	}
	// Output:
	// FileBox.open 1 (path string, mode string)
	// FileBox.write 3 (data string→bytes) → i32
}

// A mistake is shown with its line and the way out.
func ExampleErrors() {
	_, err := registry.Parse("nyash.toml", []byte("[plugins.FileBox]\nlibrary = \"filebox\"\ntypeid = 6\n"))
	fmt.Printf("%+v\n", err)
	// Output:
	// nyash.toml:3:1: plugins.FileBox.typeid: unknown key
	//
	//   3 | typeid = 6
	//     | ^
	//
	//   did you mean type_id?
}

// A library may know what the file leaves out.
func ExampleBox_Bind() {
	config, err := registry.Parse("nyash.toml", []byte("[plugins]\nFileBox = \"nyash-filebox-plugin\"\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	box, _ := config.Box("FileBox")
	typ, err := box.Bind(nil, abi.Description{TypeID: 6, TypeName: "FileBox", Methods: []abi.Method{{ID: 1, Name: "open"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(typ)
	// Output:
	// FileBox, type 6, 1 methods
	//   open(…)
}
