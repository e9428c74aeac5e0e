package isolate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// What a worker may answer to requests for tables.
func TestCheckTables(t *testing.T) {
	asked := []native.TableRequest{{Box: "A", Methods: []string{"get", "put"}}, {Box: "B"}, {Box: "C", Methods: []string{"get"}}}
	const table, method = "its worker found a table that nobody asked for", "its worker found a method that nobody asked for"
	get, put := abi.Method{ID: 1, Name: "get"}, abi.Method{ID: 2, Name: "put"}
	tests := []struct {
		name  string
		found []abi.Table
		want  string
	}{
		{"none", nil, ""},
		{"all", []abi.Table{{Box: "A", Methods: []abi.Method{get, put}}, {Box: "B"}, {Box: "C", Methods: []abi.Method{get}}}, ""},
		{"some", []abi.Table{{Box: "A", Methods: []abi.Method{put}}, {Box: "C"}}, ""},
		{"another box", []abi.Table{{Box: "D"}}, table},
		{"a box twice", []abi.Table{{Box: "A"}, {Box: "A"}}, table},
		{"another order", []abi.Table{{Box: "C"}, {Box: "A"}}, table},
		{"another method", []abi.Table{{Box: "B", Methods: []abi.Method{get}}}, method},
		{"a method twice", []abi.Table{{Box: "A", Methods: []abi.Method{get, get}}}, method},
		{"methods in another order", []abi.Table{{Box: "A", Methods: []abi.Method{put, get}}}, method},
		{"an id of 0", []abi.Table{{Box: "A", Methods: []abi.Method{{Name: "get"}}}}, method},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkTables(asked, &abi.Description{Tables: tt.found})
			if tt.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, tt.want)
		})
	}

	found := []abi.Table{{Box: "B", Err: "\x1b[31mred"}}
	require.NoError(t, checkTables(asked, &abi.Description{Generation: abi.TypeBoxes, Tables: found}))
	assert.Equal(t, `\x1b[31mred`, found[0].Err)

	assert.EqualError(t, checkTables(asked, &abi.Description{Generation: abi.TypeBoxes}), "its worker says that it is of TypeBox tables, with 0 tables")
	assert.EqualError(t, checkTables(asked, &abi.Description{Generation: 9}), "its worker says that it is of generation 9, with 0 tables")
}
