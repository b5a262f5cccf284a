mock_provider "google" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
}

run "private" {
  command = plan

  assert {
    condition = { for z in google_dns_managed_zone.google : z.dns_name => z.visibility } == {
      "googleapis.com." = "private"
      "pkg.dev."        = "private"
      "run.app."        = "private"
    }
    error_message = "There must be a private zone for each domain that a connector uses."
  }

  assert {
    condition = { for r in google_dns_record_set.address : r.name => r.rrdatas } == {
      for name in ["private.googleapis.com.", "pkg.dev.", "run.app."] : name => tolist(["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"])
    }
    error_message = "The names must have the four addresses of private.googleapis.com."
  }

  assert {
    condition = { for r in google_dns_record_set.alias : r.name => r.rrdatas } == {
      "*.googleapis.com." = tolist(["private.googleapis.com."])
      "*.pkg.dev."        = tolist(["pkg.dev."])
      "*.run.app."        = tolist(["run.app."])
    }
    error_message = "All other names of a domain must be aliases of the name with the addresses."
  }

  assert {
    condition     = google_compute_route.google.dest_range == "199.36.153.8/30" && google_compute_route.google.next_hop_gateway == "default-internet-gateway" && output.range == "199.36.153.8/30"
    error_message = "There must be a route to the addresses."
  }

  assert {
    condition     = endswith(split("://", output.aerosink.ingest_url)[1], ".run.app")
    error_message = "The function's name must be in a zone."
  }
}

run "restricted" {
  command = plan

  variables {
    subnetwork = "projects/network-project/regions/europe-west1/subnetworks/shop"
    restricted = true
  }

  assert {
    condition     = google_dns_record_set.address["googleapis"].name == "restricted.googleapis.com." && google_dns_record_set.address["run"].rrdatas == tolist(["199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"])
    error_message = "The names must have the addresses of restricted.googleapis.com."
  }

  assert {
    condition     = data.google_compute_subnetwork.this.project == "network-project" && data.google_compute_subnetwork.this.name == "shop"
    error_message = "The subnetwork must be looked up in its own project."
  }
}
