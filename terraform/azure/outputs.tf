output "url" {
  description = "Where sessions live: what `url=` and BLOBPIPES_URL take."
  value       = "az://${azurerm_storage_container.pipes.name}/${var.prefix}"
}

output "storage_account" {
  description = "The account, which the URL does not name: what AZURE_STORAGE_ACCOUNT_NAME takes on both sides."
  value       = azurerm_storage_account.pipes.name
}

output "job_identity_id" {
  description = "The identity that jobs have: give it access to the data that they read and write."
  value       = azurerm_user_assigned_identity.job.id
}

# Azure has no launch template for single machines, so the settings are the template.
output "azure_vm" {
  description = "Settings of a machine of its own for each job."
  value = {
    resource_group = var.resource_group
    location       = var.location
    subnet_id      = local.subnet_id
    identity_id    = azurerm_user_assigned_identity.job.id
    vm_size        = var.vm_size
    disk_gib       = var.disk_gib
    image          = var.image
  }
}
