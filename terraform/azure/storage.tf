# The container: private, encrypted (Azure always does), nothing stays for ever.

resource "azurerm_storage_account" "pipes" {
  name                             = var.storage_account
  resource_group_name              = var.resource_group
  location                         = var.location
  account_tier                     = "Standard"
  account_kind                     = "StorageV2"
  account_replication_type         = var.replication
  access_tier                      = "Hot" # sessions are read while they are written
  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  allow_nested_items_to_be_public  = false
  shared_access_key_enabled        = false # a key would open everything; only roles do
  default_to_oauth_authentication  = true
  cross_tenant_replication_enabled = false
  local_user_enabled               = false
  tags                             = var.tags

  dynamic "network_rules" {
    for_each = length(var.allowed_subnet_ids) > 0 ? [1] : []

    content {
      default_action             = "Deny"
      bypass                     = ["AzureServices"]
      virtual_network_subnet_ids = concat(var.allowed_subnet_ids, azurerm_subnet.machines[*].id)
    }
  }
}

resource "azurerm_storage_container" "pipes" {
  name                  = var.container
  storage_account_id    = azurerm_storage_account.pipes.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "pipes" {
  storage_account_id = azurerm_storage_account.pipes.id

  rule {
    name    = "old-sessions"
    enabled = true

    filters {
      prefix_match = ["${var.container}/${var.prefix}/"]
      blob_types   = ["blockBlob"]
    }

    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = var.retention_days
      }
    }
  }
}
