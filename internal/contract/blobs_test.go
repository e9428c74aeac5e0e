package contract_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func TestEachBlob(t *testing.T) {
	message := tlv.AppendHeader(nil)
	message = tlv.AppendBlob(message, 100, 1)
	message = tlv.AppendInt64(message, 7)
	message = tlv.AppendBlob(message, 200, 2)
	require.NoError(t, tlv.PatchArgc(message, 3))
	double := func(addr, _ uint64) (uint64, error) { return 2 * addr, nil }
	require.NoError(t, contract.EachBlob(message, double))
	values, err := tlv.Decode(message)
	require.NoError(t, err)
	assert.Equal(t, []tlv.Value{tlv.Blob(200, 1), tlv.Int64(7), tlv.Blob(400, 2)}, values)

	enough := errors.New("enough")
	require.ErrorIs(t, contract.EachBlob(message, func(uint64, uint64) (uint64, error) { return 0, enough }), enough)
	for i := range message { // malformed ones are left to decoders
		require.NoError(t, contract.EachBlob(message[:i], double))
	}
}

// FuzzEachBlob: no decoder accepts a message with a Blob that was not met.
func FuzzEachBlob(f *testing.F) {
	f.Add([]byte("\x01\x00\x02\x00\x0a\x00\x10\x00abcdefgh\x10\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00"))
	f.Add([]byte("\x01\x00\x01\x00\x07\x00\x04\x00\x0a\x00\x10\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		var met []tlv.Value
		err := contract.EachBlob(message, func(addr, length uint64) (uint64, error) {
			met = append(met, tlv.Blob(addr, length))
			return addr, nil
		})
		require.NoError(t, err)
		values, err := tlv.Decode(message)
		if err != nil {
			return
		}
		var want []tlv.Value
		for _, v := range values {
			if v.Tag() == tlv.TagBlob {
				want = append(want, v)
			}
		}
		require.Equal(t, want, met)
	})
}
