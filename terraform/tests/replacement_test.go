package tests

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// renamed are kinds that Terraform may create before it destroys them: only another
// project or another name replaces them, or they have no name at Google. APIs at AWS may be
// called the same, and what belongs to one is replaced with it.
var renamed = []string{
	"google_project_service", "google_service_account", "terraform_data",
	"aws_api_gateway_integration", "aws_api_gateway_method", "aws_api_gateway_resource", "aws_api_gateway_rest_api",
}

// takenNames finds resources that a replacement creates while the old one has the name.
// What create_before_destroy says of a resource holds for all that it depends on, too.
func takenNames(m module) (found []string) {
	g := newGraph(m)
	first := map[string]*hclsyntax.Body{} // those that say create_before_destroy
	for _, b := range m.blocks("resource") {
		if literal(child(b.Body, "lifecycle"), "create_before_destroy") == "true" {
			first[address(b)] = b.Body
		}
	}
	because := map[string]string{}
	for of, body := range first {
		if !hasNewName(body) {
			found = append(found, of+" is created before it is destroyed, and its name is the same")
		}
		for _, to := range g.all(of) {
			kind, _, _ := strings.Cut(to, ".")
			if first[to] == nil && kind != "data" && !slices.Contains(renamed, kind) {
				because[to] = of
			}
		}
	}
	for to, of := range because {
		found = append(found, fmt.Sprintf("%s is created before it is destroyed, since %s is and depends on it: the cloud refuses another of its name", to, of))
	}
	slices.Sort(found)
	return found
}

// hasNewName reports whether what replaces a resource has another name, or none.
func hasNewName(body *hclsyntax.Body) bool {
	for _, naming := range []string{"name", "secret_id", "account_id", "repository_id", "dataset_id"} {
		a, ok := body.Attributes[naming]
		if !ok {
			continue
		}
		for _, to := range a.Expr.Variables() {
			if name := referent(to); name != "var.project" && name != "var.prefix" {
				return true
			}
		}
		return false
	}
	return true
}

// owners are the attributes of what is gone with the resource that it belongs to. A
// replaced resource has the same name, so that Terraform takes what refers to the name as
// unchanged, and creates it anew only in the next apply. An id is not known until then.
var owners = map[string]string{
	"google_bigquery_table":                "dataset_id",
	"google_pubsub_subscription":           "topic",
	"google_secret_manager_secret_version": "secret",
	"google_storage_bucket_object":         "bucket",
}

// lostWithOwner finds what refers to its owner by anything but its id. An _iam_member may
// do so in addition, for a location say.
func lostWithOwner(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		of := map[string][]string{}
		for name, a := range b.Body.Attributes {
			isGrant := strings.HasSuffix(b.Labels[0], "_iam_member") && !slices.Contains([]string{"member", "role", "count", "for_each", "depends_on"}, name)
			if !isGrant && owners[b.Labels[0]] != name {
				continue
			}
			for _, u := range uses(a.Expr) {
				if strings.HasPrefix(u.of, "google_") {
					of[u.of] = append(of[u.of], u.attribute)
				}
			}
		}
		for owner, attributes := range of {
			if !slices.Contains(attributes, "id") {
				found = append(found, fmt.Sprintf("%s is not replaced together with %s, and lost until the next apply; refer to its id", address(b), owner))
			}
		}
	}
	return found
}

// unsent finds blocks that say nothing but false. The provider does not send them, so
// Google does not return them, and each plan would add them again.
func unsent(m module) (found []string) {
	for _, b := range m.blocks("resource") {
		for _, block := range b.Body.Blocks {
			if len(block.Body.Attributes) == 0 || len(block.Body.Blocks) > 0 || slices.Contains([]string{"lifecycle", "provisioner"}, block.Type) {
				continue
			}
			says := false
			for name := range block.Body.Attributes {
				says = says || literal(block.Body, name) != "false"
			}
			if !says {
				found = append(found, address(b)+"."+block.Type+" says only what is so by default, and is never sent; leave it out")
			}
		}
	}
	return found
}
