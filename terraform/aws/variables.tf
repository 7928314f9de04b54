variable "name" {
  description = "Prefix of every name that the module gives: roles, policies, launch template, queue."
  type        = string
  default     = "blobpipes"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name must be 2 to 31 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of everything that can have tags."
  type        = map(string)
  default     = {}
}

# --- the bucket ---

variable "bucket" {
  description = "Name of the bucket; unique in the world. Null makes one up from `name`."
  type        = string
  default     = null
}

variable "prefix" {
  description = "Under which the sessions live in the bucket. Jobs can reach nothing outside of it."
  type        = string
  default     = "pipes"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.=/-]*[A-Za-z0-9]$", var.prefix)) && !strcontains(var.prefix, "//")
    error_message = "prefix must be letters, digits and _ . = - / and must not begin or end with a slash."
  }
}

variable "retention_days" {
  description = "Age in days at which a session's objects are removed. Longer than any job runs, and at least 7."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_days >= 7 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number and at least 7: removing chunks of a session that still runs loses messages."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects. Null encrypts with a key of S3's own (SSE-S3), which costs nothing."
  type        = string
  default     = null
}

variable "access_log_bucket" {
  description = "Bucket that gets the access logs of this one. Null keeps none."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Let `terraform destroy` remove a bucket that still holds sessions."
  type        = bool
  default     = false
}

# --- who may do what ---

variable "create_only" {
  description = "Jobs may create objects but never overwrite one. Set it to false for jobs that write with the official dagster-pipes, which knows no conditional writes."
  type        = bool
  default     = true
}

variable "orchestrator_trusted_arns" {
  description = "Users or roles that may take the orchestrator's role. With none, no role is made: attach the policy of the output `orchestrator_policy_arn` yourself."
  type        = list(string)
  default     = []
}

variable "job_policy_arns" {
  description = "Further policies of the job's role, for the data that your jobs read and write."
  type        = list(string)
  default     = []
}

# --- machines ---

variable "vpc_id" {
  description = "Network of the machines. Null takes the account's default network."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Subnets of the machines; they need a way to S3. Null takes all subnets of the network."
  type        = list(string)
  default     = null
}

variable "image" {
  description = "AMI of the machines: an id, or `resolve:ssm:` and the parameter that holds one. It needs Python 3.10 or later."
  type        = string
  default     = "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
}

variable "instance_type" {
  description = "Type of a machine, if the job does not ask for another one."
  type        = string
  default     = "m7i.large"
}

variable "disk_gib" {
  description = "Size of a machine's disk in GiB."
  type        = number
  default     = 30
}

# --- the batch queue ---

variable "batch" {
  description = "Make an AWS Batch queue on spot machines that scales to zero."
  type        = bool
  default     = true
}

variable "batch_image" {
  description = "Container image of the queue's job definition. It needs blobpipes with the extra `s3`, and your program."
  type        = string
  default     = "public.ecr.aws/docker/library/python:3.12-slim"
}

variable "batch_instance_types" {
  description = "Machine types or families that the queue may use. More of them are interrupted less often."
  type        = list(string)
  default     = ["m7i", "m7a", "m6i", "m6a"]
}

variable "batch_max_vcpus" {
  description = "The most vCPUs that the queue uses at once: the ceiling of what it can cost in an hour."
  type        = number
  default     = 64
}

variable "batch_vcpus" {
  description = "vCPUs of one job, if it does not ask for others."
  type        = number
  default     = 1
}

variable "batch_memory_mib" {
  description = "Memory of one job in MiB, if it does not ask for another size."
  type        = number
  default     = 2048
}

variable "batch_attempts" {
  description = "How often a job may start in all when its spot machine is taken away. A restart continues the same session."
  type        = number
  default     = 3

  validation {
    condition     = var.batch_attempts >= 1 && var.batch_attempts <= 10
    error_message = "batch_attempts must be 1 to 10: AWS Batch allows no more."
  }
}
