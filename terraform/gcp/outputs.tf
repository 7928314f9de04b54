output "url" {
  description = "Where sessions live: what `url=` and BLOBPIPES_URL take."
  value       = "gs://${google_storage_bucket.pipes.name}/${var.prefix}"
}

output "bucket" {
  description = "The bucket's name."
  value       = google_storage_bucket.pipes.name
}

output "job_service_account" {
  description = "The account that jobs have: give it access to the data that they read and write."
  value       = google_service_account.job.email
}

output "gce" {
  description = "Settings of a machine of its own for each job."
  value = {
    project           = var.project
    zone              = local.zone
    instance_template = google_compute_instance_template.job.name
  }
}
