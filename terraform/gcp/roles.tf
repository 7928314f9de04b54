# Two sets of permissions. A job creates and reads objects in the folder: it cannot delete, and so cannot overwrite,
# or look anywhere else. The orchestrator has the whole folder, and may launch and end machines.

locals {
  role_id = replace(var.name, "-", "_")
}

# --- the job ---

resource "google_service_account" "job" {
  project      = var.project
  account_id   = "${var.name}-job"
  display_name = "Jobs of ${var.name}"
}

resource "google_project_iam_custom_role" "job" {
  project     = var.project
  role_id     = "${local.role_id}_job"
  title       = "Job of ${var.name}"
  description = "Creates and reads the objects of its session"

  permissions = [
    "storage.objects.create", # replacing an object would need storage.objects.delete too
    "storage.objects.get",
    "storage.objects.list", # without it the answer for an absent object is 403, which looks like a refusal
  ]
}

resource "google_storage_managed_folder_iam_member" "job" {
  bucket         = google_storage_bucket.pipes.name
  managed_folder = google_storage_managed_folder.sessions.name
  role           = google_project_iam_custom_role.job.id
  member         = google_service_account.job.member
}

# --- the orchestrator ---

resource "google_project_iam_custom_role" "orchestrator" {
  project     = var.project
  role_id     = "${local.role_id}_orchestrator"
  title       = "Orchestrator of ${var.name}, sessions"
  description = "Writes, reads and removes sessions"

  permissions = [
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
  ]
}

resource "google_project_iam_custom_role" "launcher" {
  project     = var.project
  role_id     = "${local.role_id}_launcher"
  title       = "Orchestrator of ${var.name}, machines"
  description = "Launches machines from the template, sees and removes them"

  permissions = [
    "compute.disks.create",
    "compute.images.useReadOnly",
    "compute.instanceTemplates.useReadOnly",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.get",
    "compute.instances.getSerialPortOutput",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setServiceAccount",
    "compute.instances.setTags",
    "compute.machineTypes.get",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
    "compute.zoneOperations.get",
  ]
}

resource "google_storage_managed_folder_iam_member" "orchestrator" {
  for_each = toset(var.orchestrator_members)

  bucket         = google_storage_bucket.pipes.name
  managed_folder = google_storage_managed_folder.sessions.name
  role           = google_project_iam_custom_role.orchestrator.id
  member         = each.value
}

resource "google_project_iam_member" "launcher" {
  for_each = toset(var.orchestrator_members)

  project = var.project
  role    = google_project_iam_custom_role.launcher.id
  member  = each.value

  # Only machines that carry this name; the other permissions are about what a launch uses.
  condition {
    title = "Only machines of ${var.name}"
    expression = join(" || ", [
      "resource.type != 'compute.googleapis.com/Instance'",
      "resource.name.extract('/instances/{name}').startsWith('${var.name}-')",
    ])
  }
}

# A machine has the job's account, so whoever launches it must be allowed to hand that over.
resource "google_service_account_iam_member" "hand_over" {
  for_each = toset(var.orchestrator_members)

  service_account_id = google_service_account.job.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}
