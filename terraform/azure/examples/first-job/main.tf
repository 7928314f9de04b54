# The least that runs a job on a machine of its own:
#
#     terraform init && terraform apply -var storage_account=UNIQUENAME
#     export BLOBPIPES_URL="$(terraform output -raw url)"
#     export AZURE_STORAGE_ACCOUNT_NAME="$(terraform output -raw storage_account)"

terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0"
    }
  }
}

provider "azurerm" {
  storage_use_azuread = true # the account has no keys

  features {}
}

variable "storage_account" {
  description = "A name that nobody else in the world has: 3 to 24 lower-case letters and digits."
  type        = string
}

variable "location" {
  description = "Where the container and the machines are."
  type        = string
  default     = "westeurope"
}

data "azurerm_client_config" "me" {}

resource "azurerm_resource_group" "pipes" {
  name     = "blobpipes"
  location = var.location
}

module "blobpipes" {
  source = "../.."

  resource_group             = azurerm_resource_group.pipes.name
  location                   = azurerm_resource_group.pipes.location
  storage_account            = var.storage_account
  retention_days             = 14
  orchestrator_principal_ids = [data.azurerm_client_config.me.object_id]
}

output "url" {
  description = "Where sessions live."
  value       = module.blobpipes.url
}

output "storage_account" {
  description = "For AZURE_STORAGE_ACCOUNT_NAME."
  value       = module.blobpipes.storage_account
}

output "azure_vm" {
  description = "Settings of a machine for a job."
  value       = module.blobpipes.azure_vm
}
