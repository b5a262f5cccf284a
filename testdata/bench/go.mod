// The comparison with Aerospike's own receiver of XDR, apart from the module: who
// builds or deploys it downloads none of this.
module github.com/aerosink/aerosink/testdata/bench

go 1.26.0

replace github.com/aerosink/aerosink => ../..

require (
	github.com/aerosink/aerosink v0.0.0
	github.com/aerospike/backup-go v0.11.0
	github.com/prometheus/client_golang v1.25.0
)

require (
	github.com/aerospike/aerospike-client-go/v8 v8.7.0 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/kr/pretty v0.3.1 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/wadey/gocovmerge v0.0.0-20160331181800-b5bfa59ec0ad // indirect
	github.com/yuin/gopher-lua v1.1.2 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
