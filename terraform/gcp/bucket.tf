# The bucket: private, encrypted, nothing stays for ever.

locals {
  bucket = coalesce(var.bucket, "${var.project}-${var.name}")
  zone   = coalesce(var.zone, "${var.region}-b")
}

resource "google_storage_bucket" "pipes" {
  project                     = var.project
  name                        = local.bucket
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true # no ACLs: the permissions here are all there is
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy
  labels                      = var.labels

  versioning {
    enabled = false # would keep what clean-up deletes, and bill it
  }

  soft_delete_policy {
    retention_duration_seconds = 0 # the same, and it is on if nobody says so
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.retention_days
      matches_prefix = ["${var.prefix}/"]
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }

    condition {
      age = 1
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      default_kms_key_name = encryption.value
    }
  }

  dynamic "logging" {
    for_each = var.access_log_bucket == null ? [] : [var.access_log_bucket]

    content {
      log_bucket        = logging.value
      log_object_prefix = local.bucket
    }
  }
}

# Permissions on a managed folder cover listing too; a condition on object names cannot.
resource "google_storage_managed_folder" "sessions" {
  bucket        = google_storage_bucket.pipes.name
  name          = "${var.prefix}/"
  force_destroy = var.force_destroy
}
