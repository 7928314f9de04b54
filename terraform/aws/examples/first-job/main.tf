# The least that runs a job on a machine of its own:
#
#     terraform init && terraform apply
#     export BLOBPIPES_URL="$(terraform output -raw url)"

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

variable "region" {
  description = "Where the bucket and the machines are."
  type        = string
  default     = "eu-central-1"
}

provider "aws" {
  region = var.region
}

module "blobpipes" {
  source = "../.."

  name           = "blobpipes"
  retention_days = 14
  batch          = false
}

output "url" {
  description = "Where sessions live."
  value       = module.blobpipes.url
}

output "ec2" {
  description = "Settings of a machine for a job."
  value       = module.blobpipes.ec2
}
