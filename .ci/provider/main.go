// Command provider is a Terraform provider that has only a schema: what the file that
// PROVIDER_SCHEMA names has in the form of "terraform providers schema -json". With it,
// terraform init, validate and test (with mock_provider) work where no registry can be
// reached. Whatever would call a cloud fails, because the provider does not have it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// address is the address of the provider in the registry.
const address = "registry.terraform.io/hashicorp/aws"

// schemaFile is the schema of a provider.
type schemaFile struct {
	Provider  kind            `json:"provider"`
	Resources map[string]kind `json:"resource_schemas"`
	Data      map[string]kind `json:"data_source_schemas"`
}

type kind struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type block struct {
	Attributes map[string]struct {
		Type      json.RawMessage `json:"type"`
		Required  bool            `json:"required"`
		Optional  bool            `json:"optional"`
		Computed  bool            `json:"computed"`
		Sensitive bool            `json:"sensitive"`
	} `json:"attributes"`
	Blocks map[string]struct {
		Mode     string `json:"nesting_mode"`
		Block    block  `json:"block"`
		MinItems int64  `json:"min_items"`
		MaxItems int64  `json:"max_items"`
	} `json:"block_types"`
}

var modes = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
}

func main() {
	if err := serve(os.Getenv("PROVIDER_SCHEMA")); err != nil {
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

// serve serves the schema in a file to the Terraform that has started this process.
func serve(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var f schemaFile
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	schemas := &tfprotov5.GetProviderSchemaResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{}}
	if schemas.Provider, err = f.Provider.schema(); err != nil {
		return err
	}
	if schemas.ResourceSchemas, err = schemasOf(f.Resources); err != nil {
		return err
	}
	if schemas.DataSourceSchemas, err = schemasOf(f.Data); err != nil {
		return err
	}
	return tf5server.Serve(address, func() tfprotov5.ProviderServer { return provider{schemas: schemas} })
}

func schemasOf(kinds map[string]kind) (map[string]*tfprotov5.Schema, error) {
	all := map[string]*tfprotov5.Schema{}
	for name, k := range kinds {
		s, err := k.schema()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = s
	}
	return all, nil
}

func (k kind) schema() (*tfprotov5.Schema, error) {
	b, err := k.Block.schema()
	return &tfprotov5.Schema{Version: k.Version, Block: b}, err
}

func (b block) schema() (*tfprotov5.SchemaBlock, error) {
	s := &tfprotov5.SchemaBlock{}
	for name, a := range b.Attributes {
		of, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // it is the only reader of this form
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.Attributes = append(s.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: of, Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive,
		})
	}
	for name, n := range b.Blocks {
		mode, ok := modes[n.Mode]
		if !ok {
			return nil, fmt.Errorf("%s: unknown nesting mode %q", name, n.Mode)
		}
		inner, err := n.Block.schema()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.BlockTypes = append(s.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: n.MinItems, MaxItems: n.MaxItems,
		})
	}
	return s, nil
}

// provider answers questions about the schema. Of everything else Terraform asks only
// whether values are valid and the configuration is right, and they always are.
type provider struct {
	tfprotov5.ProviderServer // nil
	schemas                  *tfprotov5.GetProviderSchemaResponse
}

// GetProviderSchema implements [tfprotov5.ProviderServer].
func (p provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return p.schemas, nil
}

// GetMetadata implements [tfprotov5.ProviderServer].
func (p provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	m := &tfprotov5.GetMetadataResponse{ServerCapabilities: p.schemas.ServerCapabilities}
	for name := range p.schemas.ResourceSchemas {
		m.Resources = append(m.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range p.schemas.DataSourceSchemas {
		m.DataSources = append(m.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return m, nil
}

// GetResourceIdentitySchemas implements [tfprotov5.ProviderServer].
func (provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

// PrepareProviderConfig implements [tfprotov5.ProviderServer].
func (provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

// ConfigureProvider implements [tfprotov5.ProviderServer].
func (provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

// StopProvider implements [tfprotov5.ProviderServer].
func (provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

// ValidateResourceTypeConfig implements [tfprotov5.ProviderServer].
func (provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

// ValidateDataSourceConfig implements [tfprotov5.ProviderServer].
func (provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}
