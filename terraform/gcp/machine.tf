# What a machine for one job is like. The client adds the boot script, and asks for spot or on demand.

resource "google_compute_instance_template" "job" {
  project      = var.project
  region       = var.region
  name_prefix  = "${var.name}-job-"
  description  = "One machine for one job of blobpipes"
  machine_type = var.machine_type
  labels       = merge(var.labels, { "blobpipes-stack" = var.name })

  disk {
    source_image = var.image
    disk_size_gb = var.disk_gib
    disk_type    = "pd-balanced"
    boot         = true
    auto_delete  = true
  }

  network_interface {
    network    = var.subnetwork == null ? var.network : null
    subnetwork = var.subnetwork

    dynamic "access_config" {
      for_each = var.external_ip ? [1] : []
      content {}
    }
  }

  service_account {
    email  = google_service_account.job.email
    scopes = ["cloud-platform"] # what it may do is said by its permissions, not here
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    block-project-ssh-keys = "true"
    enable-oslogin         = "true"
    serial-port-enable     = "false" # reading what a machine printed does not need it; typing into it would
  }

  lifecycle {
    create_before_destroy = true # a template cannot be changed
  }
}
