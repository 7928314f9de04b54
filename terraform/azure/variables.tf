variable "resource_group" {
  description = "Resource group of everything that the module makes; it must exist."
  type        = string
}

variable "location" {
  description = "Region of the account and the machines, such as `westeurope`."
  type        = string
}

variable "name" {
  description = "Prefix of every name that the module gives: identities, roles, network."
  type        = string
  default     = "blobpipes"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name must be 2 to 31 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of everything that can have tags."
  type        = map(string)
  default     = {}
}

# --- the container ---

variable "storage_account" {
  description = "Name of the storage account; unique in the world, 3 to 24 lower-case letters and digits."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account))
    error_message = "storage_account must be 3 to 24 lower-case letters and digits."
  }
}

variable "container" {
  description = "Name of the container."
  type        = string
  default     = "pipes"
}

variable "prefix" {
  description = "Under which the sessions live in the container. Jobs can reach nothing outside of it."
  type        = string
  default     = "sessions"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.=/-]*[A-Za-z0-9]$", var.prefix)) && !strcontains(var.prefix, "//")
    error_message = "prefix must be letters, digits and _ . = - / and must not begin or end with a slash."
  }
}

variable "retention_days" {
  description = "Days after its last change at which an object is removed. Longer than any job runs, and at least 7."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_days >= 7 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number and at least 7: removing chunks of a session that still runs loses messages."
  }
}

variable "replication" {
  description = "How Azure keeps copies: LRS is the cheapest; ZRS survives the loss of a data centre."
  type        = string
  default     = "LRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS"], var.replication)
    error_message = "replication must be LRS, ZRS, GRS or GZRS."
  }
}

variable "allowed_subnet_ids" {
  description = "Only these subnets (with the service endpoint Microsoft.Storage) reach the account, beside the module's own. Empty lets every network in; what one may do is said by the roles in any case."
  type        = list(string)
  default     = []
}

# --- who may do what ---

variable "create_only" {
  description = "Jobs may create objects but never overwrite one. Set it to false for jobs that write with the official dagster-pipes, which also asks for permission to overwrite."
  type        = bool
  default     = true
}

variable "orchestrator_principal_ids" {
  description = "Object ids of the users, groups or identities that act as the orchestrator."
  type        = list(string)
  default     = []
}

# --- machines ---

variable "subnet_id" {
  description = "Subnet of the machines. Null makes a network for them: out to the internet, nothing in."
  type        = string
  default     = null
}

variable "image" {
  description = "Image of the machines: publisher, offer, sku and version. It needs Python 3.10 or later."
  type        = object({ publisher = string, offer = string, sku = string, version = string })
  default     = { publisher = "Canonical", offer = "ubuntu-24_04-lts", sku = "server", version = "latest" }
}

variable "vm_size" {
  description = "Size of a machine, if the job does not ask for another one."
  type        = string
  default     = "Standard_D2as_v5"
}

variable "disk_gib" {
  description = "Size of a machine's disk in GiB."
  type        = number
  default     = 30
}
