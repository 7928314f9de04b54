# Two sets of permissions. A job creates and reads blobs under the prefix: it cannot delete, overwrite, or look anywhere
# else. The orchestrator has the whole prefix, and may launch and remove machines in the resource group.

locals {
  blobs    = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
  writing  = var.create_only ? ["${local.blobs}/add/action"] : ["${local.blobs}/add/action", "${local.blobs}/write"]
  location = "StringLike '${var.prefix}/*'"

  # Every action on blobs is limited to the prefix; listing says its prefix in the request.
  inside = <<-EOT
    (
      (
        !(ActionMatches{'${local.blobs}/read'} AND NOT SubOperationMatches{'Blob.List'})
        AND !(ActionMatches{'${local.blobs}/add/action'})
        AND !(ActionMatches{'${local.blobs}/write'})
        AND !(ActionMatches{'${local.blobs}/delete'})
      )
      OR @Resource[${local.blobs}:path] ${local.location}
    )
    AND
    (
      !(ActionMatches{'${local.blobs}/read'} AND SubOperationMatches{'Blob.List'})
      OR @Request[${local.blobs}:prefix] ${local.location}
    )
  EOT
}

data "azurerm_resource_group" "this" {
  name = var.resource_group
}

# --- the job ---

resource "azurerm_user_assigned_identity" "job" {
  name                = "${var.name}-job"
  resource_group_name = var.resource_group
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_definition" "job" {
  name        = "${var.name} job (${var.storage_account})"
  description = "Creates and reads the blobs of its session"
  scope       = azurerm_storage_account.pipes.id

  permissions {
    data_actions = concat(["${local.blobs}/read"], local.writing)
  }

  assignable_scopes = [azurerm_storage_account.pipes.id]
}

resource "azurerm_role_assignment" "job" {
  scope              = azurerm_storage_container.pipes.id
  role_definition_id = azurerm_role_definition.job.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.job.principal_id
  principal_type     = "ServicePrincipal" # saves a look-up that fails while the identity is new
  condition          = local.inside
  condition_version  = "2.0"
}

# --- the orchestrator ---

resource "azurerm_role_definition" "orchestrator" {
  name        = "${var.name} orchestrator (${var.storage_account})"
  description = "Writes, reads and removes sessions"
  scope       = azurerm_storage_account.pipes.id

  permissions {
    data_actions = ["${local.blobs}/read", "${local.blobs}/add/action", "${local.blobs}/write", "${local.blobs}/delete"]
  }

  assignable_scopes = [azurerm_storage_account.pipes.id]
}

resource "azurerm_role_assignment" "orchestrator" {
  for_each = toset(var.orchestrator_principal_ids)

  scope              = azurerm_storage_container.pipes.id
  role_definition_id = azurerm_role_definition.orchestrator.role_definition_resource_id
  principal_id       = each.value
  condition          = local.inside
  condition_version  = "2.0"
}

resource "azurerm_role_definition" "launcher" {
  name        = "${var.name} launcher (${var.resource_group})"
  description = "Launches, sees and removes machines"
  scope       = data.azurerm_resource_group.this.id

  permissions {
    actions = [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Compute/virtualMachines/write",
      "Microsoft.Compute/virtualMachines/delete",
      "Microsoft.Compute/virtualMachines/instanceView/read",
      "Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",
      "Microsoft.Compute/disks/read",
      "Microsoft.Compute/disks/write",
      "Microsoft.Compute/disks/delete",
      "Microsoft.Network/networkInterfaces/read",
      "Microsoft.Network/networkInterfaces/write",
      "Microsoft.Network/networkInterfaces/join/action",
      "Microsoft.Network/networkInterfaces/delete",
      "Microsoft.Network/virtualNetworks/subnets/read",
      "Microsoft.Network/virtualNetworks/subnets/join/action",
      "Microsoft.Resources/subscriptions/resourceGroups/read",
    ]
  }

  assignable_scopes = [data.azurerm_resource_group.this.id]
}

resource "azurerm_role_assignment" "launcher" {
  for_each = toset(var.orchestrator_principal_ids)

  scope              = data.azurerm_resource_group.this.id
  role_definition_id = azurerm_role_definition.launcher.role_definition_resource_id
  principal_id       = each.value
}

# A machine has the job's identity, so whoever launches it must be allowed to hand that over.
resource "azurerm_role_assignment" "hand_over" {
  for_each = toset(var.orchestrator_principal_ids)

  scope                = azurerm_user_assigned_identity.job.id
  role_definition_name = "Managed Identity Operator"
  principal_id         = each.value
}
