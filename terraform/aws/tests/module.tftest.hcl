# What the module plans, without an account: `terraform init -backend=false && terraform test`.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-2", "subnet-1"] }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mocked" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/mocked" }
  }
  mock_resource "aws_launch_template" {
    defaults = { arn = "arn:aws:ec2:eu-central-1:123456789012:launch-template/lt-0123" }
  }
  mock_resource "aws_batch_compute_environment" {
    defaults = { arn = "arn:aws:batch:eu-central-1:123456789012:compute-environment/mocked" }
  }
}

variables {
  bucket = "sessions-of-a-test"
}

run "nothing_is_public_and_everything_ends" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.pipes.block_public_acls,
      aws_s3_bucket_public_access_block.pipes.block_public_policy,
      aws_s3_bucket_public_access_block.pipes.ignore_public_acls,
      aws_s3_bucket_public_access_block.pipes.restrict_public_buckets,
    ])
    error_message = "the bucket is open to the public"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.pipes.rule[0].expiration[0].days == 30
    error_message = "sessions stay for another time than 30 days"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.pipes.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "the bucket is not encrypted"
  }

  assert {
    condition     = aws_launch_template.job.instance_initiated_shutdown_behavior == "terminate"
    error_message = "a machine that shuts down would stay, and cost"
  }

  assert {
    condition     = aws_launch_template.job.metadata_options[0].http_tokens == "required"
    error_message = "the machine's metadata can be read without a token"
  }

  assert {
    condition     = aws_batch_compute_environment.spot[0].compute_resources[0].min_vcpus == 0
    error_message = "the queue does not scale to zero"
  }

  assert {
    condition     = output.url == "s3://sessions-of-a-test/pipes"
    error_message = "the URL is ${output.url}"
  }

  assert {
    condition     = output.ec2.subnet_ids == tolist(["subnet-1", "subnet-2"])
    error_message = "the subnets are not those of the network"
  }

  assert {
    condition     = output.orchestrator_role_arn == null
    error_message = "a role was made that nobody was named for"
  }
}

run "a_key_of_ones_own_encrypts" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.pipes.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "the key is not used"
  }
}

run "without_a_queue_nothing_of_it_is_made" {
  variables {
    batch = false
  }

  assert {
    condition     = length(aws_batch_job_queue.jobs) + length(aws_batch_compute_environment.spot) + length(aws_iam_role.batch_machine) == 0
    error_message = "parts of the queue were made"
  }

  assert {
    condition     = output.aws_batch == null
    error_message = "settings of a queue that does not exist"
  }
}

run "an_orchestrators_role_is_made_for_those_who_are_named" {
  variables {
    orchestrator_trusted_arns = ["arn:aws:iam::123456789012:role/dagster"]
  }

  assert {
    condition     = length(aws_iam_role.orchestrator) == 1
    error_message = "no role was made"
  }
}

run "a_retention_that_loses_messages_is_refused" {
  command = plan

  variables {
    retention_days = 3
  }

  expect_failures = [var.retention_days]
}

run "a_prefix_with_slashes_around_is_refused" {
  command = plan

  variables {
    prefix = "/pipes/"
  }

  expect_failures = [var.prefix]
}
