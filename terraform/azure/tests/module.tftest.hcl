# What the module plans, without a subscription: `terraform init -backend=false && terraform test`.

mock_provider "azurerm" {
  mock_data "azurerm_resource_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipes" }
  }
}

variables {
  resource_group  = "pipes"
  location        = "westeurope"
  storage_account = "sessionsofatest"
}

run "nothing_is_public_and_everything_ends" {
  assert {
    condition     = !azurerm_storage_account.pipes.allow_nested_items_to_be_public && azurerm_storage_container.pipes.container_access_type == "private"
    error_message = "the container is open to the public"
  }

  assert {
    condition     = !azurerm_storage_account.pipes.shared_access_key_enabled
    error_message = "a key opens everything"
  }

  assert {
    condition     = azurerm_storage_account.pipes.min_tls_version == "TLS1_2" && azurerm_storage_account.pipes.https_traffic_only_enabled
    error_message = "traffic may be read on its way"
  }

  assert {
    condition     = azurerm_storage_management_policy.pipes.rule[0].actions[0].base_blob[0].delete_after_days_since_modification_greater_than == 30
    error_message = "sessions stay for another time than 30 days"
  }

  assert {
    condition     = output.url == "az://pipes/sessions"
    error_message = "the URL is ${output.url}"
  }

  assert {
    condition     = azurerm_network_security_rule.nothing_in[0].access == "Deny"
    error_message = "machines can be reached from outside"
  }
}

run "a_job_cannot_delete_or_overwrite_and_stays_under_its_prefix" {
  assert {
    condition     = length([for action in azurerm_role_definition.job.permissions[0].data_actions : action if endswith(action, "/delete") || endswith(action, "/write")]) == 0
    error_message = "a job may delete or overwrite"
  }

  assert {
    condition     = strcontains(azurerm_role_assignment.job.condition, ":path] StringLike 'sessions/*'") && azurerm_role_assignment.job.condition_version == "2.0"
    error_message = "a job may look outside of its prefix"
  }
}

run "official_writers_may_overwrite_if_that_is_wanted" {
  variables {
    create_only = false
  }

  assert {
    condition     = length([for action in azurerm_role_definition.job.permissions[0].data_actions : action if endswith(action, "/write")]) == 1
    error_message = "the permission is missing"
  }
}

run "a_subnet_of_ones_own_is_taken" {
  variables {
    subnet_id = "/subscriptions/0/subnets/mine"
  }

  assert {
    condition     = length(azurerm_virtual_network.machines) == 0 && output.azure_vm.subnet_id == "/subscriptions/0/subnets/mine"
    error_message = "another network was made"
  }
}

run "an_orchestrator_gets_the_prefix_the_machines_and_the_jobs_identity" {
  variables {
    orchestrator_principal_ids = ["11111111-1111-1111-1111-111111111111"]
  }

  assert {
    condition     = length(azurerm_role_assignment.orchestrator) == 1 && length(azurerm_role_assignment.launcher) == 1 && length(azurerm_role_assignment.hand_over) == 1
    error_message = "a permission is missing"
  }
}

run "a_retention_that_loses_messages_is_refused" {
  command = plan

  variables {
    retention_days = 1
  }

  expect_failures = [var.retention_days]
}

run "an_account_name_that_azure_would_refuse_is_refused" {
  command = plan

  variables {
    storage_account = "My-Account"
  }

  expect_failures = [var.storage_account]
}
