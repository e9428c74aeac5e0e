package registry_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

func TestUndeclared_Boxes(t *testing.T) {
	add := []abi.Method{{ID: 1, Name: "add"}}
	tests := map[string]struct {
		text string
		init abi.Description
		want map[string]uint32 // type ids
	}{
		"nothing":             {"", abi.Description{}, map[string]uint32{}},
		"init":                {"", abi.Description{TypeID: 7, TypeName: "Tally", Methods: add}, map[string]uint32{"Tally": 7}},
		"init without a name": {"", abi.Description{TypeID: 7, Methods: add}, map[string]uint32{"Box7": 7}},
		"text":                {"plugins.A.type_id = 1\nplugins.\"B \\\" c\".type_id = 2", abi.Description{}, map[string]uint32{"A": 1, `B " c`: 2}},
		"both":                {"plugins.A.type_id = 1", abi.Description{TypeID: 1, TypeName: "A"}, map[string]uint32{"A": 1}},
		"one each":            {"plugins.A.type_id = 1", abi.Description{TypeID: 2, TypeName: "B"}, map[string]uint32{"A": 1, "B": 2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var own *registry.Description
			if tt.text != "" {
				var err error
				own, err = registry.ParseDescription("libtally.so", tt.text)
				require.NoError(t, err)
			}
			l, err := registry.Undeclared("build/libtally.so", own, tt.init)
			require.NoError(t, err)
			assert.Equal(t, "build/libtally.so", l.Name)
			have := map[string]uint32{}
			for _, b := range l.Boxes {
				typ, err := b.Bind(own, tt.init)
				require.NoError(t, err)
				have[typ.Name] = typ.ID
			}
			assert.Equal(t, tt.want, have)
		})
	}
}
