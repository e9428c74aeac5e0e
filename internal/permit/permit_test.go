package permit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/internal/permit"
)

func TestMounts(t *testing.T) {
	tests := map[string]struct {
		read, write []string
		want        []permit.Mount
	}{
		"nothing": {nil, nil, nil},
		"below": {[]string{"./photos/"}, nil, []permit.Mount{
			{Host: "/app/photos", Guest: "/app/photos"}, {Host: "/app/photos", Guest: "photos"}}},
		"the folder itself": {nil, []string{"."}, []permit.Mount{
			{Host: "/app", Guest: "/app", Write: true}, {Host: "/app", Guest: ".", Write: true}}},
		"elsewhere": {[]string{"/data", "../x"}, nil, []permit.Mount{{Host: "/data", Guest: "/data"}, {Host: "/x", Guest: "/x"}}},
		"both": {[]string{"a"}, []string{"a"}, []permit.Mount{
			{Host: "/app/a", Guest: "/app/a", Write: true}, {Host: "/app/a", Guest: "a", Write: true}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &permit.Permissions{Grants: map[permit.Key][]string{permit.Read: tt.read, permit.Write: tt.write}}
			assert.Equal(t, tt.want, p.Mounts("/app"))
		})
	}
	assert.Nil(t, (*permit.Permissions)(nil).Mounts("/app"))
}
