variable "project" {
  description = "Project of everything that the module makes."
  type        = string
}

variable "region" {
  description = "Region of the bucket and the machines. Traffic between them is free when both are in one."
  type        = string
}

variable "zone" {
  description = "Zone of the machines. Null takes the region's zone `b`."
  type        = string
  default     = null
}

variable "name" {
  description = "Prefix of every name that the module gives: service accounts, roles, the machine template."
  type        = string
  default     = "blobpipes"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 17 lower-case letters, digits and dashes, and begin with a letter: service accounts have short names."
  }
}

variable "labels" {
  description = "Labels of everything that can have labels."
  type        = map(string)
  default     = {}
}

# --- the bucket ---

variable "bucket" {
  description = "Name of the bucket; unique in the world. Null makes `PROJECT-NAME`."
  type        = string
  default     = null
}

variable "prefix" {
  description = "Under which the sessions live in the bucket. Jobs can reach nothing outside of it."
  type        = string
  default     = "pipes"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.=/-]*[A-Za-z0-9]$", var.prefix)) && !strcontains(var.prefix, "//")
    error_message = "prefix must be letters, digits and _ . = - / and must not begin or end with a slash."
  }
}

variable "retention_days" {
  description = "Age in days at which a session's objects are removed. Longer than any job runs, and at least 7."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_days >= 7 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number and at least 7: removing chunks of a session that still runs loses messages."
  }
}

variable "kms_key" {
  description = "Cloud KMS key that encrypts the objects. Null encrypts with a key of Google's, which costs nothing."
  type        = string
  default     = null
}

variable "access_log_bucket" {
  description = "Bucket that gets the usage logs of this one. Null keeps none."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Let `terraform destroy` remove a bucket that still holds sessions."
  type        = bool
  default     = false
}

# --- who may do what ---

variable "orchestrator_members" {
  description = "Who may act as the orchestrator, such as `serviceAccount:dagster@my-project.iam.gserviceaccount.com`. They get its permissions directly."
  type        = list(string)
  default     = []
}

# --- machines ---

variable "network" {
  description = "Network of the machines."
  type        = string
  default     = "default"
}

variable "subnetwork" {
  description = "Subnet of the machines; it needs a way to Cloud Storage. Null takes the network's own in the region."
  type        = string
  default     = null
}

variable "external_ip" {
  description = "Give each machine an address of its own, so that it can fetch what the job needs. Without one the subnet needs Private Google Access, and Cloud NAT for anything else."
  type        = bool
  default     = false
}

variable "image" {
  description = "Image of the machines. It needs Python 3.10 or later."
  type        = string
  default     = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
}

variable "machine_type" {
  description = "Type of a machine, if the job does not ask for another one."
  type        = string
  default     = "e2-standard-2"
}

variable "disk_gib" {
  description = "Size of a machine's disk in GiB."
  type        = number
  default     = 30
}
