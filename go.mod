module github.com/nyash-plugins/nyash-go

go 1.26
