# What the module plans, without a project: `terraform init -backend=false && terraform test`.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "blobpipes-job@a-project.iam.gserviceaccount.com"
      member = "serviceAccount:blobpipes-job@a-project.iam.gserviceaccount.com"
      name   = "projects/a-project/serviceAccounts/blobpipes-job@a-project.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_project_iam_custom_role" {
    defaults = { id = "projects/a-project/roles/mocked" }
  }
}

variables {
  project = "a-project"
  region  = "europe-west3"
}

run "nothing_is_public_and_everything_ends" {
  assert {
    condition     = google_storage_bucket.pipes.public_access_prevention == "enforced" && google_storage_bucket.pipes.uniform_bucket_level_access
    error_message = "the bucket is open to the public"
  }

  assert {
    condition     = tolist(google_storage_bucket.pipes.lifecycle_rule)[0].condition != null && length(google_storage_bucket.pipes.lifecycle_rule) == 2
    error_message = "sessions stay for ever"
  }

  assert {
    condition     = google_storage_bucket.pipes.soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "what clean-up deletes is kept, and billed"
  }

  assert {
    condition     = output.url == "gs://a-project-blobpipes/pipes"
    error_message = "the URL is ${output.url}"
  }

  assert {
    condition     = output.gce.zone == "europe-west3-b"
    error_message = "the zone is ${output.gce.zone}"
  }
}

run "a_job_cannot_delete" {
  assert {
    condition     = !contains(google_project_iam_custom_role.job.permissions, "storage.objects.delete") && length(google_project_iam_custom_role.job.permissions) == 3
    error_message = "a job may do more than create, read and list"
  }

  assert {
    condition     = google_storage_managed_folder_iam_member.job.managed_folder == "pipes/"
    error_message = "a job may look outside of its folder"
  }

  assert {
    condition     = length(google_compute_instance_template.job.network_interface[0].access_config) == 0
    error_message = "machines have public addresses that nobody asked for"
  }
}

run "members_get_the_folder_the_machines_and_the_jobs_account" {
  variables {
    orchestrator_members = ["user:somebody@example.com"]
  }

  assert {
    condition = alltrue([
      length(google_storage_managed_folder_iam_member.orchestrator) == 1,
      length(google_project_iam_member.launcher) == 1,
      length(google_service_account_iam_member.hand_over) == 1,
    ])
    error_message = "a member lacks a permission"
  }
}

run "a_retention_that_loses_messages_is_refused" {
  command = plan

  variables {
    retention_days = 6
  }

  expect_failures = [var.retention_days]
}

run "a_name_too_long_for_a_service_account_is_refused" {
  command = plan

  variables {
    name = "a-name-that-is-too-long-for-it"
  }

  expect_failures = [var.name]
}
