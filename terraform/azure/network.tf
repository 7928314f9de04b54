# Machines reach out (to the container, and for what the job fetches); nothing reaches in.

resource "azurerm_virtual_network" "machines" {
  count = var.subnet_id == null ? 1 : 0

  name                = "${var.name}-machines"
  resource_group_name = var.resource_group
  location            = var.location
  address_space       = ["10.91.0.0/16"]
  tags                = var.tags
}

resource "azurerm_subnet" "machines" {
  count = var.subnet_id == null ? 1 : 0

  name                            = "machines"
  resource_group_name             = var.resource_group
  virtual_network_name            = azurerm_virtual_network.machines[0].name
  address_prefixes                = ["10.91.0.0/20"]
  service_endpoints               = ["Microsoft.Storage"] # traffic to the container stays inside, and costs nothing
  default_outbound_access_enabled = true
}

resource "azurerm_network_security_group" "machines" {
  count = var.subnet_id == null ? 1 : 0

  name                = "${var.name}-machines"
  resource_group_name = var.resource_group
  location            = var.location
  tags                = var.tags
}

resource "azurerm_network_security_rule" "nothing_in" {
  count = var.subnet_id == null ? 1 : 0

  name                        = "nothing-in"
  resource_group_name         = var.resource_group
  network_security_group_name = azurerm_network_security_group.machines[0].name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "*"
  source_port_range           = "*"
  destination_port_range      = "*"
  source_address_prefix       = "*"
  destination_address_prefix  = "*"
}

resource "azurerm_subnet_network_security_group_association" "machines" {
  count = var.subnet_id == null ? 1 : 0

  subnet_id                 = azurerm_subnet.machines[0].id
  network_security_group_id = azurerm_network_security_group.machines[0].id
}

locals {
  subnet_id = var.subnet_id == null ? azurerm_subnet.machines[0].id : var.subnet_id
}
