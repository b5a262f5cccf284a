package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// class is a class as the generator writes it, with what a reader of schemas looks at.
const class = `
function shopQueueRuleToHclTerraform(struct) {
    const attrs = {
        ids: {
            value: cdktn.listMapperHcl(cdktn.numberToHclTerraform, false)(struct.ids),
            isBlock: false,
            type: "list",
            storageClassType: "numberList",
        },
    };
}
class ShopQueueRuleOutputReference extends cdktn.ComplexObject {
    // ids - computed: false, optional: false, required: true
    _ids;
    get ids() {
        return this.getNumberListAttribute('ids');
    }
}
class ShopQueueOwnerOutputReference extends cdktn.ComplexObject {
    // name - computed: true, optional: false, required: false
    get name() {
        return this.getStringAttribute('name');
    }
}
class ShopQueue extends cdktn.TerraformResource {
    // arn - computed: true, optional: false, required: false
    get arn() {
        return this.getStringAttribute('arn');
    }
    // fifo - computed: false, optional: true, required: false
    get fifo() {
        return this.getBooleanAttribute('fifo');
    }
    // name - computed: false, optional: false, required: true
    get name() {
        return this.getStringAttribute('name');
    }
    // owner - computed: true, optional: false, required: false
    _owner = new ShopQueueOwnerList(this, "owner", true);
    // tags - computed: true, optional: true, required: false
    get tags() {
        return this.getStringMapAttribute('tags');
    }
    // zones - computed: false, optional: true, required: false
    get zones() {
        return cdktn.Fn.tolist(this.getListAttribute('zones'));
    }
    // rule - computed: false, optional: false, required: true
    _rule = new ShopQueueRuleOutputReference(this, "rule");
    // other - computed: false, optional: true, required: false
    _other = new ShopQueueRuleList(this, "other", true);
    // timeouts - computed: false, optional: true, required: false
    _timeouts = new ShopQueueOwnerOutputReference(this, "timeouts");
    synthesizeHclAttributes() {
        const attrs = {
            name: {
                value: cdktn.stringToHclTerraform(this._name),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            rule: {
                value: shopQueueRuleToHclTerraform(this._rule.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "ShopQueueRuleList",
            },
            other: {
                value: cdktn.listMapperHcl(shopQueueRuleToHclTerraform, true)(this._other.internalValue),
                isBlock: true,
                type: "set",
                storageClassType: "ShopQueueRuleList",
            },
            timeouts: {
                value: shopQueueOwnerToHclTerraform(this._timeouts.internalValue),
                isBlock: true,
                type: "struct",
                storageClassType: "ShopQueueTimeouts",
            },
        };
    }
}
`

func TestRoot(t *testing.T) {
	b, err := newClasses(class).root()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"attributes":{
		"arn":{"type":"string","computed":true},
		"fifo":{"type":"bool","optional":true},
		"name":{"type":"string","required":true},
		"owner":{"type":["set",["object",{"name":"string"}]],"computed":true},
		"tags":{"type":["map","string"],"optional":true,"computed":true},
		"zones":{"type":["set","string"],"optional":true}
	},"block_types":{
		"other":{"nesting_mode":"set","block":{"attributes":{"ids":{"type":["list","number"],"required":true}}}},
		"rule":{"nesting_mode":"list","block":{"attributes":{"ids":{"type":["list","number"],"required":true}}},"min_items":1,"max_items":1},
		"timeouts":{"nesting_mode":"single","block":{"attributes":{"name":{"type":"string","computed":true}}}}
	}}`
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(strings.NewReplacer("\n", "", "\t", "").Replace(want)), "", " "); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(indented.String(), string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What the generator may write one day is an error, never a schema that lacks something.
func TestRoot_errors(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no resource":    {"class A extends cdktn.ComplexObject {\n}\n", "no class of a resource"},
		"unknown getter": {strings.Replace(class, "getBooleanAttribute", "getBigAttribute", 1), "ShopQueue.fifo: no getter"},
		"missing class":  {strings.Replace(class, "class ShopQueueOwnerOutputReference", "class Other", 1), "ShopQueue.owner: there is no class ShopQueueOwnerOutputReference"},
	} {
		if _, err := newClasses(tt.text).root(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
}

// The file is what the command writes. AWS_PROVIDER_CLASSES names the unpacked npm package.
func TestWrite_asCommitted(t *testing.T) {
	folder := os.Getenv("AWS_PROVIDER_CLASSES")
	if folder == "" {
		t.Skip("AWS_PROVIDER_CLASSES does not name the unpacked npm package @cdktn/provider-aws")
	}
	var got bytes.Buffer
	if err := write(&got, folder); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("aws.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-aws.json +written)\n%s", diff)
	}
}
