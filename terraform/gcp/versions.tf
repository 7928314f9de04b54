terraform {
  required_version = ">= 1.9" # validation rules that look at other variables

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.10"
    }
  }
}
