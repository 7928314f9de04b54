terraform {
  required_version = ">= 1.9" # validation rules that look at other variables

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0"
    }
  }
}
