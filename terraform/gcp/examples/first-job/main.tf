# The least that runs a job on a machine of its own:
#
#     terraform init && terraform apply -var project=MY-PROJECT
#     export BLOBPIPES_URL="$(terraform output -raw url)"

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.10"
    }
  }
}

variable "project" {
  description = "Your project."
  type        = string
}

variable "region" {
  description = "Where the bucket and the machines are."
  type        = string
  default     = "europe-west3"
}

variable "orchestrator" {
  description = "Who launches jobs, such as user:me@example.com."
  type        = string
}

module "blobpipes" {
  source = "../.."

  project              = var.project
  region               = var.region
  retention_days       = 14
  external_ip          = true # to fetch packages; without it the network needs Cloud NAT
  orchestrator_members = [var.orchestrator]
}

output "url" {
  description = "Where sessions live."
  value       = module.blobpipes.url
}

output "gce" {
  description = "Settings of a machine for a job."
  value       = module.blobpipes.gce
}
